"""Writes files so that they are whole, or are not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.errors import SetupError


def require_writable(path: Path, force: bool) -> None:
    """Check a file before the work whose result it will have.

    Raises:
        SetupError: it is there already and `force` is not set, or nothing can be written there.
    """
    if path.exists() and not force:
        raise SetupError(f"{path} already exists. Give another file, or use --force.")
    if path.is_dir():
        raise SetupError(f"{path} is a folder. Give a file.")
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise SetupError(f"{path} cannot be written: {folder} is not a writable folder.")


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place only if the block succeeds.

    The folder of `path` is created.

    Raises:
        SetupError: it cannot be written, for example because the disk is full.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield draft
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        why = error.strerror or error
        raise SetupError(f"{path} cannot be written: {why}.") from error
