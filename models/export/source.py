"""Load the model that is exported, and compute its fingerprint."""

import hashlib
import importlib
import marshal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import numpy as np

from models.export.custom_objects import (
    import_objects,
    missing_message,
    missing_objects,
    not_importable,
)
from models.export.private_api import all_layers
from models.export.text import vocabulary
from service.errors import ExportError
from service.keras_reference import FILE_SUFFIXES, require_reference
from service.manifest import Source


def load_keras(
    reference: str, custom_objects: Sequence[str] = (), allow_unsafe_lambda: bool = False
) -> tuple[keras.Model, Source | None]:
    """Load the model that `reference` names.

    Args:
        reference: a `.keras` or `.h5` file, of Keras 3 or Keras 2, or `package.module:function`
            for a function that takes no arguments and returns a Keras model.
        custom_objects: modules with the classes and functions that the file names.
        allow_unsafe_lambda: run the Python code of Lambda layers in the file, which can do
            anything.

    Returns:
        The model, and the file that it came from (None for a function).

    Raises:
        ExportError: there is no such model, or it cannot be loaded.
    """
    objects = import_objects(custom_objects)
    require_reference(reference)
    path = Path(reference)
    if path.suffix in FILE_SUFFIXES:
        model = _load_file(path, objects, allow_unsafe_lambda)
        return model, Source(kind="file", name=path.name, sha256=file_sha256(path))
    return _call_factory(*reference.rsplit(":", 1)), None


def _load_file(path: Path, objects: dict[str, Any], allow_unsafe_lambda: bool) -> keras.Model:
    try:
        return keras.saving.load_model(
            path, custom_objects=objects, compile=False, safe_mode=not allow_unsafe_lambda
        )
    except Exception as error:  # Keras raises nearly every type here
        text = str(error)
        if "Lambda" in text and "safe_mode" in text:
            raise ExportError(
                f"{str(path)!r} contains a Lambda layer, which is Python code inside the file: "
                f"loading it runs this code. If you trust the file, use --allow-unsafe-lambda."
            ) from error
        if missing := missing_objects(path, objects):
            raise ExportError(missing_message(path, missing)) from error
        # Before this text, Keras prints the configuration of all layers.
        said = text.rpartition("Exception encountered: ")[2]
        raise ExportError(f"Keras cannot load {str(path)!r}: {said}") from error


def _call_factory(module: str, name: str) -> keras.Model:
    try:
        factory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise not_importable(f"{name!r} from {module!r}", module, error) from error
    return factory()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(model: keras.Model) -> Source:
    """Fingerprint of a model in memory: its class, configuration and variables."""
    digest = hashlib.sha256(type(model).__qualname__.encode())
    digest.update(_config(model).encode())
    digest.update("\n".join(vocabulary(all_layers(model))).encode())  # not a variable
    for variable in model.variables:
        value: np.ndarray[Any, Any] = np.asarray(variable.value)
        digest.update(f"{value.dtype}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    return Source(kind="memory", name=model.name, sha256=digest.hexdigest())


@contextmanager
def float32_instead_of_bfloat16(model: keras.Model) -> Iterator[None]:
    """Let layers that compute in bfloat16 compute in float32 during the block.

    ONNX Runtime's CPU kernels have no bfloat16, and float32 holds every bfloat16 number.
    """
    half = [la for la in [model, *all_layers(model)] if la.compute_dtype == "bfloat16"]
    policies = [layer.dtype_policy for layer in half]
    try:
        for layer, policy in zip(half, policies, strict=True):
            whole = policy.name.replace("mixed_bfloat16", "float32").replace("bfloat16", "float32")
            layer.dtype_policy = keras.dtype_policies.get(whole)
        yield
    finally:
        for layer, policy in zip(half, policies, strict=True):
            layer.dtype_policy = policy


def _config(model: keras.Model) -> str:
    # From marshal version 3 on, the code of a Lambda is written differently if another object
    # refers to one of its constants.
    dumps = marshal.dumps
    try:
        with mock.patch.object(marshal, "dumps", lambda code: dumps(code, 2)):
            return str(model.to_json())
    except (NotImplementedError, TypeError):  # a subclassed model without get_config
        return ""
