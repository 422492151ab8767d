"""Input and output of `mcdropout predict`: rows from files, predictions as tables or JSON."""

import csv
import json
import math
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from service.errors import InputError
from service.manifest import InputSpec, Manifest
from service.protocol.prediction import OutputPrediction, Prediction

#: Maximum number of elements shown per row.
_MAX_LINES = 5


def read_rows(source: str, specs: Sequence[InputSpec]) -> Any:
    """Read rows.

    Args:
        source: a .npy, .json or .csv file, or "-" for JSON on standard input. JSON is
            rows, {"instances": rows}, or {"inputs": {input name: rows}}. A CSV has one
            row of the only input per line, and may begin with a header; for a text model,
            with the input's name.
        specs: the model's inputs.

    Raises:
        InputError: it cannot be read in the format of its suffix.
    """
    if source == "-":
        return _from_json(sys.stdin.read(), "standard input")
    path = Path(source)
    csv_of_texts = len(specs) == 1 and specs[0].dtype == "string"
    readers = {
        ".npy": _from_npy,
        ".json": _from_file,
        ".csv": partial(_texts_from_csv, specs[0]) if csv_of_texts else _from_csv,
    }
    if path.suffix not in readers:
        raise InputError(f"{source} is not a .npy, .json or .csv file.")
    try:
        rows = readers[path.suffix](path)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{source} cannot be read: {why}.") from error
    if path.suffix == ".csv" and len(specs) == 1:
        return _in_shape(rows, specs[0])
    return rows


def _from_npy(path: Path) -> Any:
    return np.load(path, allow_pickle=False)


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


def _from_csv(path: Path) -> Any:
    with path.open(newline="") as file:
        lines = [line for line in csv.reader(file) if line]
    if lines and not _is_number(lines[0][0]):
        lines = lines[1:]
    for number, line in enumerate(lines, 1):
        for value in line:
            if not _is_number(value):
                raise InputError(f"{path}, row {number}: {value[:40]!r} is not a number.")
        if len(line) != len(lines[0]):
            raise InputError(
                f"{path}, row {number} has {len(line)} values, and the first has {len(lines[0])}."
            )
    return np.array([[float(value) for value in line] for line in lines])


def _texts_from_csv(spec: InputSpec, path: Path) -> Any:
    with path.open(newline="", encoding="utf-8") as file:
        lines = [line for line in csv.reader(file) if line]
    # Other headers cannot be distinguished from texts.
    if lines and set(lines[0]) == {spec.name}:
        lines = lines[1:]
    uneven = next((n for n, line in enumerate(lines, 1) if len(line) != len(lines[0])), None)
    if uneven is not None:
        raise InputError(
            f"{path}, row {uneven} has {len(lines[uneven - 1])} values, and the first has "
            f"{len(lines[0])}."
        )
    return np.array(lines, object)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _in_shape(rows: NDArray[Any], spec: InputSpec) -> NDArray[Any]:
    """A line of a CSV is flat, whatever shape a row has."""
    row = spec.shape[1:]
    if None in row or rows.ndim != 2 or int(np.prod([n or 1 for n in row])) != rows.shape[1]:
        return rows
    return rows.reshape(-1, *[n or 1 for n in row])


def as_json(found: Prediction) -> str:
    """The prediction as one JSON object."""
    outputs = {
        name: {"mean": one.mean, "variance": one.variance, **one.measures}
        for name, one in found.items()
    }
    lists = {name: {k: y.tolist() for k, y in one.items()} for name, one in outputs.items()}
    return json.dumps({"passes": found.passes, "seed": found.seed, "outputs": lists})


def as_tables(found: Prediction, manifest: Manifest) -> list[Table]:
    """A table for each output: for each row mean ± standard deviation of its elements."""
    return [_table(name, one, found, manifest) for name, one in found.items()]


def _table(name: str, one: OutputPrediction, found: Prediction, manifest: Manifest) -> Table:
    """One line per element; if there are many, the classes of the largest means, or the first."""
    title = f"{name}: mean ± standard deviation over {found.passes} passes, seed {found.seed}"
    table = Table(title=title, title_justify="left", min_width=min(len(title), 78))
    is_class = manifest.task == "classification"
    for column in ("row", "class" if is_class else "element", "mean ± deviation", *one.measures):
        table.add_column(column.replace("_", " "), justify="right")
    mean, spread = (y.reshape(len(y), -1) for y in (one.mean, np.sqrt(one.variance)))
    for row in range(len(mean)):
        order = np.argsort(-mean[row]) if is_class else np.arange(mean.shape[1])
        for place, element in enumerate(order[:_MAX_LINES].tolist()):
            value = _rounded(mean[row, element], spread[row, element])
            label = _label(element, mean.shape[1], manifest)
            measures = [
                _of_element(y[row], element, len(order), place == 0) for y in one.measures.values()
            ]
            table.add_row("" if place else str(row), label, value, *measures)
        if len(order) > _MAX_LINES:
            table.add_row("", f"… {len(order) - _MAX_LINES} more", "")
    return table


def _of_element(values: NDArray[Any], element: int, count: int, first: bool) -> str:
    """A measure of an element; a single value per row is shown on its first line."""
    if values.size == 1:
        return _shown(values.item()) if first else ""
    if values.size % count:
        return "…" if first else ""  # of other elements than the output's: JSON has them
    return ", ".join(map(_shown, values.reshape(count, -1)[element].tolist()))


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def _label(element: int, count: int, manifest: Manifest) -> str:
    labels = manifest.labels
    return labels[element] if labels and len(labels) == count else str(element)


def _rounded(mean: float, spread: float) -> str:
    """Both rounded to two significant digits of the spread."""
    if spread <= 0 or not -9 <= math.log10(spread) <= 9:
        return f"{mean:.4g} ± {spread:.2g}"
    digits = max(0, 1 - math.floor(math.log10(spread)))
    return f"{mean:.{digits}f} ± {spread:.{digits}f}"
