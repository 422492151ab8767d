from typing import Any

import pytest

from service.annotations.fit import misfit
from service.manifest import OutputSpec
from tests.service.annotations.manifests import manifest, output

LOGITS, ONE, EACH = output("y", 3), output("y", 1), output("y")
TWO = [output("m", 2), output("s", 2)]


def noise(mean: str, noise: str) -> dict[str, Any]:
    said = {"mean": mean, "noise": noise, "form": "variance"}
    return {"task": "heteroscedastic_regression", "noise": said}


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ([LOGITS], {}),
        ([LOGITS], {"task": "classification", "labels": "abc"}),
        ([ONE], {"task": "classification", "labels": "ab"}),
        ([output("y", 1, link="sigmoid")], {"task": "classification", "labels": "ab"}),
        ([output("y", 5, 5, 3, link="softmax")], {"task": "classification", "labels": "abc"}),
        ([output("y", None, link="softmax")], {"task": "classification", "labels": "abcdef"}),
        ([LOGITS], {"task": "multilabel_classification", "labels": "abc"}),
        ([EACH], {"task": "multilabel_classification", "labels": "a"}),
        ([output("y", 3, link="sigmoid")], {"task": "multilabel_classification"}),
        ([output("y", 3, link="softmax")], {}),
        ([ONE], {"task": "regression", "labels": "a", "noise_precision": 2.0}),
        (TWO, noise("m", "s")),
        ([output("y", 4)], noise("y", "y")),
        ([output("y", None)], noise("y", "y")),
        ([LOGITS], {"measures": ["quantiles:0.5"]}),
        ([LOGITS], {"task": "classification", "measures": ["predictive_entropy"]}),
    ],
)
def test_what_fits(outputs: list[OutputSpec], said: dict[str, Any]) -> None:
    labels = said.get("labels")
    said = said | {"labels": None if labels is None else tuple(labels)}
    assert misfit(manifest(*outputs, **said)) is None


@pytest.mark.parametrize(
    ("outputs", "said", "field", "text"),
    [
        (
            [output("ids", 3, dtype="int64", link="softmax")],
            {},
            "link",
            "output 'ids' is of int64; a link is applied to float16, float32, float64",
        ),
        (
            [output("y", 1, link="softmax")],
            {},
            "link",
            "output 'y' has shape ['rows', 1]. The link of a single logit is sigmoid",
        ),
        ([output("y", link="softmax")], {}, "link", "'y' has shape ['rows']"),
        ([EACH], {"task": "classification"}, "task", "is multilabel_classification"),
        (
            [output("y", 3, link="sigmoid")],
            {"task": "classification"},
            "task",
            "no classes of which one holds. The task is multilabel_classification, or the link",
        ),
        (
            [output("y", 3, link="softmax")],
            {"task": "multilabel_classification"},
            "task",
            "The task is classification, or the link sigmoid",
        ),
        (
            [ONE],
            {"task": "classification", "labels": "a"},
            "labels",
            "1 labels were given, and output 'y' has 2 classes",
        ),
        ([LOGITS], {"task": "classification", "labels": "ab"}, "labels", "'y' has 3 classes"),
        (
            [output("y", 1)],
            {"task": "multilabel_classification", "labels": "ab"},
            "labels",
            "'y' has 1 classes",
        ),
        ([ONE], {"task": "regression", "labels": "ab"}, "labels", "'y' has 1 elements"),
        ([LOGITS, TWO[0]], {"labels": "abc"}, "labels", "output 'm' has 2 classes"),
        ([LOGITS], {"noise_precision": 1.0}, "noise_precision", "and the task is other"),
        (TWO, noise("m", "s") | {"task": "regression"}, "noise", "and the task is regression"),
        (TWO, noise("m", "v"), "noise.noise", "there is no output 'v'; there are ['m', 's']"),
        (
            [TWO[0], output("s", 2, dtype="int32")],
            noise("m", "s"),
            "noise.noise",
            "output 's' is of int32",
        ),
        (
            [TWO[0], ONE],
            noise("m", "y"),
            "noise",
            "'m' has shape ['rows', 2] and 'y' ['rows', 1]. Mean and noise have to have the same",
        ),
        ([LOGITS], noise("y", "y"), "noise", "first all means and then as many of the noise"),
        ([EACH], noise("y", "y"), "noise", "'y' has shape ['rows']"),
        ([LOGITS], {"measures": ["entropy"]}, "measures", "names ['entropy']; a model of task"),
        ([LOGITS], {"measures": ["predictive_entropy"]}, "measures", "a model of task 'other'"),
        ([LOGITS], {"measures": ["quantiles:2"]}, "measures", "gives 'quantiles'"),
    ],
)
def test_what_does_not_fit_is_told_by_its_field(
    outputs: list[OutputSpec], said: dict[str, Any], field: str, text: str
) -> None:
    labels = said.get("labels")
    said = said | {"labels": None if labels is None else tuple(labels)}
    fault = misfit(manifest(*outputs, **said))
    assert fault is not None
    assert fault.startswith(f"{field}: ")
    assert text in fault
