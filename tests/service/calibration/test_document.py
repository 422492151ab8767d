import json
from typing import Any

import pytest

from service.calibration.document import parse_calibration
from service.core.calibration import ConformalInterval, ConformalSet, Selection
from service.errors import ArtifactError
from tests.service.calibration.documents import HASH, fields


def test_parse_calibration_reads_what_as_json_writes() -> None:
    document = parse_calibration(json.dumps(fields()), "calibration.json")
    assert parse_calibration(document.as_json(), "calibration.json") == document


def test_facts_are_what_measures_depend_on() -> None:
    facts = parse_calibration(json.dumps(fields()), "calibration.json").facts
    assert facts.temperature == 2
    assert facts.sets == (ConformalSet("lac", 0.9, 0.4), ConformalSet("aps", 0.95, 0.8))
    assert facts.selection == Selection("predictive_entropy", 0.5, at_most=True)


def test_one_threshold_is_that_of_both_ends() -> None:
    said = [
        {"method": "absolute", "coverage": 0.9, "threshold": 3.0},
        {"method": "cqr", "coverage": 0.8, "threshold": [-1.0, 2.0]},
    ]
    text = json.dumps(fields(intervals=said, sets=[], temperature=None))
    assert parse_calibration(text, "calibration.json").facts.intervals == (
        ConformalInterval("absolute", 0.9, 3.0, 3.0),
        ConformalInterval("cqr", 0.8, -1.0, 2.0),
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"format_version": 2}, "format_version: Input should be 1, not 2."),
        ({"temperatur": 1.0}, "temperatur: Extra inputs are not permitted"),
        ({"temperature": 0}, "temperature: Input should be greater than 0"),
        ({"temperature": "hot"}, "temperature: Input should be a valid number"),
        ({"created": "2026-01-02T03:04:05"}, "created: Input should have timezone info"),
        ({"output": "z"}, "the document: output 'z' is none of model.outputs, ['y']"),
        (
            {"sets": [{"method": "lac", "coverage": 0.9, "threshold": 0.4}] * 2},
            "the document: sets have a method and coverage twice: ['lac 0.9', 'lac 0.9']",
        ),
        (
            {"sets": [{"method": "lac", "coverage": 1.0, "threshold": 0.4}]},
            "sets.0.coverage: Input should be less than 1",
        ),
        (
            {"reference": {"std": {"edges": [1, 1], "counts": [1, 2, 3]}}},
            "reference.std: edges must ascend",
        ),
        (
            {"reference": {"std": {"edges": [1], "counts": [1, 2, 3]}}},
            "reference.std: there are 3 counts for 1 edges",
        ),
        ({"reference": {"std": {"edges": [1], "counts": [0, 0]}}}, "counts are all 0"),
        ({"model": {"sha256": HASH[1:], "task": "other", "outputs": ["y"]}}, "model.sha256: "),
    ],
)
def test_parse_calibration_names_the_field(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ArtifactError) as raised:
        parse_calibration(json.dumps(fields(**changed)), "digits/1/calibration.json")
    assert str(raised.value).startswith("digits/1/calibration.json: ")
    assert message in str(raised.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_parse_calibration_refuses_what_is_no_document(text: str) -> None:
    with pytest.raises(ArtifactError, match=r"calibration\.json: the document: "):
        parse_calibration(text, "calibration.json")
