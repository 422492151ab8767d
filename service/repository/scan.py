"""Lists the contents of a model folder: names, version numbers, files.

Symbolic links are followed for the folder of a model or version and for `model.onnx`, since
Kubernetes mounts files this way. Stricter rules apply to data files that a model file references
(see `service.graph.model_file`).
"""

import logging
import os
import re
from functools import cache
from pathlib import Path

log = logging.getLogger("mcdropout")

MODEL_FILE = "model.onnx"

#: A version's files, with attributes that detect changes without reading them: name, time of
#: the last change in ns, size, inode. Empty if there are no files.
Files = tuple[tuple[str, int, int, int], ...]

#: Folders created by file systems, Python and macOS archives.
_FOREIGN = {"lost+found", "__pycache__", "__MACOSX"}


def model_names(folder: Path) -> list[str]:
    """Names of the models in a folder, sorted.

    Raises:
        OSError: the folder cannot be listed.
    """
    return sorted(set(_folders(folder)) - _FOREIGN)


def scan_model(folder: Path) -> dict[int, Files]:
    """The versions in a model's folder, and their files.

    A version's name is 1, not 01, which would be the same version twice.

    Raises:
        OSError: the folder cannot be listed.
    """
    return {int(name): _files(folder / name) for name in _folders(folder) if is_version(name)}


def is_version(name: str) -> bool:
    """Whether a folder of this name is a version: a whole number without leading zeros."""
    return re.fullmatch(r"0|[1-9][0-9]{0,17}", name) is not None


def _folders(folder: Path) -> list[str]:
    """Names of the folders in a folder that do not begin with a dot.

    A broken link counts as a folder: it is reported as a failure, and does not count as the
    removal of a model.
    """
    return [
        name
        for name in os.listdir(folder)
        if not name.startswith(".")
        and (os.path.isdir(folder / name) or not os.path.exists(folder / name))
        and _is_text(name)
    ]


@cache
def _is_text(name: str) -> bool:
    """Whether a name can be written in an answer; logs a warning once if not."""
    try:
        name.encode()
    except UnicodeEncodeError:
        log.warning("the folder %r is ignored: its name is not UTF-8", os.fsencode(name))
        return False
    return True


def _files(folder: Path) -> Files:
    """The files of a version; data files in folders of their own are not seen."""
    found = []
    try:
        for name in sorted(os.listdir(folder)):
            path = folder / name
            if not name.startswith(".") and path.is_file():
                stat = path.stat()
                found.append((name, stat.st_mtime_ns, stat.st_size, stat.st_ino))
    except OSError:  # missing or unreadable, which loading will report
        return ()
    return tuple(found)
