"""A snapshot of the models and their versions, for readers."""

import logging
import threading
from collections.abc import Mapping

from service.errors import ModelNotFoundError, ModelUnavailableError
from service.inference.predictor import Predictor
from service.repository.versions import State, Version, Versions, first_choice

log = logging.getLogger("mcdropout")


class Listing:
    """Models and their versions, read without locks.

    The state is one immutable snapshot that is replaced as a whole, so each answer is
    consistent. One thread at a time may replace a model.
    """

    def __init__(self) -> None:
        self._models: Mapping[str, Versions] = {}
        self._replacing = threading.RLock()

    def names(self) -> list[str]:
        """Names of the models, sorted."""
        return sorted(self._models)

    def models(self) -> dict[str, list[Version]]:
        """The versions of every model, the newest first, by name; consistent."""
        models = self._models
        return {name: _newest_first(models[name]) for name in sorted(models)}

    def versions(self, name: str) -> list[Version]:
        """The versions of a model, the newest first.

        Raises:
            ModelNotFoundError: there is no such model.
        """
        models = self._models
        if name not in models:
            known = ", ".join(sorted(models)) or "none"
            raise ModelNotFoundError(f"there is no model {name!r}; this server has: {known}.")
        return _newest_first(models[name])

    def version(self, name: str, number: int | None = None) -> Version:
        """A version by number; without one, the newest that is ready, else the newest wanted.

        Raises:
            ModelNotFoundError: there is no such model or version.
        """
        versions = self.versions(name)
        if number is None:
            return first_choice(versions)
        for version in versions:
            if version.number == number:
                return version
        numbers = [v.number for v in versions if v.number is not None]
        raise ModelNotFoundError(
            f"model {name!r} has no version {number}; it has {numbers or 'none'}."
        )

    def predictor(self, name: str, number: int | None = None) -> tuple[Version, Predictor]:
        """A version that can answer.

        Raises:
            ModelNotFoundError: there is no such model or version.
            ModelUnavailableError: it is loading, has failed or is unloaded.
        """
        version = self.version(name, number)
        if version.predictor is None:
            why = version.reason or "retry shortly."
            loading = version.state is State.LOADING
            raise ModelUnavailableError(
                f"model {name!r}{version.numbered} is not ready ({version.state}): {why}",
                retry_after=1 if loading else None,
            )
        return version, version.predictor

    def _put(self, name: str, versions: Versions) -> bool:
        """Replace the versions of a model; returns whether any has changed."""
        known = self._models.get(name, {})
        for number, version in known.items():
            after = versions.get(number)
            if version.predictor is not None and (after is None or after.predictor is None):
                why = "its folder was removed." if after is None else after.reason
                log.info("model %s%s is unloaded: %s", name, version.numbered, why)
        for number, version in versions.items():
            # A version that was tried has been logged by `loading`.
            failed = version.state is State.FAILED and version.tried is None
            if failed and version != known.get(number):
                log.error("model %s%s failed: %s", name, version.numbered, version.reason)
        if known == versions:
            return False
        with self._replacing:
            self._models = {**self._models, name: versions}
        return True

    def _drop(self, name: str) -> bool:
        """Remove a model; returns whether it existed."""
        known = name in self._models
        self._put(name, {})
        with self._replacing:
            self._models = {key: value for key, value in self._models.items() if key != name}
        return known


def _newest_first(versions: Versions) -> list[Version]:
    return sorted(versions.values(), key=lambda v: v.number or 0, reverse=True)
