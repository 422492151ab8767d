"""A layer with custom noise can be switched off alone, like a dropout."""

from pathlib import Path

import numpy as np
import pytest

from service import Predictor
from service.errors import InputError
from tests.service.reference import loaded, save

X = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
CONSTANTS = "bool on = {1}, float half = {0.5}, float two = {2}, float tenth = {0.1}"
TENSOR = "float[batch, 4]"
#: A custom mask, a Gaussian noise and a dropout, one after the other.
LAYERS = (
    "[own] u = RandomUniformLike(x) k = Less(u, half) c = Cast <to = 1> (k) a1 = Mul(x, c) "
    "a2 = Mul(a1, two) a = Where(training, a2, x) "
    "[noise] n = RandomNormalLike(a) m = Mul(n, tenth) b1 = Add(a, m) b = Where(training, b1, a) "
    "[drop] y = Dropout(b, half, training)"
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    path = tmp_path_factory.mktemp("switches") / "model.onnx"
    save(LAYERS, path, CONSTANTS, f"{TENSOR} x, bool training", f"{TENSOR} y")
    return loaded(path)[1]


@pytest.mark.parametrize(
    ("sites", "variance"),
    [
        (["own"], X**2),
        (["drop"], X**2),
        (["noise"], np.full_like(X, 0.01)),
        (["own", "drop"], 3 * X**2),  # E m₁² E m₂² - 1, each E m² being 2
        (["own", "noise"], X**2 + 0.01),
    ],
)
def test_only_the_named_layers_draw(
    model: Predictor, sites: list[str], variance: np.ndarray
) -> None:
    found = model.predict(X, passes=40_000, seed=7, sites=sites)
    np.testing.assert_allclose(found.variance, variance, rtol=0.06)
    np.testing.assert_allclose(found.mean, X, atol=6 * np.sqrt(variance.max() / 40_000))


def test_each_layer_has_its_own_switch(model: Predictor) -> None:
    switched = [sorted(switch.sites) for switch in model.planned.sampler.plan.switches]
    assert switched == [["own"], ["noise"]]


def test_a_site_without_a_switch_cannot_be_left_out(tmp_path: Path) -> None:
    body = (
        "[own] u = RandomUniformLike(x) k = Less(u, half) c = Cast <to = 1> (k) a = Mul(x, c) "
        "[drop] y = Dropout(a, half, on)"
    )
    path = save(body, tmp_path / "model.onnx", CONSTANTS, f"{TENSOR} x", f"{TENSOR} y")
    _, model = loaded(path)
    with pytest.raises(InputError, match=r"leaves out 'own', .*its file has no switch for it"):
        model.predict(X, sites=["drop"])
    with pytest.raises(InputError, match=r"no output without random numbers"):
        model.predict_deterministic(X)
    assert model.proof.off_difference is None
