from typing import Any

import numpy as np
import pytest

from service.calibration.fingerprint import SKETCH, fingerprint, overlap, row_hashes

Array = np.ndarray[Any, Any]


def hashes(rows: Array) -> list[str]:
    return row_hashes({"x": rows.astype(np.float32)})


def rows(count: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(count, 3))


def test_fingerprint_does_not_depend_on_the_order_of_rows() -> None:
    x = rows(50)
    assert fingerprint("a", hashes(x)) == fingerprint("a", hashes(x[::-1]))


@pytest.mark.parametrize("change", [lambda x: x[1:], lambda x: np.r_[x, x[:1]], lambda x: x + 1])
def test_fingerprint_of_other_rows_is_another(change: Any) -> None:
    x = rows(50)
    assert fingerprint("a", hashes(x)).sha256 != fingerprint("a", hashes(change(x))).sha256


def test_zero_and_negative_zero_are_equal() -> None:
    assert hashes(np.array([[0.0]])) == hashes(np.array([[-0.0]]))


def test_inputs_are_told_apart_by_name() -> None:
    x, y = rows(2, 0), rows(2, 1)
    assert row_hashes({"a": x, "b": y}) == row_hashes({"b": y, "a": x})
    assert row_hashes({"a": x, "b": y}) != row_hashes({"a": y, "b": x})


def test_texts_are_told_apart_by_their_ends() -> None:
    texts = np.array([["ab", "c"], ["a", "bc"], ["ab", "c"]], object)
    first, second, third = row_hashes({"x": texts})
    assert (first == third, first == second) == (True, False)


def test_hash_of_a_row_is_the_one_of_earlier_versions() -> None:
    """Fingerprints are kept in files."""
    assert hashes(np.array([[1.0, 2.0]])) == ["8c00dff6c8ded798"]


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_overlap_with_few_rows_is_exact(share: float) -> None:
    known, new = rows(800), rows(400, 1)
    new[: int(share * 400)] = known[: int(share * 400)]
    assert overlap(fingerprint("a", hashes(known)), hashes(new)) == share


def test_overlap_with_many_rows_is_estimated() -> None:
    known, new = rows(20_000), rows(8000, 1)
    new[:2000] = known[:2000]
    found = overlap(fingerprint("a", hashes(known)), hashes(new))
    # About 8000 × SKETCH / 20000 = 400 rows are looked at: five standard errors.
    assert found == pytest.approx(0.25, abs=5 * np.sqrt(0.25 * 0.75 / (8000 * SKETCH / 20_000)))


def test_overlap_of_rows_outside_the_sketch_is_not_known() -> None:
    known = fingerprint("a", [f"{number:016x}" for number in range(SKETCH + 1)])
    assert overlap(known, ["f" * 16]) is None
    assert overlap(known, [f"{0:016x}"]) == 1
