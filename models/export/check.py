"""Verify a finished file: its dropout is active, and everything else is unchanged.

All checks use ONNX Runtime sessions with default settings, as other users of the file would.
"""

import math
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from service.core.distributions import BY_KIND
from service.core.probabilities import are_probabilities
from service.core.rounding import Difference, difference, worst
from service.core.tolerances import LOG_CHANCE
from service.errors import ExportError
from service.manifest import (
    TRAINING_INPUT,
    Checks,
    Manifest,
    SiteSpec,
    is_dropout,
)

Array = NDArray[Any]
Feeds = Mapping[str, Array]

#: Number of rows whose outputs are compared with those of Keras.
ROWS = 8
#: Number of samples of each site's mask elements, in units of 1 / (p (1 - p)).
_WANTED_DRAWS = 100
_MIN_REPEATS, _MAX_REPEATS = 16, 8192
#: Maximum input elements of one call, since the activations of a large network need memory.
_MAX_INPUT = 1 << 20


class DifferenceError(ExportError):
    """The exported model does not compute what Keras does."""


class Reference(NamedTuple):
    """The outputs of Keras, in graph order.

    Attributes:
        outputs: (ROWS, …) each.
        limits: (ROWS,) each, the tolerance for rounding.
    """

    outputs: list[Array]
    limits: list[NDArray[np.float64]]

    def difference(self, found: list[Array]) -> Difference:
        """The largest difference, over all outputs and rows, relative to what is allowed."""
        return worst([difference(*three) for three in zip(found, *self, strict=True)])


class Expected(NamedTuple):
    """The expected outputs of the exported model.

    Attributes:
        feeds: input name to (ROWS, …) array.
        off: with training off.
        still: with training on and every draw at its midpoint.
    """

    feeds: Feeds
    off: Reference
    still: Reference

    def usual_rows(self) -> NDArray[np.bool_]:
        """(ROWS,) whether all outputs of a row are finite in Keras."""
        outputs = [y.reshape(ROWS, -1) for y in (*self.off.outputs, *self.still.outputs)]
        finite: NDArray[np.bool_] = np.isfinite(np.concatenate(outputs, axis=1)).all(axis=1)
        return finite


def check_artifact(path: Path, manifest: Manifest, expected: Expected) -> Checks:
    """Check the file at `path`, which `manifest` describes, against Keras.

    Raises:
        DifferenceError: its outputs differ from Keras'.
        ExportError: with the first other check that failed, and its measured value.
    """
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except Exception as error:  # the checker and shape inference raise different exceptions
        raise ExportError(
            f"the converted model is not valid ONNX, which is a bug of the conversion: {error} No "
            f"file "
            "was written."
        ) from error
    require_active_sites(path, manifest.sites)
    session = onnxruntime.InferenceSession(path)
    feeds = expected.feeds
    off = expected.off.difference(_run(session, feeds, training=False))
    if not off.is_rounding:
        raise DifferenceError(
            f"with training=false the exported model differs from Keras by {off.found:.1e} of its "
            f"output's scale; {off.allowed:.0e} is allowed, which follows from how far the output "
            f"of Keras moves when the input moves by two units in the last place. No file was "
            f"written."
        )
    still = _still(path, manifest.sites)
    frozen = expected.still.difference(_run(still, feeds, training=True))
    if not frozen.is_rounding:
        raise DifferenceError(
            f"with training=true and no dropout the exported model differs from Keras by "
            f"{frozen.found:.1e} of its output's scale, and {frozen.allowed:.0e} is allowed, so "
            f"something other than dropout changed, such as a BatchNormalization in training mode. "
            "No file was written."
        )
    usual = expected.usual_rows()
    if not usual.any():
        raise ExportError(
            "in Keras itself the outputs of all rows that the checks use are NaN or infinite. Give "
            "an example of real rows. No file was written."
        )
    one_row = {name: value[usual][:1] for name, value in feeds.items()}
    repeats = _repeats(manifest.sites, sum(row.size for row in one_row.values()))
    many = {name: np.repeat(row, repeats, axis=0) for name, row in one_row.items()}
    draws = _observe(path, manifest.sites, many, repeats)
    return Checks(
        rows=ROWS,
        nan_rows=ROWS - int(usual.sum()),
        off_difference=off.found,
        off_tolerance=off.allowed,
        frozen_difference=frozen.found,
        frozen_tolerance=frozen.allowed,
        drop_rates={s.name: _drop_rate(s, draws[s.name]) for s in manifest.sites if is_dropout(s)},
        noise={s.name: _noise(s, draws[s.name]) for s in manifest.sites if not is_dropout(s)},
        spread=_spread(session, many, repeats, manifest),
    )


def require_active_sites(path: Path, sites: Iterable[SiteSpec]) -> None:
    """Look for each site in the graph that ONNX Runtime has optimized.

    Raises:
        ExportError: with the layers whose dropout was removed.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(Path(folder) / "optimized.onnx")
        options.log_severity_level = 3  # it warns that the file is specific to this machine
        try:
            onnxruntime.InferenceSession(path, options)
        except Exception as error:  # the runtime's exceptions share no public base
            raise ExportError(
                f"ONNX Runtime cannot open the exported model: {error} No file was written."
            ) from error
        remaining = {node.name for node in onnx.load(options.optimized_model_filepath).graph.node}
    dead = [site.layer for site in sites if site.name not in remaining]
    if dead:
        raise ExportError(
            f"the dropout of {', '.join(dead)} is not in the graph that ONNX Runtime runs: it "
            "does not reach an output, or an optimizer removed it. Remove layers that no output "
            "depends on. No file was written."
        )


def _run(session: Any, feeds: Feeds, training: bool) -> list[Array]:
    outputs: list[Array] = session.run(None, {**feeds, TRAINING_INPUT: np.array(training)})
    return outputs


def _still(path: Path, sites: tuple[SiteSpec, ...]) -> Any:
    """A session of the file with every dropout rate 0 and neutral noise."""
    model = onnx.load(path)
    by_name = {node.name: node for node in model.graph.node}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for site in sites:
        node, name = by_name[site.name], f"{site.name}/neutral"
        if is_dropout(site):
            rate = constants[f"{site.name}/rate"]
            rate.CopyFrom(onnx.numpy_helper.from_array(np.array(0.0, np.float32), rate.name))
            continue
        number = np.array(BY_KIND[site.kind].neutral, site.dtype)
        model.graph.initializer.append(onnx.numpy_helper.from_array(number, name))
        # The node's input consists of zeros and provides the shape.
        node.CopyFrom(onnx.helper.make_node("Add", [*node.input, name], node.output))
    return onnxruntime.InferenceSession(model.SerializeToString())


def _observe(
    path: Path, sites: tuple[SiteSpec, ...], feeds: Feeds, repeats: int
) -> dict[str, Array]:
    """Run two calls on repeated rows; returns site name to draws (calls, rows, …).

    Draws are the mask of kept elements for a dropout, and the numbers themselves for noise.
    """
    model = onnx.load(path)
    by_name = {node.name: node for node in model.graph.node}
    shown = []
    for site in sites:
        node = by_name[site.name]
        if is_dropout(site) and len(node.output) < 2:
            node.output.append(f"{site.name}/mask")
        dtype = np.dtype(bool if is_dropout(site) else site.dtype)
        shown.append(node.output[-1])
        model.graph.output.append(
            onnx.helper.make_tensor_value_info(
                shown[-1], onnx.helper.np_dtype_to_tensor_dtype(dtype), None
            )
        )
    session = onnxruntime.InferenceSession(model.SerializeToString())
    calls = [session.run(shown, {**feeds, TRAINING_INPUT: np.array(True)}) for _ in range(2)]
    return {
        site.name: np.stack([_by_row(site, drawn, repeats) for drawn in pair])
        for site, *pair in zip(sites, *calls, strict=True)
    }


def _by_row(site: SiteSpec, drawn: Array, rows: int) -> Array:
    """Reshape the draws of a site to (rows, numbers), or (1, numbers) if all rows share them."""
    if site.batch_axis is None:
        return drawn.reshape(1, -1)
    return np.moveaxis(drawn, site.batch_axis, 0).reshape(rows, -1)


def _size(site: SiteSpec) -> int:
    """Numbers drawn per row, or per call if rows share them; a dynamic axis counts as one."""
    others = [size or 1 for axis, size in enumerate(site.shape) if axis != site.batch_axis]
    return math.prod(others) * (site.row_elements or 1)


def _repeats(sites: tuple[SiteSpec, ...], row_size: int) -> int:
    """Number of rows that give each site enough samples to check its rate, within memory."""
    wanted = [
        _WANTED_DRAWS / (site.rate * (1 - site.rate) * _size(site))
        for site in sites
        if site.rate and site.batch_axis is not None
    ]
    maximum = min(_MAX_REPEATS, _MAX_INPUT // row_size)
    return max(_MIN_REPEATS, min(math.ceil(max(wanted, default=64)), maximum))


def _drop_rate(site: SiteSpec, kept: Array) -> float:
    """Share of dropped elements in (calls, rows, …) masks, after comparing it with the rate."""
    dropped = 1.0 - float(kept.mean())
    if not BY_KIND[site.kind].agrees(kept, site.rate):
        raise ExportError(
            f"layer {site.layer!r} has rate {site.rate:g}, and the exported one drops "
            f"{dropped:.4f} of {kept.size} elements. No file was written."
        )
    _require_variation(site, kept)
    return dropped


def _noise(site: SiteSpec, numbers: Array) -> tuple[float, float]:
    """Mean and standard deviation of (calls, rows, …) numbers, after comparing their moments."""
    values = numbers.astype(np.float64)
    found = float(values.mean()), float(values.std())
    if not BY_KIND[site.kind].agrees(values, site.rate):
        mean, variance, _ = BY_KIND[site.kind].moments(site.rate)
        raise ExportError(
            f"layer {site.layer!r} draws {site.kind} numbers of mean {mean:g} and standard "
            f"deviation {math.sqrt(variance):.3f}, and the exported one gives {found[0]:.3f} and "
            f"{found[1]:.3f}. No file was written."
        )
    _require_variation(site, numbers)
    return found


def _require_variation(site: SiteSpec, draws: Array) -> None:
    """Check that (calls, rows, …) draws differ between calls, and between unshared rows."""
    if not BY_KIND[site.kind].must_vary(draws[0].size, site.rate):
        return
    shared = site.batch_axis is None
    same_calls = bool((draws[0] == draws[1]).all())
    if same_calls or (not shared and bool((draws == draws[:, :1]).all())):
        raise ExportError(
            f"layer {site.layer!r} draws the same for every {'call' if same_calls else 'row'} "
            "after export. No file was written."
        )


def _spread(session: Any, feeds: Feeds, repeats: int, manifest: Manifest) -> dict[str, float]:
    """Output name to its largest standard deviation over the repeats of one row, in two calls."""
    calls = [_run(session, feeds, training=True) for _ in range(2)]
    spread = {
        output.name: float(np.concatenate(pair).astype(np.float64).std(axis=0).max())
        for output, *pair in zip(manifest.outputs, *calls, strict=True)
    }
    still = [o.name for o in manifest.outputs if o.stochastic and spread[o.name] == 0.0]
    # With so few rows, a rare draw may not occur; until it does, it may hide all others.
    rarest = min(_unusual_draws(site, repeats) for site in manifest.sites)
    if (still and rarest > LOG_CHANCE) or not any(o.stochastic for o in manifest.outputs):
        raise ExportError(
            f"with training=true, {repeats} repeats of one row give the same "
            f"{', '.join(still) or 'outputs'} every time. If dropout does affect them, the example "
            f"row is unusual (for example all zeros): give a real one. No file was written."
        )
    return spread


def _unusual_draws(site: SiteSpec, repeats: int) -> float:
    """Minimum number of draws in two calls that are expected to differ from the others."""
    count = 2 if site.batch_axis is None else repeats
    return count * _size(site) * BY_KIND[site.kind].share_unusual(site.rate)


def require_probabilities(manifest: Manifest, outputs: Iterable[Array]) -> None:
    """Check that the outputs of a classification are probabilities, where no link makes them so.

    Raises:
        ExportError: an output is not.
    """
    if manifest.task not in ("classification", "multilabel_classification"):
        return
    for spec, output in zip(manifest.outputs, outputs, strict=True):
        if spec.link == "identity" and not are_probabilities(output, manifest.task):
            raise ExportError(
                f"task {manifest.task!r} needs probabilities, and output {spec.name!r} of the "
                "model is not: it leaves [0, 1] or does not sum to 1, as logits would. If they are "
                'logits, export it with --link softmax (link="softmax"), or sigmoid of single '
                "ones. End the model with a softmax (or sigmoid) activation, or export it with "
                "task 'other'."
            )
