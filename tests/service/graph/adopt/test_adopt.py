"""Foreign files are converted to the form of an artifact; some were written by PyTorch."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from service.errors import ArtifactError
from service.graph.adopt import Adopted, adopt
from service.graph.artifact import find_sites
from tests.conftest import ROOT, SIGMAS
from tests.service.graph.adopt.foreign import ONES, adopted, graph, run, sites

TORCH = ROOT / "tests" / "data" / "torch"
ALIVE = "[d] y = Dropout(x, half, on)"


def test_adopt_reads_the_manifest_from_the_graph() -> None:
    model = graph(
        "[d] h = Dropout(x, half, on) n = RandomNormalLike(h) y = Add(h, n) z = Cast<to = 11>(k)",
        inputs="float[batch, 4] x, int64[batch, words] k",
        outputs="float[batch, 4] y, double[batch, words] z",
    )
    result = adopted(model)
    manifest = result.manifest
    assert [(i.name, i.dtype, i.shape, i.example) for i in manifest.inputs] == [
        ("x", "float32", (None, 4), None),
        ("k", "int64", (None, None), None),
    ]
    assert [(o.name, o.dtype, o.shape, o.stochastic) for o in manifest.outputs] == [
        ("y", "float32", (None, 4), True),
        ("z", "float64", (None, None), False),
    ]
    assert [(s.name, s.layer, s.kind, s.shape, s.dtype) for s in manifest.sites] == [
        ("d", "d", "dropout", (None, 4), "float32"),
        ("n", "n", "normal", (None, 4), "float32"),
    ]
    assert (manifest.task, manifest.tools) == ("other", {"hand": "1.2"})
    assert manifest.source.sha256 == "0" * 64
    assert (result.has_off, result.fixed_rows) == (False, None)
    assert list(find_sites(result.model, manifest, "m")) == list(manifest.sites)


def test_adopt_does_not_change_the_model() -> None:
    model = graph(ALIVE, inputs="float[batch, 4] x, bool on", constants="float half = {0.5}")
    before = ir.to_proto(model).SerializeToString(deterministic=True)
    adopted(model)
    assert ir.to_proto(model).SerializeToString(deterministic=True) == before


def test_adopt_of_an_artifact_without_its_manifest(digits_path: Path) -> None:
    result = adopted(ir.from_proto(onnx.load(digits_path)))
    names = [site.layer for site in result.manifest.sites]
    assert names == ["drop_maps", "drop_features", "drop_hidden"]
    again = adopted(result.model)
    assert again.manifest == result.manifest


def test_every_random_node_gets_a_unique_name() -> None:
    body = "a = Dropout(x, half, on) [a] b = Dropout(a, half, on) [a] y = Dropout(b, half, on)"
    assert list(sites(adopted(graph(body)))) == ["a", "a_2", "a_3"]


def test_new_nodes_avoid_names_of_the_file() -> None:
    model = graph(
        "h = Dropout(x, half, on) training = Dropout(h, half, on) "
        "[d] y = Dropout(training, half, on)"
    )
    model.graph[0].name, model.graph[1].name = "training/on", "d/live_rate"
    result = adopted(model)
    assert list(sites(result)) == ["training/on", "d/live_rate", "d"]
    np.testing.assert_array_equal(run(result, training=False)["y"], ONES)


def test_functions_are_inlined() -> None:
    function = '<domain: "own", opset_import: ["": 18]> drop (v, on) => (w) '
    function += "{ r = Constant<value_float = 0.25>() [d] w = Dropout(v, r, on) }"
    result = adopted(graph("h = own.drop(x, on) y = own.drop(h, on)", functions=function))
    assert sites(result) == {"d": ("dropout", 0.25), "d_2": ("dropout", 0.25)}
    assert not result.model.functions


def test_unused_functions_are_removed() -> None:
    function = '<domain: "own", opset_import: ["": 18]> twice (v) => (w) { w = Add(v, v) }'
    result = adopted(graph("[d] y = Dropout(x, half, on)", functions=function))
    assert sites(result) == {"d": ("dropout", 0.5)}
    assert not result.model.functions


@pytest.mark.parametrize("opset", [13, 17, 18, 20])
def test_opset_is_18_or_above(opset: int) -> None:
    body = f"[d] h = Dropout(x, half, on) y = {'ReduceMax' if opset > 17 else 'ReduceMean'}"
    body += "<keepdims = 1>(h)"
    result = adopted(graph(body, opset=opset, outputs="float[one, one] y"))
    assert result.model.opset_imports[""] == max(opset, 18)
    assert run(result, training=False)["y"] == 1


def test_opset_by_its_full_name() -> None:
    model = ir.to_proto(graph(ALIVE, opset=13))
    model.opset_import[0].domain = "ai.onnx"
    assert adopted(ir.from_proto(model)).model.opset_imports == {"": 18}


def test_opset_that_cannot_be_converted_is_refused() -> None:
    model = graph("[d] y = Dropout<is_test = 0, ratio = 0.5>(x)", opset=6, ir_version=3)
    with pytest.raises(ArtifactError, match=r"opset 6, and cannot be converted to 18: .*is_test"):
        adopted(model)


def test_initializers_are_not_inputs() -> None:
    inputs = "float[batch, 4] x, float half, bool on"
    result = adopted(graph(ALIVE, inputs=inputs, ir_version=3, opset=12))
    assert [value.name for value in result.model.graph.inputs] == ["x", "training"]
    assert sites(result) == {"d": ("dropout", 0.5)}


@pytest.mark.parametrize("training_mode", [0, 1])
def test_normalization_in_training_mode_is_refused(training_mode: int) -> None:
    body = "[d] h = Dropout(x, half, on) [norm] y{} = BatchNormalization{}(h, s, s, s, s)"
    outputs, attribute = (", m, v", "<training_mode = 1>") if training_mode else ("", "")
    constants = "bool on = {1}, float half = {0.5}, float[4] s = {1, 1, 1, 1}"
    model = graph(body.format(outputs, attribute), constants)
    if training_mode:
        with pytest.raises(ArtifactError, match="'norm' is in training mode, where it mixes"):
            adopted(model)
    else:
        assert list(sites(adopted(model))) == ["d"]


def test_old_normalization_in_training_mode_is_refused() -> None:
    body = "[norm] y, m, v, sm, sv = BatchNormalization(x, s, s, s, s)"
    with pytest.raises(ArtifactError, match="BatchNormalization 'norm' is in training mode"):
        adopted(graph(body, "float[4] s = {1, 1, 1, 1}", opset=11))


def test_file_with_a_fixed_batch() -> None:
    both = "float[3, 4] x, float[{}, 4] k"
    body = "[d] h = Dropout(x, half, on) y = Add(h, k)"
    result = adopted(graph(body, inputs=both.format(3), outputs="float[3, 4] y"))
    assert result.fixed_rows == 3
    assert [spec.shape for spec in result.manifest.inputs] == [(None, 4), (None, 4)]
    for other in ("1", "batch"):
        with pytest.raises(ArtifactError, match=r"fixes the size of axis 0.*differently.*'x': 3"):
            adopted(graph(body, inputs=both.format(other), outputs="float[3, 4] y"))


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ("float[batch, 4] x, float t", "float[batch, 4] y", "input 't' has no axis in the file"),
        ("float[batch, 4] x, float[] t", "float[batch, 4] y", "input 't' has no shape in the f"),
        (
            "float[batch, 4] x, complex64[batch] t",
            "float[batch, 4] y",
            "input 't' is of complex64.* one of bool, float16, float32",
        ),
        (
            "float[batch, 4] x, seq(float[batch]) t",
            "float[batch, 4] y",
            "input 't' is no tensor, but Sequence",
        ),
        ("float[batch, 4] x, float[batch] training", "float[batch, 4] y", "calls an input that "),
        ("float[batch, 4] x", "float[batch, 4] y, bool[batch, 4] b", "output 'b' is of bool"),
        ("float[batch, 4] x", "float[batch, 4] y, float s", "output 's' has no axis"),
    ],
)
def test_inputs_without_rows_of_numbers_are_refused(
    inputs: str, outputs: str, message: str
) -> None:
    body = f"{ALIVE} b = Greater(x, half) s = ReduceSum<keepdims = 0>(x)"
    with pytest.raises(ArtifactError, match=message):
        adopted(graph(body, inputs=inputs, outputs=outputs))


def test_scalar_bool_input_named_training_is_the_switch() -> None:
    body = "n = RandomNormalLike(x) h = Add(x, n) y = Where(training, h, x)"
    result = adopted(graph(body, inputs="bool training, float[batch, 4] x"))
    assert [value.name for value in result.model.graph.inputs] == ["x", "training"]
    np.testing.assert_array_equal(run(result, training=False)["y"], ONES)


def test_file_without_draws_is_refused() -> None:
    with pytest.raises(ArtifactError, match=r"no random node.*PRESERVE.*mcdropout export"):
        adopted(graph("y = Identity(x)"))
    body = "[a] p = Dropout(x) [b] q = Dropout(p) [c] r = Dropout(q) [d] y = Dropout(r)"
    message = r"4 Dropout nodes, off in the file.*'a', 'b', 'c', …\. .*--activate-dropout"
    with pytest.raises(ArtifactError, match=message) as raised:
        adopted(graph(body))
    assert "MCDROPOUT_ACTIVATE_DROPOUT=true" in str(raised.value)
    with pytest.raises(ArtifactError, match="no random node"):
        adopted(graph("unread = Dropout(x, half, on) y = Identity(x)"))


def test_unknown_operators_hide_shapes_only() -> None:
    model = ir.to_proto(
        graph(f"h = Relu(x) {ALIVE.replace('x', 'h')}", outputs="float[batch, 4] y")
    )
    model.graph.node[0].domain, model.graph.node[0].op_type = "com.microsoft", "Gelu"
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    result = adopted(ir.from_proto(model))
    (site,) = result.manifest.sites
    assert (site.shape, site.dtype) == ((None,), "float32")


def test_weights_in_another_file_are_refused() -> None:
    tensor = ir.ExternalTensor("m.data", 0, 4, ir.DataType.FLOAT, name="half", shape=ir.Shape([]))
    model = graph(ALIVE)
    model.graph.initializers["half"].const_value = tensor
    with pytest.raises(ArtifactError, match=r"weights in another file, 'm\.data'.*external_data=F"):
        adopt(model, "m.onnx", "m", "0", activate_dropout=False)


#: Rates of the sites, in order, and the number of dropouts that are off in the file.
EXPORTS: dict[str, tuple[list[float], int]] = {
    "mlp_legacy": ([0.5, 0.3], 0),
    "mlp_legacy_opset11": ([], 2),
    "mlp_dynamo": ([0.5, 0.3], 0),
    "cnn_fixed_batch": ([0.25, 0.5], 0),
    "cnn_dynamo": ([0.25, 0.5], 0),
    "lstm_legacy": ([0.4], 0),
    "lstm_dynamo": ([0.4], 0),
    "encoder_legacy": ([0.1] * 3, 1),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_pytorch_export_has_the_outputs_of_pytorch(name: str) -> None:
    rates, dead = EXPORTS[name]
    model = ir.load(TORCH / f"{name}.onnx")
    result = adopted(model, activate=not rates)
    if rates:
        assert [site.rate for site in result.manifest.sites] == rates
        assert len(result.dead) == dead
    assert result.has_off
    assert result.fixed_rows == (1 if name == "cnn_fixed_batch" else None)
    facts = np.load(TORCH / f"{name}.npz")
    x, y_eval = (facts[key][: result.fixed_rows] for key in ("x", "y_eval"))
    np.testing.assert_allclose(run(result, training=False, x=x)["y"], y_eval, atol=1e-5)
    first, second = (run(result, training=True, x=x)["y"] for _ in range(2))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("name", [name for name in EXPORTS if name != "cnn_fixed_batch"])
def test_pytorch_export_has_the_moments_of_pytorch(name: str) -> None:
    # With dropout that is active in PyTorch but off in its export, such as in attention.
    result = adopted(ir.load(TORCH / f"{name}.onnx"), activate=True)
    _assert_same_moments(result, name, "")


def test_pytorch_attention_has_the_moments_of_its_export() -> None:
    result = adopted(ir.load(TORCH / "encoder_legacy.onnx"))
    assert result.dead == ("/layers.0/self_attn/Dropout",)
    _assert_same_moments(result, "encoder_legacy", "_as_exported")


def _assert_same_moments(result: Adopted, name: str, which: str) -> None:
    """Compare mean and variance over passes with PyTorch's, within their standard errors."""
    facts = np.load(TORCH / f"{name}.npz")
    passes, x = int(facts["mc_passes"]), facts["x"][:2]
    y = run(result, training=True, x=np.tile(x, (passes, *[1] * (x.ndim - 1))))["y"]
    y = y.reshape(passes, 2, *y.shape[1:]).astype(np.float64)
    mean, variance = facts[f"mc_mean{which}"], facts[f"mc_variance{which}"]
    fourth = ((y - y.mean(0)) ** 4).mean(0)
    assert (np.abs(y.mean(0) - mean) < SIGMAS * np.sqrt(2 * variance / passes)).all()
    error = np.sqrt(2 * (fourth - variance**2) / passes)
    assert (np.abs(y.var(0, ddof=1) - variance) < SIGMAS * error).all()


def test_pytorch_export_in_eval_mode_has_no_dropout() -> None:
    for activate in (False, True):
        with pytest.raises(
            ArtifactError, match="has no random node: it was exported for inference"
        ):
            adopted(ir.load(TORCH / "mlp_legacy_eval.onnx"), activate)
