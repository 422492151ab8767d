"""The document of an evaluation as a file."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.errors import InputError
from service.evaluation.about import METRICS
from service.evaluation.document import (
    Bootstrap,
    DataInfo,
    Estimate,
    Evaluation,
    ModelInfo,
    Result,
    Setting,
    Timing,
    read_evaluation,
)


@pytest.fixture
def evaluation() -> Evaluation:
    results = [
        Result(
            setting=Setting(name=name, kind="passes", passes=10),
            metrics={"accuracy": Estimate(value=0.5), "nll": Estimate(value=None)},
        )
        for name in ("one", "two")
    ]
    return Evaluation(
        created=datetime.now(UTC),
        tools={},
        model=ModelInfo(name="m.onnx", sha256="", task="classification", output="p"),
        data=DataInfo(name="d.npz", rows=10),
        seed=0,
        bootstrap=Bootstrap(resamples=0, confidence=0.95, seed=0),
        about=METRICS,
        main="two",
        results=tuple(results),
        timing=Timing(passes=0, metrics=0, bootstrap=0, total=0, samples=0),
    )


def test_file_gives_the_same_document(evaluation: Evaluation, tmp_path: Path) -> None:
    path = tmp_path / "evaluation.json"
    path.write_text(evaluation.as_json())
    assert read_evaluation(path) == evaluation


def test_result_is_found_by_the_name_of_its_setting(evaluation: Evaluation) -> None:
    assert evaluation.result() is evaluation.results[1]
    assert evaluation.result("one") is evaluation.results[0]
    with pytest.raises(KeyError):
        evaluation.result("three")


def test_first_documents_are_read(evaluation: Evaluation, tmp_path: Path) -> None:
    """Those without the fields of calibrations and differences."""
    path = tmp_path / "evaluation.json"
    found = json.loads(evaluation.as_json())
    for result in found["results"]:
        for name in ("differences", "best", "sets", "acceptance"):
            del result[name]
        result["intervals"] = [
            {"level": 0.9, **{name: {"value": 1.0} for name in ("coverage", "width", "score")}}
        ]
    path.write_text(json.dumps(found))
    result = read_evaluation(path).result()
    assert (result.differences, result.sets, result.acceptance) == ({}, (), None)
    assert not result.intervals[0].is_conformal


def test_other_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evaluation.json"
    path.write_text("{}")
    with pytest.raises(InputError, match="not the document of an evaluation"):
        read_evaluation(path)
