"""ONNX's operators that draw random numbers."""

import onnx_ir as ir

#: Operators whose result is another each time, whatever goes in.
DRAWING = frozenset(
    {
        *("Dropout", "Bernoulli", "Multinomial"),
        *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    }
)


def is_drawing(node: ir.Node) -> bool:
    """Whether a node draws random numbers by itself."""
    return node.op_type in DRAWING and not node.domain


def any_drawing(graph: ir.Graph) -> bool:
    """Whether something in a graph draws random numbers, or in a body of it."""
    return any(is_drawing(node) for node in graph.all_nodes())
