"""Build ONNX nodes that replace a TensorFlow node in a graph of tf2onnx."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import tf2onnx

#: A handler of tf2onnx for an operator: a function of the graph, the node, its name and the
#: arguments that follow, and these arguments.
Handler = tuple[Callable[[Any, Any, str, Any], None], list[Any]]


class TFNodes:
    """Nodes that replace one node and are named after it.

    Attributes:
        node: the node to replace, of tf2onnx.
        dtype: NumPy dtype of its first input.
    """

    def __init__(self, context: Any, node: Any, name: str) -> None:
        """Prepare to replace `node` in the tf2onnx graph `context`; it stays until `put`."""
        self.node = node
        self.dtype = np.dtype(
            onnx.helper.tensor_dtype_to_np_dtype(context.get_dtype(node.input[0]))
        )
        self._context, self._name = context, name
        self._outputs, self._shapes = list(node.output), node.output_shapes
        self._dtypes = node.output_dtypes

    @property
    def output_type(self) -> int:
        """ONNX element type of the old node's first output."""
        return int(self._dtypes[0])

    @property
    def output_dtype(self) -> np.dtype[Any]:
        """NumPy dtype of the old node's first output."""
        return _numpy(self.output_type)

    def shape(self, x: str) -> list[int]:
        """Shape of a tensor; an unknown size is -1."""
        return list(self._context.get_shape(x))

    def add(self, op: str, *inputs: Any, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output; returns the output.

        Args:
            op: ONNX operator.
            inputs: names of tensors, or constants; numbers have the old node's `dtype`.
            domain: of the operator.
            attributes: of the operator.
        """
        return self.add_several(op, 1, *inputs, domain=domain, **attributes)[0]

    def add_several(
        self, op: str, count: int, *inputs: Any, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node with `count` outputs; returns them. See `add`."""
        names = [*map(self._named, inputs)]
        made = self._context.make_node(
            op, names, attr=attributes, output_count=count, domain=domain
        )
        return list(made.output)

    def put(
        self, op: str, *inputs: Any, output: int = 0, domain: str = "", **attributes: Any
    ) -> None:
        """Add a node that replaces an output of the old node, which is removed. See `add`."""
        names = [*map(self._named, inputs)]
        if self._context.get_node_by_name(self.node.name) is self.node:
            self._context.remove_node(self.node.name)
        self._context.make_node(
            op,
            names,
            name=f"{self._name}/{output}" if output else self._name,
            domain=domain,
            attr=attributes,
            outputs=[self._outputs[output]],
            shapes=[self._shapes[output]],
            dtypes=[self._dtypes[output]],
        )

    def _named(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        array = value if isinstance(value, np.ndarray) else np.array(value, self.dtype)
        name = tf2onnx.utils.make_name(self._name)
        return str(self._context.make_const(name, array).output[0])


def _numpy(element_type: int) -> np.dtype[Any]:
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(element_type))


def handler(convert: Callable[[TFNodes], None]) -> Handler:
    """A tf2onnx handler that runs `convert`, which replaces the node or leaves it."""

    def handle(context: Any, node: Any, name: str, args: Any) -> None:
        convert(TFNodes(context, node, name))

    return handle, []
