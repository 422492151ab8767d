"""ONNX's operators that draw random numbers."""

import onnx_ir as ir

#: Operators whose result differs in each run.
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
    """Whether a node of a graph, or of a body in it, draws random numbers."""
    return any(is_drawing(node) for node in graph.all_nodes())
