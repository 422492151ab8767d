"""Whether a calibration is that of a model."""

from collections.abc import Iterator

from service.calibration.document import CalibrationDocument
from service.manifest import Manifest

_REGRESSION = ("regression", "heteroscedastic_regression")


def misfit(document: CalibrationDocument, manifest: Manifest, sha256: str) -> str | None:
    """The first thing that does not fit, as "field: what is wrong and what would be right".

    Args:
        document: the calibration.
        manifest: of the model.
        sha256: of its files.
    """
    return next(_misfits(document, manifest, sha256), None)


def _misfits(document: CalibrationDocument, manifest: Manifest, sha256: str) -> Iterator[str]:
    model, outputs = document.model, [spec.name for spec in manifest.outputs]
    if model.task != manifest.task:
        yield f"model.task: it was fitted to a {model.task}, and the model is a {manifest.task}."
    if [*model.outputs] != outputs:
        yield f"model.outputs: it was fitted to {[*model.outputs]}, and the model has {outputs}."
    if model.sha256 != sha256:
        yield (
            f"model.sha256: it was fitted to a model with {model.sha256[:12]}…, and this one has "
            f"{sha256[:12]}…. The model, its data files or its sidecar were changed."
        )
    yield from _parts(document)
    if manifest.noise is not None and document.output != manifest.noise.mean:
        yield f"output: the mean of the model is output {manifest.noise.mean!r}."


def _parts(document: CalibrationDocument) -> Iterator[str]:
    task = document.model.task
    if "classification" not in task and (document.temperature or document.sets):
        field = "temperature" if document.temperature else "sets"
        yield f"{field}: it is that of a classification, and the model is a {task}."
    if task == "multilabel_classification" and any(one.method != "lac" for one in document.sets):
        yield f"sets: those of a {task} are made by lac."
    if task not in _REGRESSION and (document.noise_precision or document.intervals):
        field = "noise_precision" if document.noise_precision else "intervals"
        yield f"{field}: it is that of a regression, and the model is a {task}."
