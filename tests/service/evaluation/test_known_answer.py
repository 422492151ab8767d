"""A simulated regression whose predictive distribution is known in closed form.

The model is y = Σ_i w x m_i / (1 - p) with a noise of variance exp(a + b x), and targets are drawn
from it. Of 64 units, a pass's mean is nearly normal with variance p/(1 - p) x²/64, so that a target
is nearly normal with the sum of both variances, v(x).
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from mcdropout import evaluate
from service.evaluation.document import Estimate, Evaluation, Result
from tests.conftest import SIGMAS
from tests.service.reference import save

UNITS, RATE, A, B, ROWS = 64, 0.5, -5.0, 1.0, 1500
NOISE = {"mean": "y", "noise": "y", "form": "log_variance"}
Array = NDArray[Any]


def model(folder: Path) -> Path:
    """y (N, 2): the mean, and the logarithm of the variance of the noise."""
    weights = ", ".join(["1"] * UNITS)
    path = save(
        "h = MatMul(x, spread) d = Dropout(h, rate, on) mean = MatMul(d, gather) "
        "slope = Mul(x, b) log = Add(slope, a) y = Concat<axis=1>(mean, log)",
        folder / "model.onnx",
        f"float[1,{UNITS}] spread = {{{weights}}}, "
        f"float[{UNITS},1] gather = {{{', '.join([str(1 / UNITS)] * UNITS)}}}, "
        f"float rate = {{{RATE}}}, bool on = {{1}}, float a = {{{A}}}, float b = {{{B}}}",
        "float[N,1] x",
        "float[N,2] y",
    )
    said = {"task": "heteroscedastic_regression", "noise": NOISE}
    path.with_suffix(".mcdropout.json").write_text(json.dumps(said))
    return path


@pytest.fixture(scope="module")
def rows() -> tuple[Array, Array]:
    """Rows, and targets that are drawn from the model."""
    rng = np.random.default_rng(1)
    x = rng.uniform(1, 3, (ROWS, 1)).astype(np.float32)
    masks = rng.random((ROWS, UNITS)) >= RATE
    mean = x[:, 0] * masks.sum(axis=1) / (1 - RATE) / UNITS
    return x, mean + rng.normal(size=ROWS) * np.sqrt(noise(x))


def noise(x: Array) -> Array:
    """(N,) variance of the noise."""
    return np.asarray(np.exp(A + B * x[:, 0].astype(float)))


def total(x: Array) -> Array:
    """(N,) variance of a target."""
    return np.asarray(noise(x) + RATE / (1 - RATE) * x[:, 0].astype(float) ** 2 / UNITS)


@pytest.fixture(scope="module")
def evaluation(rows: tuple[Array, Array], tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    return evaluate(
        model(tmp_path_factory.mktemp("model")),
        rows,
        passes=[200],
        rate_scales=[],
        masks=["per_row"],
        resamples=0,
    )


def value(estimate: Estimate) -> float:
    assert estimate.value is not None
    return estimate.value


@pytest.fixture(params=["deterministic", "200 passes, per-row masks"])
def result(evaluation: Evaluation, request: pytest.FixtureRequest) -> Result:
    return evaluation.result(request.param)


def predicted(result: Result, x: Array) -> Array:
    """(N,) variance that a setting predicts of a target: without dropout that of the noise."""
    return noise(x) if result.setting.kind == "deterministic" else total(x)


def test_error_is_the_standard_deviation_of_the_targets(
    result: Result, rows: tuple[Array, Array]
) -> None:
    v = total(rows[0])
    # The mean of squares of normal numbers of variances v has the variance 2 Σ v² / N².
    error = math.sqrt(2 * (v**2).sum()) / ROWS
    assert value(result.metrics["rmse"]) ** 2 == pytest.approx(v.mean(), abs=SIGMAS * error)


def test_likelihood_is_that_of_the_variances(result: Result, rows: tuple[Array, Array]) -> None:
    v, s = total(rows[0]), predicted(result, rows[0])
    wanted = (np.log(2 * math.pi * s) + v / s) / 2
    error = math.sqrt(((v / s) ** 2 / 2).sum()) / ROWS
    found = value(result.metrics["nll"])
    # Passes that are drawn, and units that are counted, differ a little from the normal law.
    assert found == pytest.approx(wanted.mean(), abs=SIGMAS * error + 0.01)


def test_crps_is_its_closed_form(result: Result, rows: tuple[Array, Array]) -> None:
    v, s = total(rows[0]), predicted(result, rows[0])
    # E |Y - X| - E |X - X'| / 2, for Y with variance v and X, X' with variance s.
    wanted = np.sqrt(2 / math.pi * (v + s)) - np.sqrt(s / math.pi)
    error = np.sqrt(v).mean() / math.sqrt(ROWS)
    assert value(result.metrics["crps"]) == pytest.approx(wanted.mean(), abs=SIGMAS * error)


def test_coverage_is_that_of_the_predicted_variance(
    result: Result, rows: tuple[Array, Array]
) -> None:
    v, s = total(rows[0]), predicted(result, rows[0])
    for interval in result.intervals:
        z = norm.ppf((1 + interval.level) / 2)
        wanted = (2 * norm.cdf(z * np.sqrt(s / v)) - 1).mean()
        error = math.sqrt(wanted * (1 - wanted) / ROWS)
        assert value(interval.coverage) == pytest.approx(wanted, abs=SIGMAS * error)
        width = (2 * z * np.sqrt(s)).mean()
        assert value(interval.width) == pytest.approx(width, rel=0.03)


def test_calibration_curve_is_that_of_the_predicted_variance(
    result: Result, rows: tuple[Array, Array]
) -> None:
    v, s = total(rows[0]), predicted(result, rows[0])
    # The probability that any point is farther off is below 1e-6 (Massart 1990).
    bound = math.sqrt(math.log(2e6) / (2 * ROWS))
    for level in result.calibration:
        wanted = norm.cdf(norm.ppf(level.expected) * np.sqrt(s / v)).mean()
        assert value(level.observed) == pytest.approx(wanted, abs=bound)


def test_noise_is_recovered(evaluation: Evaluation, rows: tuple[Array, Array]) -> None:
    assert evaluation.model.noise == "predicted"
    result = evaluation.result()
    assert set(result.measures) == {"epistemic", "aleatoric", "total"}
    histogram = result.measures["aleatoric"].histogram
    s = noise(rows[0])
    assert (histogram.edges[0], histogram.edges[-1]) == pytest.approx((s.min(), s.max()), rel=1e-5)
    assert result.measures["total"].metrics["aurc"].value is not None
