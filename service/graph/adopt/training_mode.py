"""What turns a Dropout on: a constant of the file, or one of its inputs.

Exporters write the `training_mode` of a Dropout as a constant, leave it out, which
is off, or have it come from a scalar bool input. The last is the file's own switch;
it may be turned around on the way, as by Not(deterministic).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import onnx_ir as ir

from service.errors import ArtifactError
from service.graph.adopt.free_names import free_names
from service.manifest import TRAINING_INPUT

#: Operators that hand a flag on, as it is or turned around.
_CARRIERS = {"Identity", "Cast", "Not"}


@dataclass(frozen=True)
class Switched:
    """Switched by a graph input.

    Attributes:
        by: the scalar bool input.
        turned: whether false there means on.
    """

    by: ir.Value
    turned: bool


def training_mode(dropout: ir.Node, where: str) -> bool | Switched:
    """Whether the file has `dropout` on, off, or switched by an input.

    Raises:
        ArtifactError: that is computed in a way that cannot be read from the graph.
    """
    value = dropout.inputs[2] if len(dropout.inputs) > 2 else None
    if value is None:
        return False
    root, turned = _root(value)
    constant = ir.convenience.get_const_tensor(root)
    if constant is not None and constant.size == 1:
        return bool(constant.numpy().reshape(-1)[0]) != turned
    if root.is_graph_input() and root.dtype == ir.DataType.BOOL and not root.shape:
        return Switched(root, turned)
    maker = root.producer()
    made = f"by {maker.op_type} {maker.name!r}" if maker else f"from the input {root.name!r}"
    raise ArtifactError(
        f"{where}: the training_mode of Dropout {dropout.name!r} is computed {made}. It has to "
        "be a constant, or a scalar bool input of the model, or the Not of one."
    )


def _root(value: ir.Value) -> tuple[ir.Value, bool]:
    """Where a flag comes from, and whether it was turned around on the way."""
    turned = False
    node = value.producer()
    while node is not None and node.op_type in _CARRIERS and node.inputs[0] is not None:
        turned ^= node.op_type == "Not"
        value = node.inputs[0]
        node = value.producer()
    return value, turned


def give_training_input(graph: ir.Graph, switches: Mapping[ir.Value, bool], where: str) -> None:
    """Give `graph` the input `training`, last, and put it in the place of its own switches.

    Args:
        graph: to be changed.
        switches: the inputs that switch dropouts, and whether false means on there.
        where: names the file in errors.

    Raises:
        ArtifactError: the name belongs to something else.
    """
    own = next((value for value in graph.inputs if value.name == TRAINING_INPUT), None)
    if own is not None and own not in switches:
        if own.dtype != ir.DataType.BOOL or own.shape is None or len(own.shape):
            raise _taken(where, "an input that is no scalar bool")
        switches = {**switches, own: False}
    graph.inputs[:] = [value for value in graph.inputs if value not in switches]
    names = free_names(graph)
    for value in switches:
        value.name = names(f"{value.name}/own")
    for value in _named_training(graph):
        if value.is_graph_output():
            raise _taken(where, "an output")
        value.name = names(f"{TRAINING_INPUT}/value")
    training = ir.Value(
        name=TRAINING_INPUT, shape=ir.Shape([]), type=ir.TensorType(ir.DataType.BOOL)
    )
    graph.inputs.append(training)
    for value, turned in switches.items():
        value.replace_all_uses_with(_turned(graph, training, value) if turned else training)


def _turned(graph: ir.Graph, training: ir.Value, own: ir.Value) -> ir.Value:
    node = ir.node("Not", [training], name=str(own.name))
    node.outputs[0].name = own.name
    graph.insert_before(graph[0], node)
    return node.outputs[0]


def _named_training(graph: ir.Graph) -> list[ir.Value]:
    """The values inside the graph that bear the name."""
    values = [value for node in graph.all_nodes() for value in node.outputs]
    values += graph.initializers.values()
    return [value for value in values if value.name == TRAINING_INPUT]


def _taken(where: str, what: str) -> ArtifactError:
    return ArtifactError(
        f"{where} calls {what} {TRAINING_INPUT!r}, and that is the name of the scalar bool input "
        "which switches the dropout on. Give it another name."
    )
