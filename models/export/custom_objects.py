"""Custom classes and functions that a model file refers to, given or missing."""

import importlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import keras

from service.errors import ExportError

#: Top-level packages of this project, which hide user modules of the same names.
_OWN = ("mcdropout", "models", "service")
#: Packages in which Keras looks for a class that Keras 2 and .h5 files name without a module.
_KERAS = (keras, keras.layers, keras.initializers, keras.regularizers, keras.constraints)


def import_objects(modules: Sequence[str]) -> dict[str, Any]:
    """Import modules; returns each public class and function of them by name.

    Raises:
        ExportError: a module cannot be imported.
    """
    objects: dict[str, Any] = {}
    for module in modules:
        try:
            objects |= vars(importlib.import_module(module))
        except ImportError as error:
            raise not_importable(f"{module!r} for --custom-objects", module, error) from error
    return {name: found for name, found in objects.items() if callable(found) and name[0] != "_"}


def not_importable(what: str, module: str, error: Exception) -> ExportError:
    """The error for a user module that cannot be imported."""
    return ExportError(
        f"cannot import {what}: {error}. Run the command in the folder that contains it, or "
        f"install it.{_hidden(module)}"
    )


def _hidden(module: str) -> str:
    package = module.partition(".")[0]
    if package not in _OWN:
        return ""
    return (
        f" mcdropout has a package {package!r} of its own, which hides yours: rename it, or give "
        "a module with another name that imports it."
    )


def missing_message(path: Path, missing: Mapping[str, str]) -> str:
    """The error text for `missing_objects`."""
    modules = sorted({module for module in missing.values() if module not in ("", "__main__")})
    options = " ".join(f"--custom-objects {module}" for module in modules or ["MODULE"])
    return (
        f"{str(path)!r} names classes or functions that are not Keras' own: "
        f"{', '.join(missing)}. Give the module that defines them: {options}."
        + "".join(dict.fromkeys(map(_hidden, modules)))
    )


def missing_objects(path: Path, given: Mapping[str, Any]) -> dict[str, str]:
    """Objects that a model file refers to and that are neither Keras' nor given nor registered.

    Args:
        path: of a `.keras` or `.h5` file.
        given: custom objects by name.

    Returns:
        Name of the class or function to the module that defined it, "" where the file
        does not say.
    """
    known = {*given, *keras.saving.get_custom_objects()}
    named = dict(_named(_config(path)))
    return {name: module for name, module in named.items() if name not in known}


def _config(path: Path) -> Any:
    try:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                return json.loads(archive.read("config.json"))
        with h5py.File(path) as file:
            return json.loads(file.attrs["model_config"])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None  # the file does not exist, which Keras reports


def _named(config: Any) -> Iterator[tuple[str, str]]:
    """(name, module) of each object in a configuration that does not belong to Keras."""
    if isinstance(config, list):
        for item in config:
            yield from _named(item)
    if not isinstance(config, dict):
        return
    name, module = config.get("class_name"), config.get("module")
    if name == "function":
        registered = config.get("registered_name")
        yield str(config["config"] if registered == name else registered), ""
    elif isinstance(name, str) and not _is_keras(name, module):
        yield str(config.get("registered_name") or name), module or ""
    yield from _named(list(config.values()))


def _is_keras(name: str, module: str | None) -> bool:
    if module is None:
        return name.startswith("__") or any(hasattr(space, name) for space in _KERAS)
    return module.partition(".")[0] in ("keras", "builtins")
