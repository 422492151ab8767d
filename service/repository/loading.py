"""Loads one version, and reports the result in the log and in its reason."""

import logging
import math
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from service.errors import MCDropoutError, ModelError
from service.graph.plan import Layout
from service.inference.predictor import Predictor
from service.repository.scan import Files
from service.repository.versions import State, Version
from service.runtime.engine import Stop

Load = Callable[[Path], Predictor]

log = logging.getLogger("mcdropout")


#: Seconds within which a load has to end after it was stopped.
_LAST = 5.0


def limited(load: Load, seconds: float) -> Load:
    """A `load` with a timeout, after which it raises a ModelError.

    Its runs are then terminated. Work that cannot be stopped, such as the creation of a session
    by ONNX Runtime, is abandoned in its own thread.
    """

    def load_in_time(path: Path) -> Predictor:
        stop, found = Stop(), Future[Predictor]()

        def work() -> None:
            try:
                found.set_result(stop.over(load, path))
            except BaseException as error:
                found.set_exception(error)

        # A daemon: the process does not wait for it at exit.
        threading.Thread(target=work, name=f"load {path.parent}", daemon=True).start()
        try:
            return found.result(seconds if seconds < math.inf else None)
        except TimeoutError:
            stop.set()
        what = "was stopped"
        try:
            found.exception(_LAST)
        except TimeoutError:
            what = "continues in a thread that cannot be stopped, and keeps a CPU core busy"
        raise ModelError(
            f"{path} was not loaded within {seconds:g} s; its load {what}. Does it contain an "
            f"endless loop? Raise MCDROPOUT_LOAD_TIMEOUT to allow more time."
        )

    return load_in_time


def load_version(load: Load, path: Path, files: Files, before: Version) -> Version:
    """Load the file of a version, and return its new state.

    Args:
        load: makes a predictor of a file.
        path: of the file.
        files: their state before reading, so that a later poll detects changes.
        before: the previous version, which is kept if it is ready and `load` fails.
    """
    name, numbered = before.name, before.numbered
    try:
        predictor = load(path)
    except MCDropoutError as error:
        reason = str(error)
    except Exception as error:
        # No error of one model, expected or not, may stop the others.
        log.exception("loading %s failed", path)
        reason = f"{path} could not be loaded: {error}"
    else:
        log.info("model %s%s is ready", name, numbered)
        _warn(before, predictor)
        return Version(name, before.number, State.READY, predictor=predictor, files=files)
    if before.predictor is None:
        log.error("model %s%s failed: %s", name, numbered, reason)
        return Version(name, before.number, State.FAILED, reason, tried=files)
    log.error("model %s%s continues to serve unchanged: %s", name, numbered, reason)
    reason = f"the version loaded before continues to serve; its changed file failed: {reason}"
    return replace(before, reason=reason, tried=files)


def _warn(version: Version, predictor: Predictor) -> None:
    """Log properties of a ready model that a user would not expect."""
    report = predictor.planned.report
    if ignored := predictor.calibration.ignored:
        log.warning(
            "model %s%s is served without its calibration: %s",
            *(version.name, version.numbered, ignored),
        )
    if report.dead:
        log.warning(
            "model %s%s: these dropout nodes are off in its file and stay off: %s. "
            "--activate-dropout activates them",
            *(version.name, version.numbered, report.dead),
        )
    if report.layout.one_pass:
        log.warning(
            "model %s%s runs one pass at a time, which is slow: %s",
            *(version.name, version.numbered, report.rejected.get(Layout.TILED, "")),
        )
