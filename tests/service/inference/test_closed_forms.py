"""Mean and variance of sampled plans equal their closed form.

Linear networks y = Σ wᵢ xᵢ mᵢ, where a scaled mask m has mean 1 and variance
v = q/(1-q). For sites in sequence E Πm² - 1 = Π(1+v) - 1. A mean may differ by six
standard errors, which chance exceeds once in 5e8; so may a variance, whose standard
error comes from the samples' fourth moment.
"""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from service import Predictor
from service.core.distributions.bernoulli import quantized_rate
from service.core.moments import moments
from service.inference.runner import Draws
from service.protocol.options import SAMPLINGS, Masks
from tests.conftest import SIGMAS
from tests.service.reference import loaded, save

PASSES = 20_000
#: ONNX element types.
TYPES = {"float": 1, "float16": 10, "double": 11}
W = np.array([0.9, -0.3, 0.2, 1.1, -0.7, 0.4, 0.05, -1.3])
X = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)


def linear(path: Path, *rates: float, kind: str = "float", outputs: int = 1) -> Predictor:
    """Dropouts of these rates on the input, one after the other, then weights and some outputs."""
    weights = ", ".join(map(str, W))
    constants = [f"double[8, 1] w64 = {{{weights}}}", "bool on = {1}"]
    constants += [f"float r{index} = {{{rate}}}" for index, rate in enumerate(rates)]
    nodes = [f"w = Cast <to = {TYPES[kind]}> (w64) v0 = Identity(x)"]
    nodes += [f"[d{i}] v{i + 1} = Dropout(v{i}, r{i}, on)" for i in range(len(rates))]
    nodes += ["y = MatMul(v1, w)" if outputs == 2 else f"y = MatMul(v{len(rates)}, w)"]
    names = [f"{kind}[batch, 1] y"]
    if outputs == 2:
        nodes.append(f"z = MatMul(v{len(rates)}, w)")
        names.append(f"{kind}[batch, 1] z")
    body, inputs = " ".join(nodes), f"{kind}[batch, 8] x"
    return loaded(save(body, path / "model.onnx", ", ".join(constants), inputs, ", ".join(names)))[
        1
    ]


def variance(*rates: float) -> NDArray[np.float64]:
    """The (B, 1) variance of y after dropouts of these rates."""
    factors = [1 / (1 - quantized_rate(rate)) for rate in rates]  # 1 + v
    spread: NDArray[np.float64] = (np.prod(factors) - 1) * (X.astype(np.float64) ** 2 @ W**2)
    return spread[:, None]


def require(samples: NDArray[np.floating], wanted: NDArray[np.float64]) -> None:
    """Check that samples (P, B, 1) have the network's mean, and the variance `wanted`."""
    exact = samples.astype(np.float64)
    mean, found = exact.mean(axis=0), exact.var(axis=0, ddof=1)
    fourth = ((exact - mean) ** 4).mean(axis=0)
    assert (np.abs(mean - X @ W[:, None]) < SIGMAS * np.sqrt(wanted / PASSES)).all()
    assert (np.abs(found - wanted) < SIGMAS * np.sqrt((fourth - found**2) / PASSES)).all()


@pytest.mark.parametrize("masks", ["shared", "per_row"])
@pytest.mark.parametrize("rates", [(0.3,), (0.5,), (0.1, 0.5), (0.25, 0.3, 0.6)])
def test_sites_in_sequence(tmp_path: Path, rates: tuple[float, ...], masks: str) -> None:
    model = linear(tmp_path, *rates)
    draws = Draws(seed=7, masks=masks)  # type: ignore[arg-type]
    samples = model.sampler.sample({"x": X}, PASSES, draws)["y"]
    require(samples, variance(*rates))


@pytest.mark.parametrize("masks", ["shared", "per_row"])
def test_rows_with_shared_masks_have_a_covariance(tmp_path: Path, masks: str) -> None:
    """Cov(y_a, y_b) = v Σ wᵢ² xₐᵢ x_bᵢ if rows share masks, and 0 otherwise."""
    model = linear(tmp_path, 0.3)
    draws = Draws(seed=7, masks=masks)  # type: ignore[arg-type]
    samples = model.sampler.sample({"x": X}, PASSES, draws)["y"][:, :, 0].astype(np.float64)
    a, b = samples[:, 0] - samples[:, 0].mean(), samples[:, 1] - samples[:, 1].mean()
    q = quantized_rate(0.3)
    wanted = q / (1 - q) * float(X[0].astype(np.float64) * X[1] @ W**2)
    error = np.sqrt(np.var(a * b) / PASSES)
    assert abs((a * b).mean() - wanted * (masks == "shared")) < SIGMAS * error


@pytest.mark.parametrize(("scale", "rates"), [(0.5, (0.15, 0.25)), (1.6, (0.48, 0.8))])
def test_scaled_rates_equal_a_model_with_these_rates(
    tmp_path: Path, scale: float, rates: tuple[float, ...]
) -> None:
    (tmp_path / "other").mkdir()
    scaled, other = linear(tmp_path, 0.3, 0.5), linear(tmp_path / "other", *rates)
    found = scaled.predict(X, passes=PASSES, seed=7, rate_scale=scale)
    wanted = other.predict(X, passes=PASSES, seed=7)
    np.testing.assert_array_equal(found.mean, wanted.mean)
    np.testing.assert_array_equal(found.variance, wanted.variance)


def test_rate_scaled_to_one_drops_all_and_to_zero_none(tmp_path: Path) -> None:
    model = linear(tmp_path, 0.25)
    nothing = model.predict(X, passes=10, rate_scale=4.0)
    assert (nothing.mean == 0).all()
    everything = model.predict(X, passes=10, rate_scale=0.0)
    np.testing.assert_allclose(everything.mean, X @ W[:, None], rtol=1e-5)
    assert everything.variance.max() < 1e-12


def test_partial_dropout_has_the_variance_of_its_sites(tmp_path: Path) -> None:
    model = linear(tmp_path, 0.3, 0.5)
    draws = Draws(seed=7, sites=frozenset(["d1"]))
    require(model.sampler.sample({"x": X}, PASSES, draws)["y"], variance(0.5))


def test_float16(tmp_path: Path) -> None:
    model = linear(tmp_path, 0.3, kind="float16")
    found = model.predict(X.astype(np.float16), passes=PASSES, seed=7)
    np.testing.assert_allclose(found.variance, variance(0.3), rtol=0.06)
    np.testing.assert_allclose(found.mean, X @ W[:, None], atol=0.05)


def test_double_and_two_outputs(tmp_path: Path) -> None:
    model = linear(tmp_path, 0.3, 0.5, kind="double", outputs=2)
    samples = model.sampler.sample({"x": X.astype(np.float64)}, PASSES, Draws(seed=7))
    require(samples["y"], variance(0.3))
    require(samples["z"], variance(0.3, 0.5))


@pytest.mark.parametrize("masks", ["shared", "per_row"])
@pytest.mark.parametrize("rate", [0.5, 0.25])
def test_the_stratified_mean_of_a_linear_network_is_exact(
    tmp_path: Path, rate: float, masks: Masks
) -> None:
    """In a block each element is kept as often as its rate says, and y is additive in them."""
    model = linear(tmp_path, rate)
    found = model.predict(X, passes=100, seed=7, masks=masks, sampling="stratified")
    np.testing.assert_allclose(found.mean, X @ W[:, None], rtol=1e-5)
    assert (found.variance > 0.1 * variance(rate)).all()


@pytest.mark.parametrize("rates", [(0.5,), (0.3, 0.5)])
@pytest.mark.parametrize("passes", [33, 100])
def test_stratified_answers_are_unbiased(
    tmp_path: Path, rates: tuple[float, ...], passes: int
) -> None:
    """Over answers of different seeds."""
    model, answers = linear(tmp_path, *rates), 400
    found = [model.predict(X, passes, seed, sampling="stratified") for seed in range(answers)]
    mean, spread = (np.array([getattr(y, name) for y in found]) for name in ("mean", "variance"))
    for values, wanted in ((mean, X @ W[:, None]), (spread, variance(*rates))):
        error = SIGMAS * values.std(axis=0) / np.sqrt(answers) + 1e-5
        assert (np.abs(values.mean(axis=0) - wanted) < error).all()
    # The usual variance is more than is left of it.
    assert (mean.var(axis=0) < 0.7 * variance(*rates) / passes).all()


@pytest.mark.parametrize("rate", [1e-3, 1e-5, 1 - 1e-5])
def test_stratified_masks_keep_the_fine_bits_of_a_rate(tmp_path: Path, rate: float) -> None:
    samples = linear(tmp_path, rate).sampler.sample(
        {"x": np.ones((1, 8), np.float32)}, 200_000, Draws(7, sampling="stratified")
    )["y"]
    usual = W.sum() / (1 - quantized_rate(rate)) if rate < 0.5 else 0.0
    found = (~np.isclose(samples, usual, rtol=1e-5, atol=1e-6)).mean()
    rare = 1 - (1 - min(rate, 1 - rate)) ** 8
    assert abs(found - rare) < SIGMAS * np.sqrt(rare / 200_000)


@pytest.mark.slow
@pytest.mark.parametrize("axes", ["", "[batch, 64, 64, 1]"])
def test_large_output_reduced_in_the_graph_has_the_same_moments(tmp_path: Path, axes: str) -> None:
    """The outputs are far from 0, where float32 loses precision."""
    body = "[d] a = Dropout(x, third, on) y = Add(a, far)"
    constants = "float third = {0.3}, bool on = {1}, float far = {1000}"
    shape = f"float{axes or '[batch, 4096]'}"
    path = save(body, tmp_path / "model.onnx", constants, f"{shape} x", f"{shape} y")
    _, model = loaded(path)
    assert model.planned.sampler.plan.reduced == {"y"}
    x = np.random.default_rng(0).standard_normal((2, 64, 64, 1)).astype(np.float32)
    x = x if axes else x.reshape(2, 4096)
    for sampling in SAMPLINGS:
        found = model.predict(x, passes=2013, seed=7, sampling=sampling)
        draws = Draws(7, sampling=sampling)
        samples = model.sampler.sample({"x": x}, 2013, draws)["y"]
        wanted = moments(samples, draws.block)
        np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-6)
        np.testing.assert_allclose(found.variance, wanted.variance, rtol=1e-4, atol=1e-6)
