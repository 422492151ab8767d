"""The values of a measure for given samples."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.measures import BoundMeasure, Facts, Measure, bind
from service.core.measures.bound import Source, with_noise
from service.core.summary import Running, Summary, value

Array = NDArray[Any]

#: Of an output of which nothing is known.
PLAIN = Facts("y", (None, None))


def running(
    bound: BoundMeasure, outputs: Mapping[str, Array], cuts: Iterable[int] = ()
) -> dict[Source, Running]:
    """What is kept of (P, B, …) samples for a measure, in chunks that end at `cuts`."""
    samples = with_noise(outputs, [bound])
    found = {source: Running.start(source, x, [bound]) for source, x in samples.items()}
    ends = [*cuts, len(outputs[bound.output])]
    for first, last in zip([0, *ends], ends, strict=False):
        found = {source: one.add(samples[source][first:last]) for source, one in found.items()}
    return found


def values(bound: BoundMeasure, found: Mapping[Source, Running], off: Array) -> Array:
    """(B, …) values of a measure; `off` is the output with dropout off."""
    summaries: dict[Source, Summary] = {source: one.summary() for source, one in found.items()}
    summaries[bound.output] = replace(summaries[bound.output], off=off)
    return value(bound, summaries)


def measured(measure: Measure, samples: Array, facts: Facts = PLAIN, **others: Array) -> Array:
    """(B, …) values of a measure of (P, B, …) samples of the output "y", and of other outputs."""
    bound = bind(measure, facts)
    outputs = {"y": samples, **others}
    return values(bound, running(bound, outputs), np.full_like(samples[0], np.nan))
