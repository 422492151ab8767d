"""The calibration of a model: whether it fits, and to which requests it applies."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from numpy.typing import NDArray

from service.calibration.document import CalibrationDocument, calibration_of
from service.calibration.fit import misfit
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
from service.core.moments import Moments
from service.errors import ArtifactError, InputError
from service.facts import facts_of
from service.graph.artifact import Artifact
from service.graph.beside import model_sha256, read_calibration
from service.graph.plan import Plan
from service.inference.options import require_draws
from service.inference.runner import Draws
from service.protocol.options import Options
from service.protocol.prediction import OutputPrediction

Array = NDArray[Any]

#: What is done with a calibration that does not fit its model.
OnMisfit: TypeAlias = Literal["refuse", "ignore"]

#: A client does not see the text, which names files of the server.
_IGNORED = (
    "the calibration of the model does not fit it and is ignored. GET /v1/models/{name} has the "
    "reason"
)

log = logging.getLogger("mcdropout")


@dataclass(frozen=True)
class FoundCalibration:
    """What there is beside a model file.

    Attributes:
        document: the calibration; None: there is none that fits.
        ignored: why one is not applied; else empty.
    """

    document: CalibrationDocument | None = None
    ignored: str = ""


NOTHING = FoundCalibration()


def find_calibration(artifact: Artifact, plan: Plan, on_misfit: OnMisfit) -> FoundCalibration:
    """Read the calibration beside a model file.

    Args:
        artifact: as it was read from the file.
        plan: how it is sampled.
        on_misfit: whether a calibration that does not fit is an error.

    Raises:
        ArtifactError: it cannot be read, is malformed, or is not of this model; naming the field
            and what would be right.
    """
    try:
        document = read_calibration(artifact.path)
        if document is not None:
            _require_fit(document, artifact, plan)
        return FoundCalibration(document)
    except ArtifactError as error:
        if on_misfit == "refuse":
            raise
        log.warning("%s The model is served without its calibration.", error)
        return FoundCalibration(ignored=str(error))


def _require_fit(document: CalibrationDocument, artifact: Artifact, plan: Plan) -> None:
    where = calibration_of(artifact.path)
    fault = misfit(document, artifact.manifest, model_sha256(artifact.path))
    if fault is None:
        fault = _impossible(document, artifact, plan)
    if fault is not None:
        raise ArtifactError(
            f"{where}: {fault} Fit it again with mcdropout calibrate, or remove it. With "
            "MCDROPOUT_CALIBRATION_MISFIT=ignore the server answers without it."
        )


def _impossible(document: CalibrationDocument, artifact: Artifact, plan: Plan) -> str | None:
    """What the model cannot do, as "field: what is wrong"."""
    how, chosen = document.sampling, document.selection
    # No measure is accepted by itself.
    plain = document.model_copy(update={"selection": None})
    facts = facts_of(artifact.manifest, artifact.has_off, plain)
    sites = None if how.sites is None else frozenset(how.sites)
    field = "sampling"
    try:
        require_draws(Draws(0, how.masks, how.rate_scale, sites, how.sampling), plan)
        field = "selection.measure"
        if chosen is not None:
            read = {one.output: one for one in read_measures([chosen.measure], facts)}
            one = read.get(document.output)
            if one is None or one.measure.dtype != "float64" or one.name in OF_CALIBRATION:
                return (
                    f"{field}: {chosen.measure!r} of output {document.output!r} has no values that "
                    "a threshold could divide."
                )
        field = "reference"
        for one in read_measures([*document.reference], facts):
            if one.measure.dtype == "string" or one.name not in document.reference:
                return f"{field}: {one.name!r} has to be a number, and without arguments."
    except InputError as error:
        return f"{field}: {error}"
    return None


@dataclass(frozen=True)
class Terms:
    """On which terms a request is answered.

    Attributes:
        facts: of each output.
        measures: of a request that names none.
        added: measures of the calibration, which every request gets.
        rate_scale, sites: of a request that leaves them out.
    """

    facts: tuple[Facts, ...]
    measures: tuple[BoundMeasure, ...]
    added: tuple[BoundMeasure, ...] = ()
    rate_scale: float = 1.0
    sites: frozenset[str] | None = None

    def asked(self, options: Options) -> tuple[BoundMeasure, ...]:
        """The measures of a request, the most wanted first.

        Those that it names, those of the calibration, and those of a request that names none.

        Raises:
            InputError: no output has one of them.
        """
        if options.measures is None:
            return (*self.added, *self.measures)
        asked = read_measures(options.measures, self.facts)
        named = {measure.name for measure in asked}
        return (*asked, *(measure for measure in self.added if measure.name not in named))

    def rate_scale_of(self, options: Options) -> float:
        """The rate scale of a request."""
        return self.rate_scale if options.rate_scale is None else options.rate_scale

    def sites_of(self, options: Options) -> frozenset[str] | None:
        """The active sites of a request; None: all."""
        return self.sites if options.sites is None else frozenset(options.sites)


class Calibrating:
    """Decides for each request whether the calibration of its model applies.

    Attributes:
        found: what there is of a calibration.
        facts: of each output, with the calibration if there is one.
    """

    def __init__(self, artifact: Artifact, found: FoundCalibration, by_default: bool) -> None:
        """`by_default`: whether it applies to requests that do not say.

        Raises:
            ArtifactError: the default measures of the model are none of its measures.
        """
        self.found = found
        self._by_default = by_default
        self._reference: tuple[BoundMeasure, ...] = ()
        document, default = found.document, artifact.manifest.measures
        plain = facts_of(artifact.manifest, artifact.has_off)
        self._plain = self._calibrated = Terms(plain, _default_measures(artifact, plain))
        if document is not None:
            facts = facts_of(artifact.manifest, artifact.has_off, document)
            names = [name for name in measures_of(facts) if name in OF_CALIBRATION]
            how = document.sampling
            self._reference = tuple(
                one
                for one in read_measures([*document.reference], facts)
                if one.output == document.output
            )
            self._calibrated = Terms(
                facts,
                read_measures(default, facts),
                read_measures(names, facts),
                how.rate_scale,
                None if how.sites is None else frozenset(how.sites),
            )
        self.facts = self._calibrated.facts

    def terms(self, options: Options) -> Terms:
        """The terms of a request.

        Raises:
            InputError: it has to be calibrated, and that is impossible; with the reason.
        """
        if self.found.document is None and not options.calibrated:
            return self._plain
        why = self._why_not(options)
        if why is None:
            return self._calibrated
        if options.calibrated:
            raise InputError(f"calibrated is true, and {why}.")
        named = (replace(one, uncalibrated=why) for one in self._plain.facts)
        return replace(self._plain, facts=tuple(named))

    def holds(self, draws: Draws) -> bool:
        """Whether passes are drawn as the calibration is made for; False without one."""
        of = self._calibrated
        return self.found.document is not None and (draws.rate_scale, draws.sites) == (
            of.rate_scale,
            of.sites,
        )

    def reference_values(self, passes: int, found: OutputPrediction) -> Iterator[tuple[str, Array]]:
        """Values of the measures of the calibration's reference, by name.

        Args:
            passes: of an answer.
            found: of the output that is calibrated.
        """
        moments = Moments(passes, found.mean, found.variance * (passes - 1))
        for one in self._reference:
            if one.name in found.measures and not one.measure.arguments():
                yield one.name, found.measures[one.name]
            elif one.needs is Needs.MOMENTS and one.noise is None:
                yield one.name, one.finalize(None, Sampled(moments), None)

    def _why_not(self, options: Options) -> str | None:
        """Why the calibration does not apply, as a clause; None: it does."""
        if self.found.document is None:
            return _IGNORED if self.found.ignored else NO_CALIBRATION
        asked = options.calibrated
        if asked is False or (asked is None and not self._by_default):
            how = "the request's option" if asked is False else "this server's default"
            return f'the answer is not calibrated, by {how}. Send "calibrated": true'
        of, given = self._calibrated, options
        if of.rate_scale_of(given) != of.rate_scale:
            return _differs("rate_scale", f"{given.rate_scale:g}", f"{of.rate_scale:g}")
        if of.sites_of(given) != of.sites:
            sites = "all" if of.sites is None else str(sorted(of.sites))
            return _differs("sites", str(sorted(given.sites or ())), sites)
        return None


def _differs(option: str, given: str, fitted: str) -> str:
    return (
        f"{option} is {given}, and the model's calibration holds for {fitted}. Leave {option} out"
    )


def _default_measures(artifact: Artifact, facts: Sequence[Facts]) -> tuple[BoundMeasure, ...]:
    """Those of a request that names none."""
    try:
        return read_measures(artifact.manifest.measures, facts)
    except InputError as error:
        raise ArtifactError(f"{artifact.path} has a manifest whose {error}") from error
