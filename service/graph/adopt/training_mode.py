"""Determines when a Dropout is active, and its dropout rate: by constants, or by one input.

Exporters write the `training_mode` of a Dropout as a constant, omit it, which means off, or
compute it from a scalar bool input, for example by Not(deterministic). This input is the file's
own switch. The ratio may depend on it, too.
"""

from dataclasses import dataclass

import onnx_ir as ir

from service.errors import ArtifactError
from service.graph.adopt.constants import without_noise
from service.graph.adopt.folding import Folded, NotKnownError, fold


@dataclass(frozen=True)
class Switched:
    """Switched by a graph input.

    Attributes:
        by: the scalar bool input.
        turned: whether false there means on.
    """

    by: ir.Value
    turned: bool


@dataclass(frozen=True)
class Mode:
    """The mode of a Dropout.

    Attributes:
        rate: dropout rate if it is active; for one that is off, the rate it would have.
        on: whether it is active, always or by a switch.
    """

    rate: float
    on: bool | Switched


def dropout_mode(dropout: ir.Node, graph: ir.Graph, where: str) -> Mode:
    """The mode of `dropout`, of `graph` or of a body inside it.

    Raises:
        ArtifactError: it depends on more than constants and one scalar bool input.
    """
    ratio = _folded(dropout, 1, 0.5, graph, where)
    mode = _folded(dropout, 2, 0.0, graph, where)
    flags = {folded.flag for folded in (ratio, mode) if folded.flag is not None}
    off, on = (rate if state else 0.0 for rate, state in zip(*_states(ratio, mode), strict=True))
    if len(flags) > 1 or 0 != off != on != 0:
        inputs = " and ".join(sorted(repr(flag.name) for flag in flags))
        raise ArtifactError(
            f"{where}: Dropout {dropout.name!r} is switched by {inputs} so that it has several "
            "rates. It has to be on or off, by one scalar bool input of the model."
        )
    if off == on:
        return Mode(on or max(ratio.off, ratio.on), on != 0)
    (flag,) = flags
    return Mode(on or off, Switched(flag, turned=on == 0))


def _states(ratio: Folded, mode: Folded) -> tuple[tuple[float, float], tuple[float, float]]:
    return (ratio.off, ratio.on), (mode.off, mode.on)


def _folded(node: ir.Node, index: int, default: float, graph: ir.Graph, where: str) -> Folded:
    """An input of a Dropout; rates are rounded to the digits of float32."""
    value = node.inputs[index] if len(node.inputs) > index else None
    if value is None:
        return Folded(None, default, default)
    try:
        found = fold(value, graph)
    except NotKnownError as error:
        what = ("ratio", "training_mode")[index - 1]
        raise ArtifactError(
            f"{where}: the {what} of Dropout {node.name!r} is {error}. It has to follow from "
            "constants of the file, and from one scalar bool input at most."
        ) from error
    return Folded(found.flag, without_noise(found.off), without_noise(found.on))
