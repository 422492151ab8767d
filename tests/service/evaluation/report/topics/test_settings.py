"""Which settings differ from the main one, by the intervals of paired differences."""

import pytest

from service.evaluation.document import Estimate, Evaluation
from service.evaluation.report.topics import settings
from tests.service.evaluation.report.documents import (
    MAIN,
    UNDEFINED,
    about,
    calibrated,
    classification,
    regression,
)


def differing(differences: dict[str, Estimate]) -> Evaluation:
    """Settings by name with a difference of the likelihood, of 0.06 of the main one."""
    evaluation = classification()
    results = []
    for result in evaluation.results:
        found = differences.get(result.setting.name, about(0.0))
        update = {"differences": {} if result.setting.name == MAIN else {"nll": found}}
        results.append(result.model_copy(update=update))
    return evaluation.model_copy(update={"results": tuple(results)})


def test_answer_groups_the_settings_by_what_their_differences_show() -> None:
    found = settings.answer(differing({"10 passes": about(0.05), "per-row masks": about(-0.03)}))
    assert found is not None
    assert found.tone == "yes"
    assert found.sentences[1:] == [
        "Better: per-row masks.",
        "Worse: 10 passes.",
        "No difference shown: rate × 0.5.",
    ]


def test_answer_is_open_where_no_setting_is_better() -> None:
    found = settings.answer(differing({"10 passes": about(0.05)}))
    assert found is not None
    assert found.tone == "open"


def test_calibration_is_compared_too() -> None:
    found = settings.answer(calibrated(differing({})))
    assert found is not None
    assert "Better: calibrated." in found.sentences


def test_answer_needs_resamples_and_another_setting() -> None:
    (alone,) = [r for r in classification().results if r.setting.name == MAIN]
    assert settings.answer(classification(settings=[alone.setting])) is None
    assert len(settings.section(classification(settings=[alone.setting])).figures) == 5
    evaluation = differing({})
    none = evaluation.bootstrap.model_copy(update={"resamples": 0})
    assert settings.answer(evaluation.model_copy(update={"bootstrap": none})) is None


def test_section_has_a_forest_for_each_metric_of_a_setting() -> None:
    titles = [figure.title for figure in settings.section(regression()).figures]
    assert titles == ["NLL", "RMSE", "MAE", "CRPS"]


@pytest.mark.parametrize(
    ("difference", "note", "numbers"),
    [
        (about(0.05), "worse", "0.050 (0.030 to 0.070)"),
        (about(-0.05), "better", "−0.050 (−0.070 to −0.030)"),
        (about(0.01), None, "0.010 (−0.010 to 0.030)"),
        (UNDEFINED, None, "–"),
    ],
)
def test_forest_says_which_settings_differ(
    difference: Estimate, note: str | None, numbers: str
) -> None:
    found = settings.section(differing({"10 passes": difference})).figures[1]
    assert [word for word in ("better", "worse") if f">{word}<" in found.drawing] == [
        *([note] if note else [])
    ]
    rows = {row[0]: row[2] for row in found.table.rows}
    assert rows["10 passes"] == numbers
    assert rows[MAIN] == "–"
