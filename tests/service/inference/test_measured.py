"""Measures of models, against the samples of their passes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from models.zoo.data import digits_splits
from service import Predictor, load_model
from service.errors import ArtifactError, InputError, OutputError
from service.graph.artifact import read_artifact
from service.inference.options import Limits
from service.inference.planner import plan_model
from service.inference.runner import Draws
from service.manifest import NoiseSpec
from service.protocol.options import Options
from service.runtime.engine import CPU
from tests.conftest import STORE
from tests.service.reference import save

ROWS = digits_splits()[1].x[:6]
ONE = NoiseSpec(mean="probabilities", noise="probabilities", form="variance")
Said = Callable[..., Predictor]


@pytest.fixture(scope="module")
def said(digits: Predictor) -> Said:
    """The digits model, whose manifest says something else."""
    artifact = read_artifact(STORE / "digits" / "1" / "model.onnx")

    def model(**fields: Any) -> Predictor:
        changed = artifact.manifest.model_copy(update=fields)
        return Predictor(replace(artifact, manifest=changed), digits.planned)

    return model


@pytest.fixture(scope="module")
def samples(digits: Predictor) -> np.ndarray:
    """(P, B, K) of 50 passes with seed 7."""
    return digits.sampler.sample({"pixels": ROWS}, 50, Draws(7))["probabilities"].astype(float)


def measures(model: Predictor, names: list[Any], **options: Any) -> dict[str, Any]:
    return dict(model.predict(ROWS, 50, 7, names, **options).measures)


def test_samples_are_those_of_the_passes(digits: Predictor, samples: np.ndarray) -> None:
    found = measures(digits, ["samples", "min", "std"])
    np.testing.assert_array_equal(found["samples"], samples.swapaxes(0, 1))
    np.testing.assert_array_equal(found["min"], samples.min(axis=0))
    np.testing.assert_allclose(found["std"], samples.std(axis=0, ddof=1), rtol=1e-12)


def test_labels_are_those_of_the_manifest(digits: Predictor) -> None:
    found = measures(digits, ["label", "predicted_class"])
    assert digits.manifest.labels is not None
    assert found["label"].tolist() == [digits.manifest.labels[k] for k in found["predicted_class"]]


def test_elements_of_a_multi_label_model_are_bernoulli(said: Said, samples: np.ndarray) -> None:
    model = said(task="multilabel_classification")
    found = measures(model, ["predictive_entropy", "expected_entropy", "label", "variation_ratio"])
    mean = samples.mean(axis=0)
    entropy = stats.entropy(np.stack([mean, 1 - mean]), axis=0)
    np.testing.assert_allclose(found["predictive_entropy"], entropy, atol=1e-12)
    noise = stats.entropy(np.stack([samples, 1 - samples]), axis=0).mean(axis=0)
    np.testing.assert_allclose(found["expected_entropy"], noise, atol=1e-12)
    votes = (samples > 0.5).mean(axis=0)
    np.testing.assert_allclose(found["variation_ratio"], np.minimum(votes, 1 - votes), atol=1e-12)
    labels = np.broadcast_to([str(k) for k in range(10)], mean.shape)
    np.testing.assert_array_equal(found["label"], np.where(mean > 0.5, labels, ""))


def test_mean_and_noise_of_one_output_are_its_halves(said: Said, samples: np.ndarray) -> None:
    model = said(task="heteroscedastic_regression", labels=None, noise=ONE)
    found = measures(model, ["epistemic", "aleatoric", "total", "predictive_interval:0.5", "std"])
    mean, noise = samples[..., :5], samples[..., 5:]
    epistemic, aleatoric = mean.var(axis=0, ddof=1), noise.mean(axis=0)
    np.testing.assert_allclose(found["epistemic"], epistemic, rtol=1e-9)
    np.testing.assert_allclose(found["aleatoric"], aleatoric, rtol=1e-9)
    np.testing.assert_allclose(found["total"], epistemic + aleatoric, rtol=1e-9)
    low, high = np.moveaxis(found["predictive_interval"], -1, 0)
    for end, level in ((low, 0.25), (high, 0.75)):
        below = stats.norm.cdf(end, mean, np.sqrt(noise)).mean(axis=0)
        np.testing.assert_allclose(below, level, atol=1e-7)
    assert found["std"].shape == (6, 10)


TWO = (
    "[drop] k = Dropout(x, half, on) mean = Mul(k, two) scale = Abs(x) rough = Abs(k)",
    "float half = {0.5}, bool on = {1}, float two = {2}",
    "float[batch, 3] x",
    "float[batch, 3] mean, float[batch, 3] scale, float[batch, 3] rough",
)


def two_outputs(tmp_path: Path, noise: NoiseSpec) -> Predictor:
    artifact = read_artifact(save(TWO[0], tmp_path / "model.onnx", *TWO[1:]))
    fields = {"task": "heteroscedastic_regression", "noise": noise}
    changed = replace(artifact, manifest=artifact.manifest.model_copy(update=fields))
    return Predictor(changed, plan_model(changed, (CPU,), 1 << 26))


@pytest.mark.parametrize("source", ["scale", "rough"])
def test_the_noise_may_be_another_output(tmp_path: Path, source: str) -> None:
    """Also one that no dropout affects."""
    model = two_outputs(tmp_path, NoiseSpec(mean="mean", noise=source, form="scale"))
    x = np.array([[1.0, 2.0, 3.0], [4.0, 0.5, 0.0]], np.float32)
    names = ["aleatoric", "total", "predictive_interval", "max"]
    found = model.predict(x, 200, 7, names)
    assert {name: list(one.measures) for name, one in found.items()} == {
        **{"mean": names, "scale": ["max"], "rough": ["max"]}
    }
    own = model.sampler.sample({"x": x}, 200, Draws(7))
    aleatoric = (own[source].astype(float) ** 2).mean(axis=0)
    np.testing.assert_allclose(found["mean"].measures["aleatoric"], aleatoric, rtol=1e-12)
    total = found["mean"].variance + aleatoric
    np.testing.assert_allclose(found["mean"].measures["total"], total, rtol=1e-12)


def test_a_noise_that_is_none_is_an_error_and_not_an_answer(tmp_path: Path) -> None:
    model = two_outputs(tmp_path, NoiseSpec(mean="scale", noise="mean", form="variance"))
    x = np.array([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.0]], np.float32)
    model.predict(x)
    with pytest.raises(OutputError, match="row 1 has NaN or infinity in measure 'total' of output"):
        model.predict(x, measures=["total"])


def test_the_output_with_dropout_off_comes_beside_the_mean(digits: Predictor) -> None:
    off = digits.predict_deterministic(ROWS)["probabilities"]
    np.testing.assert_array_equal(measures(digits, ["deterministic"])["deterministic"], off)
    with_others = digits.predict(ROWS, 50, 7, ["deterministic"])
    np.testing.assert_array_equal(with_others.mean, digits.predict(ROWS, 50, 7).mean)


def test_measures_are_the_same_in_any_blocks_of_rows_and_passes(digits: Predictor) -> None:
    names = ["deterministic", "samples", "min", "mutual_information", "label", "interval"]
    narrow = load_model(STORE / "digits" / "1" / "model.onnx", limits=Limits(memory=1 << 20))
    assert narrow.predict(ROWS, 50, 7, names) == digits.predict(ROWS, 50, 7, names)


def test_measures_do_not_depend_on_the_other_jobs_of_a_batch(digits: Predictor) -> None:
    asked = [
        (ROWS[:1], Options(passes=50, seed=7, measures=["deterministic", "min", "label"])),
        (ROWS[1:2], Options(passes=30, seed=8, measures=["mutual_information", "std"])),
    ]
    jobs = [digits.prepare(*one) for one in asked]
    assert digits.sampler.joins(*jobs)
    for _ in digits.sampler.run(jobs):
        pass
    for (x, options), job in zip(asked, jobs, strict=True):
        alone = digits.predict(x, options.passes, options.seed, options.measures)
        assert digits.prediction(job) == alone


def test_jobs_that_keep_samples_are_in_no_batch_with_others(digits: Predictor) -> None:
    """Whose samples would have to be kept, too."""
    kept, other = (
        digits.prepare(ROWS[:1], Options(measures=[name])) for name in ("interval", "min")
    )
    assert not digits.sampler.joins(kept, other)
    assert digits.sampler.joins(kept, kept)


def test_a_request_without_measures_has_the_model_s_own(said: Said) -> None:
    model = said(measures=("label", "quantiles:0.25:0.75"))
    assert list(model.predict(ROWS, 5).measures) == ["label", "quantiles"]
    assert model.predict(ROWS, 5).measures["quantiles"].shape == (6, 10, 2)
    assert model.predict(ROWS, 5, measures=[]).measures == {}
    assert list(model.predict(ROWS, 5, measures=["std"]).measures) == ["std"]


def test_a_manifest_with_measures_that_its_model_has_not_is_refused(said: Said) -> None:
    with pytest.raises(ArtifactError, match=r"a manifest whose measures names \['total'\]; a"):
        said(measures=("total",))
    with pytest.raises(ArtifactError, match="whose measures names 'label', and the model has no"):
        said(measures=("label",), labels=None)


def test_measures_of_noise_are_refused_where_it_is_not_known() -> None:
    co2 = load_model(STORE / "co2" / "1" / "model.onnx")
    with pytest.raises(InputError, match="'total', and the noise of the model's targets is not kn"):
        co2.predict([[2000.0]], measures=["total"], calibrated=False)
