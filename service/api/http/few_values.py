"""Refuses JSON bodies whose values would take much more memory than their text."""

from math import prod

from service.errors import InputError
from service.inference.predictor import Predictor

#: Lists allowed in every large body, and bytes of the body per additional list.
LISTS, LIST_BYTES = 1 << 20, 16
#: Lists, objects and strings that a request has beside its rows.
_BESIDE_ROWS = 10_000


def require_few_values(content: bytes, predictor: Predictor | None = None) -> None:
    """Refuse a body with too many values for its size, or for any valid request to the model.

    Args:
        content: of the body.
        predictor: whose rows are in it; None: it has no rows.

    Raises:
        InputError: with how many there are, and how many may be.
    """
    lists = content.count(b"[") + 2 * content.count(b"{")
    max_lists = LISTS + len(content) // LIST_BYTES
    if lists > max_lists:
        raise InputError(
            f"the body has too many lists and objects for its {len(content)} bytes: at most "
            f"{max_lists} are allowed, where an object counts as two. Send fewer rows at a time, "
            "or the rows as bytes."
        )
    parts = lists + content.count(b'"') // 2
    max_parts = None if predictor is None else _max_parts(predictor)
    if max_parts is not None and parts > max_parts:
        raise InputError(
            f"the body has {parts} lists, objects and strings, where an object counts as two; this "
            f"server allows at most {max_parts} for rows of this model. Send fewer rows at a time, "
            "or the rows as bytes."
        )


def _max_parts(predictor: Predictor) -> int | None:
    """Maximum lists, objects (counted twice) and strings in a body; None: no limit."""
    specs, rows = predictor.manifest.inputs, predictor.limits.rows
    if rows is None or any(s.dtype == "string" or None in s.shape[1:] for s in specs):
        return None
    sizes = ([size or 1 for size in spec.shape[1:]] for spec in specs)
    lists = sum(prod(row[:axis]) for row in sizes for axis in range(len(row)))
    # Each row may be an object of its inputs by name.
    return rows * (lists + 2 + len(specs)) + _BESIDE_ROWS
