import numpy as np
import pytest

from service.core.measures.base import Sampled
from service.core.measures.predictive_entropy import PredictiveEntropy
from service.core.moments import Moments, moments
from service.core.stopping.block_moments import MAX_BLOCKS, Blocks

SAMPLES = np.random.default_rng(0).dirichlet(np.ones(4), (1503, 3)).astype(np.float32)


def blocks_of(samples: np.ndarray, chunk: int) -> Blocks:
    blocks = Blocks.start(samples)
    for first in range(0, len(samples), chunk):
        blocks = blocks.add(samples[first : first + chunk])
    return blocks


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
@pytest.mark.parametrize("passes", [4, 5, 320, 321, 640, 1503])
def test_blocks_do_not_depend_on_chunks_or_other_rows(passes: int, chunk: int) -> None:
    whole = blocks_of(SAMPLES[:passes], passes)
    alone = blocks_of(SAMPLES[:passes, 1:2], chunk)
    assert (alone.size, alone.begun) == (whole.size, whole.begun)
    np.testing.assert_array_equal(alone.sums, whole.rows(np.array([1])).sums)
    np.testing.assert_array_equal(alone.rest, whole.rest[:, 1:2])
    assert len(alone.sums) * alone.size + alone.begun == passes


@pytest.mark.parametrize(("passes", "size", "count"), [(320, 5, 64), (330, 10, 33), (1503, 40, 37)])
def test_blocks_are_joined_so_that_their_number_is_bounded(
    passes: int, size: int, count: int
) -> None:
    blocks = blocks_of(SAMPLES[:passes], 100)
    assert (blocks.size, len(blocks.sums)) == (size, count)
    assert count <= MAX_BLOCKS
    d = SAMPLES[:passes].astype(np.float64) - SAMPLES[0]
    first, second = d[:size].sum(axis=0), d[size : 2 * size].sum(axis=0)
    np.testing.assert_allclose(blocks.sums[:2, 0], [first, second], atol=1e-12)


def test_pseudo_values_of_the_mean_are_the_means_of_blocks() -> None:
    found = blocks_of(SAMPLES[:40], 40).jackknife(lambda some: some.mean)[1]
    wanted = SAMPLES[:40].astype(np.float64).reshape(8, 5, 3, 4).mean(axis=1)
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_pseudo_values_are_those_of_leaving_out_one_block_after_the_other() -> None:
    def value(some: Moments) -> np.ndarray:
        entropy: np.ndarray = PredictiveEntropy().finalize(None, Sampled(some))
        return np.asarray(entropy + some.variance.sum(axis=-1))

    samples = SAMPLES[:40]
    kept = (np.delete(samples, np.s_[5 * i : 5 * i + 5], axis=0) for i in range(8))
    wanted = [8 * value(moments(samples)) - 7 * value(moments(some)) for some in kept]
    whole, found = blocks_of(samples, 40).jackknife(value)
    np.testing.assert_allclose(whole, value(moments(samples)), atol=1e-12)
    np.testing.assert_allclose(found, wanted, atol=1e-10)
