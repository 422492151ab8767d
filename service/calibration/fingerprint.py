"""Fingerprints of data sets: what a model was trained or calibrated with, without the data."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.manifest import DataReference

Array = NDArray[Any]

#: Number of row hashes that a fingerprint has. Of data with at most so many rows it has all.
SKETCH = 1000
_HASH_BYTES = 8


def row_hashes(inputs: Mapping[str, Array]) -> list[str]:
    """A hash for each row, in hexadecimal; equal rows have equal ones.

    Args:
        inputs: input name to (N, …) array, as the model reads them, so that a row is the same
            whatever file and type it came from. 0 and -0 are equal.
    """
    names = sorted(inputs)
    columns = [_bytes_of_rows(inputs[name]) for name in names]
    begin = hashlib.blake2b("\0".join(names).encode(), digest_size=_HASH_BYTES)
    found = []
    for row in zip(*columns, strict=True):
        hashed = begin.copy()
        for part in row:
            hashed.update(part)
        found.append(hashed.hexdigest())
    return found


def fingerprint(name: str, hashes: Sequence[str]) -> DataReference:
    """Of a data set, whatever the order of its rows.

    Args:
        name: of the data, for people.
        hashes: see `row_hashes`; at least one.
    """
    ascending = sorted(hashes)
    return DataReference(
        name=name,
        sha256=hashlib.sha256("\n".join(ascending).encode()).hexdigest(),
        rows=len(hashes),
        smallest=tuple(sorted(set(hashes))[:SKETCH]),
    )


def overlap(known: DataReference, hashes: Sequence[str]) -> float | None:
    """The share of rows that are in the data of a fingerprint.

    Hashes are as good as random numbers, so the rows whose hashes are within the range of
    `known.smallest` are a random sample of all rows, and these hashes say for each of them whether
    it is known (a bottom-k sketch, Cohen & Kaplan 2007). Of at most `SKETCH` known rows the share
    is exact.

    Returns:
        None: no row is in that range, so that nothing is known.
    """
    smallest = frozenset(known.smallest)
    whole = len(smallest) < SKETCH
    last = max(smallest, default="")
    inside = hashes if whole else [one for one in hashes if one <= last]
    if not inside or not smallest:
        return None
    return sum(one in smallest for one in inside) / len(inside)


def _bytes_of_rows(array: Array) -> list[bytes]:
    """The content of each row; of numbers in little-endian order."""
    if array.dtype == object:
        return [_texts(row) for row in array.reshape(len(array), -1)]
    if array.dtype.kind == "f":
        array = array + 0  # -0 becomes 0
    ordered = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return [row.tobytes() for row in ordered]


def _texts(row: Array) -> bytes:
    """Texts, each preceded by its length: ("ab", "c") is not ("a", "bc")."""
    encoded = [text.encode() for text in row]
    return b"".join(len(text).to_bytes(8, "little") + text for text in encoded)
