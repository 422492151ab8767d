"""Computes the moments of a large output over passes in the graph."""

from collections.abc import Collection

import onnx_ir as ir

from service.graph.place import DRAW
from service.nodes.builder import NodeBuilder
from service.nodes.conditions import ensure, require
from service.nodes.free_names import free_names


def mean_output(name: str) -> str:
    """The name of the output with the mean of output `name`."""
    return f"mean:{name}"


def m2_output(name: str) -> str:
    """The name of the output with its sum of squared deviations."""
    return f"m2:{name}"


class ReduceOverPassesPass(ir.passes.InPlacePass):
    """Add the moments of outputs over the passes of a call.

    Precondition: the outputs have P·B rows, pass by pass, and inputs of draws have P on axis 0.
    Postcondition: each has two more outputs of (B, …), `mean_output` and `m2_output`: the mean
    over the passes of the call, and the sum of squared deviations from it, corrected for the
    rounding of the mean (Chan, Golub & LeVeque 1983). The samples remain an output, which is not
    computed unless requested.
    """

    def __init__(self, outputs: Collection[str]) -> None:
        """Of these outputs."""
        super().__init__()
        self._outputs = outputs

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        lacking = {*self._outputs} - {str(value.name) for value in model.graph.outputs}
        require(not lacking, f"{sorted(lacking)} are no outputs")
        require(_draws(model.graph) is not None, "no input of draws tells the number of passes")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change the model."""
        graph, names = model.graph, free_names(model.graph)
        draws = _draws(graph)
        for y in [value for value in graph.outputs if value.name in self._outputs]:
            _reduce(NodeBuilder(graph, f"reduce:{y.name}", names), graph, y, draws)
        return ir.passes.PassResult(model, bool(self._outputs))

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        made = {value.name for value in model.graph.outputs}
        for name in self._outputs:
            whole = {name, mean_output(name), m2_output(name)} <= made
            ensure(whole, f"{name!r} has not both of its moments")


def _draws(graph: ir.Graph) -> ir.Value | None:
    return next((value for value in graph.inputs if str(value.name).startswith(DRAW)), None)


def _reduce(new: NodeBuilder, graph: ir.Graph, y: ir.Value, draws: ir.Value | None) -> None:
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
        value.shape = None if y.shape is None else ir.Shape([None, *y.shape[1:]])
        graph.outputs.append(value)
    new.append()
