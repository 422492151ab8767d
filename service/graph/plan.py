"""What the server makes of an artifact in order to sample it."""

from dataclasses import dataclass

import onnx_ir as ir

from service.graph.artifact import Artifact
from service.graph.draws_as_inputs import draws_as_inputs
from service.graph.site_shapes import site_shapes
from service.manifest import TRAINING_INPUT, SiteSpec


@dataclass(frozen=True)
class Plan:
    """An artifact compiled for sampling: a pure function of rows and draws.

    Attributes:
        model: serialised ONNX. Its inputs are the artifact's, with rows tiled
            pass by pass to (P·B, …), and one input of draws for each site.
        has_flag: whether `training` is still one of its inputs.
        sites: in the order that numbers their random streams.
        shapes: serialised ONNX that tells the shapes of the draws of a given input, for
            a model with dynamic axes beside the batch; None where all are static.
    """

    model: bytes
    has_flag: bool
    sites: tuple[SiteSpec, ...]
    shapes: bytes | None


def compile_plan(artifact: Artifact) -> Plan:
    """Compile an artifact."""
    sites = artifact.manifest.sites
    dynamic = [site for site in sites if None in site.shape[1:]]
    plan = draws_as_inputs(artifact.model, artifact.manifest)
    return Plan(
        model=_serialise(plan),
        has_flag=any(value.name == TRAINING_INPUT for value in plan.graph.inputs),
        sites=sites,
        shapes=_serialise(site_shapes(artifact.model, artifact.manifest)) if dynamic else None,
    )


def _serialise(model: ir.Model) -> bytes:
    content: bytes = ir.to_proto(model).SerializeToString()
    return content
