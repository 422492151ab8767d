"""Estimates the cost of a graph: multiply-adds and memory, from its shapes.

Shapes come from ONNX's inference for inputs of known size. Unknown shapes count as zero, so the
estimate is a lower bound, for example for a graph with a loop whose length is only known at run
time.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from service.nodes.bodies import bodies
from service.nodes.reach import reach

#: Inputs with at most this number of elements may be shapes, on which others depend.
_MAX_SHAPE_NUMBERS = 16
#: Bytes of a string of few letters, in ONNX Runtime.
_STRING = 32
#: Where ONNX keeps the numbers of a tensor.
_NUMBERS = ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data")


@dataclass(frozen=True)
class Costs:
    """The cost of one run.

    Attributes:
        multiply_adds: of matrix products, convolutions and recurrent layers.
        behind: those of them that are computed from the input `CostModel.behind`.
        bytes: peak memory of inputs and intermediate tensors.
        outputs: name of an output to its number of elements.
    """

    multiply_adds: int
    bytes: int
    outputs: Mapping[str, int] = field(default_factory=dict)
    behind: int = 0

    def minus(self, other: "Costs") -> "Costs":
        """The difference of the costs."""
        outputs = {name: size - other.outputs[name] for name, size in self.outputs.items()}
        more = self.multiply_adds - other.multiply_adds
        return Costs(more, self.bytes - other.bytes, outputs, self.behind - other.behind)

    def over(self, count: int) -> "Costs":
        """The cost divided by `count`."""
        outputs = {name: size // count for name, size in self.outputs.items()}
        each = self.multiply_adds // count, self.bytes // count
        return Costs(*each, outputs, self.behind // count)


class CostModel:
    """A graph without its weights, for estimating the costs of many runs.

    Attributes:
        inputs: names of its inputs.
        splits_text: whether it splits strings.
        behind: name of an input of which `Costs.behind` is told; None: of none.
    """

    def __init__(self, model: bytes, behind: str | None = None) -> None:
        """Parse a serialized model."""
        self.behind = behind
        self._model = onnx.load_model_from_string(model)
        self.inputs = frozenset(value.name for value in self._model.graph.input)
        self.splits_text = any(n.op_type == "StringSplit" for n in self._model.graph.node)
        for tensor in self._model.graph.initializer:
            if math.prod(tensor.dims) > _MAX_SHAPE_NUMBERS:
                for numbers in _NUMBERS:
                    tensor.ClearField(numbers)

    def __call__(self, feeds: Mapping[str, NDArray[Any]]) -> Costs:
        """The cost of a run with these inputs; for most of them only the shape matters."""
        graph = _with_shapes(self._model, feeds).graph
        outputs = {str(v.name): math.prod(_dims(v) or (0,)) for v in graph.outputs}
        behind = sum(map(_multiply_adds, self._behind(graph))) if self.behind else 0
        return Costs(sum(map(_multiply_adds, graph)), _peak_bytes(graph), outputs, behind)

    def _behind(self, graph: ir.Graph) -> list[ir.Node]:
        reached = reach(graph, [value for value in graph.inputs if value.name == self.behind])
        return [node for node in graph if not reached.keys().isdisjoint(node.outputs)]


def costs(model: bytes, feeds: Mapping[str, NDArray[Any]]) -> Costs:
    """The cost of a run of a serialized model with these inputs."""
    return CostModel(model)(feeds)


def _with_shapes(model: onnx.ModelProto, feeds: Mapping[str, NDArray[Any]]) -> ir.Model:
    proto = onnx.ModelProto()
    proto.CopyFrom(model)
    inputs = list(proto.graph.input)
    del proto.graph.input[:]
    for value in inputs:
        array = feeds[value.name]
        if array.dtype == np.int64 and array.size <= _MAX_SHAPE_NUMBERS:
            proto.graph.initializer.append(onnx.numpy_helper.from_array(array, value.name))
        else:
            kind = value.type.tensor_type.elem_type
            proto.graph.input.append(
                onnx.helper.make_tensor_value_info(value.name, kind, array.shape)
            )
    for value in proto.graph.output:
        value.type.tensor_type.ClearField("shape")
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto, data_prop=True))


def _dims(value: ir.Value | None) -> tuple[int, ...] | None:
    """The shape if it is completely known; otherwise None."""
    if value is not None and value.const_value is not None:
        return tuple(value.const_value.shape.numpy())
    if value is None or value.shape is None:
        return None
    sizes = [size for size in value.shape if isinstance(size, int)]
    return tuple(sizes) if len(sizes) == len(value.shape) else None


def _multiply_adds(node: ir.Node) -> int:
    inside = [inner for body in bodies(node) for inner in body]
    if inside:
        return _turns(node) * sum(map(_multiply_adds, inside))
    count = _OPERATORS.get(node.op_type)
    shapes = [_dims(value) for value in node.inputs]
    out = _dims(node.outputs[0])
    if count is None or out is None or len(shapes) < 2 or shapes[0] is None or shapes[1] is None:
        return 0
    return count(shapes[0], shapes[1], out)


def _matmul(a: tuple[int, ...], b: tuple[int, ...], out: tuple[int, ...]) -> int:
    return math.prod(out) * a[-1]


def _gemm(a: tuple[int, ...], b: tuple[int, ...], out: tuple[int, ...]) -> int:
    # (MK · KN · MN)^½ = MKN, whichever of the two is transposed.
    return math.isqrt(math.prod(a) * math.prod(b) * math.prod(out))


def _conv(x: tuple[int, ...], w: tuple[int, ...], out: tuple[int, ...]) -> int:
    return math.prod(out) * math.prod(w[1:])


def _conv_transpose(x: tuple[int, ...], w: tuple[int, ...], out: tuple[int, ...]) -> int:
    return math.prod(x) * math.prod(w[1:])


def _recurrent(x: tuple[int, ...], w: tuple[int, ...], out: tuple[int, ...]) -> int:
    """x (T, B, in), w (directions, gates·H, in); the state's product has H for `in`."""
    steps_rows, hidden = x[0] * x[1], out[-1]
    return steps_rows * w[0] * w[1] * (w[2] + hidden)


_OPERATORS = {
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
}


def _turns(node: ir.Node) -> int:
    """Number of iterations of a loop if it is known; otherwise 1."""
    if node.op_type == "Loop" and node.inputs[0] is not None:
        tensor = ir.convenience.get_const_tensor(node.inputs[0])
        return 1 if tensor is None else int(tensor.numpy())
    if node.op_type == "Scan":
        sequence = _dims(node.inputs[-1])
        return sequence[0] if sequence else 1
    return 1


def _peak_bytes(graph: ir.Graph) -> int:
    """Peak memory, with each tensor allocated from its creation to its last use."""
    last: dict[ir.Value, int] = {}
    for position, node in enumerate(graph):
        for value in node.inputs:
            if value is not None:
                last[value] = position
    live = peak = sum(_bytes(value) for value in graph.inputs)
    for position, node in enumerate(graph):
        live += sum(_bytes(value) for value in node.outputs)
        peak = max(peak, live)
        for value in {v for v in node.inputs if v is not None and v.const_value is None}:
            if last[value] == position and value.producer() is not None:
                live -= _bytes(value)
    return peak


def _bytes(value: ir.Value) -> int:
    shape = _dims(value)
    if shape is None or value.dtype is None or value.const_value is not None:
        return 0
    size = _STRING if value.dtype is ir.DataType.STRING else math.ceil(value.dtype.itemsize)
    return math.prod(shape) * size
