import numpy as np
import pytest

from service.core.measures.facts import Half, NoiseOutput, PerElement, View
from service.facts import facts_of
from service.manifest import Manifest, NoiseSpec, OutputSpec, Source


def manifest(*shapes: tuple[int | None, ...], **said: object) -> Manifest:
    """Of a model with the outputs a, b …"""
    outputs = tuple(
        OutputSpec(name=name, dtype="float32", shape=shape, stochastic=True)
        for name, shape in zip("abc", shapes, strict=False)
    )
    source = Source(kind="memory", name="m", sha256="")
    rest = {"inputs": (), "outputs": outputs, "sites": (), "tools": {}, "source": source}
    return Manifest.model_validate({"task": "other", **rest, **said})


def test_facts_are_those_of_the_manifest() -> None:
    (facts,) = facts_of(manifest((None, 3), task="regression", noise_precision=4.0), has_off=False)
    assert (facts.output, facts.shape, facts.task) == ("a", (None, 3), "regression")
    assert (facts.view, facts.noise, facts.has_off) == (View(), 0.25, False)


@pytest.mark.parametrize(
    ("task", "shape", "labels", "classes"),
    [
        ("classification", (None, 3), "xyz", ["x", "y", "z"]),
        ("classification", (None, 5, 3), "xyz", ["x", "y", "z"]),
        ("classification", (None, 1), "xy", ["x", "y"]),
        ("classification", (None, 3), "xy", None),
        ("classification", (None, None), "xy", None),
        ("classification", (None, 3), "", None),
        ("multilabel_classification", (None, 2), "xy", [["", "x"], ["", "y"]]),
        ("multilabel_classification", (None,), "x", [["", "x"]]),
        ("multilabel_classification", (None, 3), "xy", None),
    ],
)
def test_labels_are_those_of_classes(
    task: str, shape: tuple[int | None, ...], labels: str, classes: list[object] | None
) -> None:
    (facts,) = facts_of(manifest(shape, task=task, labels=tuple(labels) or None))
    assert (facts.classes if facts.classes is None else facts.classes.tolist()) == classes
    assert facts.view == (PerElement() if task.startswith("multi") else View())


def test_mean_and_noise_are_halves_of_one_output() -> None:
    noise = NoiseSpec(mean="a", noise="a", form="log_variance")
    said = manifest((None, 6), (None, 6), task="heteroscedastic_regression", noise=noise)
    both, other = facts_of(said)
    assert both.view == Half()
    assert both.view.shape(both.shape) == (None, 3)
    assert both.noise == NoiseOutput("a", "log_variance", Half(second=True))
    assert other.view is None


def test_the_noise_is_an_output_that_has_no_measures_of_its_own() -> None:
    noise = NoiseSpec(mean="b", noise="a", form="scale")
    said = manifest((None, 2), (None, 2), task="heteroscedastic_regression", noise=noise)
    scale, mean = facts_of(said)
    assert (mean.view, mean.noise) == (View(), NoiseOutput("a", "scale"))
    assert scale.view is None


def test_views_commute_with_what_goes_by_element() -> None:
    y = np.random.default_rng(0).normal(size=(7, 3, 4))
    for view in (View(), PerElement(), Half(), Half(second=True)):
        np.testing.assert_array_equal(view.array(y).mean(axis=0), view.array(y.mean(axis=0)))
        assert view.array(y).shape == view.shape(y.shape)
