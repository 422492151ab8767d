"""Trunk and tail as one graph, for calls that need each once.

Precondition: what the tail reads of the trunk has the name of the trunk's output.
Postcondition: inputs are those of both, outputs those of the tail. It computes what
the two compute one after the other; a call of a small model is faster by a second
call's overhead.
"""

import onnx
import onnx_ir as ir


def join(trunk: ir.Model, tail: ir.Model) -> ir.Model:
    """Join them; both stay as they are."""
    first: onnx.ModelProto = onnx.compose.add_prefix(
        ir.to_proto(trunk), "trunk/", rename_inputs=False, rename_outputs=False
    )
    whole: onnx.ModelProto = ir.to_proto(tail)
    made = {value.name for value in first.graph.output}
    inputs = {value.name: value for value in (*first.graph.input, *whole.graph.input)}
    nodes = [*first.graph.node, *whole.graph.node]
    for part in (whole.graph.node, whole.graph.input):
        del part[:]
    whole.graph.node.extend(nodes)
    whole.graph.input.extend(value for name, value in inputs.items() if name not in made)
    whole.graph.initializer.extend(first.graph.initializer)
    return ir.from_proto(whole)
