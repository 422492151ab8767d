"""The part of the graph before every site: the same in all passes, run once."""

import onnx_ir as ir

from service.graph.cut import Cut
from service.graph.prune import PrunePass
from service.nodes.builder import NodeBuilder
from service.nodes.conditions import ensure, require
from service.nodes.draws import any_drawing
from service.nodes.free_names import free_names

_SHAPE = "shape:"


def frontier_input(name: str) -> str:
    """The name of the trunk's output and the tail's input for a frontier tensor."""
    return f"frontier:{name}"


def shape_input(name: str) -> str:
    """The same for a shape."""
    return f"{_SHAPE}{name}"


def is_shape_input(name: str) -> bool:
    """Whether a tail's input is such a shape."""
    return name.startswith(_SHAPE)


def has_trunk(model: ir.Model, cut: Cut) -> bool:
    """Whether there is something to compute before the sites."""
    fixed = len(model.graph.outputs) > len(cut.stochastic)
    return fixed or bool(cut.carried or cut.shapes)


class TrunkPass(ir.passes.FunctionalPass):
    """Make the trunk of a model.

    Precondition: the cut is one of this model, and there is a trunk.
    Postcondition: it draws nothing; its inputs are those of the model's that it needs, with B
    rows; its outputs are the frontier (but for graph inputs), the shapes of the cut, each
    whole and as int64, and the model's outputs that no site reaches.
    """

    def __init__(self, cut: Cut) -> None:
        """At a cut."""
        super().__init__()
        self._cut = cut

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        self._cut.require(model.graph)
        require(has_trunk(model, self._cut), "nothing is computed before the sites")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """The trunk, a new model."""
        trunk = model.clone()
        graph = trunk.graph
        fixed = [value for value in graph.outputs if value.name not in self._cut.stochastic]
        values = {str(value.name): value for node in graph for value in node.outputs}
        new = NodeBuilder(graph, "trunk", free_names(graph))
        crossing = [_carry(new, values[n], frontier_input(n)) for n in self._cut.carried]
        crossing += [_measure(new, values[n], shape_input(n)) for n in self._cut.shapes]
        new.append()
        graph.outputs[:] = [*crossing, *fixed]
        PrunePass()(trunk)
        return ir.passes.PassResult(trunk, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        ensure(not any_drawing(model.graph), "the trunk draws")
        made = {str(value.name) for value in model.graph.outputs}
        ensure(made.isdisjoint(self._cut.stochastic), "the trunk makes what sites reach")
        crossing = {*map(frontier_input, self._cut.carried), *map(shape_input, self._cut.shapes)}
        lacking = crossing - made
        ensure(not lacking, f"the trunk does not make {sorted(lacking)}")


def _carry(new: NodeBuilder, value: ir.Value, name: str) -> ir.Value:
    carried = new.add("Identity", value)
    carried.name, carried.shape, carried.type = name, value.shape, value.type
    return carried


def _measure(new: NodeBuilder, shape: ir.Value, name: str) -> ir.Value:
    """The whole shape of a tensor for which a Shape node gives a part."""
    node = shape.producer()
    whole = new.add("Shape", node.inputs[0] if node else None)
    whole.name, whole.shape, whole.type = name, ir.Shape([None]), ir.TensorType(ir.DataType.INT64)
    return whole
