"""Whether sets hold the true class, and whether accepted answers can be relied on."""

import pytest

from service.evaluation.document import Estimate
from service.evaluation.report.topics import accepted, foreign, intervals, sets
from tests.service.evaluation.report import documents
from tests.service.evaluation.report.documents import about, acceptance, classification
from tests.service.evaluation.report.test_report import covering, decided


@pytest.mark.parametrize(
    ("coverage", "tone"),
    [(about(0.9), "yes"), (about(0.97), "yes"), (about(0.8), "no"), (Estimate(value=0.8), "open")],
)
def test_sets_may_hold_more_than_they_state_and_not_less(coverage: Estimate, tone: str) -> None:
    found = documents.calibrated(classification(), sets=(documents.sets(coverage),))
    said = sets.answer(found)
    assert said is not None
    assert said.tone == tone
    assert "eight (40 rows)" in said.sentences[-1]


def test_each_rule_has_a_figure_with_the_sizes_of_its_sets() -> None:
    found = sets.section(decided())
    assert found is not None
    assert [figure.title for figure in found.figures] == [
        *("Coverage of sets: aps, 90\u00a0%", "Coverage of sets: lac, 90\u00a0%"),
        "Coverage of sets: aps, 95\u00a0%",
    ]
    names = [row[0] for row in found.figures[0].table.rows]
    assert names == ["all", "0 classes", "1 class", "2 classes", "least covered: eight"]


@pytest.mark.parametrize(
    ("risk", "target", "tone"),
    [
        (about(0.01, 0.005), 0.03, "yes"),
        (about(0.02), 0.03, "open"),
        (about(0.1), 0.03, "no"),
        (about(0.02, 0.01), None, "yes"),
        (about(0.05), None, "open"),
        (Estimate(value=0.0), 0.03, "open"),
    ],
)
def test_accepted_answers_are_judged_by_the_target(
    risk: Estimate, target: float | None, tone: str
) -> None:
    found = documents.calibrated(classification(), acceptance=acceptance(risk, target))
    said = accepted.answer(found)
    assert said is not None
    assert said.tone == tone


def test_no_error_among_few_accepted_is_no_proof() -> None:
    """Of 405 rows, 2 % could be wrong without an error in 1 of 3000 cases, and 0.5 % in 1 of 8."""
    none = Estimate(value=0.0, low=0.0, high=0.0)
    for target, tone in ((0.02, "yes"), (0.005, "open")):
        found = documents.calibrated(classification(), acceptance=acceptance(none, target))
        said = accepted.answer(found)
        assert said is not None
        assert said.tone == tone


def test_share_of_accepted_other_rows_is_told() -> None:
    sentences = foreign.answer(decided()).sentences
    assert any("threshold accepts 40\u00a0% (31 to 50\u00a0%) of them" in one for one in sentences)
    assert not any("threshold accepts" in one for one in foreign.answer(classification()).sentences)


def test_model_without_calibration_has_neither() -> None:
    assert sets.answer(classification()) is None
    assert sets.section(classification()) is None
    assert accepted.answer(classification()) is None
    assert accepted.section(classification()) is None


def test_intervals_of_each_method_have_a_figure() -> None:
    found = intervals.section(covering())
    assert found is not None
    assert [figure.title for figure in found.figures] == [
        *("Coverage of intervals", "Calibration curve", "Coverage of calibrated central intervals"),
        *(f"Coverage of calibrated {method} intervals" for method in ("absolute", "cqr")),
    ]
    said = intervals.answer(covering())
    assert said is not None
    assert any(one.startswith("The calibrated cqr intervals of 90") for one in said.sentences)
