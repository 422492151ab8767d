"""Numbers are written with the digits that their intervals allow."""

import math

import pytest

from service.evaluation.document import Estimate
from service.evaluation.report.numbers import drawn, interval, named, readable, share, value


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(value=0.0617, low=0.0413, high=0.0881), "0.062 (0.041 to 0.088)"),
        (Estimate(value=0.9946, low=0.9864, high=1.0), "0.995 (0.986 to 1.000)"),
        (Estimate(value=123.456, low=100.0, high=150.0), "123 (100 to 150)"),
        (Estimate(value=-0.5, low=-1.0, high=0.0), "−0.5 (−1.0 to 0.0)"),
        (Estimate(value=0.123456), "0.123"),
        (Estimate(value=0.0), "0.00"),
        (Estimate(value=1.0, low=1.0, high=1.0), "1.00 (1.00 to 1.00)"),
        (Estimate(value=6.4535, low=6.4535 - 1e-7, high=6.4535 + 1e-7), "6.45 (6.45 to 6.45)"),
        (Estimate(value=12345.6), "12,346"),
        (Estimate(value=2.5e12), "2.5e+12"),
        (Estimate(value=None), "–"),
        (Estimate(value=math.nan), "–"),
        (Estimate(value=0.5, low=math.nan, high=1.0), "0.500"),
    ],
)
def test_interval_has_the_digits_of_its_half_width(estimate: Estimate, text: str) -> None:
    assert interval(estimate) == text


def test_percentages_have_the_same_digits() -> None:
    estimate = Estimate(value=0.9889, low=0.9756, high=0.9956)
    assert interval(estimate, percent=True) == "98.9\u00a0% (97.6 to 99.6\u00a0%)"
    assert value(estimate, 1, percent=True) == "98.9\u00a0%"
    assert value(Estimate(value=None), 1, percent=True) == "–"


@pytest.mark.parametrize(
    ("number", "text"), [(0.9889, "98.9"), (0.00123, "0.123"), (1.0, "100"), (0.0, "0")]
)
def test_share_has_three_digits(number: float, text: str) -> None:
    assert share(number) == f"{text}\u00a0%"


def test_undefined_numbers_are_nan_in_charts() -> None:
    first, *ends = drawn(Estimate(value=0.5))
    assert first == 0.5
    assert all(map(math.isnan, ends))


def test_names_are_words_with_units() -> None:
    assert readable("predictive_entropy") == "predictive entropy"
    assert readable("std") == "standard deviation"
    assert named("entropy", "nats") == "entropy, nats"
    assert named("accuracy", "1") == "accuracy"
