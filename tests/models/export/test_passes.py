"""The exporter's passes check their preconditions and postconditions."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import onnx_ir as ir
import pytest

from models.export.bind_captures import BindCapturesPass
from models.export.convert import SITE_DOMAIN, SITE_NUMBER, SITE_OP
from models.export.lower import lower, outputs_after_sites
from models.export.named_interface import NamedInterfacePass
from models.export.site_nodes import SiteNodesPass
from service.errors import ExportError
from service.manifest import SiteSpec
from tests.service.graph.adopt.foreign import graph

SITES = {
    0: SiteSpec(name="d", layer="d", kind="dropout", rate=0.5, shape=(None, 4), dtype="float32"),
    1: SiteSpec(name="n", layer="n", kind="normal", rate=None, shape=(None, 4), dtype="float32"),
}
BODY = "h = Relu(x) p = Abs(h) q = Neg(p) y = Add(p, q)"


class Case(NamedTuple):
    """A pass, a model that it changes, and one that violates its precondition."""

    step: ir.passes.PassBase
    model: Callable[[], ir.Model]
    wrong: Callable[[], ir.Model] | None


def converted(inputs: str = "float[batch, 4] x, bool training") -> ir.Model:
    """A graph as tf2onnx gives it: the second and the third node are markers."""
    model = graph(BODY, inputs=inputs)
    model.opset_imports[SITE_DOMAIN] = 1
    for number, node in enumerate([*model.graph][1:3]):
        node.domain, node.op_type = SITE_DOMAIN, SITE_OP
        node.attributes.add(ir.AttrInt64(SITE_NUMBER, number))
    return model


def without_training() -> ir.Model:
    return converted(inputs="float[batch, 4] x")


def unread() -> ir.Model:
    return graph("y = Relu(k)", inputs="float[batch, 4] x, float[batch, 4] k")


CASES = [
    Case(SiteNodesPass(SITES), converted, without_training),
    Case(NamedInterfacePass(["x"], ["z"]), converted, unread),
    Case(BindCapturesPass({"x": np.ones((1, 4), np.float32)}), converted, None),
]
ids = [type(case.step).__name__ for case in CASES]


@pytest.mark.parametrize("case", [case for case in CASES if case.wrong], ids=ids[:2])
def test_pass_refuses_a_model_that_violates_its_precondition(case: Case) -> None:
    assert case.wrong is not None
    with pytest.raises(ir.passes.PreconditionError):
        case.step(case.wrong())


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_pass_without_effect_violates_its_postcondition(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert case.step(case.model()).modified

    def nothing(step: ir.passes.PassBase, model: ir.Model) -> ir.passes.PassResult:
        return ir.passes.PassResult(model, modified=False)

    monkeypatch.setattr(type(case.step), "call", nothing)
    with pytest.raises(ir.passes.PostconditionError):
        case.step(case.model())


def test_lower_replaces_sites_by_standard_nodes() -> None:
    model = without_training()
    lower(model, SITES, ["x"], ["y"])
    draws = {node.name: node.op_type for node in model.graph if node.name in ("d", "n")}
    assert draws == {"d": "Dropout", "n": "RandomNormalLike"}
    assert [value.name for value in model.graph.inputs] == ["x", "training"]
    assert model.opset_imports == {"": 18}


def test_lower_names_an_input_that_no_output_depends_on() -> None:
    with pytest.raises(ExportError, match=r"do not depend on its inputs \['x'\]"):
        lower(unread(), {}, ["x", "k"], ["y"])


def test_outputs_after_sites_include_loops_that_capture_a_draw() -> None:
    body = (
        "[d] m = Dropout(x, half, on) z = Relu(x) y = Loop (n, on, x) <body = b (int64 i, bool c, "
        "float[batch, 4] s) => (bool k, float[batch, 4] t) { k = Identity(c) t = Add(s, m) }>"
    )
    constants = "bool on = {1}, float half = {0.5}, int64 n = {3}"
    outputs = "float[batch, 4] y, float[batch, 4] z"
    assert outputs_after_sites(graph(body, constants, outputs=outputs)) == {"y"}
