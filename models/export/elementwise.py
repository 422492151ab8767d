"""tf2onnx handlers for operators that it lacks, composed of ONNX operators."""

from collections.abc import Callable

import numpy as np
import onnx

from models.export.tf_nodes import Handler, TFNodes, handler


def _elementwise(compute: Callable[[TFNodes, str], str]) -> Handler:
    """A handler that replaces a node by the result of `compute(new, x)`."""

    def convert(new: TFNodes) -> None:
        new.put("Cast", compute(new, new.node.input[0]), to=new.output_type)

    return handler(convert)


def _convert_erfc(new: TFNodes) -> None:
    """erfc(x) = 1 - erf(x), which the exact GELU uses."""
    new.put("Sub", 1.0, new.add("Erf", new.node.input[0]))


def _expm1(new: TFNodes, x: str) -> str:
    """eˣ - 1; near 0, where this suffers from cancellation, 2t/(1 - t) with t = tanh(x/2)."""
    t = new.add("Tanh", new.add("Div", x, 2.0))
    small = new.add("Div", new.add("Add", t, t), new.add("Sub", 1.0, t))
    near = new.add("Less", new.add("Abs", x), 0.5)
    return new.add("Where", near, small, new.add("Sub", new.add("Exp", x), 1.0))


def _log1p(new: TFNodes, x: str) -> str:
    """log(u) · x/(u - 1) with the rounded u = 1 + x, whose rounding error cancels (W. Kahan)."""
    u = new.add("Add", x, 1.0)
    whole = new.add("Div", new.add("Mul", new.add("Log", u), x), new.add("Sub", u, 1.0))
    return new.add("Where", new.add("Equal", u, 1.0), x, whole)


def _bucketize(new: TFNodes, x: str) -> str:
    """The number of boundaries that are at most x."""
    boundaries = np.array(new.node.get_attr_value("boundaries"), np.float32)
    values = new.add("Cast", new.add("Unsqueeze", x, np.array([-1])), to=onnx.TensorProto.FLOAT)
    reached = new.add("GreaterOrEqual", values, boundaries)
    counted = new.add("Cast", reached, to=onnx.TensorProto.INT64)
    return new.add("ReduceSum", counted, np.array([-1]), keepdims=0)


def _one_hot(new: TFNodes, x: str) -> str:
    """`on` where an index equals the position, and `off` elsewhere.

    The handler of tf2onnx takes float32 or one axis only. ONNX's OneHot counts a negative index
    from the end, for which TensorFlow gives `off` everywhere.
    """
    depth, on, off = (part.get_tensor_value(as_list=False) for part in new.node.inputs[1:4])
    axis = new.node.get_attr_value("axis", -1)
    behind = 0 if axis == -1 else len(new.shape(new.node.output[0])) - 1 - axis
    places = np.arange(int(depth)).reshape(-1, *[1] * behind)
    apart = new.add("Unsqueeze", x, np.array([axis]))
    here = new.add("Equal", new.add("Cast", apart, to=onnx.TensorProto.INT64), places)
    return new.add("Where", here, np.array(on), np.array(off))


#: Handlers by TensorFlow op.
HANDLERS: dict[str, Handler] = {
    "Erfc": handler(_convert_erfc),
    "Expm1": _elementwise(_expm1),
    "Log1p": _elementwise(_log1p),
    "Bucketize": _elementwise(_bucketize),
    "OneHot": _elementwise(_one_hot),
}
