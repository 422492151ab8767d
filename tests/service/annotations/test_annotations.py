import json
from typing import Any

import pytest

from service.annotations import Annotations, annotated, of_manifest, parse_annotations
from service.errors import ArtifactError
from tests.service.annotations.manifests import manifest, output

TWO = manifest(output("a", 3), output("b", 3), labels=("x", "y", "z"), passes=50)


def test_what_is_not_given_stays_as_it_is() -> None:
    changed = annotated(TWO, Annotations(task="classification"), "f")
    assert changed == TWO.model_copy(update={"task": "classification"})
    assert annotated(TWO, Annotations(), "f") == TWO


def test_null_takes_away_what_may_be_missing() -> None:
    assert annotated(TWO, parse_annotations('{"labels": null}', "f"), "f").labels is None


@pytest.mark.parametrize(
    ("link", "links"),
    [
        ("softmax", ["softmax", "softmax"]),
        ({"a": "softmax"}, ["softmax", "identity"]),
        ({"": "softmax", "b": "sigmoid"}, ["softmax", "sigmoid"]),
    ],
)
def test_a_link_is_of_every_output_or_of_one(link: Any, links: list[str]) -> None:
    said = parse_annotations(json.dumps({"link": link}), "f")
    assert [spec.link for spec in annotated(TWO, said, "f").outputs] == links


def test_links_of_other_outputs_stay() -> None:
    linked = annotated(TWO, Annotations(link={"a": "softmax"}), "f")
    both = annotated(linked, Annotations(link={"b": "sigmoid"}), "f")
    assert [spec.link for spec in both.outputs] == ["softmax", "sigmoid"]


def test_what_a_manifest_says_is_read_again_as_the_same() -> None:
    fields = ("task", "labels", "link", "passes", "measures")
    said = Annotations(task="classification", link={"b": "softmax"}, measures=("quantiles",))
    whole = annotated(TWO, said, "f")
    text = of_manifest(whole, fields).model_dump_json(exclude_unset=True)
    assert set(json.loads(text)) == set(fields)
    bare = manifest(output("a", 3), output("b", 3))
    assert annotated(bare, parse_annotations(text, "f"), "f") == whole


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "f: the text: Invalid JSON"),
        ("[]", "f: the text: Input should be an object"),
        (b"\xff", "f: the text: Invalid JSON"),
        ('{"tusk": 1}', "f: tusk: Extra inputs are not permitted. The known fields are task, lab"),
        ('{"task": "boxes"}', "f: task: Input should be 'classification', 'multilabel_classif"),
        ('{"link": "softmx"}', "f: link: Input should be 'identity', 'softmax' or 'sigmoid'"),
        ('{"link": {"y": 1}}', "f: link.y: Input should be 'identity', 'softmax' or 'sigmoid'"),
        ('{"labels": ["a", 1]}', "f: labels.1: Input should be a valid string"),
        ('{"noise": {"mean": "m", "form": "scale"}}', "f: noise.noise: Field required"),
        ('{"noise_precision": 0}', "f: noise_precision: Input should be greater than 0"),
        ('{"noise_precision": Infinity}', "f: noise_precision: Input should be a finite number"),
        ('{"passes": 1}', "f: passes: Input should be greater than or equal to 2"),
        ('{"measures": "std"}', "f: measures: Input should be a valid"),
    ],
)
def test_a_mistake_is_told_by_its_field(text: str | bytes, message: str) -> None:
    with pytest.raises(ArtifactError) as raised:
        parse_annotations(text, "f")
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"link": {"c": "softmax"}}, "f: link: there is no output 'c'; there are ['a', 'b']."),
        ({"labels": ("x",)}, "f: labels: 1 labels were given"),
    ],
)
def test_what_does_not_fit_names_the_file_and_the_field(said: dict[str, Any], message: str) -> None:
    with pytest.raises(ArtifactError) as raised:
        annotated(TWO, Annotations(**said), "f")
    assert str(raised.value).startswith(message)
