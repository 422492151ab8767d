"""Reads the frontier from inputs, and repeats it for passes."""

from collections.abc import Collection

import onnx_ir as ir

from service.graph.cut import Cut
from service.graph.draw_inputs import passes_of
from service.graph.trunk import frontier_input, shape_input
from service.nodes.builder import NodeBuilder, add_input
from service.nodes.conditions import ensure
from service.nodes.free_names import free_names

#: More than the axes of any tensor.
_END = 1 << 62


class FrontierInputsPass(ir.passes.InPlacePass):
    """Replace the frontier and the shapes of the trunk by inputs.

    Precondition: the graph has inputs of draws (see `DrawInputsPass`), and the cut is its own.
    Postcondition: the trunk's outputs are read from inputs only, which have the names of the
    trunk's outputs or of the model's inputs. In detail:
    1. a frontier tensor f of (B, …) is repeated to (P·B, …), row b of pass p at p·B + b, but
       for the sites that take it as it is: there a broadcast does it, without a copy;
    2. a shape that the trunk computed gets P times as many rows.
    """

    def __init__(self, cut: Cut, as_it_is: Collection[str]) -> None:
        """At a cut; `as_it_is` names the sites that take B rows (see `reads_frontier`)."""
        super().__init__()
        self._cut = cut
        self._as_it_is = as_it_is

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        passes_of(model.graph)
        self._cut.require(model.graph)

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change the model."""
        graph, passes = model.graph, passes_of(model.graph)
        new = NodeBuilder(graph, "plan", free_names(graph))
        values = {str(value.name): value for value in graph.inputs}
        values |= {str(value.name): value for node in graph for value in node.outputs}
        for name in self._cut.frontier:
            value, rows = values[name], _rows_input(graph, values[name])
            for node, index in tuple(value.uses()):
                if index == 0 and node.name in self._as_it_is:
                    node.replace_input_with(0, rows)
            if value.uses():
                value.replace_all_uses_with(_repeated(new, rows, value, passes))
        for name in self._cut.shapes:
            shape = add_input(graph, shape_input(name), "int64", [None])
            values[name].replace_all_uses_with(_of_all_rows(new, shape, values[name], passes))
        new.insert_after(graph[0])
        return ir.passes.PassResult(model, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        inputs = {str(value.name) for value in model.graph.inputs}
        wanted = {
            n if n not in self._cut.carried else frontier_input(n) for n in self._cut.frontier
        }
        wanted |= {shape_input(name) for name in self._cut.shapes}
        ensure(wanted <= inputs, f"{sorted(wanted - inputs)} are no inputs")
        trunk = {*self._cut.carried, *self._cut.shapes}
        read = [
            v.name for node in model.graph for v in node.outputs if v.name in trunk and v.uses()
        ]
        ensure(not read, f"{read} are computed where they are to be read from inputs")


def _rows_input(graph: ir.Graph, value: ir.Value) -> ir.Value:
    """The input in the place of `value`, of B rows; a new value, whose uses are to come."""
    rest = [None] if value.shape is None else list(value.shape[1:])
    new = ir.Value(
        name=frontier_input(str(value.name)),
        shape=None if value.shape is None else ir.Shape(["rows", *rest]),
        type=value.type,
    )
    if value.is_graph_input():
        new.name, value.name = value.name, f"{value.name}/rows"
        graph.inputs.remove(value)
    graph.inputs.append(new)
    return new


def _repeated(new: NodeBuilder, f: ir.Value, value: ir.Value, passes: ir.Value) -> ir.Value:
    """Rule 1."""
    copies = new.add("Expand", new.add("Unsqueeze", f, new.ints(0)), _copies(new, f, passes))
    rows = new.add("Reshape", copies, new.join(new.ints(-1), new.dims(f, 1)))
    rows.shape, rows.type = value.shape, value.type
    return rows


def _copies(new: NodeBuilder, f: ir.Value, passes: ir.Value) -> ir.Value:
    """The shape (P, 1, …) that Expand broadcasts (1, B, …) with."""
    if f.shape is not None:
        return new.join(passes, new.ints(*[1] * len(f.shape)))
    return new.join(passes, new.add("Shape", f))


def _of_all_rows(new: NodeBuilder, shape: ir.Value, value: ir.Value, passes: ir.Value) -> ir.Value:
    """Rule 2."""
    zero, one, end = new.ints(0), new.ints(1), new.ints(_END)
    rows = new.add("Mul", new.add("Slice", shape, zero, one, zero), passes)
    whole = new.join(rows, new.add("Slice", shape, one, end, zero))
    node = value.producer()
    attributes = {} if node is None else {k: a.as_int() for k, a in node.attributes.items()}
    if attributes:
        start, stop = attributes.get("start", 0), attributes.get("end", _END)
        whole = new.add("Slice", whole, new.ints(start), new.ints(stop), zero)
    whole.type = value.type
    return whole
