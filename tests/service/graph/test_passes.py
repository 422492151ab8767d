"""Every pass checks its precondition and its postcondition."""

import importlib
import pkgutil
from collections import Counter
from collections.abc import Iterator

import onnx
import onnx_ir as ir
import pytest
from hypothesis import HealthCheck, given, settings

import service.graph
from service.errors import LayoutError
from service.graph.adopt import adopt
from service.graph.artifact import read_artifact
from service.graph.plan import Layout, compile_plan
from service.nodes.draws import any_drawing
from tests.conftest import STORE
from tests.service.graph.adopt.foreign import graph
from tests.service.graph.pass_cases import CASES, Case
from tests.service.graph.test_random_graphs import CONSTANTS, bodies

ids = [type(case.step).__name__ for case in CASES]


def of_this_project() -> Iterator[type[ir.passes.PassBase]]:
    """Every pass class of `service.graph`."""
    for module in pkgutil.walk_packages(service.graph.__path__, "service.graph."):
        for value in vars(importlib.import_module(module.name)).values():
            is_pass = isinstance(value, type) and issubclass(value, ir.passes.PassBase)
            if is_pass and value.__module__ == module.name:
                yield value


def test_every_pass_has_a_case() -> None:
    assert {type(case.step) for case in CASES} == set(of_this_project())


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_pass_gives_a_valid_model(case: Case) -> None:
    result = case.step(case.model())
    assert result.modified
    if "ai.onnx" not in result.model.opset_imports:
        onnx.checker.check_model(ir.to_proto(result.model))


@pytest.mark.parametrize("case", [c for c in CASES if c.wrong], ids=lambda c: type(c.step).__name__)
def test_pass_refuses_a_model_that_violates_its_precondition(case: Case) -> None:
    assert case.wrong is not None
    with pytest.raises(ir.passes.PreconditionError):
        case.step(case.wrong())


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_pass_without_effect_violates_its_postcondition(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(step: ir.passes.PassBase, model: ir.Model) -> ir.passes.PassResult:
        result = model if step.in_place else model.clone()
        case.broken(result)
        return ir.passes.PassResult(result, modified=False)

    monkeypatch.setattr(type(case.step), "call", nothing)
    with pytest.raises(ir.passes.PostconditionError):
        case.step(case.model())


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Name of each pass to how often its postcondition was checked."""
    held: Counter[str] = Counter()
    for kind in of_this_project():

        def ensures(
            step: ir.passes.PassBase,
            model: ir.Model,
            ensures: object = kind.ensures,
            name: str = kind.__name__,
        ) -> None:
            ensures(step, model)  # type: ignore[operator]
            held[name] += 1

        monkeypatch.setattr(kind, "ensures", ensures)
    return held


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("name", ["co2", "digits"])
def test_conditions_are_checked_when_demo_models_are_compiled(
    name: str, layout: Layout, checked: Counter[str]
) -> None:
    plan = compile_plan(read_artifact(STORE / name / "1" / "model.onnx"), layout)
    assert checked.keys() >= {
        *("SwitchInputsPass", "TailPass", "DrawInputsPass", "FrontierInputsPass"),
        *("SitesAsInputsPass", "PrunePass", "RemoveUnreadPass", "ReduceOverPassesPass"),
        "ForgetShapesPass",
    }
    assert checked["TrunkPass"] == (plan.trunk is not None)
    assert checked["JoinTrunkPass"] == (plan.whole is not None)


def test_conditions_are_checked_when_a_foreign_file_is_adopted(checked: Counter[str]) -> None:
    adopt(graph("[d] y = Dropout(x, half, on)", opset=13), "m", "m", "0", activate_dropout=False)
    assert checked.keys() == {
        *("ShortDomainPass", "OpsetPass", "InferShapesPass", "UniqueNamesPass"),
        *("ConditionalsPass", "FixedShapesPass", "FeatureDropoutPass", "OwnSwitchesPass"),
        *("StandardDrawsPass", "RemoveUnreadPass"),
    }


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(body=bodies())
def test_plans_of_random_graphs_are_valid_and_have_no_draws(
    tmp_path_factory: pytest.TempPathFactory, body: str
) -> None:
    x, yz = "float[batch, 3, 4] x", "float[batch, 3, 4] y, float[batch, 3, 4] z"
    path = tmp_path_factory.getbasetemp() / "random.onnx"
    onnx.save(ir.to_proto(graph(body, CONSTANTS, x, yz)), path)
    artifact = read_artifact(path)
    for layout in Layout:
        try:
            plan = compile_plan(artifact, layout)
        except LayoutError:
            continue
        for part in filter(None, (plan.trunk, plan.tail, plan.whole, plan.shapes)):
            model = onnx.load_model_from_string(part)
            onnx.checker.check_model(model)
            assert part is plan.shapes or not any_drawing(ir.from_proto(model).graph)
