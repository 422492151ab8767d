"""Build ONNX nodes in a graph of tf2onnx's, in the place of one of TensorFlow's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import tf2onnx

#: What tf2onnx takes for an operator: a function of its graph, a node, the node's name and
#: arguments, and these.
Handler = tuple[Callable[[Any, Any, str, Any], None], list[Any]]


class TFNodes:
    """Nodes that take the place of one, and are named after it.

    Attributes:
        node: tf2onnx's, the old one.
        dtype: numpy's, of what it reads first.
    """

    def __init__(self, context: Any, node: Any, name: str) -> None:
        """For `node` in tf2onnx's graph `context`; it stays until `put`."""
        self.node = node
        self.dtype = np.dtype(
            onnx.helper.tensor_dtype_to_np_dtype(context.get_dtype(node.input[0]))
        )
        self._context, self._name = context, name
        self._outputs, self._shapes = list(node.output), node.output_shapes
        self._dtypes = node.output_dtypes

    @property
    def output_type(self) -> int:
        """ONNX's number for the element type of what the old node makes first."""
        return int(self._dtypes[0])

    @property
    def output_dtype(self) -> np.dtype[Any]:
        """The same, numpy's."""
        return _numpy(self.output_type)

    def shape(self, x: str) -> list[int]:
        """Of a tensor; -1 for a size that is unknown."""
        return list(self._context.get_shape(x))

    def add(self, op: str, *inputs: Any, domain: str = "", **attributes: Any) -> str:
        """Add a node of one output, and return that.

        Args:
            op: ONNX's operator.
            inputs: names of tensors, or constants; numbers are of the old node's `dtype`.
            domain: of the operator.
            attributes: of the operator.
        """
        return self.add_several(op, 1, *inputs, domain=domain, **attributes)[0]

    def add_several(
        self, op: str, count: int, *inputs: Any, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node of several outputs, and return them; see `add`."""
        names = [*map(self._named, inputs)]
        made = self._context.make_node(
            op, names, attr=attributes, output_count=count, domain=domain
        )
        return list(made.output)

    def put(
        self, op: str, *inputs: Any, output: int = 0, domain: str = "", **attributes: Any
    ) -> None:
        """Add the node that makes an output of the old one, which goes; see `add`."""
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
    """What tf2onnx takes for an operator whose nodes `convert` replaces, or leaves."""

    def handle(context: Any, node: Any, name: str, args: Any) -> None:
        convert(TFNodes(context, node, name))

    return handle, []
