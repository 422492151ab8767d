"""Split-conformal prediction: thresholds of sets and intervals with a stated coverage.

What the scores are, and what is predicted with a threshold, is in `service.core.conformal`.
"""

from service.fitting.conformal.quantile import cross_fitted, outwards, rows_needed, threshold
from service.fitting.conformal.sets import label_scores, largest, of_classes, set_scores

__all__ = [
    "cross_fitted",
    "label_scores",
    "largest",
    "of_classes",
    "outwards",
    "rows_needed",
    "set_scores",
    "threshold",
]
