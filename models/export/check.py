"""Prove on the finished file that its dropout is alive and the rest is untouched.

Everything is observed in ONNX Runtime sessions at their default settings, the
ones a stranger would open the file with.
"""

import math
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from service.errors import ExportError
from service.manifest import TRAINING_INPUT, Checks, Manifest, OutputSpec, SiteSpec

Array = NDArray[Any]
Feeds = Mapping[str, Array]

#: Largest allowed difference from Keras, relative to the largest output.
OFF_TOLERANCE = 1e-5
#: Rows compared with Keras.
ROWS = 8
#: Standard errors that an observed drop rate may be off: by chance once in 5e8.
SIGMAS = 6.0
#: Kept-or-dropped decisions wanted of each site, in units of 1 / (p (1 - p)).
_WANTED_DRAWS = 100
_MIN_REPEATS, _MAX_REPEATS = 64, 8192


def check_artifact(
    path: Path, manifest: Manifest, feeds: Feeds, keras_outputs: list[Array]
) -> Checks:
    """Check the file at `path` against the Keras model it was made from.

    Args:
        path: the artifact.
        manifest: what the file will say of itself.
        feeds: input name to (ROWS, …) array.
        keras_outputs: the model's inference outputs on `feeds`, in graph order.

    Raises:
        ExportError: naming the first check that failed, with its figure.
    """
    onnx.checker.check_model(str(path), full_check=True)
    require_living_sites(path, manifest.sites)
    session = onnxruntime.InferenceSession(path)
    off = _relative_difference(_run(session, feeds, training=False), keras_outputs)
    if not off <= OFF_TOLERANCE:
        raise ExportError(
            f"with training=false the exported model differs from Keras by {off:.1e} of its "
            f"output's scale; {OFF_TOLERANCE:.0e} is allowed. No file was written."
        )
    frozen = _frozen_difference(path, feeds, keras_outputs)
    if not frozen <= OFF_TOLERANCE:
        raise ExportError(
            f"with training=true and no dropout the exported model differs from Keras by "
            f"{frozen:.1e} of its output's scale, so something other than dropout moved, such "
            "as a BatchNormalization in training mode. No file was written."
        )
    one_row = {name: value[:1] for name, value in feeds.items()}
    return Checks(
        rows=ROWS,
        off_difference=off,
        off_tolerance=OFF_TOLERANCE,
        frozen_difference=frozen,
        drop_rates=_drop_rates(path, manifest.sites, one_row),
        spread=_spread(session, one_row, manifest.outputs),
    )


def require_living_sites(path: Path, sites: Iterable[SiteSpec]) -> None:
    """Look for each site in the graph that ONNX Runtime's optimiser leaves to run.

    Raises:
        ExportError: naming the layers whose dropout is gone.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(Path(folder) / "optimised.onnx")
        options.log_severity_level = 3  # it warns that the file suits only this machine
        try:
            onnxruntime.InferenceSession(path, options)
        except Exception as error:  # the runtime's exceptions share no public base
            raise ExportError(
                f"ONNX Runtime cannot open the exported model: {error} No file was written."
            ) from error
        living = {node.name for node in onnx.load(options.optimized_model_filepath).graph.node}
    dead = [site.layer for site in sites if site.name not in living]
    if dead:
        raise ExportError(
            f"the dropout of {', '.join(dead)} is not in the graph that ONNX Runtime runs: it "
            "does not reach an output, or an optimiser removed it. Remove layers that no output "
            "depends on. No file was written."
        )


def _run(session: Any, feeds: Feeds, training: bool) -> list[Array]:
    outputs: list[Array] = session.run(None, {**feeds, TRAINING_INPUT: np.array(training)})
    return outputs


def _relative_difference(found: list[Array], wanted: list[Array]) -> float:
    """max |found - wanted| / max |wanted|, the largest over outputs; NaN counts as infinite."""
    worst = 0.0
    for a, b in zip(found, wanted, strict=True):
        scale = float(np.max(np.abs(b.astype(np.float64)))) or 1.0
        difference = float(np.max(np.abs(a.astype(np.float64) - b.astype(np.float64)))) / scale
        worst = max(worst, math.inf if math.isnan(difference) else difference)
    return worst


def _frozen_difference(path: Path, feeds: Feeds, keras_outputs: list[Array]) -> float:
    """Difference from Keras with training=true and every rate 0."""
    model = onnx.load(path)
    rates = {f"{node.name}/rate" for node in _dropouts(model)}
    for tensor in model.graph.initializer:
        if tensor.name in rates:
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.array(0.0, np.float32), tensor.name))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return _relative_difference(_run(session, feeds, training=True), keras_outputs)


def _dropouts(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == "Dropout"]


def _drop_rates(path: Path, sites: tuple[SiteSpec, ...], one_row: Feeds) -> dict[str, float]:
    """Observe each site's masks on repeated rows, in two calls."""
    model = onnx.load(path)
    for node in _dropouts(model):
        node.output.extend([f"{node.name}/mask"] * (len(node.output) < 2))
        model.graph.output.append(
            onnx.helper.make_tensor_value_info(node.output[1], onnx.TensorProto.BOOL, None)
        )
    session = onnxruntime.InferenceSession(model.SerializeToString())
    feeds = {name: np.repeat(row, _repeats(sites), axis=0) for name, row in one_row.items()}
    masks = [f"{site.name}/mask" for site in sites]
    calls = [session.run(masks, {**feeds, TRAINING_INPUT: np.array(True)}) for _ in range(2)]
    return {
        site.name: _drop_rate(site, np.stack(pair))
        for site, *pair in zip(sites, *calls, strict=True)
    }


def _repeats(sites: tuple[SiteSpec, ...]) -> int:
    """Rows that give every site enough decisions to see its rate and its variation."""
    wanted = max(
        _WANTED_DRAWS
        / (site.rate * (1 - site.rate) * math.prod(size or 1 for size in site.shape[1:]))
        for site in sites
    )
    return int(np.clip(math.ceil(wanted), _MIN_REPEATS, _MAX_REPEATS))


def _drop_rate(site: SiteSpec, kept: Array) -> float:
    """Share of dropped elements of (calls, rows, …) masks, which must vary by row and call."""
    dropped = 1.0 - float(kept.mean())
    error = math.sqrt(site.rate * (1 - site.rate) / kept.size)
    if abs(dropped - site.rate) > SIGMAS * error:
        raise ExportError(
            f"layer {site.layer!r} has rate {site.rate:g}, and the exported one drops "
            f"{dropped:.4f} of {kept.size} elements. No file was written."
        )
    if (kept[0] == kept[1]).all() or (kept == kept[:, :1]).all():
        raise ExportError(
            f"layer {site.layer!r} draws the same mask for every "
            f"{'call' if (kept[0] == kept[1]).all() else 'row'} after export. "
            "No file was written."
        )
    return dropped


def _spread(session: Any, one_row: Feeds, outputs: tuple[OutputSpec, ...]) -> dict[str, float]:
    """Largest standard deviation over repeats of one row, by output."""
    feeds = {name: np.repeat(row, _MIN_REPEATS, axis=0) for name, row in one_row.items()}
    spread = {
        output.name: float(values.astype(np.float64).std(axis=0).max())
        for output, values in zip(outputs, _run(session, feeds, training=True), strict=True)
    }
    still = [output.name for output in outputs if output.stochastic and spread[output.name] == 0.0]
    if still or not any(output.stochastic for output in outputs):
        raise ExportError(
            f"with training=true, {_MIN_REPEATS} repeats of one row give the same "
            f"{', '.join(still) or 'outputs'} every time. If dropout does lie before them, the "
            "example row is unusual (all zeros, say): give a real one. No file was written."
        )
    return spread


def require_probabilities(outputs: Iterable[Array]) -> None:
    """Raises ExportError unless every row of every output is a distribution over classes."""
    for output in outputs:
        values = output.astype(np.float64)
        inside = bool((values >= 0).all() and (values <= 1).all())
        whole = values.shape[-1] == 1 or bool(np.allclose(values.sum(axis=-1), 1.0, atol=1e-3))
        if not (inside and whole):
            raise ExportError(
                "task 'classification' needs probabilities, and the model's outputs are not: "
                "they leave [0, 1] or do not sum to 1, as logits would. End the model with a "
                "softmax (or sigmoid) activation, or export it with task 'other'."
            )
