"""Folders of models, and the repositories that load them."""

from pathlib import Path
from typing import Any

from service import load_model
from service.repository.registry import MODEL_FILE, Repository
from service.repository.version_policy import parse_policy


def place(folder: Path, name: str, number: int | str, content: bytes) -> Path:
    path = folder / name / str(number) / MODEL_FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def repository(folder: Path, load: Any = load_model, policy: str = "latest") -> Repository:
    loaded = Repository(folder, load, parse_policy(policy))
    loaded.load_all()
    return loaded


def states(models: Repository, name: str = "digits") -> dict[int | None, str]:
    """Number of each version to its state."""
    return {version.number: version.state.value for version in models.versions(name)}
