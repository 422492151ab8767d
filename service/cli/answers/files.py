"""Writes answers to files."""

import csv
import json
import os
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from service.api.tfserving.codec import arrays_by_name, labeled, write_json
from service.cli.answers.answer import Answer, Array
from service.cli.answers.columns import flat_columns
from service.errors import InputError
from service.extras import needs
from service.facts import facts_of


def as_json(answer: Answer) -> str:
    """The answer as one JSON object, by output."""
    lists = {
        name: {quantity: values.tolist() for quantity, values in found.items()}
        for name, found in answer.columns.items()
    }
    by_row = {name: values.tolist() for name, values in answer.by_row.items()}
    return json.dumps({**answer.head, **by_row, "outputs": lists})


def require_writable(path: Path, force: bool) -> None:
    """Check before a prediction that `write` will be able to write a file.

    Raises:
        InputError: the suffix is unknown, the file exists and `force` is false, or its folder is
            not writable.
        MissingExtraError: the format needs a package that is not installed.
    """
    if path.suffix not in _WRITERS:
        *others, last = _WRITERS
        raise InputError(f"--output is {path}; it must end in {', '.join(others)} or {last}.")
    if path.exists() and not force:
        raise InputError(f"{path} already exists. Name another file, or use --force to replace it.")
    if not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        raise InputError(f"{path} cannot be written: {path.parent} is not a writable folder.")
    if path.suffix == ".parquet":
        with needs("parquet"):
            import_module("pyarrow")


def write(path: Path, answer: Answer) -> None:
    """Write an answer in the format of the file's suffix, replacing the file atomically.

    - .csv and .parquet: see `flat_columns`. Numbers of a CSV are float64 to the last bit.
    - .json: as the server answers to `instances`, without model and version.
    - .npz: an array for each quantity, with the names of an answer of the server; and `row`,
      `passes` and `seed`, and with a stopping rule `row_passes` and `row_settled`.

    Raises:
        InputError: the file cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        _WRITERS[path.suffix](draft, answer)
        draft.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)


def _write_csv(path: Path, answer: Answer) -> None:
    columns = flat_columns(answer)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        lists = (c.tolist() if isinstance(c, np.ndarray) else c for c in columns.values())
        writer.writerows(zip(*lists, strict=True))


def _write_json(path: Path, answer: Answer) -> None:
    head = {**answer.head, **answer.by_row}
    columns = labeled(answer.columns, facts_of(answer.manifest))
    path.write_bytes(write_json(head, columns, by_row=True))


def _write_npz(path: Path, answer: Answer) -> None:
    own: dict[str, Any] = {"row": answer.ids, **answer.head, **answer.by_row}
    arrays = {name: _storable(y) for name, y in {**arrays_by_name(answer.columns), **own}.items()}
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def _storable(values: Any) -> Array:
    """An array that needs no pickle."""
    array = np.asarray(values)
    return array.astype(np.str_) if array.dtype == object else array


def _write_parquet(path: Path, answer: Answer) -> None:
    from pyarrow import parquet, table

    parquet.write_table(table({k: np.asarray(v) for k, v in flat_columns(answer).items()}), path)


_WRITERS: Mapping[str, Callable[[Path, Answer], None]] = {
    ".csv": _write_csv,
    ".json": _write_json,
    ".npz": _write_npz,
    ".parquet": _write_parquet,
}
