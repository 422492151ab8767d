"""Give each layer that the flag switches a switch of its own.

A layer with other noise than dropout is in the graph twice, as in training and as
in inference, and a Where on `training` selects. To switch such a layer off alone,
its Where needs a flag of its own.

Precondition: `training` is a scalar bool input.
Postcondition: each Where on `training` that lets the draws of some sites pass has
an input of its own in the flag's place, a `Switch`. Other uses of `training` stay.
"""

from dataclasses import dataclass

import onnx_ir as ir

from service.graph.cut import reads
from service.graph.new_nodes import add_input
from service.manifest import TRAINING_INPUT


@dataclass(frozen=True)
class Switch:
    """An input that lets the draws of its sites pass.

    Attributes:
        name: of the scalar bool graph input.
        sites: names of the sites that it switches.
    """

    name: str
    sites: frozenset[str]


def add_switches(model: ir.Model, sites: set[str]) -> tuple[Switch, ...]:
    """Change `model` so; returns the switches."""
    flag = next((value for value in model.graph.inputs if value.name == TRAINING_INPUT), None)
    if flag is None:
        return ()
    switches: list[Switch] = []
    above = _sites_above(model.graph, sites)
    for node in [*model.graph]:
        if node.op_type == "Where" and _is_flag(node.inputs[0], flag):
            on, off = (above.get(value, frozenset()) for value in node.inputs[1:3])
            if on - off:
                switch = Switch(f"switch:{len(switches)}", on - off)
                node.replace_input_with(0, add_input(model.graph, switch.name, "bool", []))
                switches.append(switch)
    return tuple(switches)


def _is_flag(value: ir.Value | None, flag: ir.Value) -> bool:
    """Whether `value` is `training`, by way of an even number of Not."""
    turned = False
    while value is not None and value is not flag:
        node = value.producer()
        if node is None or node.op_type not in ("Not", "Identity"):
            return False
        turned ^= node.op_type == "Not"
        value = node.inputs[0]
    return value is flag and not turned


def _sites_above(graph: ir.Graph, sites: set[str]) -> dict[ir.Value | None, frozenset[str]]:
    """Names of the sites that each value depends on."""
    above: dict[ir.Value | None, frozenset[str]] = {}
    for node in graph:
        found = {str(node.name)} & sites
        found.update(*(above.get(value, frozenset()) for value in reads(node)))
        above.update(dict.fromkeys(node.outputs, frozenset(found)))
    return above
