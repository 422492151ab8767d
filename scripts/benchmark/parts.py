"""Where the time of one call of the plan goes."""

from scripts.benchmark.ways import Array
from service import Predictor


def parts(model: Predictor, x: Array, passes: int) -> dict[str, float]:
    """The parts of `model.predict(x, passes=passes)`.

    Args:
        model: loaded.
        x: (B, …) rows.
        passes: P.

    Returns:
        Name of a part to median seconds.
    """
    raise NotImplementedError("the parts of a call are not measured yet.")
