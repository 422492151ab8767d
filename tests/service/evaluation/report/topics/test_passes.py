"""Whether dropout helps, and after how many passes a score has settled."""

import pytest

from service.evaluation.document import After, Estimate, Evaluation
from service.evaluation.report.topics import passes
from tests.service.evaluation.report.documents import about, classification


def with_nll(main: Estimate, difference: Estimate) -> Evaluation:
    """The deterministic setting differs from the main one by so much."""
    evaluation = classification()
    results = []
    for result in evaluation.results:
        update = {"metrics": {"nll": main}, "differences": {"nll": difference}}
        results.append(result.model_copy(update=update))
    return evaluation.model_copy(update={"results": tuple(results)})


@pytest.mark.parametrize(
    ("difference", "tone"),
    [
        (about(0.03), "yes"),
        (about(-0.03), "no"),
        (about(0.01), "open"),
        (Estimate(value=0.1), "open"),
    ],
)
def test_answer_needs_a_difference_whose_interval_excludes_0(
    difference: Estimate, tone: str
) -> None:
    found = passes.answer(with_nll(about(0.1, 0.09), difference))
    assert found is not None
    assert found.tone == tone


def test_document_without_differences_leaves_the_answer_open() -> None:
    evaluation = classification()
    results = [result.model_copy(update={"differences": {}}) for result in evaluation.results]
    found = passes.answer(evaluation.model_copy(update={"results": tuple(results)}))
    assert found is not None
    assert found.tone == "open"


def test_answer_says_after_how_many_passes_the_score_has_settled() -> None:
    values = {5: 0.3, 10: 0.2, 20: 0.13, 50: 0.105, 100: 0.1}
    after = tuple(After(passes=n, metrics={"nll": about(v, 0.1)}) for n, v in values.items())
    evaluation = with_nll(about(0.1), about(0.2)).model_copy(update={"passes": after})
    found = passes.answer(evaluation)
    assert found is not None
    assert found.sentences[-1].startswith("From 50 passes on, it is as after 100")


def test_one_setting_alone_has_no_comparison() -> None:
    (alone,) = [r for r in classification().results if r.setting.name == "100 passes"]
    assert passes.answer(classification(settings=[alone.setting])) is None


def test_scores_over_passes_are_shown_beside_dropout_off() -> None:
    found = passes.section(classification())
    assert found is not None
    assert [figure.title for figure in found.figures] == [
        "NLL by number of passes",
        "Accuracy by number of passes",
    ]
    assert found.figures[1].legend[1].number == "98.0\u00a0% (97.0 to 99.0\u00a0%)"
    without = classification().model_copy(update={"passes": ()})
    assert passes.section(without) is None
