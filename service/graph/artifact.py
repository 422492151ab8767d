"""Reads a model file: its graph and its manifest, and checks that they agree."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir

from service.core.distributions import BY_KIND
from service.core.distributions.bernoulli import SMALLEST_RATE, is_drawable
from service.core.tolerances import RATE
from service.errors import ArtifactError
from service.graph.adopt import adopt
from service.graph.dynamic_batch import DynamicBatchPass
from service.graph.links import LinkPass
from service.graph.model_file import no_onnx_file, read_model_file
from service.graph.sidecar import with_annotations
from service.manifest import (
    METADATA_KEY,
    TRAINING_INPUT,
    Manifest,
    Shape,
    SiteSpec,
    TensorSpec,
    is_dropout,
    parse_manifest,
)
from service.nodes.draws import is_drawing
from service.nodes.reach import reach
from service.nodes.task import warn_of_logarithms
from service.protocol.datatypes import BY_ONNX


@dataclass(frozen=True)
class Artifact:
    """An exported model as read from disk.

    Attributes:
        path: of the file, for messages.
        content: the file's bytes.
        model: its graph, not to be changed: clone it first.
        manifest: its description.
        has_off: whether it has an output without draws, that of `training=false`.
        fixed_rows: the number of rows that its graph was made for; None: any.
        dead: names of its dropouts that are always off.
    """

    path: Path
    content: bytes
    model: ir.Model
    manifest: Manifest
    has_off: bool = True
    fixed_rows: int | None = None
    dead: tuple[str, ...] = ()


def read_artifact(
    path: str | Path, activate_dropout: bool = False, max_bytes: int | None = None
) -> Artifact:
    """Read the file at `path`.

    Args:
        path: of an artifact of our exporter, or of any other ONNX file, which is adopted.
        activate_dropout: whether to activate dropouts that a foreign file keeps off.
        max_bytes: maximum size of the file, including data files with its weights.

    Raises:
        ArtifactError: it is missing, too large, not a whole ONNX file, its graph is not
            what its manifest says, or it has no random node.
        ModelError: there is not enough memory to load it.
    """
    path = Path(path)
    content, proto = read_model_file(path, max_bytes)
    try:
        onnx.checker.check_model(proto)
        # The plan needs the element types of what it cuts, and gains by known sizes.
        model = ir.from_proto(onnx.shape_inference.infer_shapes(proto, data_prop=True))
    except Exception as error:  # protobuf, checker and IR each raise their own
        raise no_onnx_file(path, len(content), error) from error
    del proto  # its weights are in the model
    if METADATA_KEY not in model.metadata_props:
        return _adopt(path, content, model, activate_dropout)
    return _own(path, content, model)


def _own(path: Path, content: bytes, model: ir.Model) -> Artifact:
    manifest = parse_manifest(model.metadata_props[METADATA_KEY], str(path))
    artifact = Artifact(path, content, model, manifest)
    _require_names(artifact)
    _require_shapes(artifact)
    sites = find_sites(model, manifest, str(path))
    _require_outputs(artifact, sites)
    manifest = with_annotations(manifest, path, model.metadata_props)
    linked = _link(model, manifest)
    return replace(artifact, manifest=manifest, content=_serialized(model) if linked else content)


def _adopt(path: Path, content: bytes, model: ir.Model, activate_dropout: bool) -> Artifact:
    digest = hashlib.sha256(content).hexdigest()
    own = adopt(model, str(path), path.name, digest, activate_dropout)
    manifest = with_annotations(own.manifest, path, model.metadata_props)
    find_sites(own.model, manifest, str(path))
    warn_of_logarithms(own.model.graph.outputs, manifest, str(path))
    _link(own.model, manifest)
    return Artifact(
        path,
        content=_serialized(own.model),
        model=own.model if own.fixed_rows is None else DynamicBatchPass()(own.model).model,
        manifest=manifest,
        has_off=own.has_off,
        fixed_rows=own.fixed_rows,
        dead=own.dead,
    )


def _link(model: ir.Model, manifest: Manifest) -> bool:
    """Apply the links of the outputs; returns whether there are any."""
    links = {spec.name: spec.link for spec in manifest.outputs if spec.link != "identity"}
    return bool(LinkPass(links)(model).modified)


def _serialized(model: ir.Model) -> bytes:
    content: bytes = ir.to_proto(model).SerializeToString()
    return content


def find_sites(model: ir.Model, manifest: Manifest, where: str) -> dict[SiteSpec, ir.Node]:
    """The node of each site, in the manifest's order.

    Raises:
        ArtifactError: a site of the manifest has no node of its kind and rate in the
            graph, or the graph has a random node that the manifest leaves out.
    """
    nodes = {str(n.name): n for n in model.graph.all_nodes() if is_drawing(n)}
    for site in manifest.sites:
        if site.name not in nodes:
            raise ArtifactError(
                f"{where} has no random node for site {site.name!r} of its manifest: the file "
                "was changed after its export. Export the model again."
            )
        _require_kind(site, nodes[site.name], where)
    undrawable = [s for s in manifest.sites if s.rate is not None and not is_drawable(s.rate)]
    if undrawable:
        raise ArtifactError(
            f"{where}: site {undrawable[0].name!r} has rate {undrawable[0].rate:.9g}, which cannot "
            f"be drawn; it may be from {SMALLEST_RATE:.0e} to 1 - {SMALLEST_RATE:.0e}."
        )
    extra = sorted(nodes.keys() - {site.name for site in manifest.sites})
    if extra:
        raise ArtifactError(
            f"{where} has random nodes that its manifest does not name: {extra}. "
            "Export the model again."
        )
    return {site: nodes[site.name] for site in manifest.sites}


def _require_kind(site: SiteSpec, node: ir.Node, where: str) -> None:
    """Check that a site's node draws what the manifest says, at its rate."""
    drawn = BY_KIND.get(site.kind)
    if drawn is None:
        raise ArtifactError(
            f"{where}: site {site.name!r} is of kind {site.kind!r}, and this version draws "
            f"{', '.join(BY_KIND)}. Use the version that exported the model, or a later one."
        )
    name, standard = drawn.operator
    found = {key: node.attributes.get_float(key, number) for key, number in standard.items()}
    if node.op_type != name or found != standard or is_dropout(site) != drawn.takes_rate:
        raise ArtifactError(
            f"{where}: site {site.name!r} is of kind {site.kind!r} and rate {site.rate} in the "
            f"manifest, and its node is {node.op_type} {found}. Export the model again."
        )
    rate = _rate(node) if drawn.takes_rate else None
    if drawn.takes_rate and not np.isclose(rate or -1, site.rate or 0, rtol=RATE, atol=0):
        raise ArtifactError(
            f"{where}: site {site.name!r} drops at rate {rate} in the graph and "
            f"{site.rate} in the manifest. Export the model again."
        )


def _require_outputs(artifact: Artifact, sites: Mapping[SiteSpec, ir.Node]) -> None:
    """Check that some output depends on each site."""
    graph = artifact.model.graph
    reached = reach(graph, sites.values())
    seen = frozenset().union(*(reached.get(value, ()) for value in graph.outputs))
    for site, node in sites.items():
        if node not in seen:
            raise ArtifactError(
                f"{artifact.path}: no output depends on site {site.name!r} of its manifest: the "
                "file was changed after its export. Export the model again."
            )


def _require_names(artifact: Artifact) -> None:
    manifest, graph = artifact.manifest, artifact.model.graph
    named = [spec.name for spec in manifest.inputs] + [TRAINING_INPUT]
    if [value.name for value in graph.inputs] != named:
        raise ArtifactError(
            f"{artifact.path} has inputs {[value.name for value in graph.inputs]} and its "
            f"manifest names {named}. Export the model again."
        )
    if [value.name for value in graph.outputs] != [spec.name for spec in manifest.outputs]:
        raise ArtifactError(
            f"{artifact.path} has outputs {[value.name for value in graph.outputs]} and its "
            f"manifest names {[spec.name for spec in manifest.outputs]}. Export the model again."
        )


def _require_shapes(artifact: Artifact) -> None:
    """Compare the shapes in the manifest with the graph's, as far as it has them."""
    manifest, graph = artifact.manifest, artifact.model.graph
    nodes = {node.name: node for node in graph.all_nodes()}
    said = [
        *zip(manifest.inputs, graph.inputs, strict=False),
        *zip(manifest.outputs, graph.outputs, strict=True),
    ]
    wrong = [spec.name for spec, value in said if not _agrees(spec, value)]
    wrong += [site.name for site in manifest.sites if not _draws(site, nodes.get(site.name))]
    if wrong:
        raise ArtifactError(
            f"{artifact.path} has a different type or shape of {wrong} in its graph than in its "
            "manifest. Export the model again."
        )


def _agrees(spec: TensorSpec, value: ir.Value) -> bool:
    kind = None if value.dtype is None else BY_ONNX.get(value.dtype.name)
    if value.dtype is not None and (kind is None or kind.dtype != spec.dtype):
        return False
    return value.shape is None or _fits(spec.shape, value.shape, broadcasts=False)


def _draws(site: SiteSpec, node: ir.Node | None) -> bool:
    """Whether what a node multiplies or adds can have draws of a site's shape."""
    shape = None if node is None else node.outputs[0].shape
    return (
        shape is None or len(shape) != len(site.shape) or _fits(site.shape, shape, broadcasts=True)
    )


def _fits(said: Shape, shape: ir.Shape, *, broadcasts: bool) -> bool:
    """Whether the sizes after the batch axis equal those of a shape, where both are known."""
    if len(said) != len(shape):
        return False
    return all(
        want is None or not isinstance(size, int) or want == size or (broadcasts and want == 1)
        for want, size in zip(said[1:], tuple(shape)[1:], strict=True)
    )


def _rate(dropout: ir.Node) -> float | None:
    """The constant that a Dropout's ratio comes from, by way of Where(training, rate, 0)."""
    value = dropout.inputs[1]
    producer = None if value is None else value.producer()
    if producer is not None and producer.op_type == "Where":
        value = producer.inputs[1]
    tensor = None if value is None else ir.convenience.get_const_tensor(value)
    return None if tensor is None else float(tensor.numpy())
