"""What lies in a folder of models, seen from outside: names, version numbers, files.

Links are followed where the operator may set them: for the folder of a model, of a
version, and for `model.onnx`, as Kubernetes mounts files. What a file itself names,
its data files, is held to stricter rules (see `service.graph.model_file`).
"""

import logging
import os
import re
from functools import cache
from pathlib import Path

log = logging.getLogger("mcdropout")

MODEL_FILE = "model.onnx"

#: A version's files, as they can be told apart without reading them: name, time of the
#: last change in ns, size, inode. Empty where there is none to be seen.
Files = tuple[tuple[str, int, int, int], ...]

#: Made in folders of any kind: by file systems, Python, and archives of a Mac.
_FOREIGN = {"lost+found", "__pycache__", "__MACOSX"}


def model_names(folder: Path) -> list[str]:
    """Names of the models in a folder, sorted.

    Raises:
        OSError: the folder cannot be listed.
    """
    return sorted(set(_folders(folder)) - _FOREIGN)


def scan_model(folder: Path) -> dict[int, Files]:
    """The versions in a model's folder, and their files.

    A version's name is 1, and not 01, which would be the same version twice.

    Raises:
        OSError: the folder cannot be listed.
    """
    return {int(name): _files(folder / name) for name in _folders(folder) if is_version(name)}


def is_version(name: str) -> bool:
    """Whether a folder of this name is a version: a whole number as one writes it."""
    return re.fullmatch(r"0|[1-9][0-9]{0,17}", name) is not None


def _folders(folder: Path) -> list[str]:
    """Names of the folders in a folder that do not begin with a dot.

    A link to nowhere counts as a folder: it is a fault to be told, no reason to take
    what was there for removed.
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
    """Whether a name can be written in an answer; tells the log once if not."""
    try:
        name.encode()
    except UnicodeEncodeError:
        log.warning("the folder %r is passed over: its name is not UTF-8", os.fsencode(name))
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
    except OSError:  # gone meanwhile, or not to be read: what that means, loading it will tell
        return ()
    return tuple(found)
