"""Finds the sites of a foreign graph, and its inactive dropouts.

Precondition: the graph is in standard form (see `standard_form`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import onnx_ir as ir

from service.core.distributions import DISTRIBUTIONS
from service.core.distributions.uniform import Uniform
from service.errors import ArtifactError
from service.graph.adopt.training_mode import Mode, Switched, dropout_mode
from service.manifest import Shape, SiteSpec
from service.nodes.bodies import inner_nodes
from service.nodes.draws import is_drawing

#: Unsupported random operators, with reasons.
_REFUSED = {
    "Multinomial": "draws classes, which no site can stand for. Give out the probabilities in "
    "place of the sample",
}
#: The kind of noise that represents the draw of an operator.
_KINDS = {one.operator.name: one.kinds[0] for one in DISTRIBUTIONS if not one.takes_rate}
_KINDS["Bernoulli"] = Uniform.kinds[0]  # 1 where a number is below the probability
_FLOATS = (ir.DataType.FLOAT16, ir.DataType.FLOAT, ir.DataType.DOUBLE)


@dataclass
class RandomNodes:
    """The random nodes of a graph.

    Attributes:
        sites: in topological order, each named after its node.
        dead: names of the inactive dropouts.
    """

    sites: list[SiteSpec] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)


def dropout_modes(graph: ir.Graph, where: str) -> dict[ir.Node, Mode]:
    """The mode of each Dropout; `where` names the file in errors.

    Raises:
        ArtifactError: a random operator is not supported, or a dropout is switched by
            more than one scalar bool input.
    """
    random = [node for node in graph.all_nodes() if is_drawing(node)]
    for node in random:
        if node.op_type in _REFUSED:
            raise ArtifactError(f"{where}: {node.op_type} {node.name!r} {_REFUSED[node.op_type]}.")
    return {n: dropout_mode(n, graph, where) for n in random if n.op_type == "Dropout"}


def own_switches(modes: Mapping[ir.Node, Mode], where: str) -> dict[str, bool]:
    """The names of the inputs that switch dropouts, and whether false means on there.

    Raises:
        ArtifactError: an input switches one dropout off where it switches another on.
    """
    switches: dict[str, bool] = {}
    for node, mode in ((node, mode.on) for node, mode in modes.items()):
        if not isinstance(mode, Switched):
            continue
        name = str(mode.by.name)
        if switches.setdefault(name, mode.turned) != mode.turned:
            raise ArtifactError(
                f"{where}: the input {name!r} switches Dropout {node.name!r} off where it "
                "switches another on. All dropouts have to be on for the same value."
            )
    return switches


def find_random_nodes(
    graph: ir.Graph, modes: Mapping[ir.Node, Mode], where: str, activate: bool
) -> RandomNodes:
    """Find the sites and the inactive dropouts.

    Args:
        graph: see the module's precondition.
        modes: of its dropouts.
        where: names the file in errors.
        activate: whether a Dropout that is off in the file becomes a site.

    Raises:
        ArtifactError: a node draws in a way that cannot be served.
    """
    found = RandomNodes()
    for node in (node for node in graph.all_nodes() if is_drawing(node)):
        finder = _Finder(node, graph, where)
        mode = modes.get(node)
        if mode is None:
            found.sites.append(finder.noise())
        elif mode.rate != 0 and (mode.on or activate):
            found.sites.append(finder.dropout(mode.rate))
        elif mode.rate != 0:
            found.dead.append(str(node.name))
    return found


class _Finder:
    """Makes sites of nodes."""

    def __init__(self, node: ir.Node, graph: ir.Graph, where: str) -> None:
        self._node = node
        self._graph = graph
        self._where = where
        self._x = self._data()

    def dropout(self, rate: float) -> SiteSpec:
        if not 0 < rate < 1:
            raise self._refusal(
                f"has ratio {rate}. It has to be at least 0, and below 1: 1 keeps nothing"
            )
        return self._site("dropout", rate, self._floating(_known_type(self._x)))

    def noise(self) -> SiteSpec:
        wanted = self._node.attributes.get_int("dtype", 0)
        if self._node.op_type == "Bernoulli" or not wanted:
            of = self._floating(_known_type(self._x))
        else:
            of = self._floating(ir.DataType(wanted))
        return self._site(_KINDS[self._node.op_type], None, of)

    def _site(self, kind: str, rate: float | None, of: ir.DataType) -> SiteSpec:
        self._require_outermost()
        name, dtype = str(self._node.name), of.numpy().name
        return SiteSpec(
            name=name, layer=name, kind=kind, rate=rate, shape=_draw_shape(self._x), dtype=dtype
        )

    def _data(self) -> ir.Value:
        x = self._node.inputs[0] if self._node.inputs else None
        if x is None:
            raise self._refusal("has no input")
        return x

    def _floating(self, of: ir.DataType | None) -> ir.DataType:
        if of not in _FLOATS:
            raise self._refusal(
                f"draws {of.name.lower() if of else 'numbers of an element type that is unknown'}. "
                "It has to be float16, float32 or float64"
            )
        return of

    def _require_outermost(self) -> None:
        node = self._node
        if node.graph is self._graph:
            return
        outer = next(o for o in self._graph if any(inner is node for inner in inner_nodes(o)))
        raise self._refusal(
            f"is a site inside a loop or branch, in the body of {outer.op_type} {outer.name!r}. "
            "Its draws cannot be told apart by step. Draw outside of it, or export it unrolled"
        )

    def _refusal(self, what: str) -> ArtifactError:
        return ArtifactError(f"{self._where}: {self._node.op_type} {self._node.name!r} {what}.")


def _draw_shape(x: ir.Value) -> Shape:
    """Of x, with the batch on axis 0; of (batch,) where nothing is known."""
    sizes = [] if x.shape is None else list(x.shape)[1:]
    return (None, *(size if isinstance(size, int) else None for size in sizes))


def _known_type(value: ir.Value) -> ir.DataType | None:
    """The element type of a value, or of the nearest floating one above it.

    ONNX does not know the output types of custom operators, such as those of ONNX Runtime.
    Usually it is the floating type of their input.
    """
    if value.dtype is not None:
        return value.dtype
    waiting, seen = [value], {value}
    while waiting:
        value = waiting.pop(0)
        if value.dtype in _FLOATS:
            return value.dtype
        maker = value.producer()
        above = [] if maker is None else [v for v in maker.inputs if v is not None]
        waiting += [v for v in above if v not in seen]
        seen.update(above)
    return None
