"""Keras' LSTM as the operator that ONNX has for it, and no loop.

Keras lets a backend have its own: it multiplies the inputs by the dropout mask, which
all steps share, and hands over the whole sequence. So does this, in a trace, where
TensorFlow's operator for GPUs carries the sequence and the weights to the conversion.
What ONNX's operator does not do (masks, other activations, recurrent dropout) stays Keras'
loop over the cell. So does a GRU: for 32 rows its operator takes 1.3 times as long as the loop.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

Tensor = Any  # tf.Tensor; TensorFlow ships no types
Outputs = tuple[Tensor, Tensor, list[Tensor]]

#: ONNX's order of the gates, by their place in Keras': i, f, c, o.
_GATES = (0, 3, 1, 2)


def lstm(inputs: Tensor, h: Tensor, c: Tensor, mask: Tensor, **options: Any) -> Outputs:
    """In place of Keras' `backend.lstm`: last output, (batch, steps, units), [h, c].

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
        input_h=h[None],
        input_c=c[None],
        params=_parameters(**{k: options[k] for k in ("kernel", "recurrent_kernel", "bias")}),
        sequence_lengths=tf.fill([tf.shape(x)[1]], tf.shape(x)[0]),
        rnn_mode="lstm",
        time_major=True,
    )
    outputs = tf.transpose(y, [1, 0, 2]) if options["return_sequences"] else h[0][:, None]
    return h[0], outputs, [h[0], c[0]]


def keeping_jit(inner_loop: Callable[..., Any]) -> Callable[..., Any]:
    """A layer's `inner_loop`; Keras notes for good that XLA cannot compile such a layer."""

    def run(layer: Any, *args: Any, **kwargs: Any) -> Any:
        before = layer.supports_jit
        try:
            return inner_loop(layer, *args, **kwargs)
        finally:
            layer.supports_jit = before

    return run


def _parameters(kernel: Any, recurrent_kernel: Any, bias: Any) -> Tensor:
    """ONNX's W (gates·units, inputs), R (gates·units, units) and B (2·gates·units), end to end."""

    def gates(weights: Any) -> Tensor:
        parts = tf.split(tf.convert_to_tensor(weights), len(_GATES), axis=-1)
        return tf.reshape(tf.concat([tf.transpose(parts[gate]) for gate in _GATES], 0), [-1])

    size = kernel.shape[-1]
    biases = tf.zeros([0, size]) if bias is None else tf.reshape(bias, [-1, size])
    biases = tf.pad(biases, [[0, 2 - biases.shape[0]], [0, 0]])  # of inputs, of the state
    rows = [gates(row) for row in tf.unstack(biases)]
    return tf.concat([gates(kernel), gates(recurrent_kernel), *rows], 0)


def convert_recurrent(context: Any, node: Any, name: str, args: Any) -> None:
    """tf2onnx handler: `CudnnRNNV3` over (steps, batch, inputs) becomes LSTM."""
    x, h, c, parameters, _ = node.input
    outputs, shapes, dtypes = list(node.output), node.output_shapes, node.output_dtypes
    inputs, units = context.get_shape(x)[-1], context.get_shape(outputs[0])[-1]
    rows = len(_GATES) * units
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
    y, *states = make("LSTM", x, *weights, "", h, c, count=3, hidden_size=units)
    for index, (op, value) in enumerate((("Squeeze", y), *(("Identity", s) for s in states))):
        axes = [constant("directions", 1)] if op == "Squeeze" else []
        context.make_node(
            op,
            [value, *axes],
            name=name if index == 0 else f"{name}/{index}",
            outputs=[outputs[index]],
            shapes=[shapes[index]],
            dtypes=[dtypes[index]],
        )
