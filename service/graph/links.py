"""Applies the links of outputs in the graph, so that it gives probabilities instead of logits."""

from collections.abc import Mapping
from typing import Any

import onnx_ir as ir

from service.manifest import Link
from service.nodes.builder import NodeBuilder
from service.nodes.conditions import ensure, require
from service.nodes.free_names import FreeNames, free_names

#: The operator of each link, and its attributes.
_OPERATORS: Mapping[Link, tuple[str, dict[str, Any]]] = {
    "softmax": ("Softmax", {"axis": -1}),
    "sigmoid": ("Sigmoid", {}),
}


class LinkPass(ir.passes.InPlacePass):
    """Replace outputs by their links, under the same names.

    Nodes inside of the graph that read such an output still read what it was.

    Precondition: there are outputs of these names, floating-point numbers that nodes compute.
    Postcondition: the outputs have the same names, and each of these is computed by the operator
    of its link.
    """

    def __init__(self, links: Mapping[str, Link]) -> None:
        """Of these outputs, by name; none is "identity"."""
        super().__init__()
        self._links = links

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        outputs = {str(value.name): value for value in model.graph.outputs}
        for name in self._links:
            require(name in outputs, f"there is no output {name!r}")
            require(outputs[name].producer() is not None, f"no node computes {name!r}")
            of = outputs[name].dtype
            require(of is not None and of.is_floating_point(), f"{name!r} is of {of}")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change the model."""
        names = free_names(model.graph) if self._links else FreeNames()
        for index, value in enumerate(model.graph.outputs):
            link = self._links.get(str(value.name))
            if link is not None:
                model.graph.outputs[index] = _linked(model.graph, value, link, names)
        return ir.passes.PassResult(model, modified=bool(self._links))

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        made = {value.name: value.producer() for value in model.graph.outputs}
        for name, link in self._links.items():
            node = made.get(name)
            ensure(
                node is not None and node.op_type == _OPERATORS[link][0], f"{name!r} is as before"
            )


def _linked(graph: ir.Graph, value: ir.Value, link: Link, names: FreeNames) -> ir.Value:
    """The link of an output, under its name; the output gets another one."""
    name = str(value.name)
    value.name = names(f"{name}/unlinked")
    operator, attributes = _OPERATORS[link]
    new = NodeBuilder(graph, f"{name}/{link}", names)
    linked = new.add(operator, value, **attributes)
    linked.name, linked.shape, linked.type = name, value.shape, value.type
    new.append()
    return linked
