"""Reads constants of a file."""

import onnx_ir as ir


def constant_number(value: ir.Value) -> float | None:
    """The only element of a constant, also of one that is cast; None where it is none."""
    tensor = ir.convenience.get_const_tensor(before_casts(value))
    if tensor is None or tensor.size != 1 or tensor.dtype == ir.DataType.STRING:
        return None
    return float(tensor.numpy().reshape(-1)[0])


def before_casts(value: ir.Value) -> ir.Value:
    """The value before casts and identities."""
    node = value.producer()
    while node is not None and node.op_type in ("Cast", "Identity") and node.inputs[0] is not None:
        value = node.inputs[0]
        node = value.producer()
    return value


def without_noise(number: float) -> float:
    """A number rounded to the digits of float32: 0.3, not 0.30000001192092896."""
    return float(f"{number:.7g}")
