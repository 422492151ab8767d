"""What an evaluation warns of: numbers that say less than they seem to."""

from collections.abc import Iterator

from service.calibration.document import CalibrationDocument
from service.evaluation.data import Labeled
from service.evaluation.results import Scored

#: Rows, and errors among them, below which intervals are wide or too narrow.
_ROWS, _ERRORS = 200, 10
_NOISE = (
    "The noise of the targets is not known{}: intervals, likelihood and CRPS are those of the mean "
    "alone, and intervals are too narrow for observations. {}."
)
_NO_NOISE = "", "Set it with mcdropout annotate MODEL --noise-precision"
_FITTED_NOISE = " without the calibration", "The calibrated setting knows it"


def warnings_of(
    main: Scored, data: Labeled, calibration: CalibrationDocument | None
) -> Iterator[str]:
    """Sentences for people.

    Args:
        main: the setting that others are compared with.
        data: that it was compared with.
        calibration: of the output; None: it has none.
    """
    if len(data) < _ROWS:
        yield f"There are only {len(data)} rows; the confidence intervals are rough."
    if main.is_classification:
        errors = int(main.risk.sum())
        if errors < _ERRORS:
            yield (
                f"{_wrong(errors)}. AUROC, AUPR and AURC may show that a "
                "measure is better than chance, but not how good it is, or which one is best."
            )
    elif data.facts.noise is None:
        fitted = calibration is not None and calibration.noise_precision is not None
        yield _NOISE.format(*_FITTED_NOISE if fitted else _NO_NOISE)


def _wrong(errors: int) -> str:
    if errors == 0:
        return "No prediction is wrong"
    return "Only 1 prediction is wrong" if errors == 1 else f"Only {errors} predictions are wrong"
