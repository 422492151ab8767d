"""Finds the site of which a pass may have several masks, which share all that comes before it.

Where only a small head follows the last site, J masks of it in each pass cost little more than
one. Its product has J times as many rows as what comes before it, so all that comes after it must
read nothing else.
"""

from collections.abc import Collection, Mapping

import onnx_ir as ir

from service.graph.cut import kinds
from service.graph.place import Place
from service.manifest import SiteSpec, is_dropout
from service.nodes.bodies import reads
from service.nodes.reach import named, reach


def inner_site(
    graph: ir.Graph, places: Mapping[SiteSpec, Place], outputs: Collection[str]
) -> SiteSpec | None:
    """The site of `graph` whose draws may be more than one in a pass; None if there is none.

    It is a dropout of data with the batch on axis 0, which another site reaches. It reaches no
    other site and all `outputs`, and what is computed from it is computed from it and constants.
    It is not the first of the sites, whose draws tell the number of passes.

    Args:
        graph: whose nodes the sites are.
        places: of all sites.
        outputs: those that sites reach.
    """
    nodes = {node.name: node for node in named(graph, [site.name for site in places])}
    for site in [*places][1:]:
        suits = is_dropout(site) and places[site].axis == 0 and not places[site].merged
        if suits and _is_last(graph, nodes[site.name], nodes.values(), outputs):
            return site
    return None


def _is_last(
    graph: ir.Graph, site: ir.Node, sites: Collection[ir.Node], outputs: Collection[str]
) -> bool:
    others = [node for node in sites if node is not site]
    random, behind = reach(graph, others), reach(graph, [site])
    reaches_sites = any(value in behind for node in others for value in node.outputs)
    if site.inputs[0] not in random or reaches_sites:
        return False
    if any(value not in behind for value in graph.outputs if value.name in outputs):
        return False
    of = kinds(graph)
    return all(
        value in behind or of.get(value, "constant") == "constant"
        for node in graph
        if node is not site and not behind.keys().isdisjoint(node.outputs)
        for value in reads(node)
    )
