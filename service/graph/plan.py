"""Compiles an artifact to a plan for sampling."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import onnx_ir as ir

from service.errors import LayoutError
from service.graph.artifact import Artifact
from service.graph.cut import Cut, cut
from service.graph.forget_shapes import ForgetShapesPass
from service.graph.inner import inner_site
from service.graph.join import JoinTrunkPass
from service.graph.place import Place, declared_place
from service.graph.reductions import ReduceOverPassesPass
from service.graph.site_shapes import site_shapes
from service.graph.switches import Switch, SwitchInputsPass, find_switches
from service.graph.tail import TailPass
from service.graph.trunk import TrunkPass, has_trunk
from service.manifest import OutputSpec, SiteSpec
from service.runtime.tuning import ON_CPU, Tuning


class Layout(StrEnum):
    """How rows and passes go through the graph, from the fastest to the most general."""

    SPLIT = "split"  # trunk for B rows once, tail for P·B
    TILED = "tiled"  # the whole graph for P·B rows
    BY_PASS = "by_pass"  # trunk for B rows once, tail for B rows, one pass at a time
    SERIAL = "serial"  # the whole graph, one pass at a time, for as many rows as it takes

    @property
    def one_pass(self) -> bool:
        """Whether passes go through the graph one at a time."""
        return self in (Layout.BY_PASS, Layout.SERIAL)

    @property
    def cuts(self) -> bool:
        """Whether the graph is cut into trunk and tail."""
        return self in (Layout.SPLIT, Layout.BY_PASS)


@dataclass(frozen=True)
class Plan:
    """An artifact compiled for sampling: two pure functions of rows and draws.

    Attributes:
        layout: see `Layout`.
        trunk: serialized ONNX (see `trunk`), or None if there is none.
        tail: serialized ONNX (see `tail`).
        whole: both as one graph, or None if they are large, because their weights would be
            in memory twice.
        fixed: outputs that no site reaches; the trunk computes them.
        stochastic: the other outputs, in the model's order.
        reduced: of these, those that the tail also reduces over passes.
        places: the sites in the order that numbers their random streams, and where
            each lies to the batch.
        switches: inputs that activate the draws of single layers.
        shapes: serialized ONNX that computes the shapes of the draws for a given input, for
            a model with dynamic axes other than the batch; None if all are static.
        cut: between trunk and tail.
        inner: the site of which a pass may have several draws (see `inner`), or None.
    """

    layout: Layout
    trunk: bytes | None
    tail: bytes
    whole: bytes | None
    fixed: tuple[str, ...]
    stochastic: tuple[str, ...]
    reduced: frozenset[str]
    places: Mapping[SiteSpec, Place]
    switches: tuple[Switch, ...]
    shapes: bytes | None
    cut: Cut
    inner: SiteSpec | None = None

    @cached_property
    def sites(self) -> tuple[SiteSpec, ...]:
        """In the order that numbers their random streams."""
        return tuple(self.places)


def compile_plan(
    artifact: Artifact,
    layout: Layout = Layout.SPLIT,
    never: frozenset[str] = frozenset(),
    places: Mapping[SiteSpec, Place] | None = None,
    tuning: Tuning = ON_CPU,
) -> Plan:
    """Compile an artifact.

    Args:
        artifact: in canonical form.
        layout: see `Layout`.
        never: values whose axis 0 was seen not to be the batch.
        places: where each site lies; by default where the manifest says.
        tuning: of the execution provider.

    Raises:
        LayoutError: passes cannot run together, for a site has no axis for rows.
    """
    sites = artifact.manifest.sites
    places = places or {site: declared_place(site) for site in sites}
    whole = [site for site, place in places.items() if not place.fits_rows]
    if whole and not layout.one_pass:
        raise LayoutError(
            f"site {whole[0].name!r} draws once for a whole pass, in shape {whole[0].shape}, "
            "which has no axis for the rows of several passes."
        )
    names = {site.name for site in sites}
    model = artifact.model.clone()
    switches = find_switches(model.graph, names)
    SwitchInputsPass(switches)(model)
    where = cut(model, names, never if layout.cuts else None)
    trunk = TrunkPass(where)(model).model if has_trunk(model, where) else None
    inner = None if layout.one_pass else inner_site(model.graph, places, where.stochastic)
    tail = TailPass(where, places, layout.one_pass, inner)(model).model
    outputs = artifact.manifest.outputs
    reduced = frozenset[str]() if layout.one_pass else _large(outputs, where, tuning.reduced_output)
    ReduceOverPassesPass(reduced)(tail)
    dynamic = any(None in place.row for place in places.values())
    trunk_bytes, tail_bytes = serialize(trunk) if trunk else b"", serialize(tail)
    small = len(trunk_bytes) + len(tail_bytes) <= tuning.max_joined_graphs
    once = trunk and len(where.stochastic) == len(outputs) and small and not layout.one_pass
    return Plan(
        layout=layout,
        trunk=trunk_bytes or None,
        tail=tail_bytes,
        whole=serialize(JoinTrunkPass(trunk)(tail).model) if trunk and once else None,
        fixed=tuple(str(v.name) for v in model.graph.outputs if v.name not in where.stochastic),
        stochastic=where.stochastic,
        reduced=reduced,
        places=places,
        switches=switches,
        shapes=serialize(site_shapes(artifact.model, artifact.manifest)) if dynamic else None,
        cut=where,
        inner=inner,
    )


def _large(outputs: tuple[OutputSpec, ...], where: Cut, least: int) -> frozenset[str]:
    """The outputs of `least` elements a row or more, which the graph reduces over passes."""
    return frozenset(
        spec.name
        for spec in outputs
        if spec.name in where.stochastic and spec.dtype == "float32" and spec.row_elements >= least
    )


def serialize(model: ir.Model) -> bytes:
    """The bytes of a model for ONNX Runtime; the model loses its shapes."""
    content: bytes = ir.to_proto(ForgetShapesPass()(model).model).SerializeToString()
    return content
