from pathlib import Path

import numpy as np
import pytest

from service import load_model
from service.errors import ProofError
from service.inference.verification.probabilities import require_probabilities
from service.manifest import Task
from tests.service.reference import save


@pytest.mark.parametrize("task", ["classification", "multilabel_classification"])
def test_logits_that_are_called_probabilities_are_not_served(task: Task, tmp_path: Path) -> None:
    constants, x, y = "bool on = {1}, float half = {0.5}", "float[batch, 4] x", "float[batch, 4] y"
    path = save("[d] y = Dropout(x, half, on)", tmp_path / "m.onnx", constants, x, y)
    path.with_name("m.mcdropout.json").write_text(f'{{"task": "{task}"}}')
    with pytest.raises(ProofError, match=rf"the task is {task}, .* set the output's link: s"):
        load_model(path)


def test_other_tasks_take_any_numbers() -> None:
    require_probabilities({"y": np.full((2, 3, 4), 7.0)}, "regression")


def test_rows_without_numbers_are_left_out() -> None:
    samples = np.full((2, 3, 4), 0.25)
    samples[1, 1, 2] = np.nan
    require_probabilities({"y": samples}, "classification")
    require_probabilities({"y": np.full((2, 3, 4), np.nan)}, "classification")
    samples[1, 2, 0] = 0.5
    with pytest.raises(ProofError, match=r"'y' gives numbers from 0\.25 to 0\.5 that are none"):
        require_probabilities({"y": samples}, "classification")
