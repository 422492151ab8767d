"""The tensors that may be requested from a model, by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.api.v2.schemas import RequestedOutput
from service.core.measures import MEASURES, measures_of
from service.errors import InputError
from service.manifest import Manifest, OutputSpec, Shape
from service.protocol.datatypes import BY_DTYPE
from service.protocol.options import MOMENTS, quantity_name


@dataclass(frozen=True)
class Offer:
    """A tensor that may be requested.

    Attributes:
        output: the model's output that it is of.
        quantity: "mean", "variance" or a measure; None for the output itself, with
            dropout off.
        datatype: the protocol's name of its element type.
        shape: with the rows on axis 0; None marks a dynamic axis.
    """

    output: str
    quantity: str | None
    datatype: str
    shape: Shape


@dataclass(frozen=True)
class Selected:
    """One requested tensor of the answer.

    Attributes:
        name: as requested.
        offer: the tensor.
        binary: whether it is returned as bytes.
        measure: as `Options` takes it; None: no measure.
    """

    name: str
    offer: Offer
    binary: bool
    measure: str | None = None


def offers(manifest: Manifest) -> dict[str, Offer]:
    """All tensors that may be requested from a model, by name, in the order of the metadata.

    With one output they are "mean", "variance", a classification's measures, and the
    output's own name for what it gives with dropout off. With several, "<output>.mean" and so on.
    A model's output that is itself called "mean" is behind `training` false. A measure's name
    may have arguments behind it: "quantiles:0.05:0.95".
    """
    sampled = {
        _name(manifest, offer): offer
        for spec in manifest.outputs
        for offer in _sampled(spec, manifest)
    }
    return sampled | {n: o for n, o in _deterministic(manifest).items() if n not in sampled}


def _sampled(spec: OutputSpec, manifest: Manifest) -> list[Offer]:
    return [
        *(Offer(spec.name, moment, "FP64", spec.shape) for moment in MOMENTS),
        *(
            Offer(spec.name, name, "FP64", MEASURES[name]().shape(spec.shape))
            for name in measures_of(manifest.task)
        ),
    ]


def _deterministic(manifest: Manifest) -> dict[str, Offer]:
    return {s.name: Offer(s.name, None, BY_DTYPE[s.dtype].name, s.shape) for s in manifest.outputs}


def _name(manifest: Manifest, offer: Offer) -> str:
    return str(offer.quantity) if len(manifest.outputs) == 1 else _long_name(offer)


def _long_name(offer: Offer) -> str:
    return quantity_name(offer.output, str(offer.quantity))


def select(
    manifest: Manifest,
    requested: Sequence[RequestedOutput] | None,
    training: bool,
    binary: bool,
) -> list[Selected]:
    """The tensors of an answer.

    Args:
        manifest: of the model.
        requested: the request's outputs; without any, mean and variance of every output
            of the model, or with `training` false every output itself.
        training: whether passes are run. If not, only the model's outputs themselves
            are available; if so, they are available as well.
        binary: default of `binary_data` for all outputs.

    Raises:
        InputError: a name is unknown or duplicate; with the known names.
    """
    listed = offers(manifest) if training else _deterministic(manifest)
    if not requested:
        default = MOMENTS if training else (None,)
        return [Selected(n, o, binary) for n, o in listed.items() if o.quantity in default]
    long_names = {_long_name(o): o for o in listed.values() if o.quantity is not None}
    known = long_names | listed
    selected: dict[str, Selected] = {}
    for index, output in enumerate(requested):
        place = f"outputs[{index}].name is {output.name[:80]!r}"
        offer, measure = _find(output.name, known)
        if offer is None:
            raise InputError(f"{place}{_why_unknown(output.name, manifest, listed)}")
        if output.name in selected:
            raise InputError(f"{place}, the name of an earlier output. Request each output once.")
        own = output.parameters.binary_data if output.parameters else None
        as_bytes = binary if own is None else own
        selected[output.name] = Selected(output.name, offer, as_bytes, measure)
    return list(selected.values())


def _find(name: str, known: Mapping[str, Offer]) -> tuple[Offer | None, str | None]:
    """The tensor of a name; for a measure, with its arguments."""
    base, colon, arguments = name.partition(":")
    # A model's own output may have a colon in its name.
    offer = known.get(name) or known.get(base)
    is_measure = offer is not None and offer.quantity not in (None, *MOMENTS)
    if offer is None or not is_measure:
        return known.get(name), None
    return offer, f"{offer.quantity}{colon}{arguments}" if name not in known else offer.quantity


def _why_unknown(name: str, manifest: Manifest, listed: Mapping[str, Offer]) -> str:
    if name in offers(manifest):
        return (
            ", which requires passes; 'training' is false. "
            f"Leave that out, or request {list(listed)}."
        )
    return f"; the outputs are {list(listed)}."
