"""A measure of one output of a model: what requests select, jobs carry and summaries are for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from service.core.measures.base import Array, Measure, Needs, Rows, Sampled
from service.core.measures.facts import Facts, NoiseOutput, Shape, View
from service.core.moments import Moments

#: What samples are of: an output, by its name, or the noise that one gives.
Source: TypeAlias = str | NoiseOutput


@dataclass(frozen=True)
class BoundMeasure:
    """A measure, and the facts of the output that it is of.

    Presents the output to the measure as the facts say: nothing else knows of views and noise.

    Attributes:
        measure: of these.
        facts: of the output.
        base: the measure that it is based on; None: the samples.
    """

    measure: Measure
    facts: Facts
    base: "BoundMeasure | None" = None

    @property
    def name(self) -> str:
        """Of the measure."""
        return self.measure.name

    @property
    def output(self) -> str:
        """Name of the output."""
        return self.facts.output

    @property
    def root(self) -> "BoundMeasure":
        """The measure of the samples that it is based on, which has the state; often itself."""
        return self if self.base is None else self.base.root

    @property
    def needs(self) -> Needs:
        """Of the root."""
        return self.root.measure.needs

    @property
    def noise(self) -> NoiseOutput | None:
        """The noise whose samples it needs, too."""
        noise = self.facts.noise if self.root.measure.reads_noise else None
        return noise if isinstance(noise, NoiseOutput) else None

    @property
    def sources(self) -> tuple[Source, ...]:
        """What it needs the samples or moments of."""
        return (self.output,) if self.noise is None else (self.output, self.noise)

    @property
    def view(self) -> View:
        """The measures of all tasks see every output as it is."""
        own = self.facts.view if self.measure.tasks is not None else None
        return own or View()

    @property
    def shape(self) -> Shape:
        """Of its values: rows on axis 0, None for a dynamic axis."""
        values = self.measure.shape(self.view.shape(self.facts.shape))
        return self.view.back_shape(values) if self.measure.of_elements else values

    def elements(self, samples: int) -> int:
        """See `Measure.elements`."""
        return self.measure.elements(self.shape, samples)

    def init(self, samples: Array) -> Any:
        """See `Measure.init`; of (P, B, …) samples of the output."""
        return self.measure.init(self.view.array(samples))

    def update(self, state: Any, samples: Array) -> Any:
        """See `Measure.update`; of (P, B, …) samples of the output."""
        return self.measure.update(state, self.view.array(samples))

    def take(self, state: Any, rows: Rows) -> Any:
        """See `Measure.take`."""
        return self.measure.take(state, rows)

    def finalize(self, state: Any, found: Sampled, noise: Sampled | None) -> Array:
        """See `Measure.finalize`.

        Args:
            state: of the root after all samples, if it needs a stream.
            found: of the output.
            noise: of `BoundMeasure.noise`, if there is one.
        """
        if self.base is not None:
            state = self.base.finalize(state, found, noise)
        see = self.view.array
        moments = found.moments.map(see)
        if noise is None and isinstance(self.facts.noise, float):
            noise = _always(self.facts.noise, moments)
        samples, off = (None if y is None else see(y) for y in (found.samples, found.off))
        seen = Sampled(moments, samples, off, noise, self.facts.classes, self.facts.calibration)
        values = self.measure.finalize(state, seen)
        return self.view.back(values) if self.measure.of_elements else values


def with_noise(
    outputs: Mapping[str, Array], measures: Iterable[BoundMeasure]
) -> dict[Source, Array]:
    """The outputs, and the variances of the noise that measures read of them.

    Args:
        outputs: name to (P, B, …) samples, or to (B, …) if they are the same in all passes.
        measures: of a job.
    """
    found: dict[Source, Array] = dict(outputs.items())
    for noise in dict.fromkeys(measure.noise for measure in measures):
        if noise is not None and noise.output in outputs:
            found[noise] = noise.variance(outputs[noise.output])
    return found


def _always(variance: float, moments: Moments) -> Sampled:
    """The same noise in all passes, of outputs with such moments."""
    same = np.full(moments.mean.shape, variance)
    always = Moments(moments.count, same, np.zeros_like(same), inner=moments.inner)
    return Sampled(always, same[None])
