"""Adds a separate switch for each layer that the training flag switches.

A layer with noise other than dropout is in the graph twice, as in training and as in inference,
and a Where on `training` selects. To switch off such a layer alone, its Where needs a separate
flag.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from service.nodes.builder import add_input
from service.nodes.conditions import ensure, require
from service.nodes.reach import named, reach
from service.nodes.training import find_training, is_flag


@dataclass(frozen=True)
class Switch:
    """An input that activates the draws of its sites.

    Attributes:
        name: of the scalar bool graph input.
        sites: names of the sites that it switches.
        selected: name of the output of its Where.
    """

    name: str
    sites: frozenset[str]
    selected: str


def find_switches(graph: ir.Graph, sites: set[str]) -> tuple[Switch, ...]:
    """A switch for each Where on `training` that selects draws of some of `sites`."""
    flag = find_training(graph)
    if flag is None:
        return ()
    switches: list[Switch] = []
    reached = reach(graph, named(graph, sites))
    for node in graph:
        if node.op_type == "Where" and _follows(node.inputs[0], flag):
            on, off = (reached.get(value, frozenset()) for value in node.inputs[1:3] if value)
            if on - off:
                own = frozenset(str(site.name) for site in on - off)
                selected = str(node.outputs[0].name)
                switches.append(Switch(f"switch:{len(switches)}", own, selected))
    return tuple(switches)


class SwitchInputsPass(ir.passes.InPlacePass):
    """Replace the training flag by a separate input in the Where of each switch.

    Precondition: each switch belongs to a Where on `training`.
    Postcondition: each such Where selects by its own input, a scalar bool. Other uses of
    `training` are kept.
    """

    def __init__(self, switches: Sequence[Switch]) -> None:
        """Of these switches, which `find_switches` found in the graph."""
        super().__init__()
        self._switches = switches

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        flag = find_training(model.graph)
        for switch, node in zip(self._switches, self._nodes(model.graph), strict=True):
            on_flag = flag is not None and node is not None and _follows(node.inputs[0], flag)
            require(on_flag, f"{switch.selected!r} is not made by a Where on `training`")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change the model."""
        for switch, node in zip(self._switches, self._nodes(model.graph), strict=True):
            if node is not None:
                node.replace_input_with(0, add_input(model.graph, switch.name, "bool", []))
        return ir.passes.PassResult(model, bool(self._switches))

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        inputs = {value.name: value for value in model.graph.inputs}
        for switch, node in zip(self._switches, self._nodes(model.graph), strict=True):
            flag = inputs.get(switch.name)
            own = flag is not None and node is not None and node.inputs[0] is flag
            ensure(own and is_flag(flag), f"{switch.selected!r} has no switch {switch.name!r}")

    def _nodes(self, graph: ir.Graph) -> list[ir.Node | None]:
        """The Where of each switch."""
        made = {n.outputs[0].name: n for n in graph if n.op_type == "Where"}
        return [made.get(switch.selected) for switch in self._switches]


def _follows(value: ir.Value | None, flag: ir.Value) -> bool:
    """Whether `value` is the flag, by way of an even number of Not."""
    turned = False
    while value is not None and value is not flag:
        node = value.producer()
        if node is None or node.op_type not in ("Not", "Identity"):
            return False
        turned ^= node.op_type == "Not"
        value = node.inputs[0]
    return value is flag and not turned
