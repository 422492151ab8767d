from pathlib import Path

import pytest

from service.graph.artifact import read_artifact
from service.graph.plan import Layout, compile_plan
from tests.conftest import STORE
from tests.service.reference import save

#: Two sites, and a layer between them.
BEFORE = "[one] a = Dropout(x, third, on) b = Relu(a) [two] c = Dropout(b, third, on)"


def inner_of(
    path: Path, body: str, outputs: str = "y", layout: Layout = Layout.SPLIT
) -> str | None:
    typed = ", ".join(f"float[batch, 8] {name}" for name in outputs.split())
    constants = "float third = {0.3}, bool on = {1}, float two = {2}, int64[2] flat = {-1, 8}"
    file = save(body, path / "model.onnx", constants, "float[batch, 8] x", typed)
    inner = compile_plan(read_artifact(file), layout).inner
    return None if inner is None else inner.name


@pytest.mark.parametrize(("name", "site"), [("digits", "drop_hidden"), ("co2", "drop_5")])
def test_inner_site_of_a_network_is_its_last_dropout(name: str, site: str) -> None:
    inner = compile_plan(read_artifact(STORE / name / "1" / "model.onnx")).inner
    assert inner is not None
    assert inner.name == site


@pytest.mark.parametrize(
    "after",
    [
        "y = Identity(c)",
        "y = Mul(c, two)",
        "d = Shape(c) e = Reshape(c, flat) y = Reshape(e, d)",
        "d = Relu(c) y = Add(c, d)",
    ],
)
def test_site_may_have_several_masks_if_all_behind_it_depends_on_it(
    tmp_path: Path, after: str
) -> None:
    assert inner_of(tmp_path, f"{BEFORE} {after}") == "two"


@pytest.mark.parametrize(
    ("body", "outputs"),
    [
        ("[one] c = Dropout(x, third, on) y = Mul(c, two)", "y"),  # no other site
        (f"{BEFORE} y = Add(c, x)", "y"),  # a shortcut from the input
        (f"{BEFORE} y = Add(c, b)", "y"),  # a shortcut from what another site reaches
        (f"{BEFORE} d = Shape(b) y = Reshape(c, d)", "y"),  # sizes from before it
        (f"{BEFORE} y = Relu(c) z = Neg(a)", "y z"),  # an output that it does not reach
        # two sites beside each other
        ("[one] a = Dropout(x, third, on) [two] b = Dropout(x, third, on) y = Add(a, b)", "y"),
        # noise behind it
        (f"{BEFORE} [n] d = RandomNormalLike(c) y = Add(c, d)", "y"),
    ],
)
def test_no_site_may_have_several_masks_if_something_else_is_read_behind_it(
    tmp_path: Path, body: str, outputs: str
) -> None:
    assert inner_of(tmp_path, body, outputs) is None


@pytest.mark.parametrize("layout", Layout)
def test_passes_that_run_one_at_a_time_have_one_mask(tmp_path: Path, layout: Layout) -> None:
    found = inner_of(tmp_path, f"{BEFORE} y = Relu(c)", layout=layout)
    assert found == (None if layout.one_pass else "two")
