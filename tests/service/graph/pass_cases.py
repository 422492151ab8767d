"""For each pass: a model that it changes, one that it refuses, and a broken result."""

from collections.abc import Callable
from typing import NamedTuple

import onnx_ir as ir

from service.graph.adopt.conditionals import ConditionalsPass
from service.graph.adopt.feature_dropout import FeatureDropoutPass
from service.graph.adopt.fixed_shapes import FixedShapesPass
from service.graph.adopt.opset import OpsetPass
from service.graph.adopt.own_switches import OwnSwitchesPass
from service.graph.adopt.short_domain import ShortDomainPass
from service.graph.adopt.standard_draws import StandardDrawsPass
from service.graph.adopt.unique_names import UniqueNamesPass
from service.graph.cut import Cut
from service.graph.draw_inputs import DrawInputsPass
from service.graph.dynamic_batch import DynamicBatchPass
from service.graph.forget_shapes import ForgetShapesPass
from service.graph.frontier_inputs import FrontierInputsPass
from service.graph.infer_shapes import InferShapesPass
from service.graph.join import JoinTrunkPass
from service.graph.links import LinkPass
from service.graph.place import declared_place
from service.graph.prune import PrunePass
from service.graph.reductions import ReduceOverPassesPass
from service.graph.remove_unread import RemoveUnreadPass
from service.graph.sites_as_inputs import SitesAsInputsPass
from service.graph.switches import SwitchInputsPass, find_switches
from service.graph.tail import TailPass
from service.graph.trunk import TrunkPass
from service.manifest import SiteSpec
from tests.service.graph.adopt.foreign import graph

Build = Callable[[], ir.Model]


class Case(NamedTuple):
    """A pass, and models that it accepts and refuses.

    Attributes:
        step: the pass.
        model: returns a model that it changes.
        wrong: returns a model that violates its precondition; None: it has none.
        broken: damages a model that the pass otherwise left unchanged.
    """

    step: ir.passes.PassBase
    model: Build
    wrong: Build | None
    broken: Callable[[ir.Model], None] = lambda model: None


SITE = SiteSpec(name="d", layer="d", kind="dropout", rate=0.5, shape=(None, 4), dtype="float32")
PLACES = {SITE: declared_place(SITE)}
CUT = Cut(frontier=("a",), carried=("a",), shapes=(), stochastic=("y",))


def split() -> ir.Model:
    """A dropout between two nodes."""
    body = "[r] a = Relu(x) [d] h = Dropout(a, half, on) [s] y = Relu(h)"
    return InferShapesPass()(graph(body)).model


def plain() -> ir.Model:
    return graph("[r] h = Relu(x) [s] y = Relu(h)")


def with_draws() -> ir.Model:
    return DrawInputsPass(PLACES)(split()).model


def tail() -> ir.Model:
    return TailPass(CUT, PLACES, one_pass=False)(split()).model


def noise() -> ir.Model:
    body = "[n] n = RandomNormalLike(x) h = Add(x, n) y = Where(training, h, x)"
    return graph(body, inputs="float[batch, 4] x, bool training")


def same_names() -> ir.Model:
    return graph("[r] h = Relu(x) [r] y = Relu(h)")


def without_outputs() -> ir.Model:
    model = plain()
    model.graph.outputs.clear()
    return model


def untyped() -> ir.Model:
    model = plain()
    model.graph.inputs[0].type = None
    return model


def untype_outputs(model: ir.Model) -> None:
    model.graph.outputs[0].type = None


def with_switch() -> ir.Model:
    return graph("[d] y = Dropout(x, half, t)", inputs="float[batch, 4] x, bool t")


def with_training() -> ir.Model:
    body = "[d] h = Dropout(x, half, on) [o] y = Dropout(h)"
    return graph(body, inputs="float[batch, 4] x, bool training")


def shapeless() -> ir.Model:
    model = fixed_shape()
    del model.graph[0].attributes["shape"]
    return model


def fixed_shape() -> ir.Model:
    return graph("[n] n = RandomNormal <shape = [1, 4]> () [s] y = Add(x, n)")


def conditional() -> ir.Model:
    drop = "a () => (float[batch, 4] u) { [d] u = Dropout(x, half, on) }"
    same = "b () => (float[batch, 4] v) { [i] v = Identity(x) }"
    return graph(f"[branch] y = If(on) <then_branch = {drop}, else_branch = {same}>")


def written_out() -> ir.Model:
    body = "[u] u = RandomUniformLike(x) [l] l = Less(u, half) [c] c = Cast <to = 1> (l) "
    return graph(body + "[m] m = Div(c, half) [s] y = Mul(x, m)")


def long_domain() -> ir.Model:
    model = plain()
    model.opset_imports["ai.onnx"] = model.opset_imports.pop("")
    return model


def with_function() -> ir.Model:
    function = '<domain: "own", opset_import: ["": 18]> twice (v) => (w) { w = Add(v, v) }'
    return graph("y = own.twice(x)", functions=function)


def whole_numbers() -> ir.Model:
    return graph("[c] y = Cast <to = 7> (x)", outputs="int64[batch, 4] y")


def unread_input() -> ir.Model:
    return graph("[r] y = Relu(x)", inputs="float[batch, 4] x, float[batch, 4] z")


def of_another_opset() -> ir.Model:
    return graph("[r] y = Relu(x)", opset=19)


CASES = [
    Case(SwitchInputsPass(find_switches(noise().graph, {"n"})), noise, plain),
    Case(TrunkPass(CUT), split, plain),
    Case(TailPass(CUT, PLACES, one_pass=False), split, plain),
    Case(DrawInputsPass(PLACES), split, plain),
    Case(FrontierInputsPass(CUT, {"d"}), with_draws, split),
    Case(SitesAsInputsPass(PLACES, one_pass=False), with_draws, split),
    Case(
        JoinTrunkPass(TrunkPass(CUT)(split()).model), tail, lambda: graph("y = Relu(x)", opset=19)
    ),
    Case(ReduceOverPassesPass({"y"}), tail, split),
    Case(LinkPass({"y": "softmax"}), plain, whole_numbers),
    Case(PrunePass(), unread_input, without_outputs),
    Case(RemoveUnreadPass(), lambda: graph("u = Relu(x) y = Relu(x)"), without_outputs),
    Case(ForgetShapesPass(), plain, untyped),
    Case(InferShapesPass(), plain, untyped, untype_outputs),
    Case(
        DynamicBatchPass(),
        lambda: graph("y = Relu(x)", inputs="float[3, 4] x", outputs="float[3, 4] y"),
        plain,
    ),
    Case(ConditionalsPass("m"), conditional, same_names),
    Case(FixedShapesPass(), fixed_shape, shapeless),
    Case(FeatureDropoutPass(), written_out, same_names),
    Case(OwnSwitchesPass({"t": False}, "m"), with_switch, plain),
    Case(StandardDrawsPass([SITE]), with_training, split),
    Case(ShortDomainPass(), long_domain, None),
    Case(OpsetPass(), lambda: graph("y = Relu(x)", opset=13), plain),
    Case(UniqueNamesPass(), lambda: graph("h = Relu(x) y = Relu(h)"), with_function),
]
