"""Converts every random node to the operators of an artifact, with standard numbers."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from service.core.distributions import BY_KIND, DISTRIBUTIONS
from service.manifest import SiteSpec, is_dropout
from service.nodes.builder import NodeBuilder
from service.nodes.conditions import ensure, require
from service.nodes.draws import is_drawing
from service.nodes.free_names import free_names
from service.nodes.training import ActiveDropout, find_training, is_active, is_flag


class StandardDrawsPass(ir.passes.InPlacePass):
    """Convert each site to a node of an artifact, and remove the inactive dropouts.

    Precondition: the graph has the input `training`, each site is a node of its name in the
    outermost graph, and all other random nodes are dropouts.
    Postcondition: the random nodes are the sites: a Dropout that `training` switches, a
    RandomUniformLike on [0, 1), or a standard RandomNormalLike. The distributions of all values
    are as they were, with `training` true.
    """

    def __init__(self, sites: Sequence[SiteSpec]) -> None:
        """Of these sites, which `find_random_nodes` found in the graph."""
        super().__init__()
        self._sites = {site.name: site for site in sites}

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        require(is_flag(find_training(model.graph)), "`training` is no scalar bool input")
        outermost = {str(node.name) for node in model.graph if is_drawing(node)}
        lacking = self._sites.keys() - outermost
        require(not lacking, f"the outermost graph has no random nodes {sorted(lacking)}")
        others = [node.name for node in self._others(model.graph) if node.op_type != "Dropout"]
        require(not others, f"{others} draw and are no sites")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change the model."""
        writer = _Writer(model.graph)
        for node in [node for node in model.graph.all_nodes() if is_drawing(node)]:
            site = self._sites.get(str(node.name))
            if site is None:
                writer.take_out(node)
            elif is_dropout(site):
                writer.dropout(node, site)
            elif node.op_type == "Bernoulli":
                writer.bernoulli(node, site)
            else:
                writer.noise(node, site)
        return ir.passes.PassResult(model, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        others = [node.name for node in self._others(model.graph)]
        ensure(not others, f"{others} draw and are no sites")
        standard = {str(node.name) for node in model.graph if _is_standard(node)}
        lacking = self._sites.keys() - standard
        ensure(not lacking, f"the sites {sorted(lacking)} are no standard draws")

    def _others(self, graph: ir.Graph) -> list[ir.Node]:
        drawing = filter(is_drawing, graph.all_nodes())
        return [node for node in drawing if str(node.name) not in self._sites]


def _is_standard(node: ir.Node) -> bool:
    if node.op_type == "Dropout":
        return is_active(node)
    return any(
        node.op_type == operator and standard == _numbers(node, standard)
        for operator, standard in (one.operator for one in DISTRIBUTIONS)
    )


class _Writer:
    """Converts the nodes one after the other."""

    def __init__(self, graph: ir.Graph) -> None:
        self._graph = graph
        self._names = free_names(graph)
        self._dropouts = ActiveDropout(graph, self._names)

    def dropout(self, node: ir.Node, site: SiteSpec) -> None:
        new, x = self._new(node), node.inputs[0]
        if _is_used(node, 1):
            self._masking_dropout(new, node, site)
        else:
            new.replace(node, self._dropouts.add(new, site.name, site.rate or 0, x))

    def _masking_dropout(self, new: NodeBuilder, node: ir.Node, site: SiteSpec) -> None:
        """A Dropout whose mask is read, too: the same mask has to go both ways."""
        x, of = _data(node), _element_type(site)
        ones = new.filled_like(x, 1, of)
        mask = self._dropouts.add(new, site.name, site.rate or 0, ones)
        kept = new.add("Greater", mask, new.scalar("zero", 0, of))
        new.replace(node, new.add("Mul", x, mask), kept)

    def bernoulli(self, node: ir.Node, site: SiteSpec) -> None:
        """1 with probability x: where a uniform number is below x."""
        new, x = self._new(node), _data(node)
        wanted = node.attributes.get_int("dtype", 0)
        op, standard = BY_KIND[site.kind].operator
        draw = new.add(op, x, name=site.name, **standard)
        of = ir.DataType(wanted) if wanted else _element_type(site)
        new.replace(node, new.cast(new.add("Less", draw, x), of))

    def noise(self, node: ir.Node, site: SiteSpec) -> None:
        """Standard numbers, scaled and shifted."""
        new, x, of = self._new(node), _data(node), _element_type(site)
        op, standard = BY_KIND[site.kind].operator
        offset, scale = BY_KIND[site.kind].moved(_numbers(node, standard))
        shaped = x if x.dtype == of else new.cast(x, of)
        draw = new.add(op, shaped, name=site.name, **standard)
        if scale != 1:
            draw = new.add("Mul", draw, new.scalar("scale", scale, of))
        if offset != 0:
            draw = new.add("Add", draw, new.scalar("offset", offset, of))
        new.replace(node, draw)

    def take_out(self, node: ir.Node) -> None:
        """Replace a dropout that is off by its data."""
        new, x = self._new(node), _data(node)
        y = new.add("Identity", x)
        if _is_used(node, 1):
            new.replace(node, y, new.filled_like(x, 1, ir.DataType.BOOL))
        else:
            new.replace(node, y)

    def _new(self, node: ir.Node) -> NodeBuilder:
        return NodeBuilder(self._graph, str(node.name), self._names)


def _data(node: ir.Node) -> ir.Value:
    x = node.inputs[0]
    if x is None:
        raise ValueError(f"{node.op_type} {node.name!r} has no input")
    return x


def _numbers(node: ir.Node, standard: Mapping[str, float]) -> dict[str, float]:
    """Its attributes of the standard numbers' names."""
    return {key: node.attributes.get_float(key, number) for key, number in standard.items()}


def _element_type(site: SiteSpec) -> ir.DataType:
    return ir.DataType.from_numpy(np.dtype(site.dtype))


def _is_used(node: ir.Node, output: int) -> bool:
    if len(node.outputs) <= output:
        return False
    value = node.outputs[output]
    return bool(value.uses()) or value.is_graph_output()
