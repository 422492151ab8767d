"""Reads the rows of `mcdropout predict`: from a file, standard input, or the model's example."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import typer

from service.cli.rows.csv_rows import read_csv
from service.cli.rows.given import Rows
from service.errors import InputError
from service.manifest import InputSpec, Manifest
from service.server.banner import example_rows

__all__ = ["Rows", "read_example", "read_rows"]

_CSV = (".csv", ".tsv")


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
        raise InputError("--header and --no-header apply only to .csv and .tsv files.")
    if source == "-":
        return Rows(_from_json(sys.stdin.read(), "standard input"))
    if path.suffix not in (*_READERS, *_CSV):
        *others, last = *_READERS, *_CSV
        raise InputError(f"{source} is not a {', '.join(others)} or {last} file.")
    try:
        if path.suffix in _CSV:
            return read_csv(path, specs, header)
        return Rows(_READERS[path.suffix](path))
    except (OSError, ValueError, BadZipFile) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{source} cannot be read: {why}.") from error


def read_example(manifest: Manifest) -> Rows:
    """The model's example row; without one, a row of zeros and a note on standard error."""
    if any(spec.example is None for spec in manifest.inputs):
        typer.echo("The model has no example row; this is one of zeros.", err=True)
    return Rows({name: [row] for name, row in example_rows(manifest).items()})


def _from_numpy(path: Path) -> Any:
    with path.open("rb") as file:
        found = np.load(file, allow_pickle=False)
        return dict(found) if isinstance(found, np.lib.npyio.NpzFile) else found


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
