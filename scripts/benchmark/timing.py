"""Interleaved timing: each round runs every way once, under the same conditions."""

import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from scripts.benchmark.ways import Array, Kind, Way

Clock = Callable[[], float]


@dataclass(frozen=True)
class Case:
    """One size of request: B rows, P passes."""

    rows: int
    passes: int

    def __str__(self) -> str:
        return f"{self.rows}x{self.passes}"


@dataclass(frozen=True)
class Effort:
    """How long to measure one way of one case.

    Attributes:
        rounds: minimum number of rounds, if `max_seconds` permits.
        max_rounds: maximum number of rounds.
        seconds: time to fill with rounds, between these two.
        max_seconds: maximum time; one round is always run.
        longest_call: maximum time of a call in seconds; slower ways are left out.
        largest_tensor: maximum size in bytes; tiled ways with a larger tensor are left out.
    """

    rounds: int = 7
    max_rounds: int = 200
    seconds: float = 1.0
    max_seconds: float = 10.0
    longest_call: float = 20.0
    largest_tensor: int = 2 << 30


FULL = Effort()
QUICK = Effort(rounds=5, max_rounds=5, seconds=0.0, max_seconds=5.0)


@dataclass(frozen=True)
class Timing:
    """Median time of a call in seconds, and the number of rounds."""

    seconds: float
    rounds: int


@dataclass(frozen=True)
class Measured:
    """The ways of one case: name to timing, or to the reason for which there is none."""

    timings: dict[str, Timing]
    skipped: dict[str, str]


def measure(
    ways: Sequence[Way],
    x: Array,
    passes: int,
    effort: Effort = FULL,
    largest_tensor: int = 0,
    clock: Clock = time.perf_counter,
) -> Measured:
    """Warm up every way, then time all of them in rounds.

    Args:
        ways: to compare.
        x: (B, …) rows.
        passes: P.
        effort: how long to measure.
        largest_tensor: elements per row of the largest tensor of the network.
        clock: returns the time in seconds.
    """
    skipped, estimates = {}, {}
    for way in ways:
        size = largest_tensor * 4 * len(x) * passes
        if way.unavailable:
            skipped[way.name] = way.unavailable
        elif way.kind is Kind.TILED and size > effort.largest_tensor:
            skipped[way.name] = f"its largest tensor would take {size / 2**30:.1f} GiB"
        elif (seconds := warm_up(way, x, passes, effort, clock)) > effort.longest_call:
            skipped[way.name] = (
                f"a call would take about {seconds:.3g} s, over {effort.longest_call:g} s"
            )
        else:
            estimates[way.name] = seconds
    calls = {way.name: _bind(way, x, passes) for way in ways if way.name in estimates}
    quotas = {name: quota(seconds, effort) for name, seconds in estimates.items()}
    gc.collect()
    times = interleave(calls, quotas, clock)
    timings = {name: Timing(statistics.median(t), len(t)) for name, t in times.items()}
    return Measured(timings, skipped)


def _bind(way: Way, x: Array, passes: int) -> Callable[[], object]:
    return lambda: way.call(x, passes)


def warm_up(way: Way, x: Array, passes: int, effort: Effort, clock: Clock) -> float:
    """Run a way until it is warm; returns the approximate time of a call in seconds.

    A loop is warm after a few passes. Any other way allocates memory for its size, so it runs
    twice as a whole, or once if it is slow. A tiled way does not run as a whole if a few of its
    passes already show that a call would take too long.
    """
    few = min(passes, 2 if way.kind is Kind.LOOP else 10)
    way.call(x, few)
    if way.kind is not Kind.OTHER:  # the time of the others is not proportional to the passes
        seconds = _seconds(_bind(way, x, few), clock) * passes / few
        if way.kind is Kind.LOOP or seconds > effort.longest_call:
            return seconds
    seconds = _seconds(_bind(way, x, passes), clock)
    slow = seconds > effort.longest_call / 4
    return seconds if slow else _seconds(_bind(way, x, passes), clock)


def quota(seconds: float, effort: Effort) -> int:
    """Number of rounds for a way whose call takes about `seconds`."""
    seconds = max(seconds, 1e-9)
    wanted = min(math.ceil(effort.seconds / seconds), effort.max_rounds)
    return max(1, min(max(wanted, effort.rounds), int(effort.max_seconds / seconds)))


def interleave(
    calls: Mapping[str, Callable[[], object]],
    quotas: Mapping[str, int],
    clock: Clock = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each call in each of its rounds.

    Each round begins with a different way, so that no way always follows the same one. The
    rounds of a way that has fewer than the others are spread over the whole time.
    """
    names = list(calls)
    times: dict[str, list[float]] = {name: [] for name in names}
    total = max(quotas.values(), default=0)
    for number in range(total):
        for name in rotated(names, number):
            share = quotas[name]
            if number * share // total < (number + 1) * share // total:
                times[name].append(_seconds(calls[name], clock))
    return times


def rotated(names: Sequence[str], number: int) -> list[str]:
    """The order of round `number`."""
    first = number % len(names)
    return [*names[first:], *names[:first]]


def _seconds(call: Callable[[], object], clock: Clock) -> float:
    begun = clock()
    call()
    return clock() - begun
