"""Where the exported model comes from: loading it, and its fingerprint."""

import hashlib
import importlib
from pathlib import Path
from typing import Any

import keras
import numpy as np

from service.errors import ExportError
from service.manifest import Source

FILE_SUFFIXES = (".keras", ".h5")


def load_keras(reference: str) -> tuple[keras.Model, Source | None]:
    """Load the model that `reference` names.

    Args:
        reference: a `.keras` or `.h5` file, or `package.module:function`, the
            function taking nothing and returning a Keras model.

    Returns:
        The model, and the file it came from (None for a function).

    Raises:
        ExportError: there is no such model, or it cannot be loaded.
    """
    path = Path(reference)
    if path.suffix in FILE_SUFFIXES:
        return _load_file(path), Source(kind="file", name=path.name, sha256=file_sha256(path))
    if ":" in reference:
        return _call_factory(*reference.rsplit(":", 1)), None
    raise ExportError(
        f"{reference!r} is not a model: give a {' or '.join(FILE_SUFFIXES)} file, "
        "or package.module:function that returns a Keras model."
    )


def _load_file(path: Path) -> keras.Model:
    if not path.is_file():
        raise ExportError(f"there is no file {str(path)!r}.")
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises nearly every type here
        raise ExportError(f"Keras cannot load {str(path)!r}: {error}") from error


def _call_factory(module: str, name: str) -> keras.Model:
    try:
        factory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ExportError(
            f"cannot import {name!r} from {module!r}: {error}. Run the command in the folder "
            "that holds the package, or install it."
        ) from error
    return factory()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(model: keras.Model) -> Source:
    """Fingerprint of a model in memory: its class, configuration and all its variables."""
    digest = hashlib.sha256(type(model).__qualname__.encode())
    digest.update(_config(model).encode())
    for variable in model.variables:
        value: np.ndarray[Any, Any] = np.asarray(variable.value)
        digest.update(f"{value.dtype}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    return Source(kind="memory", name=model.name, sha256=digest.hexdigest())


def _config(model: keras.Model) -> str:
    try:
        return str(model.to_json())
    except (NotImplementedError, TypeError):  # a subclassed model without get_config
        return ""
