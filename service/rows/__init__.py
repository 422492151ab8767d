"""Reads rows of the inputs of a model from files and standard input."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from service.errors import InputError
from service.manifest import InputSpec
from service.rows.csv_rows import read_csv
from service.rows.given import Further, Rows
from service.rows.parquet import read_parquet

__all__ = ["Further", "Rows", "read_labeled_rows", "read_rows"]

_CSV = (".csv", ".tsv")
_NO_HEADER = "--header and --no-header apply only to .csv and .tsv files."


def read_rows(source: str, specs: Sequence[InputSpec], header: bool | None = None) -> Rows:
    """Read rows.

    Args:
        source: a file that ends in .npy, .npz (an array for each input), .json, .csv or .tsv; or
            "-" for JSON on standard input. JSON is rows, {"instances": rows}, or {"inputs":
            {input name: rows}}.
        specs: the model's inputs.
        header: whether the first line of a CSV is a header; None: detect it.

    Raises:
        InputError: it cannot be read in the format of its suffix.
    """
    path = Path(source)
    if header is not None and path.suffix not in _CSV:
        raise InputError(_NO_HEADER)
    if source == "-":
        return Rows(_from_json(sys.stdin.read(), "standard input"))
    if path.suffix not in (*_READERS, *_CSV):
        *others, last = *_READERS, *_CSV
        raise InputError(f"{source} is not a {', '.join(others)} or {last} file.")
    with _unreadable(source):
        if path.suffix in _CSV:
            return read_csv(path, specs, header)
        return Rows(_READERS[path.suffix](path))


def read_labeled_rows(
    path: Path, specs: Sequence[InputSpec], further: Further, header: bool | None = None
) -> Rows:
    """Read rows, and further columns or arrays beside them.

    Args:
        path: of a .npz file (an array for each input by its name, or "x" for the only one), or
            of a .csv, .tsv or .parquet file.
        specs: the model's inputs.
        further: see `Further`.
        header: whether the first line of a CSV is a header, which it has to be; None: the same.

    Raises:
        InputError: it cannot be read in the format of its suffix.
        MissingExtraError: it is a Parquet file, and pyarrow is not installed.
    """
    if header is not None and path.suffix not in _CSV:
        raise InputError(_NO_HEADER)
    with _unreadable(str(path)):
        if path.suffix in _CSV:
            return read_csv(path, specs, header, further)
        if path.suffix == ".parquet":
            return read_parquet(path, specs, further)
        if path.suffix == ".npz":
            return _from_npz(_from_numpy(path), specs, further)
    raise InputError(f"{path} is not a .npz, .csv, .tsv or .parquet file.")


def _from_npz(
    arrays: dict[str, NDArray[Any]], specs: Sequence[InputSpec], further: Further
) -> Rows:
    others = {spec.name: arrays.pop(spec.name) for spec in further(list(arrays))}
    bare = len(specs) == 1 and list(arrays) == ["x"]
    return Rows(arrays["x"] if bare else arrays, further=others)


@contextmanager
def _unreadable(source: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, BadZipFile) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{source} cannot be read: {why}.") from error


def _from_numpy(path: Path) -> Any:
    with path.open("rb") as file:
        try:
            found = np.load(file, allow_pickle=False)
            return dict(found) if isinstance(found, np.lib.npyio.NpzFile) else found
        except (ValueError, EOFError) as error:  # NumPy's message explains how to load it unsafely
            raise InputError(
                f"{path} is not a NumPy file of numbers or texts. Write it with numpy.save, or "
                "numpy.savez with an array for each input; texts as dtype str, not object."
            ) from error


def _from_file(path: Path) -> Any:
    return _from_json(path.read_text(), str(path))


def _from_json(text: str, what: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InputError(f"{what} is not JSON: {error}.") from error
    if isinstance(value, dict) and len(value) == 1 and ("instances" in value or "inputs" in value):
        return next(iter(value.values()))
    return value


_READERS: Mapping[str, Callable[[Path], Any]] = {
    ".npy": _from_numpy,
    ".npz": _from_numpy,
    ".json": _from_file,
}
