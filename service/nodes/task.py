"""Detects the task of a model, of which its file says nothing, by what its outputs end in."""

import logging
from collections.abc import Sequence

import onnx_ir as ir

from service.manifest import Manifest, Task

#: The order in which tasks are preferred where the outputs allow several.
_TASKS: tuple[Task, ...] = ("classification", "multilabel_classification")
#: Operators that give probabilities, or their logarithms.
_ENDINGS = ("Softmax", "LogSoftmax", "Sigmoid")
#: Operators that keep the elements and their order in memory.
_RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
_FLOATS = (ir.DataType.FLOAT16, ir.DataType.FLOAT, ir.DataType.DOUBLE)

log = logging.getLogger("mcdropout")


def detect_task(outputs: Sequence[ir.Value]) -> Task:
    """The task of a model whose outputs all end alike; else "other".

    - classification: each ends in a Softmax over its last axis, which is that of the classes, or
      in a Sigmoid with a last axis of 1, the probability of the second of two classes;
    - multilabel_classification: each ends in a Sigmoid, so that every element is a probability.

    Args:
        outputs: of a graph of opset 13 or above, with shapes as far as they are known.
    """
    allowed = [_allowed(output) for output in outputs]
    return next((task for task in _TASKS if all(task in tasks for tasks in allowed)), "other")


def warn_of_logarithms(outputs: Sequence[ir.Value], manifest: Manifest, where: str) -> None:
    """Log which outputs are logarithms of probabilities, without a link that inverts them.

    A link that nobody asked for would change the answers, even those without dropout.
    """
    for output, spec in zip(outputs, manifest.outputs, strict=True):
        if spec.link == "identity" and _ending(output) == "LogSoftmax":
            log.warning(
                "%s: output %r ends in LogSoftmax, and is answered as it is: with the mean of "
                'logarithms. With the task "classification" and the link "softmax", its inverse, '
                "it is answered as probabilities: mcdropout annotate --help",
                *(where, spec.name),
            )


def _allowed(output: ir.Value) -> tuple[Task, ...]:
    """The tasks of which an output may be the probabilities."""
    sizes, ending = _sizes(output), _ending(output)
    single = len(sizes) > 1 and sizes[-1] == 1
    if ending == "Sigmoid":
        return _TASKS if single else ("multilabel_classification",)
    return ("classification",) if ending == "Softmax" and not single else ()


def _ending(output: ir.Value) -> str | None:
    """The operator of `_ENDINGS` whose result an output is, perhaps in another shape or precision.

    A softmax counts only if its axis is the last one of the output.
    """
    value: ir.Value | None = output
    axis: int | None = -1  # of the last one, counted from the end; None: not known
    while value is not None and (node := value.producer()) is not None and not node.domain:
        if node.op_type in _ENDINGS:
            over_last = node.op_type == "Sigmoid" or _softmax_axis(node) == axis
            return node.op_type if over_last else None
        if node.op_type == "Transpose":
            axis = _before_transpose(node, axis)
        elif node.op_type in _RESHAPES:
            axis = _before_reshape(node, axis)
        elif node.op_type != "Identity" and not _casts_to_float(node):
            return None
        value = node.inputs[0]
    return None


def _softmax_axis(node: ir.Node) -> int:
    """The axis of a softmax, counted from the end; not negative where that is not known."""
    axis = node.attributes.get_int("axis", -1)
    return axis - len(_sizes(node.outputs[0])) if axis >= 0 else axis


def _before_transpose(node: ir.Node, axis: int | None) -> int | None:
    order = node.attributes.get_ints("perm", ())
    return order[axis] - len(order) if axis is not None and order else None


def _before_reshape(node: ir.Node, axis: int | None) -> int | None:
    """Where the elements of an axis are before a reshape, if they are one after the other."""
    before, after = (_sizes(value) for value in (node.inputs[0], node.outputs[0]))
    if axis is None or not before or not after:
        return None
    found, size = _innermost(before), after[axis]
    same = size is not None and _innermost(after) == axis and before[found] == size
    return found if same else None


def _innermost(sizes: Sequence[int | None]) -> int:
    """The last axis of more than one element, counted from the end."""
    behind = next((n for n, size in enumerate(reversed(sizes)) if size != 1), 0)
    return -1 - behind


def _casts_to_float(node: ir.Node) -> bool:
    return node.op_type == "Cast" and node.attributes.get_int("to") in _FLOATS


def _sizes(value: ir.Value | None) -> tuple[int | None, ...]:
    """The size of each axis; None where it is not known. Without a shape: ()."""
    if value is None or value.shape is None:
        return ()
    return tuple(size if isinstance(size, int) else None for size in value.shape)
