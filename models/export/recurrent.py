"""Keras' LSTM and GRU as the operators that ONNX has for them, and no loop.

Keras lets a backend have its own: it multiplies the inputs by the dropout mask, which
all steps share, and hands over the whole sequence. So does this, in a trace, where
TensorFlow's operator for GPUs carries the sequence and the weights to the conversion.
What ONNX's operators do not do (masks, other activations, recurrent dropout) stays Keras'
loop over the cell.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

Tensor = Any  # tf.Tensor; TensorFlow ships no types
Outputs = tuple[Tensor, Tensor, list[Tensor]]

#: ONNX's order of the gates, by their place in Keras': i, f, c, o and z, r, h.
_GATES = {"lstm": (0, 3, 1, 2), "gru": (0, 1, 2)}


def lstm(inputs: Tensor, h: Tensor, c: Tensor, mask: Tensor, **options: Any) -> Outputs:
    """In place of Keras' `backend.lstm`: last output, (batch, steps, units), [h, c]."""
    return _whole("lstm", inputs, [h, c], mask, options)


def gru(inputs: Tensor, h: Tensor, mask: Tensor, **options: Any) -> Outputs:
    """In place of Keras' `backend.gru`: last output, (batch, steps, units), [h]."""
    if not options.pop("reset_after"):
        raise NotImplementedError
    return _whole("gru", inputs, [h], mask, options)


def keeping_jit(inner_loop: Callable[..., Any]) -> Callable[..., Any]:
    """A layer's `inner_loop`; Keras notes for good that XLA cannot compile such a layer."""

    def run(layer: Any, *args: Any, **kwargs: Any) -> Any:
        before = layer.supports_jit
        try:
            return inner_loop(layer, *args, **kwargs)
        finally:
            layer.supports_jit = before

    return run


def _whole(
    mode: str, inputs: Tensor, states: list[Tensor], mask: Tensor, options: dict[str, Any]
) -> Outputs:
    """All steps at once.

    Raises:
        NotImplementedError: Keras then runs its loop.
    """
    usual = options["activation"] is keras.activations.tanh
    usual &= options["recurrent_activation"] is keras.activations.sigmoid
    static = tf.executing_eagerly() or mask is not None or options["unroll"]
    if static or not usual or inputs.dtype != tf.float32:
        raise NotImplementedError
    x = tf.transpose(inputs, [1, 0, 2])
    if options["go_backwards"]:
        x = tf.reverse(x, [0])
    y, h, c, *_ = tf.raw_ops.CudnnRNNV3(
        input=x,
        input_h=states[0][None],
        input_c=states[-1][None],
        params=_parameters(mode, **{k: options[k] for k in ("kernel", "recurrent_kernel", "bias")}),
        sequence_lengths=tf.fill([tf.shape(x)[1]], tf.shape(x)[0]),
        rnn_mode=mode,
        time_major=True,
    )
    outputs = tf.transpose(y, [1, 0, 2]) if options["return_sequences"] else h[0][:, None]
    return h[0], outputs, [last[0] for last in (h, c)[: len(states)]]


def _parameters(mode: str, kernel: Any, recurrent_kernel: Any, bias: Any) -> Tensor:
    """ONNX's W (gates·units, inputs), R (gates·units, units) and B (2·gates·units), end to end."""
    order = _GATES[mode]

    def gates(weights: Any) -> Tensor:
        parts = tf.split(tf.convert_to_tensor(weights), len(order), axis=-1)
        return tf.reshape(tf.concat([tf.transpose(parts[gate]) for gate in order], 0), [-1])

    size = kernel.shape[-1]
    biases = tf.zeros([0, size]) if bias is None else tf.reshape(bias, [-1, size])
    biases = tf.pad(biases, [[0, 2 - biases.shape[0]], [0, 0]])  # of inputs, of the state
    rows = [gates(row) for row in tf.unstack(biases)]
    return tf.concat([gates(kernel), gates(recurrent_kernel), *rows], 0)


def convert_recurrent(context: Any, node: Any, name: str, args: Any) -> None:
    """tf2onnx handler: `CudnnRNNV3` over (steps, batch, inputs) becomes LSTM or GRU."""
    x, h, c, parameters, _ = node.input
    mode, outputs = node.get_attr_str("rnn_mode"), list(node.output)
    shapes, dtypes = node.output_shapes, node.output_dtypes
    inputs, units = context.get_shape(x)[-1], context.get_shape(outputs[0])[-1]
    rows = len(_GATES[mode]) * units
    context.remove_node(node.name)

    def make(op: str, *inputs: str, count: int = 1, **attributes: Any) -> list[str]:
        return list(context.make_node(op, list(inputs), attr=attributes, output_count=count).output)

    def constant(role: str, *numbers: int) -> str:
        return str(context.make_const(f"{name}/{role}", np.array(numbers, np.int64)).output[0])

    ends = np.cumsum([0, rows * inputs, rows * units, 2 * rows]).tolist()
    weights = []
    for role, first, last, size in zip("WRB", ends, ends[1:], (inputs, units, 0), strict=False):
        bounds = (constant(f"{role}/first", first), constant(f"{role}/last", last))
        (part,) = make("Slice", parameters, *bounds)
        shape = constant(f"{role}/shape", *((1, rows, size) if size else (1, 2 * rows)))
        weights += make("Reshape", part, shape)
    attributes = {"hidden_size": units}
    if mode == "gru":
        attributes["linear_before_reset"] = 1
    states = [h, c] if mode == "lstm" else [h]
    y, *last_states = make(
        mode.upper(), x, *weights, "", *states, count=1 + len(states), **attributes
    )
    for index, (op, value) in enumerate((("Squeeze", y), *(("Identity", s) for s in last_states))):
        axes = [constant("directions", 1)] if op == "Squeeze" else []
        context.make_node(
            op,
            [value, *axes],
            name=name if index == 0 else f"{name}/{index}",
            outputs=[outputs[index]],
            shapes=[shapes[index]],
            dtypes=[dtypes[index]],
        )
