"""The facts of a model's outputs that its measures depend on, from manifest and calibration."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from service.calibration.document import CalibrationDocument
from service.core.measures.facts import Facts, Half, NoiseOutput, PerElement, View
from service.manifest import Manifest, OutputSpec


def facts_of(
    manifest: Manifest, has_off: bool = True, calibration: CalibrationDocument | None = None
) -> tuple[Facts, ...]:
    """The facts of each output, in the manifest's order.

    Args:
        manifest: of the model.
        has_off: whether the model has outputs with dropout off.
        calibration: of the model; None: none that holds.
    """
    plain = (
        Facts(
            output=spec.name,
            shape=spec.shape,
            task=manifest.task,
            view=_view(manifest, spec),
            classes=_classes(manifest, spec),
            noise=_noise(manifest),
            has_off=has_off,
        )
        for spec in manifest.outputs
    )
    if calibration is None:
        return tuple(plain)
    return tuple(
        _calibrated(one, calibration) if one.output == calibration.output else one for one in plain
    )


def _calibrated(facts: Facts, calibration: CalibrationDocument) -> Facts:
    """With what was fitted to the output; a noise that the manifest says stays."""
    noise, precision = facts.noise, calibration.noise_precision
    if noise is None and precision is not None:
        noise = 1 / precision
    return replace(facts, noise=noise, calibration=calibration.facts)


def _view(manifest: Manifest, spec: OutputSpec) -> View | None:
    """How the output is presented to the measures of the task."""
    if manifest.task == "multilabel_classification":
        return PerElement()
    if manifest.noise is None:
        return View()
    if spec.name != manifest.noise.mean:
        return None
    return Half() if manifest.noise.noise == spec.name else View()


def _noise(manifest: Manifest) -> NoiseOutput | float | None:
    noise, precision = manifest.noise, manifest.noise_precision
    if noise is None:
        return None if precision is None else 1 / precision
    view = Half(second=True) if noise.noise == noise.mean else View()
    return NoiseOutput(noise.noise, noise.form, view)


def _classes(manifest: Manifest, spec: OutputSpec) -> NDArray[np.str_] | None:
    """The labels of the classes, if there are as many as the output has."""
    labels: Sequence[str] = manifest.labels or ()
    size = spec.shape[-1] if len(spec.shape) > 1 else 1
    multilabel = manifest.task == "multilabel_classification"
    if not labels or size is None or len(labels) != (size if multilabel else max(size, 2)):
        return None
    # An element of several has two classes of its own: without its label, and with it.
    return np.array([("", label) for label in labels] if multilabel else labels)
