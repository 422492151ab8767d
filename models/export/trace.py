"""Run a Keras model symbolically, with every dropout replaced by a marker.

Two traces. `discover` runs the model with training=True and notes which layers
reach a random primitive. `emit` runs it again and gives `training=True` to
those layers alone, so that normalisation and augmentation stay in inference
mode; its graph holds a marker op where each dropout was. What a marker means in
ONNX is not known here (see `lower`).
"""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import keras
import tensorflow as tf

from models.export.private_api import (
    Operation,
    accepts_training,
    keras_random,
    nn_ops,
    tensor_util,
)
from service.errors import ExportError
from service.manifest import SiteSpec

#: Prefix of a marker op's `message` attribute; the name of the site follows.
MARKER = "mcdropout-site:"

_RANDOM_OP = re.compile(
    r"(Stateless|Stateful)?(Random|Multinomial|Uniform|.*Normal)|RngReadAndSkip"
)

Tensor = Any  # tf.Tensor; TensorFlow ships no types


@dataclass
class Trace:
    """What one symbolic run of the model came across.

    Attributes:
        sites: in the order in which they were reached.
        stochastic: ids of the layers that hold a site, at any depth.
    """

    sites: list[SiteSpec] = field(default_factory=list)
    stochastic: set[int] = field(default_factory=set)
    _stack: list[keras.layers.Layer] = field(default_factory=list)

    @contextmanager
    def inside(self, layer: keras.layers.Layer) -> Iterator[None]:
        self._stack.append(layer)
        try:
            yield
        finally:
            self._stack.pop()

    def layer_path(self) -> str:
        """Names of the layers being called, without the model itself."""
        return "/".join(layer.name for layer in self._stack[1:]) or self._stack[0].name

    def add_site(self, rate: float, shape: tuple[int | None, ...], dtype: str, x: Tensor) -> str:
        """Record a dropout on `x` whose mask has `shape`; returns the site's name."""
        self.stochastic.update(id(layer) for layer in self._stack)
        path = self.layer_path()
        earlier = sum(site.layer == path for site in self.sites)
        broadcast = _broadcast_axes(shape, x)
        self.sites.append(
            SiteSpec(
                name=f"{path}:{earlier}" if earlier else path,
                layer=path,
                kind="spatial_dropout" if broadcast else "dropout",
                rate=rate,
                shape=shape,
                dtype=dtype,
            )
        )
        return self.sites[-1].name


def discover(call: Callable[..., Any], signature: list[tf.TensorSpec]) -> Trace:
    """Find the layers of a model that draw random numbers, with training on everywhere.

    Args:
        call: `call(training, *tensors)`, the model over flat inputs.
        signature: of the tensors.
    """
    trace = Trace()
    with _replaced_primitives(trace, training_of=lambda layer: True):
        function = tf.function(lambda *tensors: call(True, *tensors), autograph=False)
        concrete = function.get_concrete_function(*signature)
    _refuse_other_draws(concrete.graph.as_graph_def())
    return trace


def _refuse_other_draws(graph: Any) -> None:
    """Whatever still draws random numbers is not a dropout, and would be lost in silence."""
    nodes = [*graph.node, *(node for body in graph.library.function for node in body.node_def)]
    draws = [node.name for node in nodes if _RANDOM_OP.match(node.op)]
    if draws:
        raise ExportError(
            "the model draws random numbers other than by dropout, which cannot be exported "
            f"yet: {', '.join(draws)}. Replace that layer, or remove it for inference."
        )


def emit(
    call: Callable[..., Any], signature: list[tf.TensorSpec], stochastic: set[int]
) -> tuple[Any, Trace]:
    """Trace the model with markers; returns its tf.function (traced) and the sites in it."""
    trace = Trace()
    with _replaced_primitives(trace, training_of=lambda layer: id(layer) in stochastic):
        function = tf.function(lambda *tensors: call(True, *tensors), autograph=False)
        # Traced here, under the replacements; whoever asks again gets this trace.
        function.get_concrete_function(*signature)
    return function, trace


@contextmanager
def _replaced_primitives(
    trace: Trace, training_of: Callable[[keras.layers.Layer], bool]
) -> Iterator[None]:
    """Replace the random primitives and the layer call for the time of a trace."""
    call_operation = Operation.__call__

    def call_layer(operation: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(operation, keras.layers.Layer):
            return call_operation(operation, *args, **kwargs)
        if accepts_training(operation):
            kwargs["training"] = training_of(operation)
        with trace.inside(operation):
            return call_operation(operation, *args, **kwargs)

    def dropout(x: Tensor, rate: Any, noise_shape: Any, *_: Any, **__: Any) -> Tensor:
        return _mark_dropout(trace, tf.convert_to_tensor(x), rate, noise_shape)

    keras_dropout = keras_random.dropout

    def dropout_below_one(x: Tensor, rate: float, *args: Any, **kwargs: Any) -> Tensor:
        # Keras answers rate 1 with zeros before it asks any random primitive.
        if rate >= 1:
            raise ExportError(
                f"layer {trace.layer_path()!r} drops everything (rate 1), so its output is 0 in "
                "every pass. ONNX has no such dropout; use a rate below 1 or remove the layer."
            )
        return keras_dropout(x, rate, *args, **kwargs)

    with ExitStack() as stack:
        for owner, name, replacement in (
            (Operation, "__call__", call_layer),
            (nn_ops, "_dropout", dropout),
            (keras_random, "dropout", dropout_below_one),
            (keras_random, "draw_seed", lambda seed: tf.zeros([2], tf.int32)),
        ):
            stack.enter_context(mock.patch.object(owner, name, replacement))
        yield


def _mark_dropout(trace: Trace, x: Tensor, rate: Any, noise_shape: Any) -> Tensor:
    """Put a marker where dropout was.

    A dropout that draws every element becomes a marker around `x`. One that
    shares its draws along some axis becomes `x` times a marker around ones.
    CheckNumerics is the marker because it keeps the shape, carries a string,
    and is stateful, so that no optimiser folds, merges or removes it.
    """
    rate = _constant_rate(trace, rate)
    if rate == 0:
        return x
    shape = _static_shape(x if noise_shape is None else noise_shape, x)
    if not _broadcast_axes(shape, x):
        return _marker(trace.add_site(rate, shape, x.dtype.name, x), x)
    if shape[0] == 1:
        raise ExportError(
            f"layer {trace.layer_path()!r} has noise_shape {shape}, which draws one mask for all "
            "rows of a call. Leave axis 0 None: the server shares masks over rows by itself."
        )
    ones = tf.ones(noise_shape, x.dtype)
    return x * _marker(trace.add_site(rate, shape, x.dtype.name, x), ones)


def _marker(site: str, tensor: Tensor) -> Tensor:
    return tf.raw_ops.CheckNumerics(tensor=tensor, message=MARKER + site)


def _constant_rate(trace: Trace, rate: Any) -> float:
    value = rate if isinstance(rate, int | float) else tf.get_static_value(rate)
    if value is None or not math.isfinite(value) or not 0 <= value < 1:
        raise ExportError(
            f"layer {trace.layer_path()!r} has a drop rate that is not a constant in [0, 1): "
            f"{rate!r}. Make the rate a plain number."
        )
    return float(value)


def _static_shape(noise_shape: Any, x: Tensor) -> tuple[int | None, ...]:
    """Shape of the mask as far as it is known while tracing."""
    if noise_shape is x:
        return tuple(x.shape.as_list())
    shape = tensor_util.constant_value_as_shape(tf.convert_to_tensor(noise_shape, tf.int32))
    return tuple(shape.as_list())


def _broadcast_axes(shape: tuple[int | None, ...], x: Tensor) -> tuple[int, ...]:
    """Axes along which one draw is shared: 1 in the mask and not in `x`."""
    pairs = zip(shape, x.shape.as_list(), strict=True)
    return tuple(axis for axis, (mask, full) in enumerate(pairs) if mask == 1 and full != 1)
