"""Single sigmoids, several outputs, sequences and labels: what counts as a prediction."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss

from mcdropout import calibrate, evaluate
from service.annotations import Annotations
from service.errors import InputError
from service.evaluation.document import Estimate
from service.evaluation.scores import score_set
from service.inference.load import load_model
from tests.service.fitting.fitted_models import rows, saved
from tests.service.graph.adopt.foreign import graph

Array = NDArray[Any]

CONSTANTS = "bool on = {1}, float rate = {0.3}, int64[1] axis = {1}, float two = {2}"
QUICK: dict[str, Any] = {"passes": [30], "rate_scales": [], "masks": ["shared"], "resamples": 40}


def value(estimate: Estimate | None) -> float:
    assert estimate is not None
    assert estimate.value is not None
    return estimate.value


@pytest.fixture(scope="module")
def sigmoid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The probability of "yes"."""
    body = "d = Dropout(x, rate, on) s = ReduceSum(d, axis) y = Sigmoid(s)"
    model = graph(body, CONSTANTS, "float[batch, 4] x", "float[batch, 1] y")
    said = Annotations(task="classification", labels=("no", "yes"), passes=50)
    return saved(tmp_path_factory.mktemp("sigmoid"), model, said)


@pytest.fixture(scope="module")
def sequences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class for each of three steps, and twice its logits beside it."""
    body = "d = Dropout(x, rate, on) y = Softmax <axis = 2> (d) e = Mul(d, two) z = Softmax(e)"
    model = graph(
        *(body, CONSTANTS, "float[batch, 3, 4] x"), "float[batch, 3, 4] y, float[batch, 3, 4] z"
    )
    said = Annotations(task="classification", labels=tuple("abcd"), passes=50)
    return saved(tmp_path_factory.mktemp("sequences"), model, said)


def drawn(p: Array, seed: int) -> Array:
    """Indices of classes from (…, C) probabilities."""
    places = np.random.default_rng(seed).random((*p.shape[:-1], 1))
    return np.asarray((p.cumsum(axis=-1) < places).sum(axis=-1).clip(max=p.shape[-1] - 1))


def test_single_sigmoid_is_a_classification_of_two_classes(sigmoid: Path) -> None:
    x = rows(300, 4, 1)
    model = load_model(sigmoid)
    p = model.predict(x, 30, 0).mean[:, 0]
    y = (np.random.default_rng(2).random(300) < p).astype(int)
    found = evaluate(sigmoid, (x, y), **QUICK).result()
    wanted = {
        "accuracy": accuracy_score(y, p > 0.5),
        "nll": log_loss(y, p),
        "brier": 2 * brier_score_loss(y, p),
    }
    assert {n: found.metrics[n].value for n in wanted} == pytest.approx(wanted, rel=1e-6)
    named = evaluate(sigmoid, (x, np.array(["no", "yes"])[y]), **QUICK).result()
    assert named.metrics == found.metrics


def test_sets_of_a_single_sigmoid_are_of_its_two_classes(sigmoid: Path, tmp_path: Path) -> None:
    x, y = rows(600, 4, 3), np.random.default_rng(4).random(600)
    labels = (y < load_model(sigmoid).predict(x, 50, 0).mean[:, 0]).astype(int)
    path = tmp_path / "model.onnx"
    path.write_bytes(sigmoid.read_bytes())
    calibrate(path, x[:300], labels[:300], coverage=0.8, coverages=(0.9,)).save()
    found = evaluate(path, (x[300:], labels[300:]), **QUICK).calibrated
    assert found is not None
    answers = load_model(path).predict(x[300:], 50, 0, masks="per_row")  # as it was calibrated
    sets = answers.measures["prediction_set"]
    assert sets.shape == (300, 2)
    held = sets[np.arange(300), labels[300:]]
    assert value(found.sets[0].coverage) == pytest.approx(held.mean())
    assert found.sets[0].least is not None
    assert found.sets[0].least.name in ("no", "yes")
    assert found.acceptance is not None
    assert value(found.acceptance.share) == pytest.approx(answers.measures["accept"].mean())


def test_one_of_several_outputs_is_evaluated(sequences: Path) -> None:
    x = rows(120, 12, 5).reshape(40, 3, 12)[..., :4]
    predicted = load_model(sequences).predict(x, 30, 0)
    y = drawn(predicted["y"].mean, 6)
    with pytest.raises(InputError, match="several outputs: name one of"):
        evaluate(sequences, (x, y), **QUICK)
    for name in "yz":
        found = evaluate(sequences, (x, y), output=name, **QUICK)
        p = predicted[name].mean.reshape(-1, 4)
        p /= p.sum(axis=1, keepdims=True)  # float32 rounds
        assert found.model.output == name
        assert value(found.result().metrics["nll"]) == pytest.approx(
            log_loss(y.ravel(), p, labels=range(4)), rel=1e-6
        )


def test_each_step_of_a_sequence_counts_and_rows_are_resampled(sequences: Path) -> None:
    """Steps that are copies of each other say as much as one of them."""
    one = rows(50, 4, 7)[:, None]
    off = load_model(sequences).predict_deterministic(one.repeat(3, axis=1))["y"]
    y = drawn(off, 8)
    y[:, 1:] = y[:, :1]
    found = evaluate(sequences, (one.repeat(3, axis=1), y), output="y", **QUICK)
    metrics = found.result("deterministic").metrics
    assert metrics["accuracy"] == metrics["exact_match"]
    assert value(metrics["accuracy"]) == pytest.approx((off.argmax(axis=2) == y).mean())
    reliability = found.result().reliability
    assert reliability is not None
    assert sum(one.rows for one in reliability.equal_width) == 150


def test_set_of_each_step_holds_its_class() -> None:
    inside = np.array([[[1, 0], [1, 1]], [[0, 0], [0, 1]]], bool)
    found = score_set(inside, np.array([[0, 1], [1, 0]]))
    assert found.held.tolist() == [[True, True], [False, False]]
    assert found.size.tolist() == [[1, 2], [0, 1]]
    assert found.target.tolist() == [[0, 1], [1, 0]]
