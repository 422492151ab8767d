"""tf2onnx handlers of operators that it does not have, made of ONNX's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

Make = Callable[..., str]


def _handler(compute: Callable[[Make, str, Any], str]) -> Callable[..., None]:
    """A handler that puts what `compute(make, x, node)` makes in the place of a node."""

    def handle(context: Any, node: Any, name: str, args: Any) -> None:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(context.get_dtype(node.input[0]))
        shapes, dtypes, outputs = node.output_shapes, node.output_dtypes, list(node.output)

        def make(op: str, *inputs: Any, **attributes: Any) -> str:
            """A node of tensors and of constants of the operand's dtype."""
            names = [
                value
                if isinstance(value, str)
                else context.make_const(f"{name}/{op}/{index}", _constant(value, dtype)).output[0]
                for index, value in enumerate(inputs)
            ]
            return str(context.make_node(op, names, attr=attributes).output[0])

        y = compute(make, node.input[0], node)
        context.remove_node(node.name)
        context.make_node(
            "Cast",
            [y],
            name=name,
            attr={"to": dtypes[0]},
            outputs=outputs,
            shapes=shapes,
            dtypes=dtypes,
        )

    return handle


def _constant(value: Any, dtype: Any) -> np.ndarray[Any, Any]:
    return value if isinstance(value, np.ndarray) else np.array(value, dtype)


def _expm1(make: Make, x: str, node: Any) -> str:
    """eˣ - 1, and near 0, where that cancels, 2t/(1 - t) with t = tanh(x/2)."""
    t = make("Tanh", make("Div", x, 2.0))
    small = make("Div", make("Add", t, t), make("Sub", 1.0, t))
    near = make("Less", make("Abs", x), 0.5)
    return make("Where", near, small, make("Sub", make("Exp", x), 1.0))


def _log1p(make: Make, x: str, node: Any) -> str:
    """log u · x/(u - 1) with u = 1 + x as rounded, in which its error cancels (W. Kahan)."""
    u = make("Add", x, 1.0)
    whole = make("Div", make("Mul", make("Log", u), x), make("Sub", u, 1.0))
    return make("Where", make("Equal", u, 1.0), x, whole)


def _bucketize(make: Make, x: str, node: Any) -> str:
    """How many boundaries are at most x."""
    boundaries = np.array(node.get_attr_value("boundaries"), np.float32)
    values = make("Cast", make("Unsqueeze", x, np.array([-1])), to=onnx.TensorProto.FLOAT)
    reached = make("GreaterOrEqual", values, boundaries)
    counted = make("Cast", reached, to=onnx.TensorProto.INT64)
    return make("ReduceSum", counted, np.array([-1]), keepdims=0)


#: By TensorFlow's operator.
HANDLERS: dict[str, Any] = {
    "Expm1": (_handler(_expm1), []),
    "Log1p": (_handler(_log1p), []),
    "Bucketize": (_handler(_bucketize), []),
}
