"""A version of a model, its state, and the reason for it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from service.graph.misplaced import a_level_off, lying_in
from service.inference.predictor import Predictor
from service.repository.scan import MODEL_FILE, Files
from service.repository.version_policy import Rule


class State(StrEnum):
    """The state of a version."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"
    UNLOADED = "unloaded"


@dataclass(frozen=True)
class Version:
    """One version of a model. Immutable; a new state is a new object.

    Attributes:
        name: of the model.
        number: of the version. None: this stands for a model of which no version is known.
        state: see `State`.
        reason: why it is not ready; for a ready one, why its current file is not loaded.
        predictor: set while it is ready.
        files: those that the predictor was loaded from.
        tried: the files of the last attempt, if that failed.
    """

    name: str
    number: int | None
    state: State = State.LOADING
    reason: str = ""
    predictor: Predictor | None = None
    files: Files | None = None
    tried: Files | None = None

    @property
    def numbered(self) -> str:
        """The version in a message after the model's name: " version 3", or "" without a number."""
        return "" if self.number is None else f" version {self.number}"

    @property
    def number_text(self) -> str:
        """The number in answers and metrics, whose schema requires one: "0" without a version."""
        return str(self.number or 0)


#: The versions of a model by number; a model without versions has a placeholder under None.
Versions = Mapping[int | None, Version]


def first_choice(versions: Sequence[Version]) -> Version:
    """The default version of a model: the newest that is ready, else the newest selected.

    Precondition: `versions` has one or more, the newest first.
    """
    for taken in ({State.READY}, {State.LOADING, State.FAILED}):
        for version in versions:
            if version.state in taken:
                return version
    return versions[0]


def all_versions(
    tried: Mapping[int, Version], name: str, found: Iterable[int], rule: Rule, folder: Path
) -> Versions:
    """All versions of a model: those that were tried, and the others with a reason.

    Args:
        tried: versions that are loaded or have failed, by number.
        name: of the model.
        found: every version that has a folder.
        rule: selects the versions that are served.
        folder: of the model, for messages.
    """
    ready = [number for number, version in tried.items() if version.predictor]
    newer = f"version {max(ready)} is newer, and " if rule.numbers is None and ready else ""
    not_chosen = f"{newer}the version policy is {rule}."
    no_folder = f"the version policy is {rule}, and {folder} has no folder of this number."
    listed: dict[int | None, Version] = {
        n: Version(name, n, State.UNLOADED, not_chosen) for n in found
    }
    for number in (rule.numbers or frozenset()).difference(found):
        listed[number] = Version(name, number, State.FAILED, no_folder)
    if not listed:
        return without_version(
            name,
            f"{folder} has no version folder. Put the file at {folder / '1' / MODEL_FILE}; a "
            f"version is a whole number.{a_level_off(folder) or lying_in(folder, folder / '1')}",
        )
    listed.update(tried.items())
    return listed


def without_version(name: str, reason: str) -> Versions:
    """The entry of a model without known versions, with the reason."""
    return {None: Version(name, None, State.FAILED, reason)}


def unloaded_versions(name: str, numbers: Iterable[int | None]) -> Versions:
    """The versions of a model that was unloaded by request."""
    reason = f"by request; POST /v2/repository/models/{name}/load loads it."
    return {n: Version(name, n, State.UNLOADED, reason) for n in set(numbers) or {None}}
