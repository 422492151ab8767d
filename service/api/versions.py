"""Versions in a path."""

from service.errors import InputError


def version_number(text: str) -> int:
    """The number that a path's text is.

    Raises:
        InputError: it is none.
    """
    # int() takes also signs, spaces, underscores and other scripts' digits.
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InputError(wrong_version(text))
    return int(text)


def wrong_version(text: str) -> str:
    """What is said of a path whose version is no number."""
    return (
        f"the version in the path is {text[:40]!r}; it takes a whole number of up to 18 digits, "
        "such as 1."
    )
