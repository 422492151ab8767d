"""Losses of predictive distributions, against scoringrules, SciPy and closed forms."""

import math

import numpy as np
import pytest
import scoringrules
from scipy.stats import norm

from service.evaluation.metrics import regression as of

RNG = np.random.default_rng(1)
MEANS, Y = RNG.normal(size=(30, 8)), RNG.normal(size=8)
VARIANCES = RNG.uniform(0.1, 2, size=(30, 8))


def test_crps_is_that_of_scoringrules() -> None:
    found = of.crps_of_normal(MEANS[0], VARIANCES[0], Y)
    assert found == pytest.approx(scoringrules.crps_normal(Y, MEANS[0], np.sqrt(VARIANCES[0])))
    fair = scoringrules.crps_ensemble(Y, MEANS, m_axis=0, estimator="fair", backend="numpy")
    assert of.crps_of_samples(MEANS, Y) == pytest.approx(fair)


def test_crps_without_uncertainty_is_the_absolute_error() -> None:
    assert of.crps_of_normal(Y + 2, np.zeros(8), Y) == pytest.approx(np.full(8, 2))
    assert of.crps_of_samples(Y[None] + 2, Y) == pytest.approx(np.full(8, 2))
    assert of.crps_of_samples(np.stack([Y] * 3) + 2, Y) == pytest.approx(np.full(8, 2))


def test_crps_of_samples_is_unbiased() -> None:
    # E CRPS of N(0, 1) at 0 is (√2 - 1)/√π; 5 samples, 200,000 times.
    found = of.crps_of_samples(RNG.normal(size=(5, 200_000)), np.zeros(200_000))
    error = found.std() / math.sqrt(len(found))
    assert abs(found.mean() - (math.sqrt(2) - 1) / math.sqrt(math.pi)) < 6 * error


def test_likelihood_is_that_of_the_density() -> None:
    density = norm.pdf(Y, MEANS, np.sqrt(VARIANCES)).mean(axis=0)
    assert of.nll_of_mixture(MEANS, VARIANCES, Y) == pytest.approx(-np.log(density))
    constant = of.nll_of_mixture(MEANS, np.full((1, 8), 0.5), Y)
    assert constant == pytest.approx(-np.log(norm.pdf(Y, MEANS, math.sqrt(0.5)).mean(axis=0)))
    one = of.nll_of_normal(MEANS[0], VARIANCES[0], Y)
    assert one == pytest.approx(-norm.logpdf(Y, MEANS[0], np.sqrt(VARIANCES[0])))
    assert of.nll_of_mixture(MEANS[:1], VARIANCES[:1], Y) == pytest.approx(one)


def test_likelihood_far_away_does_not_overflow() -> None:
    found = of.nll_of_mixture(np.zeros((2, 1)), np.ones((1, 1)), np.array([1e4]))
    assert found == pytest.approx([5e7 + math.log(2 * math.pi) / 2])
    assert np.isinf(of.nll_of_normal(np.zeros(1), np.zeros(1), np.zeros(1)))


def test_transform_is_the_probability_below() -> None:
    wanted = norm.cdf(Y, MEANS, np.sqrt(VARIANCES)).mean(axis=0)
    assert of.pit_of_mixture(MEANS, VARIANCES, Y) == pytest.approx(wanted)
    samples = np.array([[0.0], [1], [1], [2]])
    for y, wanted_share in ((-1, 0), (0, 0.125), (1, 0.5), (1.5, 0.75), (3, 1)):
        assert of.pit_of_samples(samples, np.array([y])) == [wanted_share]


def test_interval_score_is_that_of_scoringrules() -> None:
    low, high = Y - 1, Y + RNG.normal(size=8)
    found = of.interval_score(low, np.maximum(low, high), Y, 0.9)
    wanted = scoringrules.interval_score(Y, low, np.maximum(low, high), 0.1)
    assert found == pytest.approx(wanted)


def test_ends_of_an_interval_are_inside() -> None:
    y = np.array([0.0, 1, 2, 3])
    assert of.inside(np.ones(4), np.full(4, 2), y).tolist() == [0, 1, 1, 0]
