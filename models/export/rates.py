"""The value of a dropout rate: a number, a constant, or computed from variables."""

from typing import Any

import tensorflow as tf

Tensor = Any  # tf.Tensor; TensorFlow ships no types


class TrainedRate(float):
    """The current value of a dropout rate that is computed from the model's variables."""


def known_rate(rate: Any) -> float | None:
    """The value of a number, variable or scalar tensor; None if it depends on the rows."""
    if isinstance(rate, int | float):
        return rate
    tensor = tf.convert_to_tensor(rate)
    if tensor.shape.rank != 0:
        return None
    constant = tf.get_static_value(tensor)
    if constant is not None:
        return float(constant)
    value = _from_variables(tensor)
    return None if value is None else TrainedRate(value)


def _from_variables(tensor: Tensor) -> Any:
    """Evaluate the part of a graph that a tensor depends on; None if that has inputs."""
    graph = tensor.graph
    with tf.init_scope():
        feeds = {
            name: value for outer, inner in graph.captures for name, value in _feed(outer, inner)
        }
        with tf.compat.v1.Session(graph=graph) as session:
            try:
                return session.run(tensor, feeds)
            except tf.errors.OpError:  # an input of the graph has no value
                return None


def _feed(outer: Tensor, inner: Tensor) -> list[tuple[str, Any]]:
    """Names and values to feed for a captured tensor, or for the reads of a captured variable."""
    if outer.dtype != tf.resource:
        return [(inner.name, outer.numpy())]
    reads = [op.outputs[0] for op in inner.consumers() if op.type == "ReadVariableOp"]
    return [
        (read.name, tf.raw_ops.ReadVariableOp(resource=outer, dtype=read.dtype).numpy())
        for read in reads
    ]
