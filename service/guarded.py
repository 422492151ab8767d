"""Runs observers (metrics, logs, traces) so that their failures do not affect answers."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Literal, ParamSpec, TypeVar, get_args

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("mcdropout")

Observer = Literal[
    "access log", "banner", "memory", "metrics", "metrics page", "time slices", "traces"
]

_failures: Counter[str] = Counter(dict.fromkeys(get_args(Observer), 0))
_lock = threading.Lock()


def guarded(
    name: Observer, observer: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T | None:
    """Call an observer; its exceptions are logged the first time, and counted every time.

    Args:
        name: of the observer, for the log and the counter.
        observer: observes a request or its work without affecting the answer.

    Returns:
        The observer's result; None if it failed.
    """
    try:
        return observer(*args, **kwargs)
    except Exception:
        with _lock:
            _failures[name] += 1
            first = _failures[name] == 1
        if first:
            with suppress(Exception):  # the log itself may have failed
                log.exception(
                    "observer %r failed; no answer is affected. Further failures are only counted, "
                    "in mcdropout_observer_failures_total",
                    name,
                )
        return None


def failures() -> Mapping[str, int]:
    """Number of failures by observer since the start of the process."""
    with _lock:
        return dict(_failures)
