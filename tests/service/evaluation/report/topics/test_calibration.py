"""Whether probabilities and intervals are right: said as far as this data can tell."""

import pytest

from service.evaluation.document import Estimate
from service.evaluation.report.topics import intervals, probabilities
from tests.service.evaluation.report.documents import about, classification, regression

#: Of the bins of the made-up document: 0.35 + 4 × 0.45 + 6 × 0.55 + … + 370 × 0.95 over 450 rows.
CONFIDENCE = 411.8 / 450


@pytest.mark.parametrize(
    ("accuracy", "tone"),
    [
        (Estimate(value=0.9, low=0.88, high=0.92), "yes"),
        (Estimate(value=0.95, low=0.93, high=0.97), "no"),
        (Estimate(value=0.85, low=0.8, high=0.9), "no"),
        (Estimate(value=0.9), "open"),
    ],
)
def test_mean_confidence_is_compared_with_the_interval(accuracy: Estimate, tone: str) -> None:
    found = probabilities.answer(classification(accuracy=accuracy))
    assert found is not None
    assert found.tone == tone
    assert found.sentences[0].startswith("The mean confidence is 91.5\u00a0%")
    assert found.sentences[-1].endswith("a part of it by chance, which the interval leaves out.")


def test_agreement_is_said_with_what_it_leaves_open() -> None:
    accuracy = Estimate(value=0.9, low=CONFIDENCE - 0.06, high=CONFIDENCE + 0.01)
    found = probabilities.answer(classification(accuracy=accuracy))
    assert found is not None
    assert "A deviation of up to 6 percentage points remains possible." in found.sentences


def test_diagrams_are_of_the_main_setting_and_of_dropout_off() -> None:
    found = probabilities.section(classification())
    assert found is not None
    titles = [figure.title for figure in found.figures]
    assert titles == ["Reliability: 100 passes", "Reliability: dropout off"]
    table = found.figures[0].table
    assert len(table.rows) == 7  # bins with rows
    assert table.rows[-1][1:3] == ["370", "95\u00a0%"]


@pytest.mark.parametrize(
    ("coverage", "said", "tone"),
    [
        (about(0.88, 0.04), "No deviation at 90\u00a0%", "yes"),
        (about(0.8, 0.04), "No, they are too narrow", "no"),
        (about(0.97, 0.02), "No, they are too wide", "no"),
        (Estimate(value=0.9), "Not known from this data", "open"),
    ],
)
def test_coverage_is_compared_with_what_is_stated(coverage: Estimate, said: str, tone: str) -> None:
    found = intervals.answer(regression(coverage=coverage))
    assert found is not None
    assert (found.said, found.tone) == (said, tone)


def test_intervals_without_noise_are_said_to_leave_it_out() -> None:
    found = intervals.answer(regression(noise=False))
    assert found is not None
    assert "not known to the model" in found.sentences[-1]


def test_each_task_has_its_own_question() -> None:
    assert probabilities.answer(regression()) is None
    assert probabilities.section(regression()) is None
    assert intervals.answer(classification()) is None
    assert intervals.section(classification()) is None
