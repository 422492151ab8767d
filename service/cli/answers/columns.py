"""Converts an answer to a table with a column for each element of each quantity."""

from collections.abc import Sequence

from service.cli.answers.answer import Answer, Array
from service.protocol.options import quantity_name
from service.rows.names import element_names, numbered


def flat_columns(answer: Answer) -> dict[str, Array | Sequence[str | int]]:
    """Column name to (B,) values; the first column is `row`.

    An element of `mean` is `mean[cat]` if the model has a label for it, or `mean[3]`; a quantity
    with one value for each row is `mean`. With several outputs it is `<output>.mean[cat]`.
    """
    found: dict[str, Array | Sequence[str | int]] = {"row": answer.ids}
    if answer.stopped is not None:
        found |= {"passes": answer.stopped.passes, "settled": answer.stopped.settled}
    several = len(answer.columns) > 1
    for spec, quantities in answer.outputs():
        shape = next(iter(quantities.values())).shape[1:]
        for quantity, values in quantities.items():
            name = quantity_name(spec.name, quantity) if several else quantity
            axes = value_axes(values.shape[1:], shape, answer.manifest.labels)
            columns = values.reshape(len(values), -1).T
            found |= dict(zip(element_names(name, axes), columns, strict=True))
    return found


def value_axes(
    shape: Sequence[int], output: Sequence[int], labels: Sequence[str] | None
) -> list[Sequence[str]]:
    """Names of the indices of a quantity's axes.

    Args:
        shape: of the quantity of a row.
        output: of the output of a row, which `shape` may contain.
        labels: of the classes, which are the last axis of the output.
    """
    own = len(output)
    if tuple(shape[:own]) == tuple(output):
        return [*output_axes(output, labels), *numbered(shape[own:])]
    if tuple(shape[-own:]) == tuple(output):
        return [*numbered(shape[:-own]), *output_axes(output, labels)]
    return [*numbered(shape)]


def output_axes(output: Sequence[int], labels: Sequence[str] | None) -> list[Sequence[str]]:
    """Names of the indices of an output's axes; a single sigmoid has the second label."""
    if labels is None or not output or len(set(labels)) < len(labels):
        return [*numbered(output)]
    if output[-1] == 1 and len(labels) == 2:
        return [*numbered(output[:-1]), labels[1:]]
    if output[-1] != len(labels):
        return [*numbered(output)]
    return [*numbered(output[:-1]), labels]
