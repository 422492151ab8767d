"""The small files beside a model file: its sidecar, and its calibration."""

import hashlib
import os
from pathlib import Path

import onnx

from service.calibration.document import CalibrationDocument, calibration_of, parse_calibration
from service.errors import ArtifactError
from service.graph.model_file import data_files, opened

_SIDECAR_SUFFIX = ".mcdropout.json"
#: A million labels fit, or the hashes of a hundred thousand rows.
_MAX_BYTES = 16 << 20


def sidecar_of(path: Path) -> Path:
    """Where the sidecar of a model file is looked for: `model.mcdropout.json` of `model.onnx`."""
    return path.with_suffix(_SIDECAR_SUFFIX)


def read_beside(path: Path, what: str) -> bytes:
    """The content of such a file; `what` names its kind in errors.

    Raises:
        ArtifactError: it cannot be read, is not a regular file, or is too large.
    """
    try:
        with opened(path) as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > _MAX_BYTES:
        raise ArtifactError(f"{path} has more than the {_MAX_BYTES >> 20} MiB that a {what} may.")
    return content


def read_calibration(path: Path) -> CalibrationDocument | None:
    """The calibration of the model file at `path`; None if there is none.

    Raises:
        ArtifactError: it cannot be read, or is malformed; naming the file and the field.
    """
    place = calibration_of(path)
    if not os.path.lexists(place):
        return None
    return parse_calibration(read_beside(place, "calibration"), str(place))


def model_sha256(path: Path) -> str:
    """SHA-256 over the files that determine a model's answers.

    They are the model file at `path`, its data files in the order of their names, and its
    sidecar, if there is one. It is that of a text with a line for each, of its name, which is ""
    for the model file, NUL, and its own SHA-256.

    Raises:
        ArtifactError: a file cannot be read, or the model file is not an ONNX file.
    """
    folder = path.resolve().parent
    files = {"": path} | {name: folder / name for name in sorted(_data_files(path))}
    if os.path.lexists(sidecar := sidecar_of(path)):
        files[_SIDECAR_SUFFIX] = sidecar
    lines = "".join(f"{name}\0{_digest(file)}\n" for name, file in files.items())
    return hashlib.sha256(lines.encode()).hexdigest()


def _data_files(path: Path) -> set[str]:
    """The paths of a model's data files. Rules for them are kept by `read_model_file`."""
    try:
        with opened(path) as file:
            return data_files(onnx.load_model_from_string(file.read()))
    except Exception as error:  # protobuf raises its own
        raise ArtifactError(f"{path} cannot be read as an ONNX file: {error}.") from error


def _digest(path: Path) -> str:
    try:
        with opened(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}.") from error
