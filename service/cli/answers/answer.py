"""The answer of a model, from stochastic passes or with dropout off."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from service.api.tfserving.codec import sampled
from service.cli.models import Model
from service.errors import InputError
from service.manifest import Manifest, OutputSpec
from service.protocol.prediction import Stopped
from service.rows import Rows

Array = NDArray[Any]
Quantities = Mapping[str, Array]


@dataclass(frozen=True)
class Answer:
    """The answer of a model for B rows.

    Attributes:
        columns: output name to quantity to (B, …) array: "mean", "variance" and measures, which
            may be strings; with dropout off "output".
        head: passes and seed; with dropout off none.
        stopped: passes of each row, if a stopping rule chose them.
        ids: (B,) cells of an index column, or the numbers of the rows from 0.
        manifest: of the model.
    """

    columns: Mapping[str, Quantities]
    head: Mapping[str, int]
    stopped: Stopped | None
    ids: Sequence[str | int]
    manifest: Manifest

    @property
    def by_row(self) -> Mapping[str, Array]:
        """`row_passes` and `row_settled`, (B,), if a stopping rule chose the passes."""
        return {} if self.stopped is None else self.stopped.by_name

    def outputs(self) -> Iterator[tuple[OutputSpec, Quantities]]:
        """Each output with its quantities."""
        for spec in self.manifest.outputs:
            yield spec, self.columns[spec.name]


def ask(model: Model, rows: Rows, options: Mapping[str, Any]) -> Answer:
    """Predict rows by stochastic passes.

    Args:
        model: that predicts.
        rows: of its inputs.
        options: see `Options`.

    Raises:
        InputError: rows or options do not suit the model.
        OutputError: the model answered with NaN or infinity.
    """
    found = model.predict(rows.values, **options)
    head = {"passes": found.passes, "seed": found.seed}
    return _answer(model, rows, sampled(found), head, found.stopped)


def ask_deterministic(model: Model, rows: Rows, options: Mapping[str, Any]) -> Answer:
    """Predict rows by one pass with dropout off.

    Raises:
        InputError: there are options, which are all for stochastic passes; or see `ask`.
        OutputError: see `ask`.
    """
    if options:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in options)
        raise InputError(f"--deterministic runs one pass with dropout off: leave out {flags}.")
    found = model.predict_deterministic(rows.values)
    return _answer(model, rows, {name: {"output": y} for name, y in found.items()}, {}, None)


def _answer(
    model: Model,
    rows: Rows,
    columns: Mapping[str, Quantities],
    head: Mapping[str, int],
    stopped: Stopped | None,
) -> Answer:
    count = len(next(iter(next(iter(columns.values())).values())))
    return Answer(columns, head, stopped, rows.ids or range(count), model.manifest)
