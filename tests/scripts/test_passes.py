"""The script that measures stopping rules, on passes of known distributions."""

import numpy as np
import pytest
from rich.console import Console

from scripts.evaluate_demo_models import demo_model
from scripts.passes.__main__ import FACTS, table
from scripts.passes.pools import BLOCK, Pool, draw
from scripts.passes.report import DecisionResult, ToleranceResult
from scripts.passes.simulate import simulate
from service.core.stopping import read_rule
from service.protocol.adaptive import AdaptivePasses, Decision


def pool_of(passes: np.ndarray) -> Pool:
    """Of (P, B, K) passes."""
    mean = passes.mean(axis=0)
    blocks = (passes - mean).reshape(-1, BLOCK, *mean.shape)
    return Pool(blocks.sum(axis=1), (blocks**2).sum(axis=1), mean)


def test_runs_to_a_tolerance_have_the_error_of_their_passes() -> None:
    """At a tolerance of 0.1, standard deviations of 1 and 2 take 100 and 400 normal passes."""
    random = np.random.default_rng(0)
    pool = pool_of(random.normal(size=(100_000, 2, 1)) * [[1.0], [2.0]])
    rule = read_rule(AdaptivePasses(max=1000, tolerance=0.1), FACTS["co2"])
    runs = simulate(rule, pool, 2000, random)
    found = ToleranceResult.of("normal", 0.1, 1000, runs, pool)
    np.testing.assert_allclose(runs.passes.mean(axis=1), [105, 420], rtol=0.15)
    assert found.settled == 1
    assert 0.09 < found.worst_error < 0.11
    assert 0.93 < found.coverage < 0.97
    assert found.saved == pytest.approx(found.fixed_passes / found.passes.mean)
    assert found.fixed_passes == pytest.approx(4 / found.worst_error**2, rel=0.05)


def test_runs_to_a_decision_are_compared_with_fixed_passes() -> None:
    random = np.random.default_rng(0)
    first = random.random((100_000, 1)) < 0.6
    pool = pool_of(np.stack([first, ~first], axis=-1).astype(float))
    decision = Decision(measure="predicted_class")
    rule = read_rule(AdaptivePasses(max=80, decide=decision), FACTS["digits"])
    runs = simulate(rule, pool, 500, random)
    found = DecisionResult.of(decision, runs, runs)
    assert found.undecided == np.mean(~runs.settled)
    assert found.wrong < 0.01 < found.wrong_fixed < 0.07
    Console(quiet=True).print(table([found]))


def test_a_pool_has_the_passes_of_the_model() -> None:
    model, years = demo_model("co2"), np.array([[1985.0], [2010.0]], np.float32)
    pool, wanted = draw(model, years, 500), model.predict(years, 500, 2016)
    np.testing.assert_allclose(pool.mean, wanted.mean, rtol=1e-6)
    np.testing.assert_allclose(pool.squares.sum(axis=0) / 499, wanted.variance, rtol=1e-3)
    np.testing.assert_allclose(pool.sums.sum(axis=0), 0, atol=1e-6)
