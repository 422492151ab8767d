"""Models that cannot be split into trunk and tail, and their layouts."""

from pathlib import Path

import numpy as np
import pytest

from service import load_model
from service.errors import ArtifactError, ProofError
from service.graph.plan import Layout
from service.inference.options import Limits
from service.inference.runner import Draws
from tests.conftest import SIGMAS
from tests.service.reference import loaded, own_samples, save

W = (
    "float[4, 4] w = {0.9, -0.3, 0.2, 0.1, 0.4, 0.8, -0.5, 0.3, -0.2, 0.6, 0.7, -0.4, 0.1, 0.2, "
    "-0.6, 0.9}"
)
ON = f"{W}, bool on = {{1}}, float half = {{0.5}}, float third = {{0.3}}"
X = np.random.default_rng(0).standard_normal((5, 3, 4)).astype(np.float32)


def check(path: Path, layout: Layout, x: np.ndarray = X, masks: str = "shared") -> None:
    """Check that the model is sampled by `layout`, and that its samples are right."""
    artifact, model = loaded(path)
    assert model.planned.report.layout is layout
    draws = Draws(seed=7, masks=masks)  # type: ignore[arg-type]
    found = model.sampler.sample({"x": x}, 4, draws)
    wanted = own_samples(artifact, {"x": x}, 4, 7, per_row=masks == "per_row")
    np.testing.assert_allclose(found["y"], wanted["y"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("masks", ["shared", "per_row"])
def test_trunk_is_cut_before_a_time_major_axis(tmp_path: Path, masks: str) -> None:
    """Lengths are dynamic, so only a run of the trunk shows that axis 0 is not the batch."""
    body = (
        "a = MatMul(x, w) b = Transpose <perm = [1, 0, 2]> (a) c = Relu(b) "
        "[d] e = Dropout(c, half, on) f = Add(e, c) y = Transpose <perm = [1, 0, 2]> (f)"
    )
    shape = "float[batch, time, 4]"
    path = save(body, tmp_path / "model.onnx", ON, f"{shape} x", f"{shape} y")
    check(path, Layout.SPLIT, masks=masks)
    _, model = loaded(path)
    assert model.planned.report.frontier == ["a"]
    np.testing.assert_allclose(model.predict(X[:, :2]).mean.shape, (5, 2, 4))


def test_batch_and_time_merged_into_one_axis(tmp_path: Path) -> None:
    body = (
        "s = Shape(x) a = Reshape(x, m) b = MatMul(a, w) [d] c = Dropout(b, half, on) "
        "e = MatMul(c, w) y = Reshape(e, s)"
    )
    constants = f"{ON}, int64[2] m = {{-1, 4}}"
    shape = "float[batch, time, 4]"
    path = save(body, tmp_path / "model.onnx", constants, f"{shape} x", f"{shape} y")
    check(path, Layout.SPLIT)
    check(path, Layout.SPLIT, masks="per_row")


def test_batch_fixed_in_the_inputs_only_is_made_dynamic(tmp_path: Path) -> None:
    body = "a = MatMul(x, w) [d] b = Dropout(a, half, on) y = MatMul(b, w)"
    shape = "float[1, 3, 4]"
    check(save(body, tmp_path / "model.onnx", ON, f"{shape} x", f"{shape} y"), Layout.SPLIT)


def test_batch_fixed_in_the_graph_is_run_serially(tmp_path: Path) -> None:
    """An export without dynamic axes writes a Reshape for one row, which takes no other number."""
    body = (
        "a = MatMul(x, w) r = Reshape(a, one) [d] b = Dropout(r, half, on) c = Reshape(b, back) "
        "y = MatMul(c, w)"
    )
    constants = f"{ON}, int64[2] one = {{1, 12}}, int64[3] back = {{1, 3, 4}}"
    shape = "float[1, 3, 4]"
    path = save(body, tmp_path / "model.onnx", constants, f"{shape} x", f"{shape} y")
    check(path, Layout.SERIAL)
    check(path, Layout.SERIAL, masks="per_row")
    _, model = loaded(path)
    assert set(model.planned.report.rejected) == {Layout.SPLIT, Layout.TILED, Layout.BY_PASS}
    assert "the plan cannot run" in model.planned.report.rejected[Layout.SPLIT]


def test_fixed_batch_of_four_is_padded(tmp_path: Path) -> None:
    body = (
        "a = MatMul(x, w) r = Reshape(a, four) [d] b = Dropout(r, half, on) "
        "c = Reshape(b, back) y = MatMul(c, w)"
    )
    constants = f"{ON}, int64[2] four = {{4, 12}}, int64[3] back = {{4, 3, 4}}"
    shape = "float[4, 3, 4]"
    path = save(body, tmp_path / "model.onnx", constants, f"{shape} x", f"{shape} y")
    _, model = loaded(path)
    assert model.planned.report.layout is Layout.SERIAL
    together = model.predict(X, passes=10, seed=7)
    alone = np.concatenate([model.predict(row[None], passes=10, seed=7).mean for row in X])
    assert together.mean.shape == (5, 3, 4)
    np.testing.assert_allclose(together.mean, alone, rtol=1e-5)


def test_site_that_requires_one_pass_per_run(tmp_path: Path) -> None:
    """Time and batch are merged with time first: a row's draws are not contiguous in the axis."""
    body = (
        "b = Transpose <perm = [1, 0, 2]> (x) a = Reshape(b, m) [d] c = Dropout(a, half, on) "
        "e = MatMul(c, w) f = Reshape(e, s) y = Transpose <perm = [1, 0, 2]> (f)"
    )
    constants = f"{ON}, int64[2] m = {{-1, 4}}, int64[3] s = {{3, -1, 4}}"
    shape = "float[batch, 3, 4]"
    check(save(body, tmp_path / "model.onnx", constants, f"{shape} x", f"{shape} y"), Layout.SERIAL)


ONE_FOR_ALL = {
    "the first row's normals": (1.0, "n = RandomNormalLike(x) f = Gather<axis = 0>(n, first)"),
    "one normal": (
        1.0,
        "n = RandomNormalLike(x) a = Gather<axis = 0>(n, first) f = Gather<axis = 0>(a, first)",
    ),
    # So rare that a few passes need not show it.
    "a rare coin": (
        0.02,
        "u = RandomUniformLike(x) a = Gather<axis = 0>(u, first) b = Less(a, low) "
        "f = Cast<to = 1>(b)",
    ),
    "the first row's mask": (
        1.5,
        "zero = Sub(x, x) one = Exp(zero) [e] m = Dropout(one, third, on) "
        "f = Gather<axis = 0>(m, first)",
    ),
}


@pytest.mark.parametrize("name", ONE_FOR_ALL)
def test_draw_with_one_element_used_for_the_whole_batch(tmp_path: Path, name: str) -> None:
    """y = x m f with E f² = `square`; together with other passes, f would be that of the first."""
    square, factor = ONE_FOR_ALL[name]
    body = f"{factor} [d] h = Dropout(x, half, on) y = Mul(h, f)"
    constants = f"{ON.replace('0.3}', '0.33333333}')}, int64 first = {{0}}, float low = {{0.02}}"
    path = save(body, tmp_path / "model.onnx", constants, "float[batch, 4] x", "float[batch, 4] y")
    _, model = loaded(path)
    assert model.planned.report.layout is Layout.BY_PASS
    x, passes = np.ones((1, 4), np.float32), 4000
    samples = model.sampler.sample({"x": x}, passes, Draws(seed=1))["y"].astype(np.float64)
    error = (samples**2).std(axis=0) / np.sqrt(passes)
    assert (np.abs((samples**2).mean(axis=0) - 2 * square) < SIGMAS * error).all()


def test_model_that_mixes_rows_is_refused(tmp_path: Path) -> None:
    body = (
        "a = MatMul(x, w) [d] b = Dropout(a, half, on) c = ReduceMean <keepdims = 1> (b, zero) "
        "y = Sub(b, c)"
    )
    constants = f"{ON}, int64[1] zero = {{0}}"
    shape = "float[batch, 3, 4]"
    path = save(body, tmp_path / "model.onnx", constants, f"{shape} x", f"{shape} y")
    with pytest.raises(ProofError, match=r"mixes the rows of its batch|differs from the artifact"):
        loaded(path)


def test_site_in_a_loop_is_refused_by_name(tmp_path: Path) -> None:
    body = (
        "y = Loop (n, on, x) <body = b (int64 i, bool c, float[batch, 3, 4] s) "
        "=> (bool k, float[batch, 3, 4] t) { k = Identity(c) [inside] t = Dropout(s, half, on) }>"
    )
    constants = f"{ON}, int64 n = {{3}}"
    shape = "float[batch, 3, 4]"
    path = save(body, tmp_path / "model.onnx", constants, f"{shape} x", f"{shape} y")
    with pytest.raises(ArtifactError, match=r"'inside' is a site inside a loop .* Loop"):
        loaded(path)


def test_loop_after_a_site_belongs_to_the_tail(tmp_path: Path) -> None:
    """A recurrent layer whose mask is drawn before it: its body reads the mask from outside."""
    body = (
        "a = MatMul(x, w) [d] m = Dropout(a, half, on) y = Loop (n, on, x) "
        "<body = b (int64 i, bool c, float[batch, 3, 4] s) => (bool k, float[batch, 3, 4] t) "
        "{ k = Identity(c) u = MatMul(s, w) t = Add(u, m) }>"
    )
    constants = f"{ON}, int64 n = {{3}}"
    shape = "float[batch, 3, 4]"
    check(save(body, tmp_path / "model.onnx", constants, f"{shape} x", f"{shape} y"), Layout.SPLIT)


WIDEN = "{y}a = Expand({x}, wide) {y}b = Relu({y}a) {y} = ReduceMean <keepdims = 1> ({y}b, last)"


@pytest.mark.parametrize(
    ("body", "samples", "rows"),
    [
        (f"{WIDEN.format(x='x', y='v')} [d] y = Dropout(v, half, on)", 1065, 5),
        (f"[d] v = Dropout(x, half, on) {WIDEN.format(x='v', y='y')}", 5, 5),
    ],
)
def test_memory_limits_the_samples_per_run(
    tmp_path: Path, body: str, samples: int, rows: int
) -> None:
    """Two tensors of 48 kB per row, before or after the site, in half a MiB."""
    constants = f"{ON}, int64[4] wide = {{1, 1, 1, 1000}}, int64[1] last = {{3}}"
    shape = "float[batch, 3, 4, 1]"
    path = save(body, tmp_path / "model.onnx", constants, f"{shape} x", f"{shape} y")
    roomy, tight = (load_model(path, limits=Limits(memory=m << 20)) for m in (512, 1))
    assert roomy.planned.report.rows_at_a_time > 1000
    report = tight.planned.report
    assert (report.samples_per_chunk, report.rows_at_a_time) == (samples, rows)
    x = np.random.default_rng(0).standard_normal((23, 3, 4, 1)).astype(np.float32)
    found, wanted = (m.predict(x, passes=50, seed=7) for m in (tight, roomy))
    np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-5)
    np.testing.assert_allclose(found.variance, wanted.variance, rtol=1e-5)


def test_report_of_the_split(tmp_path: Path) -> None:
    """Of three products of one size, the first is before the site: each pass saves a third."""
    body = "a = MatMul(x, w) [d] b = Dropout(a, half, on) c = MatMul(b, w) y = MatMul(c, w)"
    shape = "float[batch, 3, 4]"
    path = save(body, tmp_path / "model.onnx", ON, f"{shape} x", f"{shape} y")
    report = loaded(path)[1].planned.report
    assert report.trunk_share == pytest.approx(1 / 3)
    assert report.speedup_limit == pytest.approx(100 * 3 / (1 + 100 * 2))
    assert report.floor_ratio == pytest.approx(1 + 100 * 46 * 12 / (48 + 100 * 2 * 48))
    assert report.samples_per_chunk == 4096
    assert 0 < report.seconds < 5


@pytest.mark.parametrize(
    ("drawn", "variance"),
    [
        ("RandomNormal <shape = [4, 4], scale = 0.5>", 0.25),
        ("RandomUniform <shape = [4, 4]>", 1 / 12),
    ],
)
def test_numbers_of_a_fixed_shape_are_drawn_once_per_pass(
    drawn: str, variance: float, tmp_path: Path
) -> None:
    """y = Σ (wᵢ + nᵢ) xᵢ with the same n for all rows: Cov = v Σ xᵢ x'ᵢ."""
    body = f"[n] n = {drawn} () k = Add(w, n) y = MatMul(x, k)"
    shape = "float[batch, 4]"
    path = save(body, tmp_path / "model.onnx", W, f"{shape} x", f"{shape} y")
    _, model = loaded(path)
    assert model.planned.report.layout is Layout.BY_PASS
    x, passes = X[:2, 0], 20_000
    found = model.sampler.sample({"x": x}, passes, Draws(seed=7))["y"]
    wanted = variance * x @ x.T
    error = SIGMAS * wanted.max() * np.sqrt(2 / passes)
    for output in range(4):
        np.testing.assert_allclose(np.cov(found[:, :, output].T), wanted, atol=error)


def test_site_on_zeros_is_reported_as_idle(tmp_path: Path) -> None:
    """As in the first step of an unrolled cell, whose state has a zero for each row."""
    body = (
        "s = Shape <start = 0, end = 1> (x) n = Concat <axis = 0> (s, tail) "
        "z = ConstantOfShape(n) [idle] k = Dropout(z, half, on) a = Add(x, k) "
        "[d] y = Dropout(a, half, on)"
    )
    constants = f"{ON}, int64[1] tail = {{4}}"
    shape = "float[batch, 4]"
    path = save(body, tmp_path / "model.onnx", constants, f"{shape} x", f"{shape} y")
    _, model = loaded(path)
    assert model.proof.site_effects["idle"] == 0.0
    assert model.proof.site_effects["d"] > 0


def test_site_hidden_by_its_data_is_refused(tmp_path: Path) -> None:
    """With other rows, its draws might have an effect."""
    body = (
        "n = Clip(x, low, low) [idle] k = Dropout(n, half, on) a = Add(x, k) "
        "[d] y = Dropout(a, half, on)"
    )
    constants = f"{ON}, float low = {{0}}"
    shape = "float[batch, 4]"
    path = save(body, tmp_path / "model.onnx", constants, f"{shape} x", f"{shape} y")
    with pytest.raises(ProofError, match="'idle' do not reach any output"):
        loaded(path)
