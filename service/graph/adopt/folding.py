"""Evaluates values that are known before a run: constants, and functions of the switch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from service.nodes.bodies import inner_nodes
from service.nodes.draws import is_drawing


class NotKnownError(Exception):
    """A value depends on more than constants and one switch; the text says on what."""


@dataclass(frozen=True)
class Folded:
    """The value of a scalar.

    Attributes:
        flag: the scalar bool input that it depends on; None: it is constant.
        off, on: its value if the flag is false, and if it is true.
    """

    flag: ir.Value | None
    off: float
    on: float


def fold(value: ir.Value, graph: ir.Graph) -> Folded:
    """Evaluate `value`, of `graph` or of a body inside it, from constants and one switch.

    Raises:
        NotKnownError: it depends on something else, or is not one number.
    """
    constant = ir.convenience.get_const_tensor(value)
    if constant is not None:
        number = _number(constant.numpy())
        return Folded(None, number, number)
    above = _Above(value)
    if len(above.flags) > 1:
        names = " and ".join(repr(flag.name) for flag in above.flags)
        raise NotKnownError(f"{_maker(value)}the inputs {names}")
    (flag,) = above.flags or (None,)
    off, on = (above.evaluated(state, graph.opset_imports) for state in (False, True))
    return Folded(flag, off, on)


class _Above:
    """The nodes that compute a value, in order, and their inputs."""

    def __init__(self, value: ir.Value) -> None:
        self.value = value
        self.nodes: list[ir.Node] = []
        self.flags: list[ir.Value] = []
        self.constants: dict[str, ir.TensorProtocol] = {}
        self._visit(value, set())

    def _visit(self, value: ir.Value, seen: set[ir.Value]) -> None:
        if value in seen:
            return
        seen.add(value)
        constant, node = ir.convenience.get_const_tensor(value), value.producer()
        if constant is not None:
            self.constants[str(value.name)] = constant
        elif node is not None and not node.domain and not is_drawing(node):
            if any(inner_nodes(node)):
                raise NotKnownError(f"by {node.op_type} {node.name!r}, which has a body")
            for above in node.inputs:
                if above is not None:
                    self._visit(above, seen)
            self.nodes.append(node)
        elif node is not None:
            raise NotKnownError(f"{_maker(self.value)}{node.op_type} {node.name!r}")
        elif value.is_graph_input() and value.dtype == ir.DataType.BOOL and not value.shape:
            self.flags.append(value)
        else:
            raise NotKnownError(f"{_maker(self.value)}the input {value.name!r}")

    def evaluated(self, flag: bool, opsets: dict[str, int]) -> float:
        """The value for a value of the flag, by ONNX's reference evaluator."""
        from onnx.reference import ReferenceEvaluator  # rarely needed, and slow to import

        constants = {name: tensor.numpy() for name, tensor in self.constants.items()}
        given = {str(value.name): np.array(flag) for value in self.flags}
        graph = onnx.GraphProto(
            name="folded",
            node=[ir.serde.serialize_node(node) for node in self.nodes],
            input=[onnx.ValueInfoProto(name=name) for name in (*constants, *given)],
            output=[onnx.ValueInfoProto(name=self.value.name)],
        )
        imports = [onnx.helper.make_opsetid(domain, number) for domain, number in opsets.items()]
        model = onnx.ModelProto(ir_version=8, graph=graph, opset_import=imports)
        try:
            (found,) = ReferenceEvaluator(model).run(None, constants | given)
        except Exception as error:  # whatever the operators raise
            raise NotKnownError(f"{_maker(self.value)}constants, and fails: {error}") from error
        return _number(np.asarray(found))


def _number(array: NDArray[Any]) -> float:
    if array.size != 1 or array.dtype.kind not in "biuf":
        raise NotKnownError(f"of shape {array.shape} and {array.dtype}, and not one number")
    return float(array.reshape(-1)[0])


def _maker(value: ir.Value) -> str:
    node = value.producer()
    return "" if node is None else f"computed by {node.op_type} {node.name!r} from "
