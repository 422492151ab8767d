"""What passes demand and promise.

A pass checks both whenever it is called, in tests and in production alike: a graph that is
not as it should be is a fault of the program, and must not become wrong numbers.
"""

import onnx_ir as ir


def require(holds: bool, otherwise: str) -> None:
    """Raise `onnx_ir.passes.PreconditionError`, saying what is wrong, unless it holds."""
    if not holds:
        raise ir.passes.PreconditionError(otherwise)


def ensure(holds: bool, otherwise: str) -> None:
    """Raise `onnx_ir.passes.PostconditionError`, saying what is wrong, unless it holds."""
    if not holds:
        raise ir.passes.PostconditionError(otherwise)
