"""Names that a request and its answer go by, on both sides."""

import re
from typing import Literal, TypeAlias, get_args

#: Whether the rows of a pass share their masks, or each has its own.
Masks: TypeAlias = Literal["shared", "per_row"]
MASKS: tuple[Masks, ...] = get_args(Masks)

#: What is known of every output over passes.
MOMENTS = ("mean", "variance")

#: What names a request in the server's log.
REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def quantity_name(output: str, quantity: str) -> str:
    """What a tensor of an answer is called, however many outputs the model has.

    Args:
        output: of the model.
        quantity: of `MOMENTS`, or a measure.
    """
    return f"{output}.{quantity}"
