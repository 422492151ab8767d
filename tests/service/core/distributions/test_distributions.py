"""Properties of every distribution; a new one is tested by its entry in the registry."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.core.distributions import BY_KIND, DISTRIBUTIONS, Distribution, SiteDraw
from service.core.streams import Stream
from service.protocol.options import SAMPLINGS, Sampling
from tests.conftest import SIGMAS

DTYPES = [np.float16, np.float32, np.float64]
COUNT = 100_000

every = pytest.mark.parametrize("one", DISTRIBUTIONS, ids=lambda one: one.kinds[0])
each_sampling = pytest.mark.parametrize("sampling", SAMPLINGS)


def rate_of(one: Distribution) -> float | None:
    return 0.3 if one.takes_rate else None


def numbers_of(
    one: Distribution,
    passes: range = range(2000),
    shape: tuple[int, ...] = (COUNT // 2000,),
    seed: int = 7,
    site: int = 0,
    row: int = 0,
    dtype: type = np.float32,
    sampling: Sampling = "independent",
) -> NDArray[Any]:
    draw = one.stratified if sampling == "stratified" else one.row
    return draw(Stream(seed, site, passes, row), shape, dtype, rate_of(one))


@every
@each_sampling
@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_have_the_moments_of_the_distribution(
    one: Distribution, dtype: type, sampling: Sampling
) -> None:
    numbers = numbers_of(one, dtype=dtype, sampling=sampling)
    values, (mean, variance, kurtosis) = numbers.astype(np.float64), one.moments(rate_of(one))
    assert numbers.dtype == one.number_type(dtype)
    step = 2.0**-11 if dtype is np.float16 else 0.0
    error = SIGMAS * math.sqrt(variance / COUNT) + step
    assert abs(values.mean() - mean) < error
    # Var of a sample variance: σ⁴ (kurtosis - 1) / n.
    spread = SIGMAS * variance * math.sqrt((kurtosis - 1) / COUNT) + step
    assert abs(values.var() - variance) < spread
    assert one.agrees(numbers, rate_of(one))


@every
def test_numbers_with_other_moments_do_not_agree(one: Distribution) -> None:
    mean, variance, _ = one.moments(rate_of(one))
    rng, other = np.random.default_rng(0), 12 * math.sqrt(variance / COUNT)
    wrong: list[NDArray[Any]]
    if one.takes_rate:
        wrong = [rng.random(COUNT) < mean + sign * other for sign in (-1, 1)]
    else:
        right = numbers_of(one).astype(np.float64)
        wrong = [right + other, (right - mean) * 1.05 + mean]
    assert not any(one.agrees(numbers, rate_of(one)) for numbers in wrong)


@every
@each_sampling
@pytest.mark.parametrize("size", [1, 7, 8, 33])
def test_numbers_do_not_depend_on_chunks(one: Distribution, size: int, sampling: Sampling) -> None:
    whole = numbers_of(one, range(40), (size,), site=1, sampling=sampling)
    parts = [
        numbers_of(one, range(first, last), (size,), site=1, sampling=sampling)
        for first, last in ((0, 7), (7, 27), (27, 40))
    ]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    assert (whole != whole[:1]).any()


@every
@each_sampling
@pytest.mark.parametrize(
    "other", [{"seed": 8}, {"site": 1}, {"row": 1}, {"passes": range(2000, 4000)}]
)
def test_seeds_sites_rows_and_passes_are_uncorrelated(
    one: Distribution, other: dict[str, int], sampling: Sampling
) -> None:
    numbers = numbers_of(one, sampling=sampling).ravel()
    others = numbers_of(one, sampling=sampling, **other).ravel()  # type: ignore[arg-type]
    assert abs(np.corrcoef(numbers, others)[0, 1]) < SIGMAS / math.sqrt(COUNT)


@every
def test_stratified_passes_of_a_block_have_nearly_the_mean_of_the_distribution(
    one: Distribution,
) -> None:
    """Of monotonic numbers at least 95 % of the variance lies between the strata."""
    mean, variance, _ = one.moments(rate_of(one))
    by_block = numbers_of(one, sampling="stratified").astype(float).reshape(100, 20, 50).mean(1)
    assert ((by_block - mean) ** 2).mean() < 0.05 * variance / 20


@every
def test_draw_has_its_shape_and_a_scale_that_keeps_the_mean(one: Distribution) -> None:
    drawn = one.draw(7, 0, range(3), range(2), (1, 4), dtype=np.float16, rate=rate_of(one))
    assert drawn.numbers.shape == (3, 2, 1, 4)
    assert drawn.numbers.dtype == one.number_type(np.float16)
    wanted = 1.0 if one.takes_rate else one.moments().mean
    assert drawn.scale * one.moments(rate_of(one)).mean == pytest.approx(wanted)


@every
def test_neutral_draw_is_the_neutral_number(one: Distribution) -> None:
    still = one.still(3, (1, 4), np.float32)
    assert still.numbers.shape == (3, 1, 1, 4)
    assert still.numbers.dtype == one.number_type(np.float32)
    assert (still.numbers == one.neutral).all()
    assert still.scale == 1.0


@every
@each_sampling
def test_draws_of_a_row_do_not_depend_on_other_rows(one: Distribution, sampling: Sampling) -> None:
    rows, alone = (
        one.draw(
            7, 0, range(5), rows, (40,), dtype=np.float32, rate=rate_of(one), sampling=sampling
        ).numbers
        for rows in (range(4), range(2, 3))
    )
    np.testing.assert_array_equal(rows[:, 2:3], alone)
    assert (rows[:, 0] != rows[:, 1]).any()


@every
def test_draws_of_a_probe_differ(one: Distribution) -> None:
    base = SiteDraw(numbers_of(one, range(2), (1, 3)))
    for probe in one.probes:
        first, second = one.pair(base, probe)
        assert first.numbers.shape == second.numbers.shape == base.numbers.shape
        assert first.numbers.dtype == second.numbers.dtype == base.numbers.dtype
        assert first.scale == second.scale
        assert (first.numbers != second.numbers).all()


@every
def test_standard_attributes_neither_shift_nor_scale(one: Distribution) -> None:
    assert one.moved(one.operator.attributes) == (0.0, 1.0)


def test_kinds_and_operators_are_unambiguous() -> None:
    kinds = [kind for one in DISTRIBUTIONS for kind in one.kinds]
    assert len(kinds) == len(set(kinds)) == len(BY_KIND)
    assert len({one.operator.name for one in DISTRIBUTIONS}) == len(DISTRIBUTIONS)


def test_kinds_of_earlier_manifests_exist() -> None:
    assert {"dropout", "spatial_dropout", "uniform", "normal"} <= BY_KIND.keys()


def test_noise_must_vary_and_few_masks_need_not() -> None:
    assert BY_KIND["normal"].must_vary(1, None)
    assert BY_KIND["dropout"].must_vary(40, 0.5)
    assert not BY_KIND["dropout"].must_vary(39, 0.5)
    assert not BY_KIND["dropout"].must_vary(1000, 1 - 1e-3)
