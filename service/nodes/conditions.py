"""Preconditions and postconditions of passes.

A pass checks both in every call, in tests and in production: an invalid graph is a bug of the
program, and must not cause wrong numbers.
"""

import onnx_ir as ir


def require(holds: bool, otherwise: str) -> None:
    """Raise `onnx_ir.passes.PreconditionError`, with what is wrong, unless it holds."""
    if not holds:
        raise ir.passes.PreconditionError(otherwise)


def ensure(holds: bool, otherwise: str) -> None:
    """Raise `onnx_ir.passes.PostconditionError`, with what is wrong, unless it holds."""
    if not holds:
        raise ir.passes.PostconditionError(otherwise)
