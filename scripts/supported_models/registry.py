"""The rows of the table of supported models."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

Build = Callable[[], Any]


@dataclass(frozen=True)
class Row:
    """One kind of model.

    Attributes:
        name: in the table.
        build: returns the model.
        sites: number of sites.
        example: rows for the export, if random ones are unsuitable.
        slow: whether its export takes more than ten seconds.
        kept_off: last path parts of the layers that stay off.
    """

    name: str
    build: Build
    sites: int
    example: Any = None
    slow: bool = False
    kept_off: tuple[str, ...] = ()


#: Group to its rows, in the order of the table.
ROWS: dict[str, list[Row]] = {
    group: []
    for group in (
        "Networks",
        "Masks",
        "Draws that rows share",
        "The batch in other places",
        "Layers of your own",
        "Graphs",
        "Text",
        "Subclassed models",
        "Always on",
        "Hard-coded training arguments",
        "Normalization",
        "Recurrent",
        "Attention",
        "Noise",
        "keras.applications",
        "Precision",
        "Names, batches and outputs",
    )
}


def row(
    group: str,
    name: str,
    sites: int,
    example: Any = None,
    slow: bool = False,
    kept_off: tuple[str, ...] = (),
) -> Callable[[Build], Build]:
    """Register the decorated function as a row of the table."""

    def register(build: Build) -> Build:
        ROWS[group].append(Row(name, build, sites, example, slow, kept_off))
        return build

    return register


def sequential(*parts: Any) -> keras.Model:
    """A Sequential model; if the first argument is a shape, it is the input's."""
    shape, *rest = parts
    return keras.Sequential([keras.Input(shape), *rest])
