"""Load one version, and say how it went: in the log, and in its reason."""

import logging
import math
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from service.errors import MCDropoutError, ModelError
from service.graph.plan import Layout
from service.inference.planner import PlanReport
from service.inference.predictor import Predictor
from service.repository.scan import Files
from service.repository.versions import State, Version
from service.runtime.engine import Stop

Load = Callable[[Path], Predictor]

log = logging.getLogger("mcdropout")


#: Seconds that a load has to end in after it was told to.
_LAST = 5.0


def limited(load: Load, seconds: float) -> Load:
    """A `load` that ends after so many seconds at the latest, with a ModelError.

    What runs then is stopped. What cannot be stopped, as ONNX Runtime at the making of a
    session, is left to a thread of its own, whose result nobody wants any more.
    """

    def load_in_time(path: Path) -> Predictor:
        stop, found = Stop(), Future[Predictor]()

        def work() -> None:
            try:
                found.set_result(stop.over(load, path))
            except BaseException as error:
                found.set_exception(error)

        # A daemon: the process does not wait for it at its end.
        threading.Thread(target=work, name=f"load {path.parent}", daemon=True).start()
        try:
            return found.result(seconds if seconds < math.inf else None)
        except TimeoutError:
            stop.set()
        what = "was stopped"
        try:
            found.exception(_LAST)
        except TimeoutError:
            what = "goes on in a thread that cannot be stopped, and keeps a processor busy"
        raise ModelError(
            f"{path} was not loaded within {seconds:g} s; its load {what}. Does it hold a loop "
            "that does not end? MCDROPOUT_LOAD_TIMEOUT allows more time."
        )

    return load_in_time


def load_version(load: Load, path: Path, files: Files, before: Version) -> Version:
    """What a version is after loading its file.

    Args:
        load: makes a predictor of a file.
        path: of the file.
        files: as they were before it is read, so that a change meanwhile shows later.
        before: the version, which goes on if it is ready and `load` fails.
    """
    name, numbered = before.name, before.numbered
    try:
        predictor = load(path)
    except MCDropoutError as error:
        reason = str(error)
    except Exception as error:
        # One model's fault, foreseen or not, must not stop the others.
        log.exception("loading %s failed", path)
        reason = f"{path} could not be loaded: {error}"
    else:
        log.info("model %s%s is ready", name, numbered)
        _warn(before, predictor.planned.report)
        return Version(name, before.number, State.READY, predictor=predictor, files=files)
    if before.predictor is None:
        log.error("model %s%s failed: %s", name, numbered, reason)
        return Version(name, before.number, State.FAILED, reason, tried=files)
    log.error("model %s%s serves on as it was: %s", name, numbered, reason)
    reason = f"what was loaded before serves on, for its file changed and failed: {reason}"
    return replace(before, reason=reason, tried=files)


def _warn(version: Version, report: PlanReport) -> None:
    """Say what a user would not expect of a model that is ready."""
    if report.dead:
        log.warning(
            "model %s%s: these dropouts are off in its file and stay off: %s. "
            "--activate-dropout turns them on",
            *(version.name, version.numbered, report.dead),
        )
    if report.layout.one_pass:
        log.warning(
            "model %s%s runs one pass at a time, which is slow: %s",
            *(version.name, version.numbered, report.rejected.get(Layout.TILED, "")),
        )
