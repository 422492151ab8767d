"""What an evaluation warns of: numbers that say less than they seem to."""

from collections.abc import Iterator

from service.evaluation.data import Labeled
from service.evaluation.results import Scored

#: Rows, and errors among them, below which intervals are wide or too narrow.
_ROWS, _ERRORS = 200, 10


def warnings_of(main: Scored, data: Labeled) -> Iterator[str]:
    """Sentences for people.

    Args:
        main: the setting that others are compared with.
        data: that it was compared with.
    """
    if len(data) < _ROWS:
        yield f"There are only {len(data)} rows; the confidence intervals are rough."
    if main.is_classification:
        errors = int(main.risk.sum())
        if errors < _ERRORS:
            yield (
                f"Only {errors} predictions are wrong. AUROC, AUPR and AURC may show that a "
                "measure is better than chance, but not how good it is, or which one is best."
            )
    elif data.facts.noise is None:
        yield (
            "The noise of the targets is not known: intervals, likelihood and CRPS are those of "
            "the mean alone, and intervals are too narrow for observations. Set it with "
            "mcdropout annotate MODEL --noise-precision."
        )
