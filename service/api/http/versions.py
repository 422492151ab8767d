"""Versions in a path."""

from typing import Annotated

from fastapi import Path
from pydantic import BeforeValidator

from service.errors import InputError, shortened


def version_number(text: str) -> int:
    """The number that a path's text is.

    Raises:
        InputError: it is none.
    """
    # int() takes also signs, spaces, underscores and other scripts' digits.
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InputError(
            f"the version in the path is {shortened(text)!r}; it must be a whole number of at most "
            f"18 digits, such as 1."
        )
    return int(text)


#: A route's parameter. pydantic by itself takes 1.0, +1 and 1_0 for numbers, too.
Number = Annotated[int, BeforeValidator(version_number), Path(description="number of the version")]
