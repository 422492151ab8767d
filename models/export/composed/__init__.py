"""Draws without an ONNX operator, computed from uniform numbers: one file each.

To add one, write its file, and register in `COMPOSED` the TensorFlow primitives that it
replaces. The function takes `uniform`, and those of the primitive's arguments that it needs,
by name.
"""

from collections.abc import Callable
from typing import Any

from models.export.composed.base import LimitError
from models.export.composed.binomial import binomial
from models.export.composed.categorical import categorical
from models.export.composed.integers import integers
from models.export.composed.truncated_normal import truncated_normal
from models.export.private_api import (
    gen_random_ops,
    gen_stateful_random_ops,
    gen_stateless_random_ops,
    gen_stateless_random_ops_v2,
)

__all__ = ["COMPOSED", "LimitError"]

#: Module and name of a primitive, and its replacement.
COMPOSED: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
    (gen_random_ops, "truncated_normal", truncated_normal),
    (gen_random_ops, "random_uniform_int", integers),
    (gen_random_ops, "multinomial", categorical),
    (gen_stateless_random_ops_v2, "stateless_truncated_normal_v2", truncated_normal),
    (gen_stateless_random_ops_v2, "stateless_random_uniform_int_v2", integers),
    (gen_stateless_random_ops, "stateless_multinomial", categorical),
    (gen_stateless_random_ops, "stateless_random_binomial", binomial),
    (gen_stateful_random_ops, "stateful_random_binomial", binomial),
)
