"""Convert Keras' LSTM to ONNX's LSTM operator instead of a loop.

Keras lets a backend provide its own LSTM: it multiplies the inputs by the dropout mask, which
all steps share, and passes the whole sequence. In a trace, this module provides one:
TensorFlow's GPU operator carries the sequence and the weights to the conversion. Masks, other
activations and recurrent dropout, which ONNX's operator lacks, keep Keras' loop over the cell.
A GRU keeps it, too: for 32 rows its operator takes 1.3 times as long as the loop.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.export.tf_nodes import Handler, TFNodes, handler

Tensor = Any  # tf.Tensor; TensorFlow ships no types
Outputs = tuple[Tensor, Tensor, list[Tensor]]

#: The gates in ONNX's order, as indices into Keras' order i, f, c, o.
_GATES = (0, 3, 1, 2)


def lstm(inputs: Tensor, h: Tensor, c: Tensor, mask: Tensor, **options: Any) -> Outputs:
    """Replace Keras' `backend.lstm`: last output, outputs (batch, steps, units), [h, c].

    Raises:
        NotImplementedError: ONNX's operator does not apply; Keras then runs its loop.
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
    """A layer's `inner_loop` that keeps `supports_jit`, which Keras' LSTM sets to false."""

    def run(layer: Any, *args: Any, **kwargs: Any) -> Any:
        before = layer.supports_jit
        try:
            return inner_loop(layer, *args, **kwargs)
        finally:
            layer.supports_jit = before

    return run


def _parameters(kernel: Any, recurrent_kernel: Any, bias: Any) -> Tensor:
    """ONNX's W (gates·units, inputs), R (gates·units, units) and B (2·gates·units), flat."""

    def gates(weights: Any) -> Tensor:
        parts = tf.split(tf.convert_to_tensor(weights), len(_GATES), axis=-1)
        return tf.reshape(tf.concat([tf.transpose(parts[gate]) for gate in _GATES], 0), [-1])

    size = kernel.shape[-1]
    biases = tf.zeros([0, size]) if bias is None else tf.reshape(bias, [-1, size])
    biases = tf.pad(biases, [[0, 2 - biases.shape[0]], [0, 0]])  # of inputs, of the state
    rows = [gates(row) for row in tf.unstack(biases)]
    return tf.concat([gates(kernel), gates(recurrent_kernel), *rows], 0)


def _convert_recurrent(new: TFNodes) -> None:
    """Convert `CudnnRNNV3` over (steps, batch, inputs) to LSTM."""
    x, h, c, parameters, _ = new.node.input
    inputs, units = new.shape(x)[-1], new.shape(new.node.output[0])[-1]
    rows = len(_GATES) * units
    ends = np.cumsum([0, rows * inputs, rows * units, 2 * rows])
    shapes = ((1, rows, inputs), (1, rows, units), (1, 2 * rows))
    weights = []
    for first, last, shape in zip(ends, ends[1:], shapes, strict=False):
        part = new.add("Slice", parameters, first.reshape(1), last.reshape(1))
        weights.append(new.add("Reshape", part, np.array(shape, np.int64)))
    y, *states = new.add_several("LSTM", 3, x, *weights, "", h, c, hidden_size=units)
    new.put("Squeeze", y, np.array([1], np.int64))  # the directions
    for output, state in enumerate(states, 1):
        new.put("Identity", state, output=output)


#: Handlers by TensorFlow op.
HANDLERS: dict[str, Handler] = {"CudnnRNNV3": handler(_convert_recurrent)}
