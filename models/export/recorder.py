"""Replace random draws in a symbolic run, and intercept the call of every layer.

A draw becomes a marker op with the number of its site, which `lower` converts to ONNX. A
dropout needs no switch, because the `Dropout` node that replaces its marker has one. Other
draws need a switch: their layer is run twice, with training on and off, and the flag selects
the result.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any, NoReturn

import keras
import numpy as np
import tensorflow as tf

from models.export.private_api import accepts_training, draws_for, tensor_util
from models.export.rates import TrainedRate, known_rate
from models.export.unroll import MAX_STEPS, DrawInLoopError
from service.core.distributions import BY_KIND
from service.core.distributions.bernoulli import SMALLEST_RATE, is_drawable
from service.errors import ExportError
from service.manifest import SiteSpec

#: The op that marks a site; its first seed is this number, its second one the site's number. As a
#: random op it is stateful, so that TensorFlow neither folds nor merges nor removes it. tf2onnx
#: folds ops on a constant, such as a weight, unless their name begins with "Random".
MARKER_OP, MARKER_SEED = "RandomGamma", 0x6D63_6472

OWN_SWITCH = (
    "a tensor decides what Python code runs, as when the model has an input of its own that is "
    "given to a layer as `training` ({place}). If it switches dropout, remove that input: the "
    "exported model has one, called 'training', that does the same for every layer."
)
DRAWS_WHEN_OFF = (
    "layer {layer!r} draws {kind} random numbers even with training=False, so its output without "
    "dropout is not defined. Let it draw only `if training:`."
)

Tensor = Any  # tf.Tensor; TensorFlow ships no types
Layer = Any  # keras.layers.Layer


@dataclass
class Recorder:
    """Records the draws of one symbolic run and replaces them by markers.

    Attributes:
        may_train: function of a layer, and of whether the draws are off: whether the layer gets
            training=True where Keras passes it. Where Keras passes False, because the model's
            code says so, the layer gets False.
        twice: ids of the layers to run with training on and off.
        always_on: ids of the layers whose dropout is always on.
        flag: scalar bool tensor that selects the result; None if nothing is selected.
        sites: in the order in which they were reached.
        holders: name of a site to the ids of the layers that contain it, the innermost last.
        trained: ids of the layers that ran with training on.
        seeds: (seed, number of the draw from it) in Keras to the names of the sites drawn
            there. With a plain number as seed, every draw has number 0.
        given_false: ids of the layers to which Keras passed training=False.
        graph: the graph that is being traced.
        off: whether nothing is drawn, for any `training`.
    """

    may_train: Callable[[Layer, bool], bool]
    twice: frozenset[int] = frozenset()
    always_on: frozenset[int] = frozenset()
    flag: Tensor = None
    sites: list[SiteSpec] = field(default_factory=list)
    holders: dict[str, list[int]] = field(default_factory=dict)
    trained: set[int] = field(default_factory=set)
    given_false: set[int] = field(default_factory=set)
    seeds: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    graph: Any = None
    _stack: list[Layer] = field(default_factory=list)
    _seed: tuple[int, int] | None = None
    _drawn_from: Counter[int] = field(default_factory=Counter)
    _dynamic_steps: set[int] = field(default_factory=set)
    off: bool = False

    # Layers

    def call_layer(self, call: Callable[..., Any], layer: Layer, *args: Any, **kwargs: Any) -> Any:
        """Call a layer in its own mode, and again with training off if the flag selects it."""
        self._stack.append(layer)
        if isinstance(layer, keras.layers.TimeDistributed) and args[0].shape[1] is None:
            self._dynamic_steps.add(id(layer))
        try:
            if id(layer) not in self.twice or self.off:
                return call(layer, *args, **self._with_training(layer, kwargs))
            on = call(layer, *args, **self._with_training(layer, kwargs))
            self.off = True
            try:
                off = call(layer, *args, **self._with_training(layer, kwargs))
            finally:
                self.off = False
            return keras.tree.map_structure(self.select, on, off)
        finally:
            self._stack.pop()

    def select(self, on: Tensor, off: Tensor) -> Tensor:
        """`on` where the flag is true, else `off`."""
        if self.flag is None:
            return on
        return tf.where(self.flag, on, tf.cast(off, on.dtype))

    def _with_training(self, layer: Layer, kwargs: dict[str, Any]) -> dict[str, Any]:
        if not accepts_training(layer):
            return kwargs
        given = kwargs.get("training")
        if tf.is_tensor(given):
            raise ExportError(OWN_SWITCH.format(place=f"layer {layer.name!r} is given it"))
        training = bool(given) and self.may_train(layer, self.off)
        if training:
            self.trained.add(id(layer))
        if not given:
            self.given_false.add(id(layer))
        return {**kwargs, "training": training}

    def layer_path(self) -> str:
        """Names of the layers being called, without the model itself."""
        return "/".join(layer.name for layer in self._stack[1:]) or self._stack[0].name

    # Draws (see `primitives.Recorder`)

    def dropout(self, x: Tensor, rate: Any, noise_shape: Any) -> Tensor:
        """Replace a dropout by a marker.

        If each element has its own draw, the marker is around `x`. If draws are shared along an
        axis, `x` is multiplied by a marker around ones.
        """
        rate = self.known_rate(rate)
        if rate >= 1:
            return self.drop_all(x)
        if rate == 0 or self.off:
            return x
        shape = _static_shape(x if noise_shape is None else noise_shape, x)
        self._add_site("dropout", shape, x, rate)
        if not _is_shared(shape, x):
            return self._marked(x)
        return x * self._marked(tf.ones(noise_shape, x.dtype))

    def drop_all(self, x: Tensor) -> Tensor:
        """At rate 1 nothing is drawn: 0 with training on."""
        return self.select(tf.zeros_like(x), x) if not self.off else x

    def noise(self, kind: str, shape: Any, dtype: Any) -> Tensor:
        """A marker around zeros, which provide the shape."""
        zeros = tf.zeros(shape, dtype)
        if self.off:
            raise ExportError(DRAWS_WHEN_OFF.format(layer=self.layer_path(), kind=kind))
        self._add_site(kind, tuple(zeros.shape.as_list()), zeros, None)
        return self._marked(zeros)

    def seed(self, seed: Any) -> Tensor:
        """Record the next seed of Keras, and how many draws it had."""
        if self.off:
            return tf.zeros([2], tf.int32)
        if isinstance(seed, keras.random.SeedGenerator):
            with tf.init_scope():  # its state is a variable, whose value the graph does not have
                start, drawn = (int(part) for part in np.asarray(seed.state.value))
            self._drawn_from[id(seed)] += 1
            self._seed = (start, drawn + self._drawn_from[id(seed)])
        elif isinstance(seed, int):
            self._seed = (seed, 0)
        return tf.zeros([2], tf.int32)

    def refuse_python(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse Python code, which ONNX cannot represent: its draws would be lost."""
        self.refuse(
            "runs Python code inside the graph (tf.py_function or tf.numpy_function), which ONNX "
            "cannot represent. Write it with operations of TensorFlow or Keras"
        )

    def refuse(self, reason: str) -> NoReturn:
        """Raise an error for a draw that cannot be exported."""
        raise ExportError(f"layer {self.layer_path()!r} {reason}.")

    def _marked(self, tensor: Tensor) -> Tensor:
        """`tensor` behind the marker of the site that was added last."""
        number, each = len(self.sites) - 1, tf.zeros([0], tf.int32)
        return tf.raw_ops.RandomGamma(shape=each, alpha=tensor, seed=MARKER_SEED, seed2=number)

    def _add_site(
        self, kind: str, shape: tuple[int | None, ...], x: Tensor, rate: float | None
    ) -> None:
        """Record a draw of `shape` for the tensor `x`; `places` finds its batch axis later."""
        path = self.layer_path()
        if tf.compat.v1.get_default_graph() is not self.graph:
            raise DrawInLoopError(
                f"layer {path!r} draws random numbers inside a loop or a branch of the graph "
                "(tf.map_fn, tf.while_loop, tf.cond, or a recurrent layer around a cell that "
                f"draws, on a sequence of unknown length or more than {MAX_STEPS} steps), where "
                f"each iteration would need its own masks. Take the draw out of the loop; a "
                f"recurrent "
                "layer can be given a length, keras.Input((steps, …)), or unroll=True."
            )
        if self._dynamic_steps.intersection(map(id, self._stack)):
            raise ExportError(
                f"layer {path!r} draws random numbers for each step of a sequence of unknown "
                "length. Give the input a length, keras.Input((steps, …)), or apply the wrapped "
                "layer to the whole sequence instead of in TimeDistributed."
            )
        taken = {site.name for site in self.sites}
        names = chain([path], (f"{path}:{number}" for number in count(1)))
        self.sites.append(
            SiteSpec(
                name=next(name for name in names if name not in taken),
                layer=path,
                kind="spatial_dropout" if kind == "dropout" and _is_shared(shape, x) else kind,
                rate=None if rate is None else float(rate),
                trained_rate=isinstance(rate, TrainedRate),
                shape=shape,
                dtype=x.dtype.name,
                always_on=id(self._stack[-1]) in self.always_on,
            )
        )
        # The innermost layer is last, after the cells that it draws for.
        self.holders[self.sites[-1].name] = [
            id(holder) for layer in self._stack for holder in (*draws_for(layer), layer)
        ]
        if self._seed is not None:
            self.seeds.setdefault(self._seed, []).append(self.sites[-1].name)
            self._seed = None

    def mark(self) -> int:
        """Number of sites (see `unroll`)."""
        return len(self.sites)

    def forget(self, mark: int) -> None:
        """Remove the sites after a mark: those of a loop that will be unrolled."""
        for site in self.sites[mark:]:
            del self.holders[site.name]
        del self.sites[mark:]

    def known_rate(self, rate: Any) -> float:
        """The value of a rate (see `rates`), 0 or more."""
        value = known_rate(rate)
        if value is None or not math.isfinite(value) or value < 0:
            self.refuse(
                "has a dropout rate that depends on the rows, or is not a valid rate: "
                f"{rate if value is None else float(value)!r}. Make it a number in [0, 1), or "
                "compute it from variables of the model"
            )
        if value and value < 1 and not is_drawable(value):
            self.refuse(
                f"has the dropout rate {value:.9g}, which cannot be drawn; it may be 0, or from "
                f"{SMALLEST_RATE:.0e} to 1 - {SMALLEST_RATE:.0e}"
            )
        return value


class Still(Recorder):
    """Draws nothing: no element is dropped, and noise is neutral."""

    def dropout(self, x: Tensor, rate: Any, noise_shape: Any) -> Tensor:
        return x

    def noise(self, kind: str, shape: Any, dtype: Any) -> Tensor:
        return tf.fill(shape, tf.constant(BY_KIND[kind].neutral, dtype))


def marked_site(node: Any) -> int | None:
    """Number of the site that a node of a graph definition marks; None if it is no marker."""
    if node.op != MARKER_OP or node.attr["seed"].i != MARKER_SEED:
        return None
    return int(node.attr["seed2"].i)


def _static_shape(noise_shape: Any, x: Tensor) -> tuple[int | None, ...]:
    """The shape of a draw as far as it is known while tracing."""
    if noise_shape is x:
        return tuple(x.shape.as_list())
    shape = tensor_util.constant_value_as_shape(tf.convert_to_tensor(noise_shape, tf.int32))
    return tuple(shape.as_list())


def _is_shared(shape: tuple[int | None, ...], x: Tensor) -> bool:
    """Whether one draw of a mask of `shape` applies to several elements of `x`."""
    full = x.shape.as_list()
    mask = (1,) * (len(full) - len(shape)) + shape
    return any(one == 1 and size != 1 for one, size in zip(mask, full, strict=True))
