"""Calibrate the demo models, and write the calibrations beside them.

    python -m scripts.calibrate_demo_models [digits] [co2]

The rows neither trained the models nor are those that test them. Needs the `demo` extra, not
TensorFlow.
"""

from typing import Annotated, Any

import typer

from models.zoo.data import co2_splits, digits_halves
from scripts.evaluate_demo_models import STORE
from service.fitting import Outcome, calibrate

TARGET_RISK = 0.02
COVERAGE = 0.99
#: What is asked for: of `digits` few errors, and of `co2` to abstain beyond its data.
ASKED: dict[str, dict[str, Any]] = {
    "digits": {"name": "half of the test images", "target_risk": TARGET_RISK},
    "co2": {"name": "the valid split of the weeks", "coverage": COVERAGE},
}


def calibrated(name: str) -> Outcome:
    """The calibration of the demo model `name`, not yet saved."""
    x, y = digits_halves()[0] if name == "digits" else co2_splits().valid
    return calibrate(STORE / name / "1" / "model.onnx", x, y, **ASKED[name])


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(ASKED)}; all.")] = None,
) -> None:
    """Replace models/store/<name>/1/calibration.json."""
    for name in names or ASKED:
        print(f"wrote {calibrated(name).save(force=True)}")


if __name__ == "__main__":
    typer.run(main)
