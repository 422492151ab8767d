"""The model as a function of a flat list of tensors, and the names of what goes in and out."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from numpy.typing import NDArray

from models.export.private_api import input_structure
from service.errors import ExportError
from service.manifest import TRAINING_INPUT

Array = NDArray[Any]


class Interface:
    """A Keras model, called as `interface(training, *tensors)` with flat inputs and outputs.

    Attributes:
        signature: of the inputs in flat order, the batch axis dynamic.
    """

    def __init__(self, model: keras.Model, example: Any = None) -> None:
        """Find out what the model is called with.

        Args:
            model: any Keras model. A subclassed one that was never called is
                called once on the example, which builds it.
            example: see `export_model`.

        Raises:
            ExportError: its inputs are not known, or have the flag's name.
        """
        self._model = model
        if not model.built and example is not None:
            model(example if isinstance(example, Mapping) else tf.convert_to_tensor(example)[:1])
        try:
            self._structure = input_structure(model)
        except (ValueError, TypeError) as error:
            raise ExportError(
                f"model {model.name!r} ({type(model).__name__}) has no known inputs. A Sequential "
                "model needs a keras.Input as its first layer; a subclassed model has to be called "
                "once on real data before it is exported, or given an example."
            ) from error
        _require_dynamic_batch(model)
        paths = keras.tree.flatten_with_path(self._structure)
        self.signature = [
            tf.TensorSpec((None, *spec.shape[1:]), spec.dtype, name=_input_name(path, spec))
            for path, spec in paths
        ]
        _require_free_flag(self.signature)
        _require_numbers(self.signature)

    def __call__(self, training: bool, *tensors: Any) -> list[Any]:
        """The model's outputs in flat order."""
        return [value for _, value in self.named_outputs(training, *tensors)]

    def named_outputs(self, training: bool, *tensors: Any) -> list[tuple[str, Any]]:
        """The model's outputs in flat order, with their names."""
        inputs = keras.tree.pack_sequence_as(self._structure, list(tensors))
        outputs = keras.tree.flatten_with_path(self._model(inputs, training=training))
        names = self._output_names([path for path, _ in outputs])
        return [(name, value) for name, (_, value) in zip(names, outputs, strict=True)]

    def _output_names(self, paths: list[tuple[Any, ...]]) -> list[str]:
        """A dict's keys, else Keras' own names, made distinct from each other and the inputs."""
        own = list(getattr(self._model, "output_names", ()))
        if not own and isinstance(self._model, keras.Sequential):
            own = [self._model.layers[-1].name]
        if len(own) != len(paths):
            own = [f"output_{number}" for number in range(len(paths))] if len(paths) > 1 else [""]
        taken = {spec.name for spec in self.signature} | {TRAINING_INPUT}
        names: list[str] = []
        for path, fallback in zip(paths, own, strict=True):
            keys = [str(part) for part in path if isinstance(part, str)]
            name = "_".join(keys) or fallback or "output"
            candidates = [name, *(f"{name}_{number}" for number in range(1, len(paths) + 2))]
            names.append(next(c for c in candidates if c not in taken))
            taken.add(names[-1])
        return names


def _require_dynamic_batch(model: keras.Model) -> None:
    for tensor in getattr(model, "inputs", None) or ():
        if tensor.shape[0] is not None:
            raise ExportError(
                f"input {tensor.name!r} has a batch size of {tensor.shape[0]} built in, and passes "
                "are run by making the batch larger. Build the model with keras.Input(shape) and "
                "no batch size; a stateful recurrent layer has to become stateless."
            )


def _input_name(path: tuple[Any, ...], spec: Any) -> str:
    keys = [str(part) for part in path if isinstance(part, str)]
    if keys:
        return "_".join(keys)
    return str(spec.name or "_".join(["input", *map(str, path)]))


def _require_numbers(signature: list[tf.TensorSpec]) -> None:
    for spec in signature:
        if spec.dtype == tf.string:
            raise ExportError(
                f"input {spec.name!r} takes strings, which the server does not. Look them up "
                "before the model, and export the part behind the lookup layer."
            )


def _require_free_flag(signature: list[tf.TensorSpec]) -> None:
    if TRAINING_INPUT in [spec.name for spec in signature]:
        raise ExportError(
            f"the model has an input named {TRAINING_INPUT!r}, which is what the exported model "
            "calls its own flag. Rename the input, or remove it if it switches dropout: the "
            "flag does that, and needs no input of the Keras model."
        )
