import numpy as np
import pytest

from service.core.by_element import by_element

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(5,), (5, 3, 2), (20_000, 3), (7, 5_000, 2), (4, 0)])
def test_values_are_those_of_all_elements_at_once(shape: tuple[int, ...]) -> None:
    x, y = (RANDOM.normal(size=shape).astype(np.float32) for _ in range(2))
    found = by_element(lambda a, b: (a * b).max(axis=0), x, y)
    np.testing.assert_array_equal(found, (x.astype(float) * y.astype(float)).max(axis=0))
    both = by_element(lambda a: np.stack([a.min(axis=0), a.max(axis=0)], axis=-1), x)
    np.testing.assert_array_equal(both, np.stack([x.min(axis=0), x.max(axis=0)], axis=-1))
