"""Replace marker nodes by active draws."""

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from models.export.convert import SITE_DOMAIN, SITE_NUMBER, SITE_OP
from service.core.distributions import BY_KIND
from service.manifest import SiteSpec, is_dropout
from service.nodes.builder import NodeBuilder
from service.nodes.conditions import ensure, require
from service.nodes.free_names import free_names
from service.nodes.training import ActiveDropout, find_training, is_active, is_flag


class SiteNodesPass(ir.passes.InPlacePass):
    """Replace the marker of each site by its draw.

    Precondition: every `mcdropout.Site` node has the number of a site as an attribute, and
    `training` is a scalar bool input.
    Postcondition: no marker is left. Every site that had one is a standard node of the site's
    name: an active Dropout (see `ActiveDropout`), or the operator of its distribution.
    """

    def __init__(self, sites: Mapping[int, SiteSpec]) -> None:
        """Take the sites by the numbers of their markers."""
        super().__init__()
        self._sites = sites

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        require(is_flag(find_training(model.graph)), "`training` is no scalar bool input")
        numbers = {node.attributes.get_int(SITE_NUMBER, -1) for node in _markers(model.graph)}
        unknown = numbers - self._sites.keys()
        require(not unknown, f"there are markers of the unknown sites {sorted(unknown)}")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change the model."""
        graph, markers = model.graph, _markers(model.graph)
        names, taken = free_names(graph), {site.name for site in self._sites.values()}
        dropouts, draws = ActiveDropout(graph, names), []
        for node in markers:
            site = self._sites[node.attributes.get_int(SITE_NUMBER)]
            new = NodeBuilder(graph, site.name, names)
            x = _without_filler(new, node.inputs[0])
            if is_dropout(site):
                draw = dropouts.add(new, site.name, float(site.rate or 0), x)
            else:
                op, standard = BY_KIND[site.kind].operator
                draw = new.add(op, x, name=site.name, **standard)
            new.replace(node, draw)
            draws.append(draw.producer())
        for node in graph.all_nodes():
            # A generated node may have the same name as a layer; the generated one is renamed.
            if node not in draws and node.name in taken:
                node.name = None  # NameFixPass finds another
        return ir.passes.PassResult(model, bool(markers))

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        left = [node.name for node in _markers(model.graph)]
        ensure(not left, f"the markers {left} are left")
        dropouts = (node for node in model.graph.all_nodes() if node.op_type == "Dropout")
        passive = [node.name for node in dropouts if not is_active(node)]
        ensure(not passive, f"ONNX Runtime would remove the dropouts {passive}")


def _markers(graph: ir.Graph) -> list[ir.Node]:
    return [n for n in graph.all_nodes() if (n.domain, n.op_type) == (SITE_DOMAIN, SITE_OP)]


def _without_filler(new: NodeBuilder, x: ir.Value | None) -> ir.Value | None:
    """`x`, or a node that computes it if it is a constant that only provides a shape.

    A constant of as many zeros as the layer has weights would double the size of the file.
    """
    tensor = None if x is None else ir.convenience.get_const_tensor(x)
    if x is None or tensor is None or tensor.size < 2 or np.ptp(tensor.numpy()) != 0:
        return x
    number = ir.tensor(tensor.numpy().reshape(-1)[:1])
    made = new.add("ConstantOfShape", new.ints(*tensor.shape.numpy()), value=number)
    made.shape, made.type = x.shape, x.type
    return made
