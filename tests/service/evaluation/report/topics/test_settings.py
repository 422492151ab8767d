"""Whether dropout helps, and after how many passes a score has settled."""

import pytest

from service.evaluation.document import After, Estimate, Evaluation
from service.evaluation.report.topics import settings
from tests.service.evaluation.report.documents import about, classification, regression


def with_nll(main: Estimate, off: Estimate) -> Evaluation:
    evaluation = classification()
    results = tuple(
        result.model_copy(
            update={"metrics": {"nll": off if result.setting.kind == "deterministic" else main}}
        )
        for result in evaluation.results
    )
    return evaluation.model_copy(update={"results": results})


@pytest.mark.parametrize(
    ("main", "off", "tone"),
    [
        (about(0.1), about(0.2), "yes"),
        (about(0.2), about(0.1), "no"),
        (about(0.1), about(0.12), "open"),
        (Estimate(value=0.1), Estimate(value=0.2), "open"),
    ],
)
def test_answer_needs_intervals_that_do_not_overlap(
    main: Estimate, off: Estimate, tone: str
) -> None:
    found = settings.answer(with_nll(main, off))
    assert found is not None
    assert found.tone == tone


def test_answer_says_after_how_many_passes_the_score_has_settled() -> None:
    values = {5: 0.3, 10: 0.2, 20: 0.13, 50: 0.105, 100: 0.1}
    passes = tuple(After(passes=n, metrics={"nll": about(v, 0.1)}) for n, v in values.items())
    evaluation = with_nll(about(0.1), about(0.2)).model_copy(update={"passes": passes})
    found = settings.answer(evaluation)
    assert found is not None
    assert found.sentences[-1].startswith("From 50 passes on, it is as after 100")


def test_one_setting_alone_has_no_comparison() -> None:
    (alone,) = [r for r in classification().results if r.setting.name == "100 passes"]
    evaluation = classification(settings=[alone.setting])
    assert settings.answer(evaluation) is None
    assert len(settings.section(evaluation).figures) == 5


def test_section_has_a_forest_for_each_metric_of_a_setting() -> None:
    titles = [figure.title for figure in settings.section(regression()).figures]
    assert titles == ["NLL", "RMSE", "MAE", "CRPS"]


def test_scores_over_passes_are_shown_beside_dropout_off() -> None:
    found = settings.passes_section(classification())
    assert found is not None
    assert [figure.title for figure in found.figures] == [
        "NLL by number of passes",
        "Accuracy by number of passes",
    ]
    assert found.figures[1].legend[1].number == "98.0\u00a0% (97.0 to 99.0\u00a0%)"
    without = classification().model_copy(update={"passes": ()})
    assert settings.passes_section(without) is None
