"""Whether what a manifest says of its outputs fits them."""

from collections.abc import Iterator

from service.core.measures import read_measures
from service.errors import InputError
from service.facts import facts_of
from service.manifest import Manifest, OutputSpec, Task

_FLOATS = ("float16", "float32", "float64")
_NOISY: Task = "heteroscedastic_regression"


def misfit(manifest: Manifest) -> str | None:
    """The first thing that does not fit, as "field: what is wrong and what would be right"."""
    return next(_misfits(manifest), None)


def _misfits(manifest: Manifest) -> Iterator[str]:
    for output in manifest.outputs:
        yield from _link(output, manifest)
        yield from _task(output, manifest.task)
        yield from _labels(output, manifest)
    yield from _noise(manifest)
    yield from _measures(manifest)


def _link(output: OutputSpec, manifest: Manifest) -> Iterator[str]:
    if output.link == "identity":
        return
    if output.name in [spec.name for spec in manifest.inputs]:
        yield f"link: output {output.name!r} is an input, which stays as it is."
    if output.dtype not in _FLOATS:
        yield (
            f"link: output {output.name!r} is of {output.dtype}; a link is applied to "
            f"{', '.join(_FLOATS)}."
        )
    if output.link == "softmax" and not _has_classes(output):
        yield (
            f"link: a softmax is taken over the last axis, which has to have two classes or more, "
            f"and output {output.name!r} has shape {_shape(output)}. The link of a single logit "
            "is sigmoid."
        )


def _has_classes(output: OutputSpec) -> bool:
    return len(output.shape) > 1 and output.shape[-1] != 1


def _task(output: OutputSpec, task: Task) -> Iterator[str]:
    if task == "classification" and len(output.shape) < 2:
        yield (
            f"task: the classes of a classification are on the last axis of an output, and "
            f"{output.name!r} has shape {_shape(output)}. If each row is one probability, the "
            "task is multilabel_classification."
        )
    if task == "classification" and output.link == "sigmoid" and _has_classes(output):
        yield (
            f"task: sigmoids of several logits, as in output {output.name!r} of shape "
            f"{_shape(output)}, are no classes of which one holds. The task is "
            "multilabel_classification, or the link softmax."
        )
    if task == "multilabel_classification" and output.link == "softmax":
        yield (
            f"task: of the classes of a softmax, as in output {output.name!r}, one holds. The "
            "task is classification, or the link sigmoid."
        )


def _labels(output: OutputSpec, manifest: Manifest) -> Iterator[str]:
    if manifest.labels is None:
        return
    classes = output.shape[-1] if len(output.shape) > 1 else 1
    if manifest.task == "classification" and classes == 1:
        classes = 2
    if classes is not None and len(manifest.labels) != classes:
        yield (
            f"labels: {len(manifest.labels)} labels were given, and output {output.name!r} has "
            f"{classes} {'elements' if 'regression' in manifest.task else 'classes'}."
        )


def _noise(manifest: Manifest) -> Iterator[str]:
    if manifest.noise_precision is not None and manifest.task != "regression":
        yield f"noise_precision: it is that of a regression, and the task is {manifest.task}."
    if manifest.noise is None:
        return
    if manifest.task != _NOISY:
        yield f"noise: it is that of the task {_NOISY}, and the task is {manifest.task}."
    outputs = {spec.name: spec for spec in manifest.outputs}
    found = {role: outputs.get(getattr(manifest.noise, role)) for role in ("mean", "noise")}
    for role, output in found.items():
        if output is None:
            name = getattr(manifest.noise, role)
            yield f"noise.{role}: there is no output {name!r}; there are {[*outputs]}."
        elif output.dtype not in _FLOATS:
            yield f"noise.{role}: output {output.name!r} is of {output.dtype}, and noise of floats."
    if found["mean"] and found["noise"]:
        yield from _noise_shapes(found["mean"], found["noise"])


def _noise_shapes(mean: OutputSpec, noise: OutputSpec) -> Iterator[str]:
    if mean.shape != noise.shape:
        yield (
            f"noise: output {mean.name!r} has shape {_shape(mean)} and {noise.name!r} "
            f"{_shape(noise)}. Mean and noise have to have the same."
        )
    if mean == noise and (len(mean.shape) < 2 or (mean.shape[-1] or 0) % 2):
        yield (
            f"noise: output {mean.name!r} has shape {_shape(mean)}. With mean and noise in one "
            "output, its last axis holds first all means and then as many of the noise."
        )


def _measures(manifest: Manifest) -> Iterator[str]:
    try:
        read_measures(manifest.measures, facts_of(manifest))
    except InputError as error:
        yield f"measures: {error.message.removeprefix('measures ')}"


def _shape(output: OutputSpec) -> list[int | str]:
    return ["rows", *("any" if size is None else size for size in output.shape[1:])]
