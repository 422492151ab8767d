"""What is uncertain of an observation of a regression: the model, and the noise."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from service.core.measures import Facts, Measure, read_measures
from service.core.measures.aleatoric import Aleatoric
from service.core.measures.epistemic import Epistemic
from service.core.measures.facts import Half, NoiseOutput
from service.core.measures.predictive_interval import PredictiveInterval
from service.core.measures.total import Total
from service.errors import InputError
from tests.service.core.measures.of_samples import Array, measured

RANDOM = np.random.default_rng(0)
#: (P, B, K) means and standard deviations.
MEANS, SCALES = RANDOM.normal(3, 2, (40, 5, 2)), RANDOM.gamma(2, 1, (40, 5, 2))
FORMS = {
    "variance": SCALES**2,
    "log_variance": 2 * np.log(SCALES),
    "scale": SCALES,
    "log_scale": np.log(SCALES),
}
SHAPE = (None, 2)


def in_one(measure: Measure, form: str, samples: Array) -> Array:
    """A measure of an output with the means first and then the noise."""
    noise = NoiseOutput("y", form, Half(second=True))
    facts = Facts("y", (None, 4), "heteroscedastic_regression", Half(), noise=noise)
    return measured(measure, samples, facts)


def in_two(measure: Measure, form: str, mean: Array, noise: Array) -> Array:
    """A measure of an output with the mean, the noise being another output."""
    facts = Facts("y", SHAPE, "heteroscedastic_regression", noise=NoiseOutput("s", form))
    return measured(measure, mean, facts, s=noise)


def precise(measure: Measure, samples: Array, precision: float) -> Array:
    """A measure of a regression with a noise precision."""
    return measured(measure, samples, Facts("y", SHAPE, "regression", noise=1 / precision))


@pytest.mark.parametrize("form", FORMS)
def test_the_total_variance_is_that_of_the_mixture(form: str) -> None:
    """That of scipy's moments of each component, by the law of total variance."""
    second = stats.norm.moment(2, MEANS, SCALES)
    mixture = second.mean(axis=0) - MEANS.mean(axis=0) ** 2  # with the biased sample variance
    unbiased = mixture + MEANS.var(axis=0, ddof=1) - MEANS.var(axis=0)
    for found in (
        in_one(Total(), form, np.concatenate([MEANS, FORMS[form]], axis=-1)),
        in_two(Total(), form, MEANS, FORMS[form]),
    ):
        np.testing.assert_allclose(found, unbiased, rtol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_its_parts_are_of_the_means_and_of_the_noise(form: str) -> None:
    samples = np.concatenate([MEANS, FORMS[form]], axis=-1)
    epistemic = MEANS.var(axis=0, ddof=1)
    np.testing.assert_allclose(in_one(Epistemic(), form, samples), epistemic, rtol=1e-12)
    aleatoric = (SCALES**2).mean(axis=0)
    np.testing.assert_allclose(in_one(Aleatoric(), form, samples), aleatoric, rtol=1e-12)
    np.testing.assert_allclose(in_two(Epistemic(), form, MEANS, FORMS[form]), epistemic, rtol=1e-12)


def test_of_a_plain_regression_the_noise_is_that_of_its_precision() -> None:
    epistemic = MEANS.var(axis=0, ddof=1)
    np.testing.assert_allclose(precise(Epistemic(), MEANS, 4.0), epistemic, rtol=1e-12)
    assert (precise(Aleatoric(), MEANS, 4.0) == 0.25).all()
    np.testing.assert_allclose(precise(Total(), MEANS, 4.0), epistemic + 0.25, rtol=1e-12)


def test_equal_passes_leave_the_noise_alone() -> None:
    equal = np.full((7, 5, 2), 3.0)
    assert (precise(Epistemic(), equal, 4.0) == 0).all()
    assert (precise(Total(), equal, 4.0) == 0.25).all()
    low, high = np.moveaxis(precise(PredictiveInterval(0.95), equal, 4.0), -1, 0)
    np.testing.assert_allclose(low, stats.norm.ppf(0.025, 3.0, 0.5), rtol=1e-8)
    np.testing.assert_allclose(high, stats.norm.ppf(0.975, 3.0, 0.5), rtol=1e-8)


@pytest.mark.parametrize("level", [0.0, 0.5, 0.9, 0.9999])
def test_a_predictive_interval_has_its_probability(level: float) -> None:
    for found, scales in (
        (in_two(PredictiveInterval(level), "scale", MEANS, SCALES), SCALES),
        (precise(PredictiveInterval(level), MEANS, 4.0), np.array(0.5)),
    ):
        assert found.shape == (5, 2, 2)
        for end, wanted in ((found[..., 0], (1 - level) / 2), (found[..., 1], (1 + level) / 2)):
            below = stats.norm.cdf(end, MEANS, scales).mean(axis=0)
            np.testing.assert_allclose(below, wanted, rtol=0, atol=1.1e-9)


def test_an_impossible_noise_is_none() -> None:
    for form in ("variance", "scale"):
        for measure in (Total(), PredictiveInterval()):
            assert np.isnan(in_two(measure, form, MEANS, -SCALES)).all()
    infinite = in_two(Aleatoric(), "log_variance", MEANS, np.full_like(SCALES, 1e4))
    assert not np.isfinite(infinite).any()


@pytest.mark.parametrize("level", [1, 1.5, -0.1, math.nan, "0.5"])
def test_the_level_of_a_predictive_interval_is_below_1(level: Any) -> None:
    facts = Facts("y", SHAPE, "regression", noise=0.25)
    with pytest.raises(
        InputError, match=r"gives 'predictive_interval' level .*; it takes a number"
    ):
        read_measures([{"predictive_interval": level}], [facts])
