"""Models whose sidecar comes, changes and goes while they serve."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from service.errors import LoadError
from service.repository.registry import Repository, State
from tests.service.graph.adopt.foreign import graph
from tests.service.repository.folders import place, repository, states

X = np.ones((1, 4), np.float32)
LABELS = ["a", "b", "c", "d"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A model of logits, as another framework might write it."""
    model = ir.to_proto(graph("[d] h = Dropout(x, half, on) y = Relu(h)"))
    return place(tmp_path, "digits", 1, model.SerializeToString())


def say(path: Path, **said: Any) -> Path:
    sidecar = path.with_name("model.mcdropout.json")
    sidecar.write_text(json.dumps(said))
    return sidecar


def task(models: Repository) -> str:
    return str(models.predictor("digits")[1].manifest.task)


def total(models: Repository) -> float:
    return float(models.predictor("digits")[1].predict(X, passes=10, seed=1).mean.sum())


def test_a_sidecar_is_loaded_with_its_model(path: Path, tmp_path: Path) -> None:
    say(path, task="classification", link="softmax", labels=LABELS)
    models = repository(tmp_path)
    assert models.predictor("digits")[1].manifest.labels == tuple(LABELS)
    assert total(models) == pytest.approx(1, abs=1e-6)


def test_a_sidecar_that_changes_alone_is_loaded(path: Path, tmp_path: Path) -> None:
    models = repository(tmp_path)
    assert task(models) == "other"
    sidecar = say(path, task="classification", link="softmax")
    models.load("digits")
    assert task(models) == "classification"
    sidecar.unlink()
    models.load("digits")
    assert task(models) == "other"


def test_polling_follows_a_sidecar(path: Path, tmp_path: Path) -> None:
    models = repository(tmp_path)
    sidecar = say(path, task="regression")
    models.poll()
    assert task(models) == "other"  # it may still be written
    models.poll()
    assert task(models) == "regression"
    sidecar.unlink()
    for _ in range(2):
        models.poll()
    assert task(models) == "other"


def test_a_sidecar_with_a_mistake_leaves_what_was_loaded(path: Path, tmp_path: Path) -> None:
    say(path, task="regression")
    models = repository(tmp_path)
    sidecar = say(path, task="regresion")
    with pytest.raises(LoadError, match=r"continues to serve; .*mcdropout\.json: task: Input sho"):
        models.load("digits")
    assert task(models) == "regression"
    say(path, task="other")
    models.load("digits")
    assert (task(models), models.version("digits").reason) == ("other", "")
    assert sidecar.exists()


def test_a_model_whose_sidecar_has_a_mistake_does_not_answer(path: Path, tmp_path: Path) -> None:
    say(path, task="classification", labels=["a"])
    models = repository(tmp_path)
    assert states(models) == {1: State.FAILED.value}
    assert "labels: 1 labels were given" in models.version("digits").reason
