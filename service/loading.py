"""Load one version, and say how it went: in the log, and in its reason."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from service.errors import MCDropoutError
from service.graph.plan import Layout
from service.planner import PlanReport
from service.predictor import Predictor
from service.scan import Files
from service.versions import State, Version

Load = Callable[[Path], Predictor]

log = logging.getLogger("mcdropout")


def load_version(load: Load, path: Path, files: Files, before: Version) -> Version:
    """What a version is after loading its file.

    Args:
        load: makes a predictor of a file.
        path: of the file.
        files: as they were before it is read, so that a change meanwhile shows later.
        before: the version, which goes on if it is ready and `load` fails.
    """
    name, number = before.name, before.number
    try:
        predictor = load(path)
    except MCDropoutError as error:
        reason = str(error)
    except Exception as error:
        # One model's fault, foreseen or not, must not stop the others.
        log.exception("loading %s failed", path)
        reason = f"{path} could not be loaded: {error}"
    else:
        log.info("model %s version %d is ready", name, number)
        _warn(name, number, predictor.planned.report)
        return Version(name, number, State.READY, predictor=predictor, files=files)
    if before.predictor is None:
        log.error("model %s version %d failed: %s", name, number, reason)
        return Version(name, number, State.FAILED, reason, tried=files)
    log.error("model %s version %d serves on as it was: %s", name, number, reason)
    reason = f"what was loaded before serves on, for its file changed and failed: {reason}"
    return replace(before, reason=reason, tried=files)


def _warn(name: str, number: int, report: PlanReport) -> None:
    """Say what a user would not expect of a model that is ready."""
    if report.dead:
        log.warning(
            "model %s version %d: these dropouts are off in its file and stay off: %s. "
            "--activate-dropout turns them on",
            *(name, number, report.dead),
        )
    if report.layout.one_pass:
        log.warning(
            "model %s version %d runs one pass at a time, which is slow: %s",
            *(name, number, report.rejected.get(Layout.TILED, "")),
        )
