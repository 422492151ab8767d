"""Which media type a client wants."""

import re
from collections.abc import Collection

#: A media type, and its parameters.
_ITEM = re.compile(r"([^\s,;]+)([^,]*)")
_QUALITY = re.compile(r";\s*q\s*=\s*([01](?:\.\d*)?)")


def preferred(accept: str, offered: Collection[str], default: str) -> str:
    """The media type of an answer.

    Args:
        accept: the header Accept.
        offered: media types that the route can send.
        default: its media type if none of these is asked for.

    Returns:
        Of the types that are offered, the one with the highest quality value, and of several
        the first.
    """
    found = [(kind, _quality(rest)) for kind, rest in _ITEM.findall(accept.lower())]
    asked = [(kind, quality) for kind, quality in found if kind in offered and quality > 0]
    return max(asked, key=lambda item: item[1], default=(default, 1.0))[0]


def _quality(parameters: str) -> float:
    found = _QUALITY.search(parameters)
    return float(found[1]) if found else 1.0
