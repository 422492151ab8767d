"""Cuts a graph into the part that is the same in all passes, and the rest.

Precondition: the sites are nodes of the outermost graph.
Rules:
1. a node is in the tail if it is a site, or reads an output of a node of the tail,
   also in the bodies of its loops and branches;
2. data that the tail reads from the trunk crosses the *frontier*: the trunk computes it
   once, for B rows, and its axis 0 is the batch;
3. values computed from shapes alone, such as the target of a Reshape, depend on the
   number of rows. The tail has P times as many rows and computes them again, from the
   *shapes* of the trunk's tensors;
4. the tail also computes constants again, and values that cannot be a frontier because
   axis 0 is not the batch: their inputs cross the frontier instead.
"""

from collections.abc import Container
from dataclasses import dataclass, field

import onnx_ir as ir

from service.nodes.bodies import reads
from service.nodes.conditions import require
from service.nodes.reach import named, reach


@dataclass(frozen=True)
class Cut:
    """A cut, by names of values.

    Attributes:
        frontier: tensors that cross from trunk to tail, including graph inputs.
        carried: those of them that the trunk computes.
        shapes: outputs of the Shape nodes whose input is made in the trunk.
        stochastic: the graph's outputs that the tail computes.
    """

    frontier: tuple[str, ...]
    carried: tuple[str, ...]
    shapes: tuple[str, ...]
    stochastic: tuple[str, ...]

    def require(self, graph: ir.Graph) -> None:
        """Raise `onnx_ir.passes.PreconditionError` unless this is a cut of `graph`."""
        made = {value.name for node in graph for value in node.outputs}
        inputs = {value.name for value in graph.inputs}
        outputs = {value.name for value in graph.outputs}
        lacking = {*self.frontier} - made - inputs | {*self.shapes, *self.carried} - made
        lacking |= {*self.stochastic} - outputs
        require(not lacking, f"the graph has no {sorted(lacking)}, at which it is to be cut")


def cut(model: ir.Model, sites: set[str], never: frozenset[str] | None = frozenset()) -> Cut:
    """Cut `model` at its sites.

    Args:
        model: see the module's precondition.
        sites: names of the site nodes.
        never: values that cannot be a frontier (rule 4); None: everything except the graph's
            inputs is in the tail.
    """
    random = reach(model.graph, named(model.graph, sites))
    reader = _Reader(sites, random, kinds(model.graph), never)
    outputs = [value for value in model.graph.outputs if value in random]
    reader.read(outputs)
    inputs = {value.name for value in model.graph.inputs}
    return Cut(
        frontier=tuple(reader.frontier),
        carried=tuple(name for name in reader.frontier if name not in inputs),
        shapes=tuple(reader.shapes),
        stochastic=tuple(str(value.name) for value in outputs),
    )


def kinds(graph: ir.Graph) -> dict[ir.Value, str]:
    """The kind of each value: "data", "shape" or "constant" (rules 3 and 4)."""
    kinds_of = {value: "constant" if _is_scalar(value) else "data" for value in graph.inputs}
    for node in graph:
        found = {kinds_of.get(value, "constant") for value in reads(node)}
        kind = next((k for k in ("data", "shape") if k in found), "constant")
        if node.op_type == "Shape" and kind == "data":
            kind = "shape"
        kinds_of.update(dict.fromkeys(node.outputs, kind))
    return kinds_of


def _is_scalar(value: ir.Value) -> bool:
    return value.shape is not None and len(value.shape) == 0


def _data(site: ir.Node) -> list[ir.Value]:
    return [value for value in site.inputs[:1] if value is not None]


@dataclass
class _Reader:
    """Walks up from the values that the tail reads, and decides how each is obtained."""

    sites: set[str]
    random: Container[ir.Value]
    kinds: dict[ir.Value, str]
    never: frozenset[str] | None
    frontier: dict[str, None] = field(default_factory=dict)
    shapes: dict[str, None] = field(default_factory=dict)
    _seen: set[ir.Node] = field(default_factory=set)

    def read(self, outputs: list[ir.Value]) -> None:
        """The tail makes `outputs`."""
        waiting = [*outputs]
        while waiting:
            value = waiting.pop()
            producer = value.producer()
            if value.is_graph_input():
                self._read_input(value)
            elif value not in self.random and self._is_frontier(value):
                self.frontier[str(value.name)] = None
            elif value not in self.random and self._is_shape_of_trunk(producer):
                self.shapes[str(value.name)] = None
            elif producer is not None and producer not in self._seen:
                self._seen.add(producer)
                # What rate a site has, and whether it is on, come with its draws.
                waiting.extend(_data(producer) if producer.name in self.sites else reads(producer))

    def _read_input(self, value: ir.Value) -> None:
        if self.kinds.get(value) == "data":  # else a flag, or a loop body's own input
            self.frontier[str(value.name)] = None

    def _is_frontier(self, value: ir.Value) -> bool:
        if value.producer() is None or self.kinds.get(value) != "data":
            return False
        if self.never is None or value.name in self.never:
            return False
        # A size that is known is not the batch's, which is any.
        return value.shape is None or (len(value.shape) > 0 and not isinstance(value.shape[0], int))

    def _is_shape_of_trunk(self, node: ir.Node | None) -> bool:
        if node is None or node.op_type != "Shape" or self.never is None:
            return False
        x = node.inputs[0]
        return (
            x is not None
            and x not in self.random
            and self.never.isdisjoint({str(x.name), str(node.outputs[0].name)})
            and self.kinds.get(x) == "data"
        )
