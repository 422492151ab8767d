"""Available memory, and its release to the operating system.

Without a check, a model that is too large would end the process, and with it all other models.
"""

import ctypes
import gc
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from service.errors import ModelError

#: Files of Linux' control groups, version 2 and 1: the limit, what is used, and the name
#: in memory.stat of what the kernel takes back first, pages of files.
_V2 = ("memory.max", "memory.current", "inactive_file")
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
#: The option's number in glibc's malloc.h.
_ARENA_MAX = -8
#: Minimum growth in bytes for which memory is released.
_WORTH = 8 << 20
#: Maximum number of checks that are skipped after memory has grown again at once.
_LONGEST_PAUSE = 7
#: Further functions that release memory.
_keepers: list[Callable[[], object]] = []


def available_memory(root: Path = Path("/")) -> int:
    """Bytes that this process can still allocate, limited by the machine and its container.

    Args:
        root: folder that contains `proc` and `sys`.
    """
    free: int = psutil.virtual_memory().available
    return max(0, min([free, *_rooms(root)]))


def require_memory(needed: int, what: str, why: str) -> None:
    """Check that enough memory is available.

    Args:
        needed: bytes.
        what: name of what needs the memory, for the error.
        why: reason for that much, for the error.

    Raises:
        ModelError: less is available.
    """
    if needed <= available_memory():
        return
    trim()
    available = available_memory()
    if needed > available:
        raise ModelError(
            f"{what} needs about {mib(needed)} MiB of memory to be loaded ({why}), and "
            f"{mib(available)} MiB are available. Give the machine or the container more, serve "
            "fewer models or versions, or export a smaller model."
        )


def mib(size: int) -> int:
    """Bytes in MiB, rounded up."""
    return -(-size // (1 << 20))


def trim() -> None:
    """Return unused memory to the system, as far as the C library can.

    Loading a model of 64 MiB takes 8 to 13 times as much temporarily. Graphs contain reference
    cycles, which only the garbage collector frees, and glibc keeps freed memory.
    """
    gc.collect()
    give_back()


def use_one_heap() -> None:
    """Let all threads allocate from the same heap; must be called before threads start.

    glibc creates up to eight heaps per processor, and keeps up to 64 MiB of free memory at the
    end of each, which `malloc_trim` does not release.
    """
    with suppress(AttributeError, OSError, TypeError):  # not glibc
        _c_library().mallopt(_ARENA_MAX, 1)


def give_back_also(release: Callable[[], object]) -> None:
    """Let `give_back` also call `release`, which frees cached memory."""
    _keepers.append(release)


def give_back() -> None:
    """Return free memory to the system, which ONNX Runtime and glibc keep after large requests."""
    for release in _keepers:
        release()
    with suppress(AttributeError, OSError, TypeError):  # not glibc
        _c_library().malloc_trim(0)


@cache
def _c_library() -> Any:
    """Opened once, because each handle creates a class that only the garbage collector frees."""
    return ctypes.CDLL(None)


class Level:
    """The minimum memory of the process since its models were loaded, to which it returns.

    A release costs milliseconds, and the next large request has to allocate the pages again.
    Therefore memory is released only if it has grown, and more and more rarely while it grows
    again at once. Thread-safe.
    """

    def __init__(self, taken: Callable[[], int] | None = None) -> None:
        """`taken` returns the memory of the process in bytes; by default that of this one."""
        self._taken = taken or _resident
        self._pause = self._skip = 0  # checks to skip
        self.reset()

    def reset(self) -> None:
        """Take the current memory as needed; to be called after models were loaded or unloaded."""
        self._least = self._taken()

    def restore(self) -> None:
        """Check the memory, and release some if it has grown enough."""
        taken = self._taken()
        self._least = min(self._least, taken)
        if taken <= self._least + _WORTH:
            self._pause = self._skip = 0
        elif self._skip:
            self._skip -= 1
        else:
            # The memory of running requests is not released, and must not count as needed.
            give_back()
            self._pause = self._skip = min(2 * self._pause + 1, _LONGEST_PAUSE)


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)


def _rooms(root: Path) -> Iterator[int]:
    """The bytes left below the limit of each control group of this process."""
    mounted = root / "sys" / "fs" / "cgroup"
    try:
        lines = (root / "proc" / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return  # not Linux
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top, names = (mounted / "memory", _V1) if controllers else (mounted, _V2)
        # A container may see its own group at the top, and a path that only the host has.
        group = top / path.strip("/")
        for folder in (group, *group.parents):
            if folder.is_relative_to(top):
                yield from _room(folder, *names)


def _room(folder: Path, limit: str, used: str, cache: str) -> Iterator[int]:
    try:
        maximum = (folder / limit).read_text().strip()
        if maximum == "max":
            return
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        yield int(maximum) - int((folder / used).read_text()) + int(stat.get(cache, 0))
    except (OSError, ValueError):
        return  # no such group here, or the root's, which has no limit
