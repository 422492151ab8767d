"""How much memory there is, and whether what is to be loaded fits.

Without this, a model that is too large ends the process, and with it all others.
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
#: Bytes of growth that are worth giving back.
_WORTH = 8 << 20
#: Looks at the memory that are left out at most, after it was given back and has grown again.
_LONGEST_PAUSE = 7
#: What else is called to give memory back.
_keepers: list[Callable[[], object]] = []


def available_memory(root: Path = Path("/")) -> int:
    """Bytes that this process can still take: what the machine has, or its container's limit.

    Args:
        root: under which `proc` and `sys` lie.
    """
    free: int = psutil.virtual_memory().available
    return max(0, min([free, *_rooms(root)]))


def require_memory(needed: int, what: str, why: str) -> None:
    """Check that there is memory.

    Args:
        needed: bytes.
        what: needs it.
        why: so much.

    Raises:
        ModelError: there is less.
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
    """Give memory that is no longer used back to the system, as far as the C library can.

    Loading a model of 64 MiB takes 8 to 13 times as much for a moment. Graphs refer to
    themselves, so that they wait for the collector, and glibc keeps what is freed.
    """
    gc.collect()
    give_back()


def use_one_heap() -> None:
    """Let all threads take memory from the same heap; to be called before there are threads.

    glibc makes up to eight for each processor. What is free at the end of such a heap stays:
    up to 64 MiB, and `malloc_trim` does not touch it.
    """
    with suppress(AttributeError, OSError, TypeError):  # not glibc
        _c_library().mallopt(_ARENA_MAX, 1)


def give_back_also(release: Callable[[], object]) -> None:
    """Have `give_back` call `release`, which frees what it keeps for later."""
    _keepers.append(release)


def give_back() -> None:
    """Give what is free back to the system: ONNX Runtime and glibc keep what was large."""
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
        """`taken` tells the bytes that the process has; by default those of this one."""
        self._taken = taken or _resident
        self._pause = self._skip = 0  # looks to leave out
        self.reset()

    def reset(self) -> None:
        """What there is now is wanted; to be called when models were loaded or dropped."""
        self._least = self._taken()

    def restore(self) -> None:
        """Look how much there is, and give back if that is by so much more that it is worth it."""
        taken = self._taken()
        self._least = min(self._least, taken)
        if taken <= self._least + _WORTH:
            self._pause = self._skip = 0
        elif self._skip:
            self._skip -= 1
        else:
            # What a request holds just now stays, and must not count as wanted.
            give_back()
            self._pause = self._skip = min(2 * self._pause + 1, _LONGEST_PAUSE)


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)


def _rooms(root: Path) -> Iterator[int]:
    """What is left below the limit of each control group that holds this process."""
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
