"""Converts an ONNX file of another exporter to the form of an artifact.

Any file with random nodes is accepted, such as one that PyTorch writes with its dropout in
training mode. The contents of the manifest are read from the graph.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir
from onnx_ir.passes.common import NameFixPass

from service.errors import ArtifactError
from service.graph.adopt.conditionals import ConditionalsPass
from service.graph.adopt.feature_dropout import FeatureDropoutPass
from service.graph.adopt.fixed_shapes import FixedShapesPass
from service.graph.adopt.own_switches import OwnSwitchesPass
from service.graph.adopt.random_nodes import (
    RandomNodes,
    dropout_modes,
    find_random_nodes,
    own_switches,
)
from service.graph.adopt.standard_draws import StandardDrawsPass
from service.graph.adopt.standard_form import standard_form
from service.graph.remove_unread import RemoveUnreadPass
from service.manifest import (
    TRAINING_INPUT,
    InputSpec,
    Manifest,
    OutputSpec,
    Shape,
    Source,
    TensorSpec,
    is_dropout,
)
from service.nodes.reach import named, reach
from service.nodes.task import detect_task
from service.protocol.datatypes import BY_ONNX, DATATYPES

#: Element types of inputs, and those of outputs, which have means.
_INPUTS = {one.dtype for one in DATATYPES}
_OUTPUTS = _INPUTS - {"bool", "string"}
#: Maximum number of inactive dropouts that a message names.
_TOLD = 3


@dataclass(frozen=True)
class Adopted:
    """A foreign file in the form of an artifact.

    Attributes:
        model: its graph, in the form of `models/export/lower.py`.
        manifest: derived from the graph.
        has_off: whether `training=false` gives the inference output. Noise other than
            dropout has no switch in a foreign file.
        fixed_rows: the number of rows of every call, if the file fixes it.
        dead: names of the dropouts that are off in the file, and stay off.
    """

    model: ir.Model
    manifest: Manifest
    has_off: bool
    fixed_rows: int | None
    dead: tuple[str, ...]


def adopt(model: ir.Model, where: str, name: str, sha256: str, activate_dropout: bool) -> Adopted:
    """Adopt a model.

    Args:
        model: any; it is not changed.
        where: names the file in errors.
        name, sha256: of the file, for the manifest.
        activate_dropout: whether dropouts that are off in the file become sites.

    Raises:
        ArtifactError: it has no random node, or one that cannot be served, or inputs
            or outputs that are not rows of numbers.
    """
    own = standard_form(model, where)
    random = _write_draws(own, where, activate_dropout)
    if not random.sites:
        raise _nothing_random(random, where)
    for clean in (RemoveUnreadPass(), NameFixPass()):
        clean(own)
    rows = [value for value in own.graph.inputs if value.name != TRAINING_INPUT]
    if not rows:
        raise ArtifactError(f"{where} has no input that takes rows. Export it with one.")
    inputs = [_spec(value, "input", where) for value in rows]
    manifest = Manifest(
        task=detect_task(own.graph.outputs),
        inputs=tuple(InputSpec(**dict(spec)) for spec in inputs),
        outputs=_outputs(own.graph, {site.name for site in random.sites}, where),
        sites=tuple(random.sites),
        tools={own.producer_name: own.producer_version or ""} if own.producer_name else {},
        source=Source(kind="file", name=name, sha256=sha256),
    )
    return Adopted(
        model=own,
        manifest=manifest,
        has_off=all(is_dropout(site) for site in random.sites),
        fixed_rows=_fixed_rows(rows, where),
        dead=tuple(random.dead),
    )


def _write_draws(model: ir.Model, where: str, activate: bool) -> RandomNodes:
    """Write what draws as the exporter would have; returns what it was.

    Postcondition: `training` is the last input, and the file's own switch, if any, is gone.
    """
    for step in (
        ConditionalsPass(where),
        RemoveUnreadPass(),  # inputs of a branch that was not taken
        FixedShapesPass(),
        FeatureDropoutPass(),
    ):
        step(model)
    modes = dropout_modes(model.graph, where)
    OwnSwitchesPass(own_switches(modes, where), where)(model)
    random = find_random_nodes(model.graph, modes, where, activate)
    StandardDrawsPass(random.sites)(model)
    return random


def _nothing_random(random: RandomNodes, where: str) -> ArtifactError:
    if not random.dead:
        return ArtifactError(
            f"{where} has no random node: it was exported for inference, and its answers have no "
            "variance. Export it with active dropout: from PyTorch by torch.onnx.export(..., "
            "training=torch.onnx.TrainingMode.PRESERVE) with the dropout modules in train mode, "
            "from Keras by `mcdropout export`."
        )
    count = len(random.dead)
    told = ", ".join(map(repr, random.dead[:_TOLD])) + (", …" if count > _TOLD else "")
    return ArtifactError(
        f"{where} has {count} Dropout node{'s' * (count > 1)}, off in the file, and nothing else "
        f"that is random: {told}. Start the server with --activate-dropout (setting "
        "MCDROPOUT_ACTIVATE_DROPOUT=true), or load_model(..., activate_dropout=True), to turn "
        "dropout on; or export the model with its dropout in train mode."
    )


def _outputs(graph: ir.Graph, sites: set[str], where: str) -> tuple[OutputSpec, ...]:
    random = reach(graph, named(graph, sites))
    return tuple(
        OutputSpec(**dict(_spec(value, "output", where)), stochastic=value in random)
        for value in graph.outputs
    )


def _spec(value: ir.Value, role: str, where: str) -> TensorSpec:
    taken = _INPUTS if role == "input" else _OUTPUTS
    name = value.dtype.name if value.dtype else "unknown"
    of = BY_ONNX[name].dtype if name in BY_ONNX else name.lower()
    if not isinstance(value.type, ir.TensorType) or of not in taken:
        what = (
            f"of {of}" if isinstance(value.type, ir.TensorType) else f"no tensor, but {value.type}"
        )
        raise ArtifactError(
            f"{where}: the {role} {value.name!r} is {what}. It has to be a tensor of one of "
            f"{', '.join(sorted(taken))}: convert it outside of the model."
        )
    return TensorSpec(name=str(value.name), dtype=of, shape=_shape(value, role, where))


def _shape(value: ir.Value, role: str, where: str) -> Shape:
    if value.shape is None or not len(value.shape):
        found = "no shape" if value.shape is None else "no axis"
        raise ArtifactError(
            f"{where}: the {role} {value.name!r} has {found} in the file. It has to have rows: "
            "the batch on axis 0. Declare its shape in the export, or make a constant of it."
        )
    sizes = list(value.shape)[1:]
    return (None, *(size if isinstance(size, int) else None for size in sizes))


def _fixed_rows(rows: Sequence[ir.Value], where: str) -> int | None:
    """The size of axis 0 that the file fixes. Precondition: the inputs have axes."""
    sizes = {str(value.name): value.shape[0] for value in rows if value.shape is not None}
    fixed = {name: size if isinstance(size, int) else None for name, size in sizes.items()}
    if len(set(fixed.values())) > 1:
        raise ArtifactError(
            f"{where} fixes the size of axis 0, the batch, differently for its inputs: {fixed}. "
            "Export it with a dynamic axis 0 for each of them."
        )
    return next(iter(fixed.values()), None)
