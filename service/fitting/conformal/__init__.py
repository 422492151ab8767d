"""Split-conformal prediction: sets and intervals that cover with a stated probability.

One file for each score. A row's score says how badly its target fits its prediction; a threshold
is a quantile of the scores of data that chose nothing else (`threshold`), and what is predicted for
a new row is everything whose score is at most that.
"""

from service.fitting.conformal.quantile import rows_needed, threshold

__all__ = ["rows_needed", "threshold"]
