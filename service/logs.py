"""What the process writes about itself: lines for people, or JSON for machines."""

import logging
from typing import Literal

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

Format = Literal["console", "json"]

#: The project's messages, and one for each request.
log = logging.getLogger("mcdropout")
access = logging.getLogger("mcdropout.access")

_CONSOLE = "%(levelname)s:     %(message)s"


def configure(form: Format, requests: bool = True) -> None:
    """Write to standard error.

    Args:
        form: "console", or "json" with one object a line.
        requests: whether each request is a line.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonFormatter(
            "%(levelname)s %(name)s %(message)s",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
            reserved_attrs=[*RESERVED_ATTRS, "color_message"],
        )
        if form == "json"
        else logging.Formatter(_CONSOLE)
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # A full disk or a closed pipe must cost a line, and not an answer.
    logging.raiseExceptions = False
    logging.getLogger("onnx_ir").setLevel(logging.WARNING)
    access.setLevel(logging.INFO if requests else logging.WARNING)
