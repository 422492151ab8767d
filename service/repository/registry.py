"""The models of a folder: <name>/<version>/model.onnx, each ready, or not with a reason.

Rules:
1. Names in requests are compared with names found in the folder, and never used as paths.
2. A request gets a `Predictor` and keeps it until it is done; it does not wait for loads of
   other models (see `Listing`).
3. A version is unloaded only when its replacement is ready. If the replacement fails, the old
   version continues to serve, with the reason.
4. If an operator removes the folder of a version or model, it is unloaded. If files inside of a
   version's folder are missing or broken, that is a failure, and the loaded version is kept.
5. Polling loads only files that two successive polls found unchanged, since they may still be
   written, and tries a failed file again only when it has changed.
"""

import logging
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from service.errors import LoadError, ModelError, ModelUnavailableError, SetupError
from service.graph.misplaced import lying_in
from service.repository.listing import Listing
from service.repository.loading import Load, load_version
from service.repository.scan import MODEL_FILE, Files, model_names, scan_model
from service.repository.version_policy import LATEST, Policy
from service.repository.versions import (
    State,
    Version,
    all_versions,
    unloaded_versions,
    without_version,
)
from service.runtime.memory import trim

__all__ = ["MODEL_FILE", "Repository", "State", "Version"]

#: Seconds after which the next model is loaded in parallel to a slow one.
_PATIENCE = 10.0
#: Seconds that a request waits for another load of the same model.
_LOCK_SECONDS = 1.0
#: Decides whether a version may be loaded now from these files.
_May = Callable[[int, Files, Version | None], bool]

log = logging.getLogger("mcdropout")


class Repository(Listing):
    """Finds the models of a folder and loads them. Safe to use from several threads."""

    def __init__(self, folder: Path, load: Load, policy: Policy = LATEST) -> None:
        """Scan the folder; nothing is loaded yet.

        Args:
            folder: of the models.
            load: makes a predictor of a file; its error becomes the version's reason, and
                other models are served.
            policy: which versions are loaded.

        Raises:
            SetupError: the folder does not exist, or cannot be listed.
        """
        super().__init__()
        self.folder = folder
        self._load_file = load
        #: Called after models were loaded or unloaded.
        self.on_change: Callable[[], None] = trim
        self._policy = policy
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)
        self._polling = threading.Lock()
        self._stopping, self._all_loaded = threading.Event(), threading.Event()
        self._unloaded: set[str] = set()  # by request; polling leaves them alone
        #: Models in the folder at the start; the server is ready when they are.
        self.requested: frozenset[str] = frozenset()
        try:
            names = self._names()
        except ModelError as error:
            raise SetupError(
                f"there is no model folder {str(folder)!r}. Give one that holds "
                f"<name>/<version>/{MODEL_FILE}."
            ) from error
        #: The files found by the last poll.
        self._seen = {name: self._start(name, lambda *_: False) for name in names}
        self.requested = frozenset(names)

    def load_all(self) -> None:
        """Load all models: one after the other, and slow ones in parallel."""
        if hint := lying_in(self.folder):
            log.warning("the folder of models %s contains a misplaced file.%s", self.folder, hint)
        for name in sorted(set(self._policy.models) - set(self.names())):
            log.warning("the version policy names model %r, which does not exist", name)
        loads = [
            threading.Thread(target=self._load_first, args=(name,), daemon=True)
            for name in self.names()
        ]
        for load in loads:
            load.start()
            load.join(_PATIENCE)
        for load in loads:
            load.join()
        if not self._stopping.is_set():
            self._all_loaded.set()

    def _load_first(self, name: str) -> None:
        with self._locks[name]:
            if name in self._unloaded or self._stopping.is_set():
                return
            try:
                self._start(name, lambda *_: True)
            except Exception as error:  # of one model; the others are loaded
                log.exception("loading model %s failed", name)
                self._put(name, without_version(name, str(error)))

    def load(self, name: str) -> None:
        """Load or reload a model from its folder.

        The loaded version serves until its replacement is ready, and is kept if that fails.

        Raises:
            ModelNotFoundError: there is no such model.
            LoadError: a version that the policy selects could not be loaded; with the reason.
            ModelUnavailableError: another load of the model takes too long.
        """
        with self._only(name):
            found = self._listed(name)
            if found is None:
                if self._serves(name):
                    raise LoadError(
                        f"model {name!r} cannot be loaded again, because its folder was removed. "
                        f"What was loaded from it continues to serve."
                    )
                self._forget(name)
                self.versions(name)  # raises
            self._unloaded.discard(name)
            self._seen[name] = found or {}
            self._sync(name, self._seen[name], lambda *_: True)
            bad = [v for v in self._wanted(name) if v.predictor is None or v.reason]
        if bad:
            raise LoadError(
                f"model {name!r} is not up to date: "
                + " ".join(f"{v.numbered.lstrip() or 'it'} ({v.state}): {v.reason}" for v in bad)
            )

    def _wanted(self, name: str) -> list[Version]:
        """The versions that the policy selects; for a model without versions, its placeholder."""
        versions = self._models[name]
        numbers = self._policy.of(name).selected(n for n in versions if n is not None)
        return [versions[number] for number in numbers] or [*versions.values()]

    def unload(self, name: str) -> None:
        """Unload a model; polling does not load it again.

        Raises:
            ModelNotFoundError: there is no such model.
            ModelUnavailableError: a load of the model takes too long.
        """
        with self._only(name):
            self.versions(name)
            self._unloaded.add(name)
            if self._put(name, unloaded_versions(name, self._models[name])):
                self.on_change()

    def poll(self) -> None:
        """Check the folder once; load and unload what has changed."""
        with self._polling:
            try:
                names = self._names()
            except ModelError as error:
                log.error("%s", error)
                return
            seen = {}
            for name in sorted({*names, *self._models}):
                if self._stopping.is_set():
                    return
                before = self._seen.get(name)
                if self._locks[name].acquire(blocking=False):
                    try:
                        before = self._look_at(name, name in names)
                    except ModelError as error:
                        log.error("%s", error)
                    finally:
                        self._locks[name].release()
                if before is not None:
                    seen[name] = before
            self._seen = seen

    def _look_at(self, name: str, there: bool) -> dict[int, Files] | None:
        """Follow changes of a model's folder; returns its versions."""
        found = self._scan(name) if there else None
        self._poll_model(name, found)
        return found

    @contextmanager
    def _only(self, name: str) -> Iterator[None]:
        """Hold the lock for loading and unloading this model."""
        if name not in self._models and name not in self._names():
            self.versions(name)  # raises; an unknown name gets no lock
        if not self._locks[name].acquire(timeout=_LOCK_SECONDS):
            raise ModelUnavailableError(
                f"model {name!r} is still being loaded. Retry later; GET /v1/models shows the "
                f"result.",
                retry_after=10,
            )
        try:
            yield
        finally:
            self._locks[name].release()

    def stop(self) -> None:
        """Begin no further load; a running one is not terminated."""
        self._stopping.set()

    @property
    def loaded(self) -> bool:
        """Whether `load_all` is done."""
        return self._all_loaded.is_set()

    def _names(self) -> list[str]:
        try:
            return model_names(self.folder)
        except OSError as error:
            raise ModelError(f"{self.folder} cannot be read: {error.strerror}.") from error

    def _scan(self, name: str) -> dict[int, Files]:
        try:
            return scan_model(self.folder / name)
        except OSError as error:
            raise ModelError(f"{self.folder / name} cannot be read: {error.strerror}.") from error

    def _listed(self, name: str) -> dict[int, Files] | None:
        """The versions in the folder of a model; None: it has no folder.

        Raises:
            LoadError: the folder cannot be read.
        """
        try:
            return self._scan(name) if name in self._names() else None
        except ModelError as error:
            raise LoadError(f"model {name!r} is not up to date: {error}") from error

    def _serves(self, name: str) -> bool:
        return any(v.predictor for v in self._models.get(name, {}).values())

    def _start(self, name: str, may: _May) -> dict[int, Files]:
        """List a model, and load it if allowed; returns the versions in its folder."""
        try:
            found = self._scan(name)
        except ModelError as error:
            if not self._serves(name):
                self._put(name, without_version(name, str(error)))
            return {}
        self._sync(name, found, may)
        return found

    def _poll_model(self, name: str, found: dict[int, Files] | None) -> None:
        """Follow changes of a model's folder; None: it was removed."""
        before = self._seen.get(name)
        if found is None:
            # Between two polls its folder may be in the process of being replaced.
            if before is None:
                self._forget(name)
            return
        if name in self._unloaded:
            self._put(name, unloaded_versions(name, found))
            return
        known, seen = self._models.get(name, {}), before or {}
        staying: dict[int, Files] = {n: () for n in seen if n in known and n not in found}
        if not found and not staying and before != {}:
            return  # a folder that is still being filled

        def may(number: int, files: Files, old: Version | None) -> bool:
            failed = old is not None and old.tried == files
            return seen.get(number) == files and not failed

        self._sync(name, found | staying, may)

    def _sync(self, name: str, found: Mapping[int, Files], may: _May) -> None:
        """Load the versions of `found` that the policy selects, then unload the others."""
        before = self._models.get(name)
        rule, tried, ready = self._policy.of(name), {}, 0
        for number in rule.candidates(found):
            if ready == rule.newest:
                break
            tried[number] = self._bring_up(name, number, found[number], may)
            ready += tried[number].predictor is not None
        self._put(name, all_versions(tried, name, found, rule, self.folder / name))
        changed = before != self._models[name]
        del before  # otherwise it would keep the unloaded versions in memory
        if changed and any(v.predictor or v.tried is not None for v in tried.values()):
            self.on_change()

    def _bring_up(self, name: str, number: int, files: Files, may: _May) -> Version:
        """A version unchanged, or reloaded if its files have changed and may be loaded."""
        old = self._models.get(name, {}).get(number)
        if old is not None and old.predictor is not None and old.files == files:
            return replace(old, reason="", tried=None)
        if self._stopping.is_set() or not may(number, files, old):
            if old is None or old.state is State.UNLOADED:
                return Version(name, number)
            return old
        if old is None or old.predictor is None:
            old = Version(name, number)
            self._put_one(old)
        path = self.folder / name / str(number) / MODEL_FILE
        version = load_version(self._load_file, path, files, old)
        self._put_one(version)
        return version

    def _put_one(self, version: Version) -> None:
        """Replace one version in the snapshot."""
        versions = {**self._models.get(version.name, {}), version.number: version}
        versions.pop(None, None)  # the placeholder of a model without versions
        self._put(version.name, versions)

    def _forget(self, name: str) -> None:
        self._unloaded.discard(name)
        if self._drop(name):
            self.on_change()

    def without_folder(self, text: str) -> str:
        """A text without the path of the model folder, which only operators may see."""
        folder = str(self.folder)
        return text.replace(f"{folder}{os.sep}", "").replace(folder, "the folder of models")
