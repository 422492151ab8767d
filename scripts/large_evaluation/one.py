"""One evaluation in a process of its own, so that its peak memory is its own.

    python -m scripts.large_evaluation.one ROWS PASSES RESAMPLES

A progress bar goes to standard error, one line of JSON to standard output.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.zoo.data import digits_splits
from scripts.benchmark.fresh import peak_memory
from service.cli.evaluation.progress import shown_progress
from service.evaluation import evaluate
from service.evaluation.document import Evaluation
from service.inference.load import load_model

Array = NDArray[Any]

ROOT = Path(__file__).resolve().parent.parent.parent
MODEL = ROOT / "models" / "store" / "digits" / "1" / "model.onnx"
#: Numbers of passes that are compared with the most.
FEWER = (10, 100)


def in_own_process(rows: int, passes: int, resamples: int) -> dict[str, Any]:
    """See `measured`.

    Raises:
        CalledProcessError: the process failed; it has written why.
    """
    command = [sys.executable, "-m", "scripts.large_evaluation.one"]
    command += [str(number) for number in (rows, passes, resamples)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=True)
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def images(count: int, seed: int) -> tuple[Array, Array]:
    """Test images drawn with repetition, with normal noise of one gray level of 16."""
    rng = np.random.default_rng(seed)
    _, test = digits_splits()
    index = rng.integers(0, len(test.x), count)
    noise = rng.normal(size=(count, *test.x.shape[1:]))
    return (test.x[index] + noise).astype(np.float32), test.y[index]


def measured(rows: int, passes: int, resamples: int) -> dict[str, Any]:
    """Evaluate the model with its calibration; seconds by stage, and bytes."""
    model = load_model(MODEL)
    few, _ = images(256, 1)
    model.predict(few, 10, 0)
    before = peak_memory()
    compared = [*(number for number in FEWER if number < passes), passes]
    with shown_progress() as progress:
        found = evaluate(
            MODEL,
            images(rows, 0),
            passes=compared,
            rate_scales=[],
            masks=["shared"],
            resamples=resamples,
            progress=progress,
            loaded=model,
        )
    sizes = {"rows": rows, "passes": passes, "resamples": resamples}
    memory = {"peak_bytes": peak_memory(), "model_and_libraries_bytes": before}
    return {**sizes, "settings": len(found.results), **_seconds(found), **memory}


def _seconds(found: Evaluation) -> dict[str, Any]:
    """Of all stages; what is not one of them is reading, fingerprints and the document."""
    timing = found.timing
    stages = {name: getattr(timing, name) for name in ("passes", "metrics", "bootstrap")}
    rest = timing.total - sum(stages.values())
    return {"samples": timing.samples, "seconds": {**stages, "rest": rest}}


if __name__ == "__main__":
    print(json.dumps(measured(*map(int, sys.argv[1:]))))
