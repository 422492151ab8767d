"""Labeled data: rows of the inputs of a model, and the targets of one of its outputs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.measures.facts import Facts
from service.errors import InputError, shortened
from service.evaluation.targets import cell_type, read_targets
from service.inference.inputs import ReadRows, read_inputs
from service.inference.predictor import Predictor
from service.inference.runner import row_count
from service.manifest import InputSpec
from service.rows import Further, Rows, read_labeled_rows

Array = NDArray[Any]

#: Of fewer rows no metric says anything.
MIN_ROWS = 10
#: The name of targets that a file may give them, besides that of the output.
_TARGET = "y"
_TASKS = (
    "classification",
    "multilabel_classification",
    "regression",
    "heteroscedastic_regression",
)


@dataclass(frozen=True, eq=False)
class Labeled:
    """Labeled data.

    Attributes:
        name: of the data, for people.
        rows: input name to (B, …).
        targets: of a classification, (B, …) int64 indices of the classes; of a multi-label
            classification, (B, …, K) bool; of a regression, (B, …) float64 as its mean.
        facts: of the output that they are the targets of.
    """

    name: str
    rows: ReadRows
    targets: Array
    facts: Facts

    def __len__(self) -> int:
        """B."""
        return len(self.targets)

    def take(self, index: slice | NDArray[np.intp]) -> "Labeled":
        """Some of the rows."""
        rows = ReadRows({name: x[index] for name, x in self.rows.items()})
        return Labeled(self.name, rows, self.targets[index], self.facts)


@dataclass(frozen=True, eq=False)
class Unlabeled:
    """Rows without targets.

    Attributes:
        name: of the data, for people.
        rows: input name to (B, …).
    """

    name: str
    rows: ReadRows

    def __len__(self) -> int:
        """B."""
        return row_count(self.rows)


def labeled(
    model: Predictor, x: Any, y: Any, name: str = "data", *, output: str | None = None
) -> Labeled:
    """Labeled data from arrays.

    Args:
        model: that predicts.
        x: (B, …) array or nested lists, or {input name: rows}.
        y: (B, …) targets: of a classification, indices or labels of the classes, or one-hot; of a
            multi-label classification, 0 and 1; of a regression, numbers.
        name: of the data.
        output: that the targets are of; None: the only one that the task applies to.

    Raises:
        InputError: rows or targets do not suit the model; with what would be right.
    """
    facts = output_of(model, output)
    rows = read_inputs(x, model.manifest.inputs)
    targets = read_targets({"y": np.asarray(y)}, facts, name)
    return _checked(Labeled(name, rows, targets, facts))


def read_labeled(
    path: Path,
    model: Predictor,
    target: Sequence[str] = (),
    *,
    output: str | None = None,
    header: bool | None = None,
) -> Labeled:
    """Read labeled data from a file.

    Args:
        path: of a .npz file, with an array for each input by its name (or "x" for the only one),
            or of a .csv, .tsv or .parquet file, whose columns are those of `mcdropout predict`.
        model: that predicts.
        target: names of the array or the columns with the targets; by default the name of the
            output, or "y". Those named as other outputs are left out.
        output: that the targets are of; None: the only one that the task applies to.
        header: see `read_labeled_rows`.

    Raises:
        InputError: the file cannot be read, or its rows or targets do not suit the model.
        MissingExtraError: it is a Parquet file, and pyarrow is not installed.
    """
    facts = output_of(model, output)
    specs = model.manifest.inputs
    of_others = {spec.name for spec in model.manifest.outputs} - {facts.output, *target}
    further = _targets_of(path, specs, facts, target)
    found = read_labeled_rows(path, specs, _beside(further, of_others, specs), header)
    typed = path.suffix not in (".csv", ".tsv")
    given = {name: y for name, y in found.further.items() if name not in of_others}
    targets = read_targets(given, facts, str(path), typed=typed)
    return _checked(Labeled(path.name, _inputs(path, found, specs), targets, facts))


def read_unlabeled(
    path: Path, model: Predictor, target: Sequence[str] = (), *, header: bool | None = None
) -> Unlabeled:
    """Read rows of which no targets are wanted; those that a file has are left out.

    Args and errors: see `read_labeled`.
    """
    specs = model.manifest.inputs
    targets = {*target, *(spec.name for spec in model.manifest.outputs), _TARGET}
    found = read_labeled_rows(path, specs, _beside(lambda _: [], targets, specs), header)
    return unlabeled(model, _inputs(path, found, specs), path.name)


def unlabeled(model: Predictor, x: Any, name: str = "other rows") -> Unlabeled:
    """Rows from arrays; see `labeled`.

    Raises:
        InputError: they do not suit the model, or are too few.
    """
    found = Unlabeled(name, read_inputs(x, model.manifest.inputs))
    _require_rows(name, len(found))
    return found


def output_of(model: Predictor, name: str | None = None) -> Facts:
    """The facts of the output that targets are of.

    Raises:
        InputError: the model's task has no targets, or it has no such output, or several.
    """
    task = model.manifest.task
    if task not in _TASKS:
        raise InputError(
            f"the model's task is {task!r}, for which there is nothing to compare with targets. "
            "Say what it is with mcdropout annotate MODEL --task, or in a sidecar file."
        )
    known = {facts.output: facts for facts in model.terms.plain.facts if facts.view is not None}
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name is None:
        raise InputError(
            f"the model has several outputs: name one of {list(known)} as output (--model-output)."
        )
    if name not in known:
        raise InputError(f"the model has no output {name!r} of its task; it has {list(known)}.")
    return known[name]


def _targets_of(
    path: Path, specs: Sequence[InputSpec], facts: Facts, asked: Sequence[str]
) -> Further:
    """Chooses the columns or arrays with the targets."""
    inputs = {spec.name for spec in specs}

    def further(names: Sequence[str]) -> list[InputSpec]:
        chosen = list(asked) or [n for n in (facts.output, _TARGET) if n in names][:1]
        wrong = [name for name in chosen if name not in names or name in inputs]
        if wrong or not chosen:
            what = f"no {wrong[0]!r} for the targets" if wrong else "no targets"
            raise InputError(
                f"{path} has {what}; it has {shortened(list(names), 200)}. Name the column or "
                f"array with --target; without, it is {facts.output!r} or {_TARGET!r}."
            )
        return [_column(name, cell_type(facts)) for name in chosen]

    return further


def _beside(further: Further, names: Collection[str], specs: Sequence[InputSpec]) -> Further:
    """Chooses, besides `further`, what has one of some names and is no input."""
    inputs = {spec.name for spec in specs}

    def both(there: Sequence[str]) -> list[InputSpec]:
        apart = [name for name in there if name in names and name not in inputs]
        return [*further(there), *(_column(name, "string") for name in apart)]

    return both


def _column(name: str, dtype: str) -> InputSpec:
    return InputSpec(name=name, dtype=dtype, shape=(None,))


def _inputs(path: Path, found: Rows, specs: Sequence[InputSpec]) -> ReadRows:
    try:
        return read_inputs(found.values, specs)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _checked(data: Labeled) -> Labeled:
    count = row_count(data.rows)
    if len(data) != count:
        raise InputError(
            f"{data.name} has {count} rows and {len(data)} targets; each row needs one."
        )
    _require_rows(data.name, count)
    return data


def _require_rows(name: str, count: int) -> None:
    if count < MIN_ROWS:
        raise InputError(f"{name} has {count} rows; at least {MIN_ROWS} are needed.")
