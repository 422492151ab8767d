"""Versions in a path."""

from typing import Annotated

from fastapi import Path
from pydantic import BeforeValidator

from service.errors import InputError, shortened


def version_number(text: str) -> int:
    """Parse the version in a path.

    Raises:
        InputError: it is not a number.
    """
    # int() also accepts signs, spaces, underscores and digits of other scripts.
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InputError(
            f"the version in the path is {shortened(text)!r}; it must be a whole number of at most "
            f"18 digits, such as 1."
        )
    return int(text)


#: A route parameter. pydantic itself would also accept 1.0, +1 and 1_0.
Number = Annotated[
    int,
    BeforeValidator(version_number),
    Path(description="number of the version", openapi_examples={"first": {"value": 1}}),
]
