"""On which terms a model answers: plainly, or with its calibration.

The facts of outputs, the defaults of options and the measures of a way to answer are one object.
Whatever depends on them is asked of it: facts of one way cannot meet defaults of the other.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from service.calibration.document import CalibrationDocument, CalibrationSummary
from service.core.measures import (
    OF_CALIBRATION,
    BoundMeasure,
    Facts,
    Needs,
    measures_of,
    read_measures,
)
from service.core.measures.base import Sampled
from service.core.measures.facts import NO_CALIBRATION
from service.core.measures.standard_error import StandardError
from service.core.moments import Moments
from service.core.stopping import Rule, read_rule
from service.errors import ArtifactError, InputError
from service.facts import facts_of
from service.graph.artifact import Artifact
from service.inference.calibration import FoundCalibration
from service.inference.options import sampling_of
from service.inference.runner import Draws
from service.protocol.options import Options
from service.protocol.prediction import OutputPrediction

Array = NDArray[Any]

#: A client does not see the text, which names files of the server.
_IGNORED = (
    "the calibration of the model does not fit it and is ignored. GET /v1/models/{name} has the "
    "reason"
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Terms:
    """A way in which a model answers; by itself, the plain one.

    Attributes:
        facts: of each output.
        measures: of a request that names none.
        passes, rate_scale, sites: of a request that leaves them out.
    """

    facts: tuple[Facts, ...]
    measures: tuple[BoundMeasure, ...]
    passes: int
    rate_scale: float = 1.0
    sites: frozenset[str] | None = None

    def facts_of(self, output: str) -> Facts:
        """The facts of the output with this name."""
        return next(facts for facts in self.facts if facts.output == output)

    def all_measures(self) -> tuple[BoundMeasure, ...]:
        """All measures that the outputs have, with their default arguments."""
        return read_measures(measures_of(self.facts), self.facts)

    def measures_of(self, options: Options) -> tuple[BoundMeasure, ...]:
        """The measures of a request; with a stopping rule also the standard error reached.

        Raises:
            InputError: no output has one of them.
        """
        measures = self._asked(options)
        if options.adaptive is None:
            return measures
        reached = read_measures([StandardError.name], self.facts)
        return tuple(dict.fromkeys([*measures, *reached]))

    def rule_of(self, options: Options) -> Rule | None:
        """The stopping rule of a request; None: its number of passes is fixed.

        Raises:
            InputError: the rule does not suit the model.
        """
        asked = options.adaptive
        return None if asked is None else read_rule(asked, self.facts, options.inner)

    def draws_of(self, options: Options, passes: int, seed: int) -> Draws:
        """How the passes of a request are drawn."""
        scale, sites = self._rate_scale_of(options), self._sites_of(options)
        sampling = sampling_of(passes, options.sampling)
        return Draws(seed, options.masks, scale, sites, sampling, options.inner)

    def _asked(self, options: Options) -> tuple[BoundMeasure, ...]:
        if options.measures is None:
            return self.measures
        return read_measures(options.measures, self.facts)

    def _rate_scale_of(self, options: Options) -> float:
        return self.rate_scale if options.rate_scale is None else options.rate_scale

    def _sites_of(self, options: Options) -> frozenset[str] | None:
        return self.sites if options.sites is None else frozenset(options.sites)


@dataclass(frozen=True, eq=False, kw_only=True)
class CalibratedTerms(Terms):
    """How a model answers with its calibration.

    Attributes:
        document: the calibration.
        added: measures of the calibration, which every request gets.
        reference: measures whose distribution is in the calibration.
    """

    document: CalibrationDocument
    added: tuple[BoundMeasure, ...]
    reference: tuple[BoundMeasure, ...]

    def differs(self, options: Options) -> str | None:
        """Why the calibration does not hold for the passes of a request; None: it does."""
        if (scale := self._rate_scale_of(options)) != self.rate_scale:
            return _differs("rate_scale", f"{scale:g}", f"{self.rate_scale:g}")
        if (sites := self._sites_of(options)) != self.sites:
            fitted = "all" if self.sites is None else str(sorted(self.sites))
            return _differs("sites", str(sorted(sites or ())), fitted)
        return None

    def holds(self, draws: Draws) -> bool:
        """Whether passes are drawn as the calibration is made for."""
        return (draws.rate_scale, draws.sites) == (self.rate_scale, self.sites)

    def reference_values(self, passes: int, found: OutputPrediction) -> Iterator[tuple[str, Array]]:
        """Values of the measures of the calibration's reference, by name.

        Args:
            passes: of an answer.
            found: of the output that is calibrated.
        """
        moments = Moments(passes, found.mean, found.variance * (passes - 1))
        for one in self.reference:
            if one.name in found.measures and not one.measure.arguments():
                yield one.name, found.measures[one.name]
            elif one.needs is Needs.MOMENTS and one.noise is None:
                yield one.name, one.finalize(None, Sampled(moments), None)

    def _asked(self, options: Options) -> tuple[BoundMeasure, ...]:
        own = super()._asked(options)
        named = {measure.name for measure in own}
        added = tuple(measure for measure in self.added if measure.name not in named)
        # The most wanted first: those that it names, those of the calibration, the model's default.
        return (*added, *own) if options.measures is None else (*own, *added)


class ModelTerms:
    """The ways in which a model answers, and which of them a request gets.

    Attributes:
        plain: without a calibration.
        calibrated: with its calibration; None: it has none that holds.
    """

    def __init__(self, artifact: Artifact, found: FoundCalibration, by_default: bool) -> None:
        """`by_default`: whether the calibration applies to requests that do not say.

        Raises:
            ArtifactError: the default measures of the model are none of its measures.
        """
        self._absent = _IGNORED if found.ignored else NO_CALIBRATION
        self._by_default = by_default
        self.plain = _uncalibrated(_plain(artifact), self._absent)
        document = found.document
        self.calibrated = None if document is None else _calibrated(artifact, document)

    @property
    def summary(self) -> CalibrationSummary | None:
        """What users should know of the calibration; None: there is none that holds."""
        if self.calibrated is None:
            return None
        return self.calibrated.document.summary(self._by_default)

    @property
    def widest(self) -> Terms:
        """Those with the most measures."""
        return self.calibrated or self.plain

    def of(self, options: Options) -> Terms:
        """The terms of a request.

        Raises:
            InputError: it has to be calibrated, and that is impossible; with the reason.
        """
        asked, calibrated = options.calibrated, self.calibrated
        if calibrated is None:
            if asked:
                raise InputError(f"calibrated is true, and {self._absent}.")
            return self.plain
        if self._by_default if asked is None else asked:
            why = calibrated.differs(options)
            if why is None:
                return calibrated
            if asked:
                raise InputError(f"calibrated is true, and {why}.")
        else:
            how = "this server's default" if asked is None else "the request's option"
            why = f'the answer is not calibrated, by {how}. Send "calibrated": true'
        return _uncalibrated(self.plain, why)


def _plain(artifact: Artifact) -> Terms:
    facts = facts_of(artifact.manifest, artifact.has_off)
    try:
        measures = read_measures(artifact.manifest.measures, facts)
    except InputError as error:
        raise ArtifactError(f"{artifact.path} has a manifest whose {error}") from error
    return Terms(facts=facts, measures=measures, passes=artifact.manifest.passes)


def _uncalibrated(plain: Terms, why: str) -> Terms:
    """The same, with the reason that requests for measures of a calibration get."""
    return replace(plain, facts=tuple(replace(one, uncalibrated=why) for one in plain.facts))


def _calibrated(artifact: Artifact, document: CalibrationDocument) -> CalibratedTerms:
    facts = facts_of(artifact.manifest, artifact.has_off, document)
    added = [name for name in measures_of(facts) if name in OF_CALIBRATION]
    sites = document.sampling.sites
    return CalibratedTerms(
        facts=facts,
        measures=read_measures(artifact.manifest.measures, facts),
        passes=document.sampling.passes,
        rate_scale=document.sampling.rate_scale,
        sites=None if sites is None else frozenset(sites),
        document=document,
        added=read_measures(added, facts),
        reference=_of_output(document.output, read_measures([*document.reference], facts)),
    )


def _of_output(name: str, measures: Collection[BoundMeasure]) -> tuple[BoundMeasure, ...]:
    return tuple(measure for measure in measures if measure.output == name)


def _differs(option: str, given: str, fitted: str) -> str:
    return (
        f"{option} is {given}, and the model's calibration holds for {fitted}. Leave {option} out"
    )
