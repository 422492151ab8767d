"""Several masks of the last site in each pass."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service import Predictor, load_model
from service.core.distributions import SiteDraw
from service.errors import InputError
from service.graph.artifact import read_artifact
from service.graph.plan import Layout, compile_plan
from service.inference.jobs import SampleJob
from service.inference.options import Limits
from service.inference.runner import Draws, Rows, Runner
from service.inference.sampler import Sampler
from service.inference.sizes import Sizes, Sizing
from service.protocol.options import SAMPLINGS, Masks, Sampling
from service.runtime.engine import CPU
from tests.conftest import SIGMAS, STORE
from tests.service.inference.test_closed_forms import W, X, linear, variance
from tests.service.inference.test_sampler import YEARS, finish
from tests.service.reference import moments_of, sample_moments, save

ROWS = {"year": YEARS[:3]}
MEASURES = ["standard_error", "samples", "quantiles"]


def co2(layout: Layout = Layout.SPLIT, samples: int = 4096) -> Sampler:
    plan = compile_plan(read_artifact(STORE / "co2" / "1" / "model.onnx"), layout)
    return Sampler(Runner(plan, [CPU]), Sizing(Sizes(samples=samples)))


@pytest.fixture(scope="module")
def sampler() -> Sampler:
    return co2()


def repeated(sampler: Sampler, rows: Rows, passes: int, draws: Draws) -> NDArray[Any]:
    """(P·J, B, …) samples of P·J passes, of which J have the same draws but of the last site."""
    runner, inner = sampler.runner, draws.inner
    block = runner.frontier(rows)
    once = Draws(draws.seed, draws.masks, sampling=draws.sampling)
    drawn = [
        SiteDraw(one.numbers.repeat(inner, axis=0), one.scale)
        for one in runner.draw(block, range(passes), once)
    ]
    drawn[-1] = runner.draw(block, range(passes * inner), once)[-1]
    (samples,) = runner.run(block, drawn).values()
    return samples


@pytest.mark.parametrize("layout", [Layout.SPLIT, Layout.TILED])
@pytest.mark.parametrize("masks", ["shared", "per_row"])
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_inner_masks_are_those_of_passes_that_share_all_else(
    layout: Layout, masks: Masks, sampling: Sampling
) -> None:
    own, draws = co2(layout), Draws(7, masks, sampling=sampling, inner=3)
    found = own.sample(ROWS, 11, draws)["ppm"]
    assert found.shape == (33, 3, 1)
    np.testing.assert_allclose(found, repeated(own, ROWS, 11, draws), rtol=1e-6)


@pytest.mark.parametrize("chunk", [1, 12, 111])
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_chunks_do_not_change_moments_with_inner_masks_by_a_bit(
    sampler: Sampler, chunk: int, sampling: Sampling
) -> None:
    draws = Draws(7, sampling=sampling, inner=4)
    whole, cut = (sample_moments(s, ROWS, 75, draws)["ppm"] for s in (sampler, co2(samples=chunk)))
    for name in ("mean", "variance", "standard_error"):
        np.testing.assert_array_equal(getattr(cut, name), getattr(whole, name))


@pytest.mark.parametrize("maximum", [1, 40, 1 << 40])
def test_jobs_of_a_batch_with_inner_masks_give_the_same_as_alone(
    sampler: Sampler, maximum: int
) -> None:
    jobs = [
        SampleJob({"year": YEARS[:1]}, 40, Draws(1, inner=3)),
        SampleJob({"year": YEARS[1:3]}, 27, Draws(2, inner=3)),
        SampleJob({"year": YEARS[3:]}, 21, Draws(1, "per_row", inner=3)),
    ]
    finish(sampler, jobs, maximum)
    for job in jobs:
        alone = sample_moments(sampler, job.rows, job.passes, job.draws)["ppm"]
        found = moments_of(job)["ppm"]
        for name in ("mean", "variance", "standard_error"):
            np.testing.assert_array_equal(getattr(found, name), getattr(alone, name))


def test_a_request_with_inner_masks_begins_with_the_passes_of_a_shorter_one(
    sampler: Sampler,
) -> None:
    draws = Draws(7, sampling="stratified", inner=3)
    long, short = (sampler.sample(ROWS, passes, draws)["ppm"] for passes in (70, 33))
    np.testing.assert_allclose(long[:99], short, rtol=1e-6)


@pytest.mark.parametrize("passes", [33, 100])
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_answers_with_inner_masks_are_unbiased(
    tmp_path: Path, sampling: Sampling, passes: int
) -> None:
    """Over answers of different seeds; the first site keeps what inner masks leave."""
    model, answers, rates = linear(tmp_path, 0.25, 0.3), 400, (0.25, 0.3)
    found = [model.predict(X, passes, s, sampling=sampling, inner=4) for s in range(answers)]
    mean, spread = (np.array([getattr(y, name) for y in found]) for name in ("mean", "variance"))
    for values, wanted in ((mean, X @ W[:, None]), (spread, variance(*rates))):
        error = SIGMAS * values.std(axis=0) / np.sqrt(answers) + 1e-5
        assert (np.abs(values.mean(axis=0) - wanted) < error).all()
    if sampling == "independent":
        # Each pass has the first site's variance, and a quarter of what the second adds.
        first, both = variance(rates[0]), variance(*rates)
        ratio = mean.var(axis=0) * passes / (first + (both - first) / 4)
        assert (np.abs(ratio - 1) < SIGMAS * np.sqrt(2 / answers)).all()


@pytest.mark.parametrize("memory", [1 << 15, 1 << 18])
def test_memory_does_not_change_an_answer_with_inner_masks_by_a_bit(memory: int) -> None:
    path = STORE / "digits" / "1" / "model.onnx"
    x = np.random.default_rng(0).uniform(0, 16, (5, 64)).astype(np.float32)
    rule = {"max": 300, "tolerance": 0.02}
    few, many = (load_model(path, limits=Limits(memory=m)) for m in (memory, 1 << 29))
    for passes in (50, rule):
        answers = [
            m.predict(x, passes, 7, ["standard_error"], sampling="stratified", inner=5)
            for m in (few, many)
        ]
        for name in ("mean", "variance"):
            np.testing.assert_array_equal(getattr(answers[0], name), getattr(answers[1], name))
        one, two = (y.measures["standard_error"] for y in answers)
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_rows_that_stop_by_themselves_have_the_answers_that_they_have_alone(
    digits: Predictor, sampling: Sampling
) -> None:
    x = np.random.default_rng(0).uniform(0, 16, (6, 64)).astype(np.float32)
    rule = {"max": 400, "tolerance": 0.02}
    options: dict[str, Any] = {"sampling": sampling, "inner": 4}
    found = digits.predict(x, rule, 7, MEASURES, **options)
    assert found.row_passes is not None
    assert len({*found.row_passes.tolist()}) > 1
    assert found.measures["samples"].shape == (6, 4 * found.passes, 10)
    for row, passes in enumerate(found.row_passes):
        alone = digits.predict(x[row : row + 1], int(passes), 7, MEASURES, **options)
        np.testing.assert_array_equal(found.mean[row], alone.mean[0])
        np.testing.assert_array_equal(found.variance[row], alone.variance[0])
        for name, y in alone.measures.items():
            own = found.measures[name][row]
            np.testing.assert_array_equal(own[: 4 * passes] if name == "samples" else own, y[0])


def test_measures_see_the_samples_of_all_inner_masks(digits: Predictor) -> None:
    x = np.random.default_rng(0).uniform(0, 16, (2, 64)).astype(np.float32)
    found = digits.predict(x, 30, 7, MEASURES, inner=3)
    samples = digits.sampler.sample({"pixels": x}, 30, Draws(7, inner=3))["probabilities"]
    np.testing.assert_allclose(found.measures["samples"], samples.swapaxes(0, 1), atol=1e-6)
    assert found.passes == 30
    wanted = np.quantile(samples.astype(np.float64), [0.05, 0.5, 0.95], axis=0)
    np.testing.assert_allclose(found.measures["quantiles"], np.moveaxis(wanted, 0, -1), atol=1e-6)


@pytest.mark.parametrize(
    "decide", [{"measure": "predicted_class"}, {"measure": "predictive_entropy", "threshold": 1.0}]
)
def test_decisions_take_fewer_passes_with_inner_masks(
    digits: Predictor, decide: dict[str, Any]
) -> None:
    x = np.random.default_rng(0).uniform(0, 16, (20, 64)).astype(np.float32)
    plain, inner = (
        digits.predict(x, {"max": 640, "decide": decide}, 7, inner=k).row_passes for k in (1, 8)
    )
    assert plain is not None
    assert inner is not None
    assert inner.mean() < plain.mean()


@pytest.mark.parametrize("inner", [0, -1, 101, 10**30])
def test_number_of_inner_masks_out_of_range_is_refused(digits: Predictor, inner: int) -> None:
    with pytest.raises(InputError, match=f"inner is {inner}; it must be from 1 to 100"):
        digits.predict(np.zeros((1, 64), np.float32), 30, inner=inner)


def test_model_with_a_shortcut_refuses_inner_masks(tmp_path: Path) -> None:
    body = "[one] a = Dropout(x, third, on) [two] b = Dropout(a, third, on) y = Add(a, b)"
    constants = "float third = {0.3}, bool on = {1}"
    path = save(body, tmp_path / "m.onnx", constants, "float[batch, 4] x", "float[batch, 4] y")
    model, x = load_model(path), np.ones((1, 4), np.float32)
    assert model.planned.report.inner is None
    assert model.verification.inner_difference is None
    model.predict(x, 30, inner=1)
    with pytest.raises(InputError, match="inner is 2, and this model takes only 1"):
        model.predict(x, 30, inner=2)


def test_samples_of_inner_masks_count_to_the_limit(tmp_path: Path) -> None:
    path = STORE / "co2" / "1" / "model.onnx"
    model = load_model(path, limits=Limits(samples=100))
    with pytest.raises(InputError, match="3 rows × 30 × 2 passes are 180 samples"):
        model.predict(ROWS, 30, inner=2)


def test_inner_masks_of_rows_of_any_length(tmp_path: Path) -> None:
    body = (
        "[one] a = Dropout(x, third, on) b = Relu(a) [two] c = Dropout(b, third, on) "
        "y = ReduceMean <keepdims = 0> (c, steps)"
    )
    constants = "float third = {0.3}, bool on = {1}, int64[1] steps = {1}"
    shapes = "float[batch, length, 4] x", "float[batch, 4] y"
    model = load_model(save(body, tmp_path / "model.onnx", constants, *shapes))
    rng = np.random.default_rng(0)
    for length in (3, 50):
        rows = {"x": rng.standard_normal((2, length, 4)).astype(np.float32)}
        found = model.sampler.sample(rows, 7, Draws(7, inner=3))["y"]
        wanted = repeated(model.sampler, rows, 7, Draws(7, inner=3))
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_inner_masks_of_a_site_that_is_off_are_all_the_same(tmp_path: Path) -> None:
    model = linear(tmp_path, 0.25, 0.3)
    plain, inner = (model.predict(X, 40, 7, sites=["d0"], inner=k) for k in (1, 3))
    np.testing.assert_allclose(inner.mean, plain.mean, rtol=1e-5)
    np.testing.assert_allclose(inner.variance, plain.variance, rtol=1e-4)


def test_passes_with_inner_masks_take_more_memory(digits: Predictor) -> None:
    rows = {"pixels": np.zeros((2, 64), np.float32)}
    one, eight = (digits.sampler.sizing(rows, k) for k in (1, 8))
    assert one.sample < eight.sample < 8 * one.sample
    assert eight.samples <= one.samples // 8
