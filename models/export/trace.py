"""Run a Keras model symbolically, with every random draw replaced by a marker.

There are three runs. `discover` runs the model with training on, and with training off, and
records which layers draw random numbers, how, and which of them draw even with training off.
`emit` runs it again with `training=True` for those layers only, so that normalization and
augmentation stay in inference mode; its graph has a marker op at each draw. `lower` gives the
markers their meaning in ONNX. In each run Keras decides each layer's `training`, so that a
layer that the model calls with `training=False` draws nothing here either.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from unittest import mock

import keras
import tensorflow as tf

from models.export.forced_training import ForcedTraining
from models.export.primitives import replaced
from models.export.private_api import Operation, is_augmentation
from models.export.recorder import DRAWS_WHEN_OFF, OWN_SWITCH, Recorder, Still, marked_site
from models.export.rewrites import rewritten
from service.errors import ExportError
from service.manifest import TRAINING_INPUT, SiteSpec, is_dropout

_RANDOM_OP = re.compile(
    r"Random|Multinomial|Truncated|Shuffle|Poisson|Binomial|RngReadAndSkip|NonDeterministic"
)
#: Ops that convert seeds to keys; only the draws that use a key matter.
_SEEDING_OP = re.compile(r"StatelessRandomGet")

Tensor = Any  # tf.Tensor; TensorFlow ships no types
Call = Callable[..., list[Tensor]]
AnyRecorder = TypeVar("AnyRecorder", bound=Recorder)


@dataclass(frozen=True)
class Draws:
    """Which layers draw, by id.

    Attributes:
        stochastic: layers that contain a draw, at any depth; they run with training on.
        twice: layers that must be run with training on and off.
        always_on: layers that draw even with training off.
        always_training: layers without a draw that are in training mode even with training off.
        kept_off: paths of the layers that would draw, but that the model calls with
            `training=False` or whose draws reach no output.
        kept_off_ids: ids of these layers.
    """

    stochastic: frozenset[int]
    twice: frozenset[int]
    always_on: frozenset[int]
    always_training: frozenset[int] = frozenset()
    kept_off: tuple[str, ...] = ()
    kept_off_ids: frozenset[int] = frozenset()

    def may_train(self, layer: Any, off: bool) -> bool:
        """Whether a layer gets training=True where Keras passes it (see `Recorder`)."""
        drawing = not off and id(layer) in self.stochastic
        return drawing or id(layer) in self.always_training


def discover(call: Call, signature: list[tf.TensorSpec]) -> Draws:
    """Find the layers of a model that draw random numbers.

    Args:
        call: `call(training, *tensors)`, the model over flat inputs.
        signature: of the tensors.

    Raises:
        ExportError: a draw cannot be expressed in ONNX, or cannot be switched off.
    """
    on, on_graph = _trace(Recorder(_not_augmentation), call, signature, training=True)
    _refuse_other_draws(on_graph.as_graph_def())
    off, off_graph = _trace(Recorder(_not_augmentation), call, signature, training=False)
    _refuse_updates(off_graph)
    drawn, always = _applied(on, on_graph), _applied(off, off_graph)
    if not all(map(is_dropout, always)):
        _require_off_switch(call, signature)
    stochastic = _holders(on, drawn) | _holders(off, always)
    kept_off = _kept_off(on, drawn, call, signature)
    return Draws(
        stochastic=stochastic,
        twice=frozenset(on.holders[site.name][-1] for site in drawn if not is_dropout(site)),
        always_on=frozenset(off.holders[site.name][-1] for site in always),
        always_training=frozenset(off.trained - stochastic),
        kept_off=tuple(kept_off),
        kept_off_ids=frozenset().union(*kept_off.values()),
    )


def _not_augmentation(layer: Any, off: bool) -> bool:
    return not is_augmentation(layer)


def _applied(recorder: Recorder, graph: Any) -> list[SiteSpec]:
    """The sites that an output depends on.

    A recurrent layer always draws its masks, but applies them in training only.
    """
    return [recorder.sites[number] for number in sorted(_markers_before(graph.outputs))]


def _holders(recorder: Recorder, sites: list[SiteSpec]) -> frozenset[int]:
    return frozenset(layer for site in sites for layer in recorder.holders[site.name])


def _require_off_switch(call: Call, signature: list[tf.TensorSpec]) -> None:
    """Check that noise stops when its layer gets training=False."""
    recorder, graph = _trace(Recorder(lambda layer, off: False), call, signature, training=False)
    for site in _applied(recorder, graph):
        if not is_dropout(site):
            raise ExportError(DRAWS_WHEN_OFF.format(layer=site.layer, kind=site.kind))


def _kept_off(
    on: Recorder, drawn: list[SiteSpec], call: Call, signature: list[tf.TensorSpec]
) -> dict[str, set[int]]:
    """Layers that draw less often than with training on everywhere: path to ids."""
    if len(drawn) == len(on.sites) and not on.given_false:
        return {}
    found, _ = _trace(ForcedTraining(), call, signature, training=True)
    left = Counter(found.drawing) - Counter(site.layer for site in drawn)
    return {path: found.layers[path] for path in left}


def _markers_before(outputs: list[Tensor]) -> set[int]:
    """Numbers of the sites that any of the outputs depends on."""
    found, seen, waiting = set(), set(), [tensor.op for tensor in outputs]
    while waiting:
        op = waiting.pop()
        if op in seen:
            continue
        seen.add(op)
        waiting += [tensor.op for tensor in op.inputs]
        number = marked_site(op.node_def)
        if number is not None:
            found.add(number)
    return found


@dataclass(frozen=True)
class Emitted:
    """A model that was traced with markers and a flag.

    Attributes:
        function: takes the tensors and then the flag; it is already traced.
        sites: number of a marker to its site, for the sites that an output depends on.
        seeds: see `Recorder`.
    """

    function: Any
    sites: dict[int, SiteSpec]
    seeds: dict[tuple[int, int], list[str]]


def emit(call: Call, signature: list[tf.TensorSpec], draws: Draws) -> Emitted:
    """Trace the model with markers and a flag."""
    recorder = Recorder(draws.may_train, twice=draws.twice, always_on=draws.always_on)

    def flagged(*tensors: Tensor) -> list[Tensor]:
        *rows, recorder.flag = tensors
        return call(True, *rows)

    function = _function(recorder, flagged)
    with recording(recorder):
        # This traces the function with the replacements; later calls reuse the trace.
        traced = function.get_concrete_function(*signature, flag_signature())
    reached = sorted(_markers_before(traced.graph.outputs))
    sites = {number: recorder.sites[number] for number in reached}
    return Emitted(function, sites, recorder.seeds)


def flag_signature() -> tf.TensorSpec:
    """The signature of the flag."""
    return tf.TensorSpec((), tf.bool, name=TRAINING_INPUT)


def inference(call: Call, tensors: list[Tensor], draws: Draws) -> list[Tensor]:
    """The outputs of the model with training off, and its hard-coded dropout off as well."""
    with recording(Recorder(draws.may_train, off=True)):
        return call(False, *tensors)


def still_training(call: Call, tensors: list[Tensor], draws: Draws) -> list[Tensor]:
    """The outputs with training on for the layers that draw, and every draw at its midpoint."""
    with recording(Still(draws.may_train)):
        return call(True, *tensors)


def _trace(
    recorder: AnyRecorder, call: Call, signature: list[tf.TensorSpec], training: bool
) -> tuple[AnyRecorder, Any]:
    """Run the model under `recorder`; returns the recorder and the graph."""
    function = _function(recorder, lambda *tensors: call(training, *tensors))
    try:
        with recording(recorder):
            return recorder, function.get_concrete_function(*signature).graph
    except tf.errors.OperatorNotAllowedInGraphError as error:
        place = f"TensorFlow says: {str(error).splitlines()[0]}"
        raise ExportError(OWN_SWITCH.format(place=place)) from error


def _function(recorder: Recorder, body: Call) -> Any:
    """A tf.function of `body` that gives the recorder the graph that is being traced."""

    def traced(*tensors: Tensor) -> list[Tensor]:
        recorder.graph = tf.compat.v1.get_default_graph()
        return body(*tensors)

    return tf.function(traced, autograph=False)


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Let `recorder` replace the random primitives and intercept every layer's call."""
    call = Operation.__call__

    def call_operation(operation: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(operation, keras.layers.Layer):
            return recorder.call_layer(call, operation, *args, **kwargs)
        return call(operation, *args, **kwargs)

    # Keras would add its own text and terminal colors to every refusal.
    filtered = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()
    try:
        with (
            mock.patch.object(Operation, "__call__", call_operation),
            replaced(recorder),
            rewritten(),
        ):
            yield
    finally:
        if filtered:
            keras.config.enable_traceback_filtering()


def _refuse_updates(graph: Any) -> None:
    """Refuse a model that changes itself at inference, such as a normalization that trains."""
    for op in graph.get_operations():
        if op.type.startswith("Assign") and op.type.endswith("VariableOp"):
            raise ExportError(
                f"the model changes its variables even with training=False, at {op.name!r}; the "
                "name begins with the layers it is in. A BatchNormalization that is called with "
                "training=True does, and then a row's output depends on the rest of its batch. "
                "Call that layer with training=training."
            )


def _refuse_other_draws(graph: Any) -> None:
    """Refuse random ops without a marker, whose draws would be lost silently."""
    nodes = [*graph.node, *(node for body in graph.library.function for node in body.node_def)]
    draws = [
        f"{node.op} at {node.name!r}"
        for node in nodes
        if _RANDOM_OP.search(node.op)
        and not _SEEDING_OP.search(node.op)
        and marked_site(node) is None
    ]
    if draws:
        raise ExportError(
            f"the model draws random numbers in a way that ONNX cannot express: {draws[0]}. The "
            "name begins with the layers it is in. Dropout, and uniform, normal, truncated normal, "
            "integer, categorical and binomial draws can be exported; rewrite the layer with one "
            "of them."
        )
