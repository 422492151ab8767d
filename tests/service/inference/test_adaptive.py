"""Predictions whose passes a stopping rule chooses."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from service import Predictor, load_model
from service.errors import InputError
from service.inference.jobs import SampleJob
from service.inference.options import Limits
from service.protocol.options import Masks, Options
from service.protocol.prediction import Prediction

#: Images between two digits, of which some are easy and some hard.
X = np.random.default_rng(3).uniform(0, 16, (24, 64)).astype(np.float32)
X[::3] = 4.0
RULES = [
    "max=700,tolerance=0.02",
    "max=700,tolerance=0.03,rows=together",
    "max=700,decide=predicted_class",
    "max=700,decide=predictive_entropy,threshold=1.2",
    "max=700,decide=mean,threshold=0.2",
]


@pytest.fixture(scope="module")
def small(digits_path: Path) -> Predictor:
    """The model with little memory, so that rows and passes are cut into small chunks."""
    return load_model(digits_path, limits=Limits(memory=1 << 20))


def predict(model: Predictor, rule: str, masks: Masks = "shared", x: np.ndarray = X) -> Prediction:
    return model.predict(x, rule, 7, masks=masks)


@pytest.mark.parametrize("masks", ["shared", "per_row"])
@pytest.mark.parametrize("rule", RULES)
def test_an_answer_does_not_depend_on_memory(
    digits: Predictor, small: Predictor, rule: str, masks: Masks
) -> None:
    found = predict(digits, rule, masks)
    assert found.stopped is not None
    assert found == predict(small, rule, masks)
    assert found.passes == found.stopped.passes.max()


@pytest.mark.parametrize("masks", ["shared", "per_row"])
def test_each_row_has_the_answer_of_its_passes(digits: Predictor, masks: Masks) -> None:
    """Whichever rows have stopped before it."""
    found = predict(digits, RULES[0], masks)
    assert found.row_passes is not None
    assert len(set(found.row_passes)) > 3
    for passes in set(found.row_passes.tolist()):
        rows, fixed = found.row_passes == passes, digits.predict(X, passes, 7, masks=masks)
        np.testing.assert_array_equal(found.mean[rows], fixed.mean[rows])
        np.testing.assert_array_equal(found.variance[rows], fixed.variance[rows])


@pytest.mark.parametrize("rule", [RULES[0], RULES[2], RULES[3], RULES[4]])
def test_a_row_stops_as_it_would_alone(digits: Predictor, rule: str) -> None:
    found = predict(digits, rule)
    assert found.stopped is not None
    for row in (0, 1, 13):
        alone = predict(digits, rule, x=X[row : row + 1])
        assert alone.stopped is not None
        assert alone.passes == found.stopped.passes[row]
        assert alone.stopped.settled == found.stopped.settled[row]
        np.testing.assert_array_equal(alone.mean[0], found.mean[row])


def test_rows_that_stop_together_have_the_same_passes(digits: Predictor) -> None:
    each, together = (
        predict(digits, r) for r in ("tolerance=0.03", "tolerance=0.03,rows=together")
    )
    assert each.row_passes is not None
    assert together.row_passes is not None
    assert set(together.row_passes) == {each.passes}


def test_the_standard_error_of_settled_rows_is_within_the_tolerance(digits: Predictor) -> None:
    found = predict(digits, "max=300,tolerance=0.02")
    assert found.stopped is not None
    error = np.sqrt(found.variance / found.stopped.passes[:, None]).max(axis=1)
    np.testing.assert_array_equal(error <= 0.02, found.stopped.settled)
    assert 0 < found.stopped.settled.sum() < len(X)
    assert set(found.stopped.passes[~found.stopped.settled]) == {300}


def batches() -> Iterator[tuple[str | int, Masks]]:
    yield from ((rule, "shared") for rule in RULES)
    yield from ((100, "per_row"), (RULES[0], "per_row"), (33, "shared"))


def test_answers_in_a_batch_are_those_alone(digits: Predictor) -> None:
    options = [Options(passes=p, seed=i, masks=m) for i, (p, m) in enumerate(batches())]
    jobs = [digits.prepare(X[i : i + 9], each) for i, each in enumerate(options)]
    assert all(digits.sampler.joins(jobs[0], job) for job in jobs)
    for _ in digits.sampler.run(jobs):
        pass
    for i, (job, each) in enumerate(zip(jobs, options, strict=True)):
        alone = digits.predict(X[i : i + 9], each.passes, i, masks=each.masks)
        assert digits.prediction(job) == alone


def test_passes_that_were_run_are_counted(digits: Predictor) -> None:
    job = digits.prepare(X, Options(passes=RULES[0], seed=7))
    assert (job.passes, job.left) == (700, 24 * 700)
    for _ in digits.sampler.run([job]):
        pass
    found = digits.prediction(job)
    assert isinstance(job, SampleJob)
    assert found.row_passes is not None
    assert (job.passes_run, job.samples_run) == (found.passes, found.row_passes.sum())
    assert job.left == 0


def test_limits_are_those_of_the_maximum(digits_path: Path) -> None:
    model = load_model(digits_path, limits=Limits(passes=1000, samples=10_000))
    with pytest.raises(InputError, match="passes is 2000; this server allows at most 1000"):
        model.predict(X, "tolerance=0.5")
    with pytest.raises(InputError, match="24 rows × 500 passes are 12000 samples"):
        model.predict(X, "max=500,tolerance=0.5")
