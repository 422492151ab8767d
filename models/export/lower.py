"""Turn marker nodes into live ONNX draws, and put the graph into contract form.

Precondition: every `mcdropout.Site` node carries the number of a site as an attribute.
Postcondition:
1. the graph has a scalar bool input `training`;
2. every site is a node of the site's name and of its distribution's ONNX operator:
   `Dropout` with its ratio, or one that draws standard numbers;
3. a Dropout's `training_mode` and its `ratio` come from nodes. ONNX Runtime's
   optimiser deletes a Dropout whose only incoming edge is its data, so a flag
   that is a graph input or a constant does not save it; and one whose only
   incoming edge is the flag (because its data is a graph input) it takes apart
   at the wrong edge, and then refuses the file. With two edges it leaves both
   alone;
4. inputs and outputs have the model's names, and a dynamic axis 0 named "batch".
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir.passes.common import NameFixPass, RemoveUnusedNodesPass, RemoveUnusedOpsetsPass

from models.export.convert import SITE_DOMAIN, SITE_NUMBER, SITE_OP
from service.core.distributions import BY_KIND, OPERATORS
from service.errors import ExportError
from service.manifest import TRAINING_INPUT, SiteSpec, is_dropout


def lower(
    model: onnx.ModelProto,
    sites: Mapping[int, SiteSpec],
    inputs: list[str],
    outputs: list[str],
) -> ir.Model:
    """Lower a converted model.

    Args:
        model: with a marker node for each site.
        sites: number of a marker to its site.
        inputs, outputs: names in graph order.
    """
    lowered = ir.from_proto(model)
    _rename(lowered.graph.outputs, outputs)
    _order_inputs(lowered.graph, inputs)
    live = _live_flag(lowered.graph)
    _name_batch_axis([*lowered.graph.inputs[:-1], *lowered.graph.outputs])
    _free_names(lowered.graph, {site.name for site in sites.values()})
    _replace_markers(lowered.graph, sites, live)
    for clean in (RemoveUnusedNodesPass(), RemoveUnusedOpsetsPass(), NameFixPass()):
        clean(lowered)
    return lowered


def _rename(values: Sequence[ir.Value], names: list[str]) -> None:
    for value, name in zip(values, names, strict=True):
        value.name = name


def _order_inputs(graph: ir.Graph, names: list[str]) -> None:
    """Rule 1. tf2onnx drops an input that no node reads, and orders the others as it likes."""
    by_name = {str(value.name): value for value in graph.inputs}
    missing = [name for name in names if name not in by_name or not by_name[name].uses()]
    if missing:
        raise ExportError(
            f"the model's outputs do not depend on its inputs {missing}. Remove those inputs; one "
            f"that switches dropout is not needed, for the exported model's own {TRAINING_INPUT!r} "
            "does that."
        )
    by_name.setdefault(
        TRAINING_INPUT,
        ir.Value(name=TRAINING_INPUT, shape=ir.Shape([]), type=ir.TensorType(ir.DataType.BOOL)),
    )
    graph.inputs[:] = [by_name[name] for name in [*names, TRAINING_INPUT]]


def _name_batch_axis(values: list[ir.Value]) -> None:
    for value in values:
        if value.shape is not None and len(value.shape):
            value.shape = ir.Shape(["batch", *value.shape[1:]])


def _live_flag(graph: ir.Graph) -> ir.Value:
    """Rule 3: the flag as the output of a node."""
    off = ir.node("Not", [graph.inputs[-1]], name=f"{TRAINING_INPUT}/off")
    on = ir.node("Not", [off.outputs[0]], name=f"{TRAINING_INPUT}/on")
    for node in (off, on):
        node.outputs[0].name = node.name
    graph.insert_before(graph[0], [off, on])
    return on.outputs[0]


def _free_names(graph: ir.Graph, sites: Collection[str]) -> None:
    """A layer's name may be one that tf2onnx or we gave to another node; that one yields."""
    for node in graph.all_nodes():
        if node.name in sites:
            node.name = None  # NameFixPass finds another


def _replace_markers(graph: ir.Graph, sites: Mapping[int, SiteSpec], live: ir.Value) -> None:
    """Rules 2 and 3."""
    zero = _scalar(graph, f"{TRAINING_INPUT}/no_rate", 0.0)
    for node in [*graph.all_nodes()]:
        if (node.domain, node.op_type) != (SITE_DOMAIN, SITE_OP):
            continue
        site = sites[node.attributes.get_int(SITE_NUMBER)]
        (x,), (y,) = node.inputs, node.outputs
        x, made = _without_filler(graph, site, x)
        if is_dropout(site):
            rate = _scalar(graph, f"{site.name}/rate", float(site.rate or 0))
            live_rate = ir.node("Where", [live, rate, zero])
            live_rate.outputs[0].name = f"{site.name}/live_rate"
            draw = ir.node("Dropout", [x, live_rate.outputs[0], live], name=site.name)
            new = [*made, live_rate, draw]
        else:
            op, attributes = BY_KIND[site.kind].operator
            draw = ir.node(op, [x], attributes, name=site.name)
            new = [*made, draw]
        draw.outputs[0].shape, draw.outputs[0].type = y.shape, y.type
        draw.outputs[0].name, y.name = y.name, None
        ir.convenience.replace_nodes_and_values(
            node.graph or graph, node, [node], new, [y], [draw.outputs[0]]
        )


def _without_filler(
    graph: ir.Graph, site: SiteSpec, x: ir.Value | None
) -> tuple[ir.Value | None, list[ir.Node]]:
    """`x`, and the node that makes it if it is a constant of one number and lends its shape.

    As many zeros as a layer has weights would double the file.
    """
    tensor = None if x is None else ir.convenience.get_const_tensor(x)
    if x is None or tensor is None or tensor.size < 2 or np.ptp(tensor.numpy()) != 0:
        return x, []
    name = f"{site.name}/filler"
    shape = ir.Value(name=f"{name}/shape", const_value=ir.tensor(np.array(tensor.shape, np.int64)))
    graph.register_initializer(shape)
    number = ir.tensor(tensor.numpy().reshape(-1)[:1])
    made = ir.node("ConstantOfShape", [shape], {"value": number}, name=name)
    made.outputs[0].name, made.outputs[0].shape, made.outputs[0].type = name, x.shape, x.type
    return made.outputs[0], [made]


def _scalar(graph: ir.Graph, name: str, number: float) -> ir.Value:
    value = ir.Value(name=name, const_value=ir.tensor(np.float32(number), name=name))
    graph.register_initializer(value)
    return value


def outputs_after_sites(model: ir.Model) -> set[str]:
    """Names of the outputs that depend on some draw of a lowered model."""
    random: set[ir.Value] = set()
    for node in model.graph.all_nodes():  # in topological order
        if node.op_type in OPERATORS or not random.isdisjoint(node.inputs):
            random.update(node.outputs)
    return {str(value.name) for value in model.graph.outputs if value in random}
