"""The demo models in the store equal their Keras files, and their uncertainty is plausible."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from models.zoo import co2, digits
from models.zoo.data import co2_splits, digits_splits
from scripts.evaluate_demo_models import demo_model, evaluate_co2, evaluate_digits
from scripts.train_demo_models import ZOO, export_demo, keras_file
from service import load_model
from tests.conftest import STORE


@pytest.mark.parametrize("name", ZOO)
def test_exporting_again_gives_the_same_model(name: str, tmp_path: Path) -> None:
    path = STORE / name / "1" / "model.onnx"
    again = tmp_path / "model.onnx"
    export_demo(name, again)
    stored, fresh = load_model(path), load_model(again)
    # Measured values and versions belong to an export, not to the model.
    of_the_export = {"checks", "tools"}
    assert fresh.manifest.model_dump(exclude=of_the_export) == stored.manifest.model_dump(
        exclude=of_the_export
    )
    assert fresh.manifest.tools.keys() == stored.manifest.tools.keys()
    x = ZOO[name].example()
    for a, b in zip(
        (stored.predict_deterministic(x), stored.predict(x, seed=7).mean),
        (fresh.predict_deterministic(x), fresh.predict(x, seed=7).mean),
        strict=True,
    ):
        # TensorFlow folds constants with the instructions of the machine, which differ in rounding.
        for one, other in zip(*map(_arrays, (a, b)), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def _arrays(found: Any) -> list[Any]:
    return list(found.values()) if isinstance(found, dict) else [found]


@pytest.mark.parametrize("name", ZOO)
def test_training_off_equals_keras(name: str) -> None:
    x = ZOO[name].example()
    wanted = keras.saving.load_model(keras_file(name), compile=False)(x, training=False).numpy()
    (found,) = demo_model(name).predict_deterministic(x).values()
    np.testing.assert_allclose(found, wanted, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("name", ZOO)
def test_files_in_git_are_small(name: str) -> None:
    for path in (STORE / name / "1" / "model.onnx", keras_file(name)):
        assert path.stat().st_size < 2_000_000


def test_digits_is_uncertain_about_errors_and_rotated_images() -> None:
    report = evaluate_digits(demo_model("digits"))
    assert (report.accuracy.value or 0) >= 0.97
    assert (report.auroc.value or 0) >= 0.85
    upright = report.entropy_by_angle[0]
    assert all(report.entropy_by_angle[angle] > 1.5 * upright for angle in (30, 60, 90))


def test_uncertainty_of_co2_grows_beyond_its_data() -> None:
    report = evaluate_co2(load_model(STORE / "co2" / "1" / "model.onnx"))
    assert report.ratio_beyond[5] > 2
    assert report.ratio_beyond[10] > report.ratio_beyond[5]
    assert report.accepted > 0.9
    assert not any(report.accepted_beyond.values())


@pytest.mark.slow
def test_training_learns() -> None:
    """A few epochs of each model; `make models` trains them fully."""
    _, test = digits_splits()
    model = digits.train(epochs=15)
    assert (model.predict(test.x, verbose=0).argmax(axis=1) == test.y).mean() > 0.9
    year, ppm = co2_splits().test
    found = co2.train(epochs=15).predict(year, verbose=0)
    assert np.sqrt(np.mean((found - ppm) ** 2)) < 5
