"""Logs of the process: text for people, or JSON for machines."""

import logging
import os
import threading
import time
from contextlib import suppress
from typing import Literal, TextIO

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

Format = Literal["console", "json"]

#: The project's loggers: messages, and the access log.
log = logging.getLogger("mcdropout")
access = logging.getLogger("mcdropout.access")

#: Seconds for which access log lines are buffered.
_DELAY = 0.2

_CONSOLE = "%(asctime)s %(levelname)-7s %(message)s"
_TIME = "%Y-%m-%d %H:%M:%S"


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to standard error: access log lines within `_DELAY`, all others at once.

    A write for each request would take a third of the time of a short request.
    """

    def __init__(self) -> None:
        # Python's standard error is line-buffered.
        super().__init__(open(2, "w", encoding="utf-8", errors="replace", closefd=False))  # noqa: SIM115
        self._late = False
        threading.Thread(target=self._flush_late, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.stream.write(self.format(record) + self.terminator)
            self._late = record.name == access.name
            if not self._late:
                self.stream.flush()
        except Exception:
            self.handleError(record)

    def _flush_late(self) -> None:
        while True:
            time.sleep(_DELAY)
            if self._late:
                self._late = False
                with suppress(OSError, ValueError):  # a full disk, or at exit
                    self.flush()


def _open_standard_streams() -> None:
    """Open standard streams that the parent process has closed, on the null device.

    Otherwise files and connections would get their descriptors, and writes to standard error,
    also those of libraries, would go into them.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free descriptor


def _name_ours(record: logging.LogRecord) -> bool:
    """Uvicorn's lines are the server's. It names its logger "uvicorn.error", whatever the level."""
    if record.name.startswith("uvicorn"):
        record.name = log.name
    return True


def configure(form: Format, requests: bool = True) -> None:
    """Write to standard error.

    Args:
        form: "console", or "json" with one object a line.
        requests: whether to write an access log.
    """
    _open_standard_streams()
    handler = _Handler()
    handler.setFormatter(
        JsonFormatter(
            "%(levelname)s %(name)s %(message)s",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
            reserved_attrs=[*RESERVED_ATTRS, "color_message"],
        )
        if form == "json"
        else logging.Formatter(_CONSOLE, _TIME)
    )
    handler.addFilter(_name_ours)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # A full disk or a closed pipe may lose a line, but not an answer.
    logging.raiseExceptions = False
    # Uvicorn says nothing below a warning that the lines of models and the shutdown do not.
    for name in ("onnx_ir", "uvicorn"):
        logging.getLogger(name).setLevel(logging.WARNING)
    access.setLevel(logging.INFO if requests else logging.WARNING)
