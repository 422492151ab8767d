"""How foreign files draw: what each draw becomes, and which are refused."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.errors import ArtifactError
from tests.conftest import SIGMAS
from tests.service.graph.adopt.foreign import ONES, adopted, graph, run, sites

ALIVE = "[d] y = Dropout(x, half, on)"


def _assert_drops(y: NDArray[Any], rate: float) -> None:
    """Check that `y`, a dropout of ones, has the rate and the scale."""
    np.testing.assert_allclose(y[y != 0], 1 / (1 - rate), rtol=1e-5)
    assert abs(np.mean(y == 0) - rate) < SIGMAS * np.sqrt(rate * (1 - rate) / y.size)


def test_dropout_that_is_always_on_can_be_switched() -> None:
    # Its flag is a constant, so that ONNX Runtime would delete the node.
    result = adopted(graph(ALIVE))
    assert sites(result) == {"d": ("dropout", 0.5)}
    assert result.has_off
    np.testing.assert_array_equal(run(result, training=False)["y"], ONES)
    _assert_drops(run(result, training=True)["y"], 0.5)


@pytest.mark.parametrize(
    ("body", "rate"),
    [
        ("[d] y = Dropout(x, third, on)", 0.3),
        ("r = Constant<value_float = 0.25>() [d] y = Dropout(x, r, on)", 0.25),
        ("r = Cast<to = 1>(wide) s = Identity(r) [d] y = Dropout(x, s, on)", 0.2),
        ("[d] y = Dropout(x, , on)", 0.5),
        ("t = Constant<value_int = 1>() f = Cast<to = 9>(t) [d] y = Dropout(x, half, f)", 0.5),
        ("t = Not(off) [d] y = Dropout<seed = 7>(x, half, t)", 0.5),
    ],
)
def test_ratio_and_mode_are_read_through_casts(body: str, rate: float) -> None:
    constants = "bool on = {1}, bool off = {0}, float half = {0.5}, float third = {0.3}"
    result = adopted(graph(body, f"{constants}, double wide = {{0.2}}"))
    assert sites(result) == {"d": ("dropout", rate)}
    _assert_drops(run(result, training=True)["y"], rate)


@pytest.mark.parametrize("mode", ["", ", off"])
def test_dropout_that_is_off_stays_off_unless_activated(mode: str) -> None:
    constants = "bool on = {1}, bool off = {0}, float half = {0.5}"
    model = graph(f"[a] h = Dropout(x, half{mode}) [d] y = Dropout(h, half, on)", constants)
    result = adopted(model)
    assert list(sites(result)) == ["d"]
    assert result.dead == ("a",)
    _assert_drops(run(result, training=True)["y"], 0.5)
    active = adopted(model, activate=True)
    assert list(sites(active)) == ["a", "d"]
    assert active.dead == ()
    assert np.isin(run(active, training=True)["y"], [0, 4]).all()


def test_old_dropout_is_activated_with_its_ratio() -> None:
    result = adopted(graph("[d] y = Dropout<ratio = 0.2>(x)", opset=11, ir_version=6), True)
    assert sites(result) == {"d": ("dropout", 0.2)}
    assert result.model.opset_imports[""] == 18
    _assert_drops(run(result, training=True)["y"], 0.2)


def test_dropout_of_rate_zero_is_not_a_site() -> None:
    result = adopted(graph("h = Dropout(x, none, on) [d] y = Dropout(h, half, on)",
                           "bool on = {1}, float half = {0.5}, float none = {0}"))  # fmt: skip
    assert list(sites(result)) == ["d"]
    assert result.dead == ()


@pytest.mark.parametrize(
    ("flag", "body"),
    [("train", ""), ("train", "f = Identity(train)"), ("frozen", "f = Not(frozen)")],
)
def test_switch_of_the_file_becomes_training(flag: str, body: str) -> None:
    model = graph(
        f"{body} [d] h = Dropout(x, half, {'f' if body else flag}) "
        f"z = Constant<value_float = 10.0>() k = Where({flag}, z, half) y = Add(h, k)",
        "float half = {0.5}",
        f"float[batch, 4] x, bool {flag}",
    )
    result = adopted(model)
    assert [value.name for value in result.model.graph.inputs] == ["x", "training"]
    assert [spec.name for spec in result.manifest.inputs] == ["x"]
    off, on = (10.0, 0.5) if flag == "frozen" else (0.5, 10.0)
    np.testing.assert_array_equal(run(result, training=False)["y"], ONES + off)
    _assert_drops(run(result, training=True)["y"] - on, 0.5)


def test_contradictory_switches_are_refused() -> None:
    body = "g = Not(t) h = Dropout(x, half, t) [d] y = Dropout(h, half, g)"
    with pytest.raises(ArtifactError, match="'t' switches Dropout 'd' off where it switches"):
        adopted(graph(body, inputs="float[batch, 4] x, bool t"))


@pytest.mark.parametrize(
    "body",
    [
        "[d] h, mask = Dropout(x, half, on) m = Cast<to = 1>(mask) y = Add(h, m)",
        "[d] h, mask = Dropout(x, half) m = Cast<to = 1>(mask) s = Dropout(h, half, on) "
        "y = Add(s, m)",
    ],
)
def test_mask_of_a_dropout_is_right(body: str) -> None:
    result = adopted(graph(body))
    np.testing.assert_array_equal(run(result, training=False)["y"], ONES + 1)
    y = run(result, training=True)["y"]
    both = [0, 3] if "mask = Dropout(x, half, on)" in body else [1, 3]
    assert np.isin(y, both).all()
    assert abs(np.mean(y == 3) - 0.5) < SIGMAS * 0.5 / np.sqrt(y.size)


@pytest.mark.parametrize("of", ["float", "float16", "double"])
@pytest.mark.parametrize(
    ("node", "mean", "deviation"),
    [
        ("RandomUniformLike", 0.5, 12**-0.5),
        ("RandomUniformLike<low = -1.0, high = 3.0, seed = 1.0>", 1.0, 4 * 12**-0.5),
        ("RandomNormalLike", 0.0, 1.0),
        ("RandomNormalLike<mean = 2.0, scale = 0.5>", 2.0, 0.5),
    ],
)
def test_noise_becomes_standard_and_keeps_its_distribution(
    of: str, node: str, mean: float, deviation: float
) -> None:
    x = f"{of}[batch, 4] x"
    result = adopted(graph(f"[n] y = {node}(x)", inputs=x, outputs=f"{of}[batch, 4] y"))
    (site,) = result.manifest.sites
    assert site.dtype == {"float": "float32", "double": "float64"}.get(of, of)
    assert not result.has_off
    (drawn,) = (n for n in result.model.graph if n.op_type.startswith("Random"))
    assert sorted(a.as_float() for a in drawn.attributes.values()) == [0, 1]
    y = run(result, training=True, x=ONES.astype(site.dtype))["y"].astype(np.float64)
    assert abs(y.mean() - mean) < SIGMAS * deviation / np.sqrt(y.size)
    assert abs(y.std() - deviation) < SIGMAS * deviation / np.sqrt(y.size)


def test_noise_of_another_type_than_its_input() -> None:
    body = "[n] z = RandomUniformLike<dtype = 10>(x) y = Cast<to = 1>(z)"
    result = adopted(graph(body, inputs="int64[batch, 4] x"))
    assert [(s.kind, s.dtype) for s in result.manifest.sites] == [("uniform", "float16")]
    assert len(np.unique(run(result, True, x=ONES.astype(np.int64))["y"])) > 100


@pytest.mark.parametrize(("attribute", "of"), [("", "float"), ("<dtype = 7>", "int64")])
def test_bernoulli_becomes_uniform_numbers_below_its_input(attribute: str, of: str) -> None:
    result = adopted(graph(f"[b] y = Bernoulli{attribute}(x)", outputs=f"{of}[batch, 4] y"))
    assert sites(result) == {"b": ("uniform", None)}
    y = run(result, training=True, x=0.3 * ONES)["y"]
    assert y.dtype == {"float": np.float32, "int64": np.int64}[of]
    assert abs(y.mean() - 0.3) < SIGMAS * np.sqrt(0.21 / y.size)


WRITTEN_OUT = """u = RandomUniformLike<low = 0.0, high = 1.0>(x) l = Less(u, keep)
    c = Cast<to = 1>(l) [m] m = Div(c, {divisor}) y = Mul(x, m)"""


def test_dropout_from_basic_operators_gets_a_switch() -> None:
    constants = "float keep = {0.75}, float other = {0.5}"
    result = adopted(graph(WRITTEN_OUT.format(divisor="keep"), constants))
    assert sites(result) == {"m": ("dropout", 0.25)}
    np.testing.assert_array_equal(run(result, training=False)["y"], ONES)
    _assert_drops(run(result, training=True)["y"], 0.25)
    assert not adopted(graph(WRITTEN_OUT.format(divisor="other"), constants)).has_off


#: Bodies whose dropout is switched on by a scalar bool input `t`.
FOLLOWING = [
    "f = And(t, on) [d] y = Dropout(x, half, f)",
    "f = Or(off, t) [d] y = Dropout(x, half, f)",
    "n = Not(t) f = Equal(n, off) [d] y = Dropout(x, half, f)",
    "i = Cast<to = 7>(t) f = Equal(i, one) [d] y = Dropout(x, half, f)",
    "r = Where(t, half, none) [d] y = Dropout(x, r, on)",
    "r = Where(t, half, quarter) [d] y = Dropout(x, r, t)",
    "c = Cast<to = 1>(t) r = Mul(c, half) f = Xor(t, off) [d] y = Dropout(x, r, f)",
]
CONSTANTS = (
    "bool on = {1}, bool off = {0}, int64 one = {1}, float half = {0.5}, float none = {0}, "
    "float quarter = {0.25}, float[1] many = {0.25}, float lone = {1}"
)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("body", FOLLOWING)
def test_switch_is_followed_through_computations_with_constants(body: str, turned: bool) -> None:
    """`turned`: the input is that of Not(t)."""
    body = f"t = Not(own) {body}" if turned else body
    inputs = f"float[batch, 4] x, bool {'own' if turned else 't'}"
    result = adopted(graph(body, CONSTANTS, inputs=inputs))
    assert sites(result) == {"d": ("dropout", 0.5)}
    assert [value.name for value in result.model.graph.inputs] == ["x", "training"]
    np.testing.assert_array_equal(run(result, training=False)["y"], ONES)
    _assert_drops(run(result, training=True)["y"], 0.5)


@pytest.mark.parametrize(
    "body",
    [
        "r = Sub(half, quarter) [d] y = Dropout(x, r, on)",
        "k = Constant<value_float = 0.75>() q = Neg(k) r = Add(q, lone) [d] y = Dropout(x, r, on)",
        "r = Squeeze(many) [d] y = Dropout(x, r, on)",
        "t = Not(on) r = Where(t, half, quarter) f = Or(t, on) [d] y = Dropout(x, r, f)",
    ],
)
def test_ratio_may_be_computed_from_constants(body: str) -> None:
    result = adopted(graph(body, CONSTANTS))
    assert sites(result) == {"d": ("dropout", 0.25)}
    _assert_drops(run(result, training=True)["y"], 0.25)


@pytest.mark.parametrize(
    ("body", "inputs", "message"),
    [
        ("[d] y = Dropout(x, p, on)", "float p", "the ratio of Dropout 'd' is the input 'p'"),
        ("f = And(a, b) [d] y = Dropout(x, half, f)", "bool a, bool b", "the inputs 'a' and 'b'"),
        ("r = Where(t, half, quarter) [d] y = Dropout(x, r, on)", "bool t", "has several rates"),
        ("f = Cast<to = 9>(i) [d] y = Dropout(x, half, f)", "int64 i", "Cast 'f' from the input"),
    ],
)
def test_dropout_with_several_switches_is_refused(body: str, inputs: str, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        adopted(graph(body, CONSTANTS, inputs=f"float[batch, 4] x, {inputs}"))


REFUSED = [
    ("[d] y = Dropout(x, one, on)", r"Dropout 'd' has ratio 1\.0\. It has to be .* below 1"),
    (
        "r = ReduceMean<keepdims = 0>(x) [d] y = Dropout(x, r, on)",
        "the ratio of Dropout 'd' is computed by ReduceMean 'r' from the input 'x'",
    ),
    ("[d] y = Dropout(x, two, on)", "the ratio of Dropout 'd' is of shape .2,. and float32"),
    (
        "z = ReduceSum<keepdims = 0>(x) [g] f = Greater(z, one) [d] y = Dropout(x, half, f)",
        "training_mode of Dropout 'd' is computed by Greater 'g'",
    ),
    (
        "[n] r = Multinomial<sample_size = 4>(x) y = Cast<to = 1>(r)",
        "Multinomial 'n' .* Give out the probabilities",
    ),
    ("[n] b = RandomUniformLike<dtype = 16>(x) y = Cast<to = 1>(b)", "'n' draws bfloat16.* float3"),
    (
        "c = ReduceSum<keepdims = 0>(x) b = Greater(c, one) [branch] y = If(b) <"
        "then_branch = a () => (float[batch, 4] u) { [d] u = Dropout(x, half, on) }, "
        "else_branch = b () => (float[batch, 4] v) { v = Identity(x) }>",
        "Dropout 'd' is a site inside a loop or branch, in the body of If 'branch'",
    ),
]


@pytest.mark.parametrize(("body", "message"), REFUSED)
def test_unsupported_draws_are_refused_by_name(body: str, message: str) -> None:
    constants = "bool on = {1}, float half = {0.5}, float one = {1}, float[2] two = {0.5, 0.5}"
    with pytest.raises(ArtifactError, match=rf"^m\.onnx: .*{message}"):
        adopted(graph(body, constants))


def test_inactive_dropout_inside_a_branch_is_removed() -> None:
    body = (
        "h = Dropout(x, half, on) c = ReduceSum<keepdims = 0>(x) b = Greater(c, half) y = If(b) <"
        "then_branch = a () => (float[batch, 4] u) { [d] u = Dropout(h, half) }, "
        "else_branch = b () => (float[batch, 4] v) { v = Identity(h) }>"
    )
    result = adopted(graph(body))
    assert result.dead == ("d",)
    _assert_drops(run(result, training=True)["y"], 0.5)
