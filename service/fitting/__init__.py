"""Fits the calibration of a model to data."""

from service.extras import needs

with needs("evaluate"):
    from service.fitting.asked import Asked
    from service.fitting.calibrate import calibrate
    from service.fitting.fit import Outcome

__all__ = ["Asked", "Outcome", "calibrate"]
