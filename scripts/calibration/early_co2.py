"""`co2` of 1958 to 1990, trained with a random half of the weeks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.export import export_model
from models.zoo import co2
from models.zoo.data import Series, co2_series

#: The first year beyond the data.
BEYOND = 1991


@dataclass(frozen=True)
class Weeks:
    """The record, divided.

    Attributes:
        trained: a random half of the weeks before `BEYOND`.
        held: the other half.
        late: all weeks from 1985 on, in order.
    """

    trained: Series
    held: Series
    late: Series


def divided() -> Weeks:
    """The record, always divided in the same way."""
    year = co2_series().year[:, 0]
    early = np.random.default_rng(0).permutation(np.flatnonzero(year < BEYOND))
    middle = len(early) // 2
    late = np.flatnonzero(year >= BEYOND - 6)
    return Weeks(*(_take(index) for index in (early[:middle], early[middle:], late)))


def trained(weeks: Series, epochs: int, folder: Path) -> Path:
    """Train the network of `co2` with some weeks and export it into a folder."""
    path, bare = folder / "model.onnx", co2.build(weeks=weeks)
    bare.set_weights(co2.train(epochs, weeks=weeks).get_weights())  # without its loss
    export_model(bare, path, task="regression", example=weeks.year[:5], measures=())
    return path


def _take(index: NDArray[Any]) -> Series:
    return Series(*(values[index] for values in co2_series()))
