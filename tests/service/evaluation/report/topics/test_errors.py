"""Whether uncertainty finds errors: said as far as the intervals allow, and not further."""

import pytest

from service.evaluation.document import Estimate, Histogram, MeasureResult
from service.evaluation.report.topics.errors import answer, section
from tests.service.evaluation.report.documents import (
    UNDEFINED,
    about,
    classification,
    ranking,
    regression,
)


@pytest.mark.parametrize(
    ("auroc", "said", "tone"),
    [
        (Estimate(value=0.9, low=0.51, high=0.99), "Yes, better than chance", "yes"),
        (Estimate(value=0.9, low=0.49, high=0.99), "Not shown by this data", "open"),
        (Estimate(value=0.3, low=0.2, high=0.49), "No, worse than chance", "no"),
        (Estimate(value=0.9), "Not known from this data", "open"),
    ],
)
def test_answer_says_what_the_interval_allows(auroc: Estimate, said: str, tone: str) -> None:
    found = answer(classification(measures={"predictive_entropy": ranking(auroc)}))
    assert found is not None
    assert (found.said, found.tone) == (said, tone)


def test_answer_is_about_the_measure_chosen_beforehand() -> None:
    best, chosen = ranking(about(0.99, 0.001)), ranking(about(0.9, 0.01), risk=0.1)
    found = answer(classification(measures={"margin": best, "predictive_entropy": chosen}))
    assert found is not None
    first, second, third = found.sentences
    assert "higher predictive entropy" in first
    assert "90.0\u00a0% (89.0 to 91.0\u00a0%) of all pairs of the two" in first
    # Risk 0.1 x⁴: 6.56 % at a coverage of 0.9, on the line between points of the curve.
    assert "6.56\u00a0% of the rest are wrong instead of 10\u00a0%" in second
    assert third == "With 9 wrong answers, how much better is hardly known."


def test_risk_of_a_regression_is_beside_that_of_the_best_order() -> None:
    found = section(regression())
    assert found is not None
    ideal = found.figures[0].drawing.count('class="line ideal"')
    assert ideal == 1
    without = regression().result().model_copy(update={"best": None})
    evaluation = regression().model_copy(update={"results": (without,)})
    found = section(evaluation)
    assert found is not None
    assert "line ideal" not in found.figures[0].drawing


def test_measure_of_certainty_is_lower_for_wrong_answers() -> None:
    confidence = ranking(about(0.9)).model_copy(update={"certain": "high"})
    found = answer(classification(measures={"confidence": confidence}))
    assert found is not None
    assert "has a lower confidence" in found.sentences[0]


def test_no_wrong_answer_leaves_it_open() -> None:
    right = Histogram(edges=(0.0, 1.0), counts={"right": (450,), "wrong": (0,)})
    measure = ranking(UNDEFINED).model_copy(update={"histogram": right})
    found = answer(classification(measures={"predictive_entropy": measure}))
    assert found is not None
    assert (found.tone, found.sentences) == ("open", ["450 answers are right and 0 are wrong."])


def large(aurc: Estimate) -> MeasureResult:
    """A measure of a regression whose mean absolute error over all rows is 2.1."""
    measure = regression().results[0].measures["std"]
    return measure.model_copy(update={"metrics": {**measure.metrics, "aurc": aurc}})


@pytest.mark.parametrize(
    ("aurc", "tone"), [(about(1.9, 0.1), "yes"), (about(2.0, 0.2), "open"), (about(2.4), "no")]
)
def test_answer_of_a_regression_compares_with_a_random_order(aurc: Estimate, tone: str) -> None:
    evaluation = regression()
    result = evaluation.result().model_copy(update={"measures": {"std": large(aurc)}})
    found = answer(evaluation.model_copy(update={"results": (result,)}))
    assert found is not None
    assert found.tone == tone
    assert "mean absolute error of 1.55, all rows 2.1" in found.sentences[0]


def test_section_shows_every_measure_the_chosen_one_first() -> None:
    found = section(classification())
    assert found is not None
    assert [figure.title for figure in found.figures] == [
        "Risk and coverage",
        "Finding wrong answers",
        "Predictive entropy of right and wrong answers",
    ]
    risk = found.figures[0]
    assert risk.legend[0].label == "predictive entropy"
    assert len(risk.legend) == len(risk.table.columns) - 1 == 4
    assert risk.table.rows[0][:2] == ["100\u00a0%", "2\u00a0%"]


def test_section_of_a_regression_has_risks_in_the_unit_of_the_output() -> None:
    found = section(regression())
    assert found is not None
    (risk,) = found.figures
    assert risk.table.rows[-2] == ["50\u00a0%", "1.55"]


def test_evaluation_without_measures_has_no_such_section() -> None:
    assert answer(classification(measures={})) is None
    assert section(classification(measures={})) is None
