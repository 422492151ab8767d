"""The models of a folder: <name>/<version>/model.onnx, each ready or failed with a reason."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from service.errors import MCDropoutError, ModelNotFoundError, ModelUnavailableError, SetupError
from service.graph.plan import Layout
from service.planner import PlanReport
from service.predictor import Predictor

MODEL_FILE = "model.onnx"

log = logging.getLogger("mcdropout")


class State(StrEnum):
    """Where a version is in its life."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class Version:
    """One version of a model.

    Attributes:
        name: of the model.
        number: of the version.
        state: see `State`.
        reason: why it failed, else empty.
        predictor: set once it is ready.
    """

    name: str
    number: int
    state: State = State.LOADING
    reason: str = ""
    predictor: Predictor | None = None


class Repository:
    """Finds the models of a folder and loads them. Safe to use from several threads.

    A request's model name is only ever looked up among the names found here, so
    no text of a request becomes a path.
    """

    def __init__(self, folder: Path, load: Callable[[Path], Predictor]) -> None:
        """Scan the folder; nothing is loaded yet.

        Args:
            folder: of the models.
            load: makes a predictor of a file; an MCDropoutError it raises
                becomes that version's reason, and the others serve.

        Raises:
            SetupError: the folder is not there.
        """
        if not folder.is_dir():
            raise SetupError(
                f"there is no model folder {str(folder)!r}. Give one that holds "
                "<name>/<version>/model.onnx."
            )
        self.folder = folder
        self._load = load
        self._loaded = threading.Event()
        self._models = {path.name: _scan_model(path) for path in _folders(folder)}

    def load_all(self) -> None:
        """Load every version, one after the other."""
        for versions in self._models.values():
            for number, version in versions.items():
                if version.state is State.LOADING:
                    versions[number] = self._load_version(version)
        self._loaded.set()

    @property
    def loaded(self) -> bool:
        """Whether every version is ready or failed."""
        return self._loaded.is_set()

    def names(self) -> list[str]:
        """Names of the models, sorted."""
        return sorted(self._models)

    def versions(self, name: str) -> list[Version]:
        """The versions of a model, the newest first.

        Raises:
            ModelNotFoundError: there is no such model.
        """
        if name not in self._models:
            known = ", ".join(self.names()) or "none"
            raise ModelNotFoundError(f"there is no model {name!r}; this server has: {known}.")
        return sorted(self._models[name].values(), key=lambda v: v.number, reverse=True)

    def version(self, name: str, number: int | None = None) -> Version:
        """A version by number; without one, the newest that is ready, else the newest.

        Raises:
            ModelNotFoundError: there is no such model or version.
        """
        versions = self.versions(name)
        if number is None:
            return next((v for v in versions if v.state is State.READY), versions[0])
        for version in versions:
            if version.number == number:
                return version
        raise ModelNotFoundError(
            f"model {name!r} has no version {number}; it has {[v.number for v in versions]}."
        )

    def predictor(self, name: str, number: int | None = None) -> tuple[Version, Predictor]:
        """A version that can answer.

        Raises:
            ModelNotFoundError: there is no such model or version.
            ModelUnavailableError: it is loading or has failed.
        """
        version = self.version(name, number)
        if version.predictor is None:
            why = version.reason or "it is loading; try again in a moment."
            raise ModelUnavailableError(
                f"model {name!r} version {version.number} is {version.state}: {why}"
            )
        return version, version.predictor

    def _load_version(self, version: Version) -> Version:
        path = self.folder / version.name / str(version.number) / MODEL_FILE
        try:
            predictor = self._load(path)
        except MCDropoutError as error:
            reason = str(error)
        except Exception as error:
            # One model's fault, foreseen or not, must not stop the others.
            log.exception("loading %s failed", path)
            reason = f"{path} could not be loaded: {error}"
        else:
            log.info("model %s version %d is ready", version.name, version.number)
            _warn(version, predictor.planned.report)
            return Version(version.name, version.number, State.READY, predictor=predictor)
        log.error("model %s version %d failed: %s", version.name, version.number, reason)
        return Version(version.name, version.number, State.FAILED, reason)


def _warn(version: Version, report: PlanReport) -> None:
    """Say what a user would not expect of a model that is ready."""
    if report.dead:
        log.warning(
            "model %s version %d: these dropouts are off in its file and stay off: %s. "
            "--activate-dropout turns them on",
            *(version.name, version.number, report.dead),
        )
    if report.layout is Layout.SERIAL:
        log.warning(
            "model %s version %d runs one pass at a time, which is slow: %s",
            *(version.name, version.number, report.rejected.get(Layout.TILED, "")),
        )


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _scan_model(folder: Path) -> dict[int, Version]:
    """The versions in a model's folder; one that cannot be right is failed at once."""
    numbers = [int(p.name) for p in _folders(folder) if p.name.isascii() and p.name.isdigit()]
    if not numbers:
        reason = (
            f"{folder} has no version folder. Put the file at {folder / '1' / MODEL_FILE}; a "
            "version is a whole number."
        )
        return {0: Version(folder.name, 0, State.FAILED, reason)}
    return {number: Version(folder.name, number) for number in numbers}
