"""Reduce an output over passes in the graph, where it is large.

Precondition: the output has P·B rows, pass by pass.
Postcondition: two more outputs of (B, …), `mean_output` and `m2_output`: the mean
over the passes of the call, and the sum of squared deviations from it, with the
correction of what rounding leaves in the mean (Chan, Golub & LeVeque 1983). The
samples stay an output; who does not ask for them does not pay for them.
"""

import onnx_ir as ir

from service.graph.new_nodes import NewNodes


def mean_output(name: str) -> str:
    """The name of the output with the mean of output `name`."""
    return f"mean:{name}"


def m2_output(name: str) -> str:
    """The name of the output with its sum of squared deviations."""
    return f"m2:{name}"


def reduce_over_passes(graph: ir.Graph, y: ir.Value, draws: ir.Value) -> None:
    """Add the outputs to `graph` for its output `y`; `draws` has P as its axis 0."""
    new = NewNodes(graph, f"reduce:{y.name}")
    passes = new.add("Shape", draws, start=0, end=1)
    by_pass = new.join(passes, new.ints(-1), new.dims(y, 1))
    samples = new.add("Reshape", y, by_pass)
    axis, count = new.ints(0), new.add("CastLike", passes, samples)
    rough = new.add("ReduceMean", samples, axis, keepdims=1)
    deviation = new.add("Sub", samples, rough)
    rest = new.add("ReduceSum", deviation, axis, keepdims=0)
    correction = new.add("Div", rest, count)
    mean = new.add("Add", new.add("Squeeze", rough, axis), correction)
    squares = new.add("ReduceSumSquare", deviation, axis, keepdims=0)
    m2 = new.add("Sub", squares, new.add("Mul", rest, correction))
    for value, name in ((mean, mean_output(str(y.name))), (m2, m2_output(str(y.name)))):
        value.name, value.type = name, y.type
        graph.outputs.append(value)
    new.append()
