import math

import numpy as np
import pytest

from service.core.calibration import Calibration, Selection
from service.core.measures import Facts
from service.core.measures.bound import Source
from service.core.measures.facts import PerElement, View
from service.core.stopping import Rule, read_rule
from service.core.summary import Running
from service.errors import InputError
from service.protocol.adaptive import AdaptivePasses
from tests.conftest import SIGMAS

RUNS = 2000
#: A model with two outputs.
NAMES = ("y", "z")


def rule(text: str, task: str = "regression", view: View | None = None) -> Rule:
    outputs = [Facts(name, (None, 2), task, view or View()) for name in NAMES]
    return read_rule(AdaptivePasses.of_text(text), outputs)


def stops(rule: Rule, **outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(R,) passes of each row, and whether it was settled; of (P, R, …) samples."""
    running: dict[Source, Running] = {
        name: Running.start(name, y, rule.measures) for name, y in outputs.items()
    }
    rows, before = next(iter(outputs.values())).shape[1], 0
    passes, settled = np.full(rows, rule.looks[-1]), np.zeros(rows, bool)
    for look in rule.looks:
        running = {name: one.add(outputs[str(name)][before:look]) for name, one in running.items()}
        now = rule.settled(running) & ~settled
        passes[now], settled, before = look, settled | now, look
    return passes, settled


def bernoulli(probability: float, passes: int = 2000) -> np.ndarray:
    """(P, RUNS, 2) one-hot samples, of which class 0 has this probability."""
    first = np.random.default_rng(1).random((passes, RUNS)) < probability
    return np.stack([first, ~first], axis=-1).astype(np.float32)


def test_a_row_stops_at_the_first_look_with_its_standard_error() -> None:
    """Samples ±s have variance s²·P/(P - 1), so a standard error of s/√(P - 1)."""
    scales = np.array([0.1, 1.0, 3.0, 10.0])
    y = np.tile([[1.0], [-1.0]], (1000, 1)) * scales
    found = rule("max=2000,tolerance=0.1")
    passes, settled = stops(found, y=y)
    wanted = [next((n for n in found.looks if s / math.sqrt(n - 1) <= 0.1), 2000) for s in scales]
    assert passes.tolist() == wanted
    assert settled.tolist() == [True, True, True, False]


def test_a_relative_tolerance_is_one_of_the_absolute_mean() -> None:
    y = np.tile([[1.0], [-1.0]], (1000, 1)) + np.array([-10.0, 100.0])
    passes, _ = stops(rule("max=2000,tolerance=0.01,relative=true"), y=y)
    # 1/√(P - 1) ≤ 0.01 · 10 from 101 passes on
    assert passes.tolist() == [140, 20]


def test_a_row_stops_when_all_elements_of_all_outputs_may() -> None:
    quiet, loud = (np.tile([[s], [-s]], (1000, 3)) for s in (0.1, 1.0))
    loud[:, 1] = 0.0
    both = np.stack([quiet, loud], axis=-1)  # (P, 3, 2)
    assert stops(rule("tolerance=0.1"), y=quiet, z=both)[0].tolist() == [140, 20, 140]


def test_agreeing_probabilities_wait_for_a_pass_that_differs() -> None:
    """Which would have a standard error of 1/(P + 1)."""
    y = np.ones((2000, 1, 1))
    assert stops(rule("tolerance=0.01", "classification"), y=y)[0] == [100]
    assert stops(rule("tolerance=0.05", "classification"), y=y)[0] == [20]
    assert stops(rule("tolerance=0.01"), y=y)[0] == [20]


def test_one_pass_has_no_standard_error() -> None:
    found = rule("max=2,tolerance=0.1")
    y = np.zeros((1, 2, 1))
    assert not found.settled({"y": Running.start("y", y).add(y)}).any()


def test_outputs_that_are_the_same_in_all_passes_are_settled() -> None:
    y = np.random.default_rng(0).normal(size=(20, 3, 1))
    running: dict[Source, Running] = {"another": Running.start("another", y).add(y)}
    assert rule("tolerance=0.1").settled(running).tolist() == [True] * 3


def test_an_obvious_class_is_decided_at_the_first_look() -> None:
    y = np.random.default_rng(0).dirichlet([50.0, 1.0, 1.0], (2000, 5))
    found = rule("decide=predicted_class", "classification")
    assert set(stops(found, y=y)[0]) == {20}
    assert set(stops(found, y=y[..., :1])[0]) == {20}


def test_labels_are_decided_one_by_one() -> None:
    """The second one of the second row is as likely as not."""
    y = np.random.default_rng(0).beta([[5, 1], [5, 5]], [[1, 5], [1, 5]], (2000, 2, 2))
    found = rule("decide=predicted_class", "multilabel_classification", PerElement())
    assert stops(found, y=y)[1].tolist() == [True, False]
    above = rule("decide=confidence,threshold=0.7", "multilabel_classification", PerElement())
    assert stops(above, y=y)[1].tolist() == [True, True]


def test_a_class_waits_for_every_other_class() -> None:
    """Class 1 is far behind, class 2 as likely as class 0."""
    y = np.random.default_rng(0).dirichlet([20.0, 1.0, 20.0], (2000, 1))
    passes, settled = stops(rule("decide=predicted_class", "classification"), y=y)
    assert (passes[0], settled[0]) == (2000, False)


@pytest.mark.parametrize("probability", [0.52, 0.55, 0.6])
def test_wrong_classes_are_rarer_than_the_confidence_says(probability: float) -> None:
    y = bernoulli(probability)
    found = rule("decide=predicted_class,confidence=0.9", "classification")
    passes, settled = stops(found, y=y)
    sums = y.cumsum(axis=0)[passes - 1, np.arange(RUNS)]
    wrong = np.count_nonzero(settled & (sums[:, 1] > sums[:, 0]))
    assert wrong <= 0.1 * RUNS + SIGMAS * math.sqrt(0.1 * 0.9 * RUNS)
    assert settled.mean() > 0.2


@pytest.mark.parametrize("measure", ["mean", "predictive_entropy"])
def test_wrong_sides_of_a_threshold_are_rarer_than_the_confidence_says(measure: str) -> None:
    y, threshold = bernoulli(0.6), -0.56 * math.log(0.56) - 0.44 * math.log(0.44)
    if measure == "mean":
        y, threshold = y[..., :1], 0.56
    found = rule(f"decide={measure},threshold={threshold},confidence=0.9", "classification")
    passes, settled = stops(found, y=y)
    mean = y.cumsum(axis=0)[passes - 1, np.arange(RUNS), 0] / passes
    wrong = np.count_nonzero(settled & (mean < 0.56))
    assert wrong <= 0.1 * RUNS + SIGMAS * math.sqrt(0.1 * 0.9 * RUNS)
    assert settled.mean() > 0.5


def test_a_threshold_on_the_entropy_is_decided_by_its_distance() -> None:
    y = np.random.default_rng(0).dirichlet([5.0, 5.0], (2000, 1))
    far, near = (
        stops(rule(f"decide=predictive_entropy,threshold={c}", "classification"), y=y)
        for c in (0.3, math.log(2))
    )
    assert far[0][0] <= 40
    assert not near[1][0]


def test_looks_share_the_error_of_a_decision() -> None:
    found = rule("max=2000,decide=mean,threshold=0,confidence=0.92")
    assert found.looks == (20, 40, 80, 160, 320, 640, 1280, 2000)
    assert found.criteria["y"].level == pytest.approx(0.01)  # type: ignore[attr-defined]


def test_next_looks_are_those_of_the_rule() -> None:
    found = rule("max=50,decide=mean,threshold=0")
    assert [found.next_look(n) for n in (0, 19, 20, 40, 49, 50)] == [20, 20, 40, 50, 50, 50]


@pytest.mark.parametrize(
    ("measure", "task"),
    [
        ("mutual_information", "classification"),  # takes the samples
        ("label", "classification"),  # is no number
        ("standard_error", "classification"),  # is what a tolerance is for
        ("predictive_entropy", "regression"),
        ("total", "regression"),  # the model does not know its noise
        ("variance", "regression"),
    ],
)
def test_a_decision_that_the_model_has_not_is_refused(measure: str, task: str) -> None:
    with pytest.raises(InputError, match=f"measure is '{measure}'; of this model it must be one"):
        rule(f"decide={measure},threshold=1", task)


def test_an_output_without_classes_is_not_decided() -> None:
    y = np.random.default_rng(0).dirichlet([50.0, 1.0], (2000, 5))
    views = {"y": View(), "z": None}
    outputs = [Facts(name, (None, 2), "classification", view) for name, view in views.items()]
    found = read_rule(AdaptivePasses.of_text("decide=predicted_class"), outputs)
    assert set(stops(found, y=y, z=np.tile([[0.0], [1.0]], (1000, 5)))[0]) == {20}


def accepting(chosen: Selection, elements: int) -> Facts:
    """Of a multi-label output."""
    calibration = Calibration(selection=chosen)
    shape, view = (None, elements), PerElement()
    return Facts("y", shape, "multilabel_classification", view, calibration=calibration)


@pytest.mark.parametrize("measure", ["predictive_entropy", "confidence"])
def test_a_row_is_settled_by_one_element_that_certainly_is_not_accepted(measure: str) -> None:
    """The second label of two rows is on the threshold."""
    at_most = measure == "predictive_entropy"
    limit = -0.2 * math.log(0.2) - 0.8 * math.log(0.8) if at_most else 0.8
    sure, even = np.full(2000, 0.99), np.tile([0.4, 0.6], 1000)
    near = np.tile([0.1, 0.3], 1000)
    rows = [[sure, sure], [sure, near], [even, near]]
    y = np.moveaxis(np.array(rows), -1, 0)
    asked = AdaptivePasses.of_text("max=640,decide=accept")
    found = read_rule(asked, [accepting(Selection(measure, limit, at_most), 2)])
    passes, settled = stops(found, y=y)
    assert settled.tolist() == [True, False, True]
    assert passes[[0, 2]].max() <= 40


def test_wrong_rejections_of_many_labels_are_rarer_than_the_confidence_says() -> None:
    """Each of 60 labels is a little more certain than the threshold."""
    runs, facts = 500, accepting(Selection("confidence", 0.79, at_most=False), 60)
    y = np.random.default_rng(2).uniform(0.7, 0.9, (320, runs, 60)).astype(np.float32)
    asked = AdaptivePasses.of_text("max=320,decide=accept,confidence=0.9")
    found = read_rule(asked, [facts])
    passes, settled = stops(found, y=y)
    means = y.cumsum(axis=0)[passes - 1, np.arange(runs)] / passes[:, None]
    wrong = np.count_nonzero(settled & (means < 0.79).any(axis=1))
    assert wrong <= 0.1 * runs + SIGMAS * math.sqrt(0.1 * 0.9 * runs)


def test_inner_masks_of_a_pass_are_no_passes_of_an_acceptance() -> None:
    """Ten equal samples of each pass say no more than one."""
    once = np.random.default_rng(3).uniform(0.5, 0.9, (640, 200, 1))
    facts = accepting(Selection("confidence", 0.69, at_most=False), 1)
    met = {}
    for inner in (1, 10):
        found = read_rule(AdaptivePasses.of_text("decide=accept"), [facts], inner)
        samples = np.repeat(once, inner, axis=0)
        running = Running.start("y", samples, found.measures, inner=inner).add(samples)
        met[inner] = found.settled({"y": running})
    np.testing.assert_array_equal(met[1], met[10])
    assert 0 < met[1].sum() < 100
