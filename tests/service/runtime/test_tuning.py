"""Numbers of an execution provider are taken from its `Tuning` wherever work is divided."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from service import Predictor, load_model
from service.protocol.options import Options
from service.runtime import engine
from service.runtime.engine import CPU, CUDA, tuning_of
from service.runtime.tuning import ON_CPU, ON_CUDA, Tuning
from tests.conftest import ROOT

ROW = np.full((1, 64), 4.0, np.float32)


def chunks(model: Predictor, passes: int) -> list[int]:
    job = model.prepare(ROW, Options(passes=passes, seed=7))
    return [step.passes for step in model.sampler.run([job]) if step.passes]


def test_the_preferred_provider_decides() -> None:
    assert tuning_of([CPU]) is ON_CPU
    assert tuning_of([(CUDA, {"device_id": "1"}), CPU]) is ON_CUDA


def test_tuning_of_a_provider_changes_chunks_and_no_answer(
    digits: Predictor, digits_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert chunks(digits, 1500) == [ON_CPU.max_passes, 1500 - ON_CPU.max_passes]
    monkeypatch.setattr(engine, "ON_CPU", replace(ON_CPU, max_passes=4, max_samples=8))
    other = load_model(digits_path)
    assert chunks(other, 10) == [4, 4, 2]
    assert other.planned.report.samples_per_chunk == 8
    wanted, found = (model.predict(ROW, passes=10, seed=7) for model in (digits, other))
    for name, output in wanted.outputs.items():
        np.testing.assert_array_equal(found.outputs[name].mean, output.mean)


@pytest.mark.parametrize("name", [field.name for field in fields(Tuning)])
def test_each_number_is_used(name: str) -> None:
    files = (ROOT / "service").rglob("*.py")
    text = "".join(path.read_text() for path in files if path.name != "tuning.py")
    assert f".{name}" in text
