"""What an evaluation warns of: numbers that say less than they seem to."""

from collections.abc import Iterator

from service.calibration.fingerprint import row_hashes
from service.evaluation.data import Labeled
from service.evaluation.overlap import overlap_warnings
from service.evaluation.results import Scored
from service.inference.predictor import Predictor

#: Rows, and errors among them, below which intervals are wide or too narrow.
_ROWS, _ERRORS = 200, 10


def warnings_of(main: Scored, data: Labeled, model: Predictor) -> Iterator[str]:
    """Sentences for people.

    Args:
        main: the setting that others are compared with.
        data: that it was compared with.
        model: that was evaluated.
    """
    document = model.calibration.document
    known = {
        "trained": model.manifest.training_data,
        "calibrated": None if document is None else document.data,
    }
    yield from overlap_warnings(data.name, row_hashes(data.rows), known)
    if len(data) < _ROWS:
        yield f"There are only {len(data)} rows; the confidence intervals are rough."
    if main.is_classification:
        errors = int(main.risk.sum())
        if errors < _ERRORS:
            yield (
                f"Only {errors} predictions are wrong; AUROC, AUPR and AURC of the measures say "
                "little."
            )
    elif data.facts.noise is None:
        yield (
            "The noise of the targets is not known: intervals, likelihood and CRPS are those of "
            "the mean alone, and intervals are too narrow for observations. Set it with "
            "mcdropout annotate MODEL --noise-precision."
        )
