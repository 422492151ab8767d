"""Warns of labeled data that a model already knows."""

from collections.abc import Mapping, Sequence

from service.calibration.fingerprint import overlap
from service.inference.predictor import Predictor
from service.manifest import DataReference


def overlap_warnings(name: str, hashes: Sequence[str], model: Predictor) -> list[str]:
    """What to say of rows that a model was trained or calibrated with.

    Args:
        name: of the data with the rows.
        hashes: of the rows, see `row_hashes`.
        model: that knows the fingerprints of these data, or some of them.
    """
    document = model.calibration.document
    known: Mapping[str, DataReference | None] = {
        "trained": model.manifest.training_data,
        "calibrated": None if document is None else document.data,
    }
    found = []
    for done, reference in known.items():
        share = None if reference is None else overlap(reference, hashes)
        if reference is not None and share:
            found.append(
                f"{_percent(share)} of the rows of {name} are among those of {reference.name}, "
                f"with which the model was {done}: what is measured on them is too good. Give "
                "other data."
            )
    return found


def _percent(share: float) -> str:
    return "less than 1 %" if share < 0.01 else f"{share:.0%}".replace("%", " %")
