"""Convert a graph with markers to an artifact: its interface, and active draws."""

from collections.abc import Mapping

import onnx_ir as ir
from onnx_ir.passes.common import NameFixPass, RemoveUnusedNodesPass, RemoveUnusedOpsetsPass

from models.export.named_interface import NamedInterfacePass, unread_inputs
from models.export.site_nodes import SiteNodesPass
from service.errors import ExportError
from service.manifest import TRAINING_INPUT, SiteSpec
from service.nodes.draws import is_drawing
from service.nodes.reach import reach


def lower(
    model: ir.Model,
    sites: Mapping[int, SiteSpec],
    inputs: list[str],
    outputs: list[str],
) -> None:
    """Lower a converted model, in place.

    Args:
        model: with a marker node for each site.
        sites: number of a marker to its site.
        inputs, outputs: names in graph order.

    Raises:
        ExportError: no output depends on some input.
    """
    unread = unread_inputs(model.graph, inputs)
    if unread:
        raise ExportError(
            f"the model's outputs do not depend on its inputs {unread}. Remove those inputs; one "
            f"that switches dropout is not needed, for the exported model's own {TRAINING_INPUT!r} "
            "does that."
        )
    for step in (
        NamedInterfacePass(inputs, outputs),
        SiteNodesPass(sites),
        RemoveUnusedNodesPass(),
        RemoveUnusedOpsetsPass(),
        NameFixPass(),
    ):
        step(model)


def outputs_after_sites(model: ir.Model) -> set[str]:
    """Names of the outputs of a lowered model that depend on a draw."""
    reached = reach(model.graph, [node for node in model.graph.all_nodes() if is_drawing(node)])
    return {str(value.name) for value in model.graph.outputs if value in reached}
