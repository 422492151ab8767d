"""The fingerprint of the data that a model was trained with."""

from collections.abc import Sequence
from pathlib import Path

from service.annotations import Annotations
from service.calibration.fingerprint import fingerprint, row_hashes
from service.evaluation.data import read_unlabeled
from service.inference.load import load_model


def with_training_data(
    said: Annotations,
    data: Path | None,
    model: Path,
    target: Sequence[str] = (),
    *,
    activate_dropout: bool = False,
) -> Annotations:
    """Annotations that name the training data as well.

    Args:
        said: of the model.
        data: file with the rows, with or without targets; None: nothing is added.
        model: file of the model, whose inputs say how the rows are read.
        target: names of columns or arrays with targets, which are left out.
        activate_dropout: see `load_model`.

    Raises:
        InputError: the rows do not suit the model.
        ModelError: the model cannot be loaded.
    """
    if data is None:
        return said
    loaded = load_model(model, activate_dropout=activate_dropout, on_misfit="ignore")
    found = read_unlabeled(data, loaded, target)
    reference = fingerprint(data.name, row_hashes(found.rows))
    return said.model_copy(update={"training_data": reference})
