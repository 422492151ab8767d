"""Write every random node of a graph as the exporter would have.

Precondition: the graph is in standard form (see `standard_form`).
Postcondition:
1. it has the input `training`, last; the file's own switch, if any, is gone;
2. every node that draws is a Dropout on Where(training, rate, 0) and switched by
   `training`, a RandomUniformLike on [0, 1), or a standard RandomNormalLike, and is
   a node of the outermost graph;
3. a Dropout that is off is no Dropout any more, unless it was asked to be activated;
4. the distributions of all values are as they were, with `training` true.
"""

from dataclasses import dataclass, field

import onnx_ir as ir

from service.core.distributions import DISTRIBUTIONS
from service.core.distributions.uniform import Uniform
from service.errors import ArtifactError
from service.graph.adopt.conditionals import write_conditionals
from service.graph.adopt.feature_dropout import write_feature_dropouts
from service.graph.adopt.fixed_shapes import write_fixed_shapes
from service.graph.adopt.free_names import free_names
from service.graph.adopt.replacement import Replacement, live_flag
from service.graph.adopt.standard_form import inner_nodes
from service.graph.adopt.training_mode import (
    Mode,
    Switched,
    dropout_mode,
    give_training_input,
)
from service.manifest import Shape, SiteSpec

#: Operators that draw what no site can stand for, and why.
_REFUSED = {
    "Multinomial": "draws classes, which no site can stand for. Give out the probabilities in "
    "place of the sample",
}
#: Operators of noise, and what they draw.
_NOISE = {one.operator.name: one for one in DISTRIBUTIONS if not one.takes_rate}
_DRAWS = {"Dropout", "Bernoulli", *_NOISE, *_REFUSED}
_FLOATS = (ir.DataType.FLOAT16, ir.DataType.FLOAT, ir.DataType.DOUBLE)


@dataclass
class RandomNodes:
    """What became of the random nodes.

    Attributes:
        sites: in topological order.
        dead: names of the dropouts that stay off, and are not there any more.
    """

    sites: list[SiteSpec] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)


def rewrite_random_nodes(graph: ir.Graph, where: str, activate: bool) -> RandomNodes:
    """Change `graph` so.

    Args:
        graph: see the module's precondition.
        where: names the file in errors.
        activate: whether a Dropout that is off in the file becomes a site.

    Raises:
        ArtifactError: a node draws in a way that cannot be served.
    """
    write_conditionals(graph, where)
    write_fixed_shapes(graph)
    write_feature_dropouts(graph)
    random = [n for n in graph.all_nodes() if n.op_type in _DRAWS and not n.domain]
    for node in random:
        if node.op_type in _REFUSED:
            raise ArtifactError(f"{where}: {node.op_type} {node.name!r} {_REFUSED[node.op_type]}.")
    modes = {n: dropout_mode(n, graph, where) for n in random if n.op_type == "Dropout"}
    give_training_input(graph, _switches(modes, where), where)
    rewriter = _Rewriter(graph, where)
    for node in random:
        if node.op_type == "Dropout":
            rewriter.dropout(node, modes[node].rate, on=bool(modes[node].on) or activate)
        else:
            rewriter.noise(node)
    return rewriter.found


def _switches(modes: dict[ir.Node, Mode], where: str) -> dict[ir.Value, bool]:
    """The inputs that switch dropouts, and whether false means on there."""
    switches: dict[ir.Value, bool] = {}
    for node, mode in ((node, mode.on) for node, mode in modes.items()):
        if isinstance(mode, Switched) and switches.setdefault(mode.by, mode.turned) != mode.turned:
            raise ArtifactError(
                f"{where}: the input {mode.by.name!r} switches Dropout {node.name!r} off where it "
                "switches another on. All dropouts have to be on for the same value."
            )
    return switches


class _Rewriter:
    """Rewrites one node after the other, and notes what it found."""

    def __init__(self, graph: ir.Graph, where: str) -> None:
        self._graph = graph
        self._where = where
        self._names = free_names(graph)
        self._live: tuple[ir.Value, ir.Value] | None = None
        self.found = RandomNodes()

    def dropout(self, node: ir.Node, rate: float, on: bool) -> None:
        """Make a site of it, or take it out."""
        x = self._data(node)
        if rate == 0 or not on:
            self._take_out(node, x)
            if rate != 0:
                self.found.dead.append(str(node.name))
            return
        rate = self._usable(rate, node)
        site = self._site(node, "dropout", rate, x, self._element_type(x, node))
        if _is_used(node, 1):
            self._masking_dropout(node, site, x)
        else:
            new = Replacement(self._graph, self._names, node)
            new.put(self._draw(new, site, x))

    def noise(self, node: ir.Node) -> None:
        """Make a site of standard numbers of it, and the rest of what it does follow."""
        x = self._data(node)
        new = Replacement(self._graph, self._names, node)
        wanted = node.attributes.get_int("dtype", 0)
        of = ir.DataType(wanted) if wanted else self._element_type(x, node)
        if node.op_type == "Bernoulli":
            self._bernoulli(node, new, x, of)
        else:
            self._scaled_noise(node, new, x, self._floating(of, node))

    def _bernoulli(self, node: ir.Node, new: Replacement, x: ir.Value, of: ir.DataType) -> None:
        """1 with probability x: where a uniform number is below x."""
        self._site(node, Uniform.kinds[0], None, x, self._element_type(x, node))
        draw = new.add(Uniform.operator.name, [x], Uniform.operator.attributes, str(node.name))
        new.put(new.cast(new.add("Less", [draw, x]), of))

    def _scaled_noise(self, node: ir.Node, new: Replacement, x: ir.Value, of: ir.DataType) -> None:
        """Standard numbers, scaled and moved."""
        drawn = _NOISE[node.op_type]
        standard = drawn.operator.attributes
        given = {key: node.attributes.get_float(key, number) for key, number in standard.items()}
        offset, scale = drawn.moved(given)
        self._site(node, drawn.kinds[0], None, x, of)
        shaped = x if x.dtype == of else new.cast(x, of)
        draw = new.add(node.op_type, [shaped], standard, node.name)
        if scale != 1:
            draw = new.add("Mul", [draw, new.number("scale", scale, of)])
        if offset != 0:
            draw = new.add("Add", [draw, new.number("offset", offset, of)])
        new.put(draw)

    def _masking_dropout(self, node: ir.Node, site: SiteSpec, x: ir.Value) -> None:
        """A Dropout whose mask is read, too: the same mask has to go both ways."""
        new = Replacement(self._graph, self._names, node)
        of = self._element_type(x, node)
        mask = self._draw(new, site, new.filled_like(x, 1, of))
        kept = new.add("Greater", [mask, new.number("zero", 0, of)])
        new.put(new.add("Mul", [x, mask]), kept)

    def _draw(self, new: Replacement, site: SiteSpec, x: ir.Value) -> ir.Value:
        """The Dropout of a site, on `x`."""
        if self._live is None:
            self._live = live_flag(self._graph, self._names)
        live, zero = self._live
        rate = new.number("rate", site.rate or 0, ir.DataType.FLOAT)
        live_rate = new.add("Where", [live, rate, zero], name=self._names(f"{site.name}/live_rate"))
        return new.add("Dropout", [x, live_rate, live], name=site.name)

    def _take_out(self, node: ir.Node, x: ir.Value) -> None:
        new = Replacement(self._graph, self._names, node)
        y = new.add("Identity", [x])
        if _is_used(node, 1):
            new.put(y, new.filled_like(x, 1, ir.DataType.BOOL))
        else:
            new.put(y)

    def _site(
        self, node: ir.Node, kind: str, rate: float | None, x: ir.Value, of: ir.DataType
    ) -> SiteSpec:
        """Note a site."""
        self._require_outermost(node)
        name, dtype = str(node.name), of.numpy().name
        shape = _draw_shape(x)
        site = SiteSpec(name=name, layer=name, kind=kind, rate=rate, shape=shape, dtype=dtype)
        self.found.sites.append(site)
        return site

    def _data(self, node: ir.Node) -> ir.Value:
        x = node.inputs[0] if node.inputs else None
        if x is None:
            raise self._refusal(node, "has no input")
        return x

    def _usable(self, rate: float, node: ir.Node) -> float:
        if not 0 < rate < 1:
            raise self._refusal(
                node, f"has ratio {rate}. It has to be at least 0, and below 1: 1 keeps nothing"
            )
        return rate

    def _element_type(self, x: ir.Value, node: ir.Node) -> ir.DataType:
        return self._floating(_known_type(x), node)

    def _floating(self, of: ir.DataType | None, node: ir.Node) -> ir.DataType:
        if of not in _FLOATS:
            raise self._refusal(
                node,
                f"draws {of.name.lower() if of else 'numbers of an element type that is unknown'}. "
                "It has to be float16, float32 or float64",
            )
        return of

    def _require_outermost(self, node: ir.Node) -> None:
        if node.graph is self._graph:
            return
        outer = next(o for o in self._graph if any(inner is node for inner in inner_nodes(o)))
        raise self._refusal(
            node,
            f"is a site inside a loop or branch, in the body of {outer.op_type} {outer.name!r}. "
            "Its draws cannot be told apart by step. Draw outside of it, or export it unrolled",
        )

    def _refusal(self, node: ir.Node, what: str) -> ArtifactError:
        return ArtifactError(f"{self._where}: {node.op_type} {node.name!r} {what}.")


def _is_used(node: ir.Node, output: int) -> bool:
    if len(node.outputs) <= output:
        return False
    value = node.outputs[output]
    return bool(value.uses()) or value.is_graph_output()


def _draw_shape(x: ir.Value) -> Shape:
    """Of x, with the batch on axis 0; of (batch,) where nothing is known."""
    sizes = [] if x.shape is None else list(x.shape)[1:]
    return (None, *(size if isinstance(size, int) else None for size in sizes))


def _known_type(value: ir.Value) -> ir.DataType | None:
    """The element type of a value, or of the nearest floating one above it.

    ONNX cannot tell what an operator gives out that it does not know, such as one of
    ONNX Runtime's own. As a rule that is of the floating type that goes in.
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
