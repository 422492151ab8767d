"""Calibrate `digits` with half of its test images, and write the calibration beside the model.

    python -m scripts.calibrate_demo_models

The other half is left for tests. Needs the `demo` extra, not TensorFlow.
"""

from models.zoo.data import digits_halves
from scripts.evaluate_demo_models import STORE
from service.fitting import Outcome, calibrate

TARGET_RISK = 0.02


def calibrated_digits() -> Outcome:
    """The calibration of `digits`, not yet saved."""
    valid, _ = digits_halves()
    path = STORE / "digits" / "1" / "model.onnx"
    return calibrate(
        path, valid.x, valid.y, name="half of the test images", target_risk=TARGET_RISK
    )


def main() -> None:
    """Replace models/store/digits/1/calibration.json."""
    print(f"wrote {calibrated_digits().save(force=True)}")


if __name__ == "__main__":
    main()
