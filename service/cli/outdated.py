"""Warns of a calibration that a newly written model file leaves without its model."""

from pathlib import Path

import typer

from service.calibration.document import calibration_of
from service.errors import ArtifactError
from service.graph.beside import model_sha256, read_calibration


def warn_of_calibration(path: Path) -> None:
    """Say what to do with the calibration beside a model file, if it is not its own.

    Args:
        path: of the model file, as it was written.
    """
    if _is_outdated(path):
        typer.echo(
            f"warning: {calibration_of(path)} was not fitted to the new file. A server refuses the "
            f"model until you fit it again, with mcdropout calibrate {path} --force --data FILE, "
            "or remove it.",
            err=True,
        )


def _is_outdated(path: Path) -> bool:
    try:
        found = read_calibration(path)
    except ArtifactError:  # a server cannot read it either
        return True
    return found is not None and found.model.sha256 != model_sha256(path)
