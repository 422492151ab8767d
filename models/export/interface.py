"""The model as a function of a flat list of tensors, and the names of inputs and outputs."""

import inspect
from collections.abc import Mapping
from itertools import chain, count
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.export.private_api import all_layers, input_structure
from service.errors import ExportError
from service.manifest import TRAINING_INPUT

Array = NDArray[Any]


class Interface:
    """A Keras model, called as `interface(training, *tensors)` with flat inputs and outputs.

    Attributes:
        signature: of the inputs in flat order; the batch axis is dynamic.
        batch: the batch size that is built into the model, or None. Few layers depend on it;
            `exportable.require_any_batch` finds out whether one does.
    """

    def __init__(self, model: keras.Model, example: Any = None) -> None:
        """Determine the inputs of the model.

        Args:
            model: any Keras model. One that was never called is called once, on the example, or
                on zeros of the shape that it was built for.
            example: see `export_model`.

        Raises:
            ExportError: its inputs are unknown, or cannot be served.
        """
        self._model = model
        _require_one_argument(model)
        _require_stateless(model)
        _require_batch_axis(model)
        self._structure = _inputs_of(model, example)
        sizes = [tensor.shape[0] for tensor in _declared_inputs(model)]
        self.batch = next((size for size in sizes if size is not None), None)
        self.signature: list[tf.TensorSpec] = []
        for path, spec in keras.tree.flatten_with_path(self._structure):
            taken = [TRAINING_INPUT, *(other.name for other in self.signature)]
            name = _free_name(_input_name(path, spec), taken)
            dtype = spec.dtype if _declared_inputs(model) else _seen_dtype(name, spec, example)
            _require_served(_input_name(path, spec), dtype)
            self.signature.append(tf.TensorSpec((None, *spec.shape[1:]), dtype, name=name))

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
        """Keys of a dict, or Keras' own names, made distinct from each other and the inputs."""
        own = list(getattr(self._model, "output_names", ()))
        if not own and isinstance(self._model, keras.Sequential):
            own = [self._model.layers[-1].name]
        if len(own) != len(paths):
            own = [f"output_{number}" for number in range(len(paths))] if len(paths) > 1 else [""]
        taken = [TRAINING_INPUT, *(spec.name for spec in self.signature)]
        for path, fallback in zip(paths, own, strict=True):
            keys = [str(part) for part in path if isinstance(part, str)]
            taken.append(_free_name("_".join(keys) or fallback or "output", taken))
        return taken[-len(paths) :]


def _free_name(name: str, taken: list[str]) -> str:
    """`name`, followed by a number if it is taken."""
    names = chain([name], (f"{name}_{number}" for number in count(1)))
    return next(name for name in names if name not in taken)


def _inputs_of(model: keras.Model, example: Any) -> Any:
    """Specs of the model's inputs (shape and dtype), in the model's structure."""
    try:
        return input_structure(model)
    except (ValueError, TypeError):
        _call_once(model, example)
    try:
        structure = input_structure(model)
    except (ValueError, TypeError) as error:
        raise ExportError(
            f"model {model.name!r} ({type(model).__name__}) has no known inputs. A Sequential "
            "model needs a keras.Input as its first layer; a subclassed model has to be called "
            "once on real data before it is exported, or given an example."
        ) from error
    return structure


def _call_once(model: keras.Model, example: Any) -> None:
    """Call the model once, which builds it and lets Keras record its inputs."""
    if example is not None:
        one = keras.tree.map_structure(lambda rows: tf.convert_to_tensor(rows)[:1], example)
        model(one, training=False)
    elif shape := (model.get_build_config() or {}).get("input_shape"):
        model(tf.zeros([1, *(size or 1 for size in shape[1:])], model.input_dtype), training=False)


def _require_stateless(model: keras.Model) -> None:
    stateful = [layer.name for layer in all_layers(model) if getattr(layer, "stateful", False)]
    if stateful:
        raise ExportError(
            f"layer {stateful[0]!r} is stateful: it keeps state between calls for each row of a "
            f"fixed batch, but passes and requests are independent. Build the model with "
            "stateful=False, and load the same weights."
        )


def _require_one_argument(model: keras.Model) -> None:
    first, *others = inspect.signature(model.call).parameters.values()
    wanted = [p.name for p in others if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    if wanted and not _declared_inputs(model):
        raise ExportError(
            f"model {model.name!r} is called with several arguments, {[first.name, *wanted]}. Let "
            "its call take one, a list or a dict of these."
        )


def _require_batch_axis(model: keras.Model) -> None:
    scalars = [tensor.name for tensor in _declared_inputs(model) if not tensor.shape]
    if scalars:
        raise ExportError(
            f"input {scalars[0]!r} is a scalar, without a batch axis. Give it the shape "
            "(batch, …); if it switches dropout, remove it: the exported model has an input "
            f"{TRAINING_INPUT!r} that does."
        )


def _declared_inputs(model: keras.Model) -> list[Any]:
    """The inputs of a functional or Sequential model; [] for a subclassed one."""
    return list(getattr(model, "inputs", None) or ())


def _seen_dtype(name: str, spec: Any, example: Any) -> Any:
    """Dtype of an input of a subclassed model, whose spec has a shape only.

    It is the example's if that holds strings, integers or bools.
    """
    rows = example.get(name) if isinstance(example, Mapping) else example
    dtype = np.asarray(rows).dtype
    if rows is not None and dtype.kind in "USO":
        return "string"
    return dtype.name if rows is not None and dtype.kind in "iub" else spec.dtype


def _input_name(path: tuple[Any, ...], spec: Any) -> str:
    keys = [str(part) for part in path if isinstance(part, str)]
    if keys:
        return "_".join(keys)
    return str(spec.name or "_".join(["input", *map(str, path)]))


def _require_served(name: str, dtype: Any) -> None:
    if dtype == "bool" and name == TRAINING_INPUT:
        raise ExportError(
            f"the model has a bool input named {TRAINING_INPUT!r}, which is what the exported "
            "model calls its own flag. Rename the input, or remove it if it switches dropout: "
            "the flag does that, and needs no input of the Keras model."
        )
