"""Find the batch axis of each site of a converted model by running it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
from numpy.typing import NDArray

from service.errors import ExportError
from service.manifest import TRAINING_INPUT, SiteSpec, rows_in
from service.nodes.builder import NodeBuilder
from service.nodes.free_names import free_names

Array = NDArray[Any]

_SHAPE = "shape of "


def with_places(
    model: ir.Model, sites: list[SiteSpec], rows: Mapping[str, Array]
) -> tuple[SiteSpec, ...]:
    """The sites, with the batch axis of each.

    Args:
        model: lowered; each site is a node of the site's name.
        sites: as recorded.
        rows: input name to an array of 3 rows or more.

    Raises:
        ExportError: ONNX Runtime refuses the model, or a site's rows cannot be distinguished.
    """
    session = _shapes_of_draws(model, {site.name for site in sites})
    present = [value.name.removeprefix(_SHAPE) for value in session.get_outputs()]
    try:
        two, three = (
            dict(zip(present, session.run(None, _feeds(session, rows, count)), strict=True))
            for count in (2, 3)
        )
    except Exception as error:  # the runtime's exceptions share no public base
        raise ExportError(
            f"ONNX Runtime cannot run the exported model: {error} No file was written."
        ) from error
    inputs = [value.shape for value in session.get_inputs()]
    lengths_vary = any(not isinstance(size, int) for shape in inputs for size in shape[1:])
    # The checks refuse a site that is no longer in the graph.
    return tuple(
        _placed(site, two[site.name].tolist(), three[site.name].tolist(), lengths_vary)
        if site.name in two
        else site
        for site in sites
    )


def _feeds(session: Any, rows: Mapping[str, Array], count: int) -> dict[str, Array]:
    feeds = {name: x[:count] for name, x in rows.items()} | {TRAINING_INPUT: np.array(False)}
    names = {value.name for value in session.get_inputs()}
    return {name: x for name, x in feeds.items() if name in names}


def _shapes_of_draws(model: ir.Model, sites: set[str]) -> Any:
    """A session of the model whose outputs are the shapes of the draws, named after the sites."""
    probe = model.clone()
    graph = probe.graph
    new, shapes = NodeBuilder(graph, "shape", free_names(graph)), []
    for node in (node for node in graph if node.name in sites):
        shape = new.add("Shape", node.outputs[0])
        shape.name, shape.shape = f"{_SHAPE}{node.name}", ir.Shape([None])
        shape.type = ir.TensorType(ir.DataType.INT64)
        shapes.append(shape)
    new.append()
    graph.outputs[:] = shapes
    try:
        return onnxruntime.InferenceSession(ir.to_proto(probe).SerializeToString())
    except Exception as error:  # the runtime's exceptions share no public base
        raise ExportError(
            f"ONNX Runtime cannot open the exported model: {error} No file was written."
        ) from error


def _placed(site: SiteSpec, two: list[int], three: list[int], lengths_vary: bool) -> SiteSpec:
    found = rows_in(two, three)
    if found is None:
        raise ExportError(
            f"layer {site.layer!r} draws numbers of shape {tuple(two)} for two rows and "
            f"{tuple(three)} for three, so its rows cannot be distinguished. Draw them in shape "
            "(batch, …), or (batch × steps, …). No file was written."
        )
    axis, each = found
    place = {"batch_axis": axis, "row_elements": None if lengths_vary and each > 1 else each}
    return site.model_copy(update=place)
