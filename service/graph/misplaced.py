"""Hints for files that are not a `model.onnx` but could become one."""

import os
import shlex
from pathlib import Path

from service.keras_reference import FILE_SUFFIXES

#: Signatures of saved Keras models: an archive with this member, or HDF5.
_ZIP, _MEMBER, _HDF5 = b"PK\x03\x04", b"config.json", b"\x89HDF\r\n\x1a\n"
_FILE = "model.onnx"


def is_keras(content: bytes) -> bool:
    """Whether a file of this content is a Keras model."""
    return content.startswith(_HDF5) or (content.startswith(_ZIP) and _MEMBER in content)


def export_command(path: Path, output: Path | None = None) -> str:
    """The command that makes an ONNX file of a Keras model's.

    Args:
        path: of the Keras model.
        output: the version's folder; by default one that is named after the file.
    """
    output = output or Path("models", "store", path.stem, "1")
    return f"mcdropout export {shlex.quote(str(path))} --output {shlex.quote(str(output))}"


def lying_in(folder: Path, output: Path | None = None) -> str:
    """A hint for a model file in a folder under another name; "" if there is none.

    Args:
        folder: to look in.
        output: the version's folder, where it belongs; by default one that is named after
            the file.
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return ""
    for name in names:
        path = folder / name
        place = output or folder / path.stem / "1"
        if path.suffix in FILE_SUFFIXES:
            return f" {path} is a Keras model. Export it: {export_command(path, place)}"
        if path.suffix == ".onnx" and path.is_file():
            return f" Move {path} to {place / _FILE}."
    return ""


def file_in(folder: Path) -> Path:
    """The model file of a folder: its own, or that of the newest version in it."""
    versions = [found for found in folder.glob(f"*/{_FILE}") if found.parent.name.isdigit()]
    newest = max(versions, key=lambda found: int(found.parent.name), default=folder / _FILE)
    return newest if not (folder / _FILE).is_file() else folder / _FILE


def a_level_off(folder: Path) -> str:
    """A hint if another folder than this one should be served; else ""."""
    inside = next(folder.glob(f"*/[0-9]*/{_FILE}"), None)
    if inside is not None:
        return f" The folder of models seems to be this one: --models {folder}"
    if folder.name.isdigit() and (folder / _FILE).is_file():
        return f" This seems to be a version of a model: --models {folder.parent.parent}"
    return ""
