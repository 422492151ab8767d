"""Rows to predict, with their index."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rows:
    """Rows to predict.

    Attributes:
        values: for `Predictor.prepare`.
        ids: the cells of a file's index column; None: rows are numbered from 0.
    """

    values: Any
    ids: Sequence[str] | None = None
