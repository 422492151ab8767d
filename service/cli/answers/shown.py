"""Selects what the printed table shows of an output, as columns of text."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len

from service.cli.answers.columns import output_axes
from service.errors import shortened
from service.manifest import Manifest
from service.rows.names import element_names

Array = NDArray[Any]

#: Maximum number of elements in a cell and of values of each, and of elements with a column.
_VALUES, _ELEMENTS = 3, 12
#: Maximum number of letters of a name, and of a text, which says nothing without its end.
LETTERS, _TEXT = 24, 48


@dataclass(frozen=True)
class Column:
    """A column of the table: title, a cell for each row, and whether the cells are words."""

    title: str
    cells: Sequence[str]
    has_words: bool = False

    @property
    def width(self) -> int:
        """Width in characters, with the space before the next column."""
        return max(map(cell_len, [self.title, *self.cells])) + 2


@dataclass(frozen=True)
class Shown:
    """The first R rows of an output.

    Attributes:
        mean: (R, E), or the output with dropout off.
        deviation: (R, E); None with dropout off.
        names: (E,) names of the elements.
        measures: name to (R, …).
        shape: of a row.
        task: of the model.
    """

    mean: Array
    deviation: Array | None
    names: Sequence[str]
    measures: Mapping[str, Array]
    shape: tuple[int, ...]
    task: str

    def value(self, row: int, element: int) -> str:
        """The mean of an element, with its standard deviation."""
        mean = float(self.mean[row, element])
        if self.deviation is None:
            return f"{mean:.6g}"
        return _rounded(mean, float(self.deviation[row, element]))


def first_rows(quantities: Mapping[str, Array], manifest: Manifest, count: int) -> Shown:
    """The first `count` rows of an output."""
    first, *others = ((name, values[:count]) for name, values in quantities.items())
    mean = first[1]
    axes = output_axes(mean.shape[1:], manifest.labels)
    names = axes[0] if len(axes) == 1 else element_names("", axes)
    measures = dict(others)
    variance = measures.pop("variance", None)
    return Shown(
        mean=mean.reshape(len(mean), -1),
        deviation=None if variance is None else np.sqrt(variance).reshape(len(mean), -1),
        names=[shortened(name, LETTERS) for name in names],
        measures=measures,
        shape=mean.shape[1:],
        task=manifest.task,
    )


@dataclass(frozen=True)
class _Main:
    """Columns of the output itself.

    Attributes:
        columns: one or several.
        chosen: (R,) index of the element that they show; None: they show no single element.
        left_out: descriptions of what they do not show.
    """

    columns: Sequence[Column]
    chosen: Array | None = None
    left_out: tuple[str, ...] = ()


def fitting_columns(shown: Shown, room: int) -> tuple[list[Column], list[str]]:
    """The columns that fit in a line, and descriptions of what was left out.

    Args:
        shown: the rows.
        room: characters in a line.
    """
    fitting = [_with_measures(main, shown, room) for main in _mains(shown, room)]
    columns, left_out = min(fitting, key=lambda one: len(one[1]))
    if _has_one_class(shown) and not left_out:
        second = _runner_up(shown)
        if _width([*columns, second]) <= room:
            columns.insert(2, second)
    return columns, left_out


def _mains(shown: Shown, room: int) -> Iterator[_Main]:
    """Possible columns of the output, the preferred ones first."""
    count = len(shown.names)
    if _has_one_class(shown):
        yield _most_likely("class", shown)
        return
    if count == 1:
        yield _Main([_element(shown, 0)], np.zeros(len(shown.mean), int))
        return
    if count <= _ELEMENTS:
        elements = [_element(shown, element) for element in range(count)]
        if _width(elements) <= room:
            yield _Main(elements)
    if shown.task == "multilabel_classification":
        yield _most_likely("most likely", shown)
    else:
        yield _summary(shown)


def _with_measures(main: _Main, shown: Shown, room: int) -> tuple[list[Column], list[str]]:
    """The columns with the measures that fit, and what was left out.

    An answer has the most wanted measures first: see `Terms.asked`.
    """
    found, left_out = list(main.columns), list(main.left_out)
    for name, values in shown.measures.items():
        column = _measure(name, values, shown, main.chosen)
        if column is not None and _width([*found, column]) <= room:
            found.append(column)
        else:
            left_out.append(name)
    return found, left_out


def _width(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns)


def _has_one_class(shown: Shown) -> bool:
    """Whether each row has a probability for each of several classes."""
    return shown.task == "classification" and len(shown.shape) == 1 and len(shown.names) > 1


def _most_likely(title: str, shown: Shown) -> _Main:
    best = np.argmax(shown.mean, axis=1)
    names = [shown.names[element] for element in best]
    values = [shown.value(row, element) for row, element in enumerate(best)]
    columns = [Column(title, names, has_words=True), Column(_value_title(shown), values)]
    return _Main(columns, best)


def _runner_up(shown: Shown) -> Column:
    seconds = np.argsort(-shown.mean, axis=1, kind="stable")[:, 1]
    cells = [f"{shown.names[e]} {shown.mean[row, e]:.2g}" for row, e in enumerate(seconds)]
    return Column("runner-up", cells, has_words=True)


def _element(shown: Shown, element: int) -> Column:
    name = shown.names[element]
    if len(shown.names) == 1 and shown.task != "classification":
        name = _value_title(shown)
    elif len(shown.names) == 1:
        name = f"P({name or 'class 1'})"
    return Column(name, [shown.value(row, element) for row in range(len(shown.mean))])


def _value_title(shown: Shown) -> str:
    return "output" if shown.deviation is None else "mean ± deviation"


def _summary(shown: Shown) -> _Main:
    """The range of the means, and the largest deviation."""
    low, high = shown.mean.min(axis=1), shown.mean.max(axis=1)
    title = "output" if shown.deviation is None else "mean"
    found = [
        Column(f"lowest {title}", [_text(value) for value in low]),
        Column(f"highest {title}", [_text(value) for value in high]),
    ]
    if shown.deviation is not None:
        largest = shown.deviation.max(axis=1)
        found.append(Column("largest deviation", [_text(value) for value in largest]))
    return _Main(found, left_out=(f"all but a summary of {len(shown.names)} elements",))


def _measure(name: str, values: Array, shown: Shown, chosen: Array | None) -> Column | None:
    """A measure, of the chosen elements if it has values per element; None: too many values."""
    rows = len(values)
    has_elements = values.shape[1 : 1 + len(shown.shape)] == shown.shape
    by_element = values.reshape(rows, shown.mean.shape[1] if has_elements else 1, -1)
    if chosen is not None and has_elements:
        by_element = by_element[np.arange(rows), chosen, None]
    if max(by_element.shape[1:]) > _VALUES:
        return None
    between = "; " if by_element.shape[2] > 1 else ", "
    cells = [between.join(", ".join(map(_text, one)) for one in row) for row in by_element.tolist()]
    return Column(name, cells, has_words=values.dtype.kind in "OU")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return _listed([str(one) for one in value])
    return f"{value:.4g}" if isinstance(value, float) else shortened(value, _TEXT)


def _listed(members: Sequence[str]) -> str:
    """The members of a set that fit in a cell, and the number of the others."""
    if not members:
        return "(none)"
    for count in range(min(len(members), LETTERS), 0, -1):
        others = f" +{len(members) - count}" if count < len(members) else ""
        text = ", ".join(members[:count])
        if len(text + others) <= LETTERS:
            return text + others
    return shortened(members[0], LETTERS - len(others)) + others


def _rounded(mean: float, deviation: float) -> str:
    """Both rounded to two significant digits of the deviation."""
    if deviation <= 0 or not -9 <= math.log10(deviation) <= 9:
        return f"{mean:.4g} ± {deviation:.2g}"
    digits = max(0, 1 - math.floor(math.log10(deviation)))
    return f"{mean:.{digits}f} ± {deviation:.{digits}f}"
