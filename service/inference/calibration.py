"""The calibration beside a model file, and whether it fits the model."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from service.calibration.document import CalibrationDocument, calibration_of
from service.calibration.fit import misfit
from service.core.measures import OF_CALIBRATION, read_measures
from service.errors import ArtifactError, InputError
from service.facts import facts_of
from service.graph.artifact import Artifact
from service.graph.beside import model_sha256, read_calibration
from service.graph.plan import Plan
from service.inference.options import require_draws
from service.inference.runner import Draws

#: What is done with a calibration that does not fit its model.
OnMisfit: TypeAlias = Literal["refuse", "ignore"]

#: What to do about one.
_HINT = (
    "Fit it again with mcdropout calibrate, or remove it. With "
    "MCDROPOUT_CALIBRATION_MISFIT=ignore the server answers without it."
)


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
        said = f"{error} {_HINT}"
        if on_misfit == "refuse":
            raise ArtifactError(said) from error
        return FoundCalibration(ignored=said)


def _require_fit(document: CalibrationDocument, artifact: Artifact, plan: Plan) -> None:
    where = calibration_of(artifact.path)
    fault = misfit(document, artifact.manifest, model_sha256(artifact.path))
    if fault is None:
        fault = _impossible(document, artifact, plan)
    if fault is not None:
        raise ArtifactError(f"{where}: {fault}")


def _impossible(document: CalibrationDocument, artifact: Artifact, plan: Plan) -> str | None:
    """What the model cannot do, as "field: what is wrong"."""
    how, chosen = document.sampling, document.selection
    # A threshold on a measure does not depend on itself.
    rest = document.model_copy(update={"selection": None})
    facts = facts_of(artifact.manifest, artifact.has_off, rest)
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
