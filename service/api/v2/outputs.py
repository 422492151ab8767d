"""The tensors that may be requested from a model, by name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from service.api.v2.schemas import RequestedOutput
from service.core.measures import BoundMeasure
from service.errors import InputError
from service.inference.predictor import Predictor
from service.manifest import OutputSpec, Shape
from service.protocol.datatypes import BY_DTYPE
from service.protocol.options import MOMENTS, Options, quantity_name


@dataclass(frozen=True)
class Offer:
    """A tensor that may be requested.

    Attributes:
        output: the model's output that it is of; empty for one of `BY_ROW`.
        quantity: "mean", "variance", a measure, or one of `BY_ROW`; None for the output itself,
            with dropout off.
        datatype: the protocol's name of its element type.
        shape: with the rows on axis 0; None marks a dynamic axis.
        measure: with its default arguments; None: no measure.
    """

    output: str
    quantity: str | None
    datatype: str
    shape: Shape
    measure: BoundMeasure | None = None


@dataclass(frozen=True)
class Selected:
    """One requested tensor of the answer.

    Attributes:
        name: as requested.
        offer: the tensor.
        binary: whether it is returned as bytes.
        measure: with its arguments, as `Options` takes it; None: not named, or no measure.
    """

    name: str
    offer: Offer
    binary: bool
    measure: str | None = None


#: What is said of each row, for all outputs of a model.
BY_ROW = {
    "row_passes": Offer("", "row_passes", "INT64", (None,)),
    "row_settled": Offer("", "row_settled", "BOOL", (None,)),
}

#: Made once for a model, as making them takes longer than a short request.
_offers: WeakKeyDictionary[Predictor, Mapping[str, Offer]] = WeakKeyDictionary()


def offers(predictor: Predictor) -> Mapping[str, Offer]:
    """All tensors that may be requested from a model, by name, in the order of the metadata.

    With one output they are "mean", "variance", its measures, and the output's own name for what
    it gives with dropout off. With several, "<output>.mean" and so on. A model's output that is
    itself called "mean" is behind `training` false; of one that is called like a measure, the
    measure has the long name. A measure's name may have arguments behind it:
    "quantiles:0.05:0.95".
    """
    known = _offers.get(predictor)
    if known is None:
        specs = predictor.manifest.outputs
        sampled = {
            _name(offer.output, offer.quantity, predictor): offer
            for spec in specs
            for offer in _sampled(spec, predictor.measures)
        }
        known = sampled
        for others in (_deterministic(predictor), BY_ROW):
            known = known | {name: offer for name, offer in others.items() if name not in known}
        _offers[predictor] = known
    return known


def _sampled(spec: OutputSpec, measures: Sequence[BoundMeasure]) -> Iterator[Offer]:
    for moment in MOMENTS:
        yield Offer(spec.name, moment, "FP64", spec.shape)
    for one in (measure for measure in measures if measure.output == spec.name):
        yield Offer(spec.name, one.name, BY_DTYPE[one.measure.dtype].name, one.shape, one)


def _deterministic(predictor: Predictor) -> dict[str, Offer]:
    return {
        s.name: Offer(s.name, None, BY_DTYPE[s.dtype].name, s.shape)
        for s in predictor.manifest.outputs
    }


def _name(output: str, quantity: str | None, predictor: Predictor) -> str:
    taken = quantity == output and quantity not in MOMENTS
    single = len(predictor.manifest.outputs) == 1
    return str(quantity) if single and not taken else quantity_name(output, str(quantity))


def default_outputs(
    predictor: Predictor, options: Options, training: bool, binary: bool
) -> list[Selected]:
    """The tensors of an answer to a request that names none.

    Args:
        predictor: of the model.
        options: of the request.
        training: whether passes are run. If so, they are mean, variance and measures of every
            output of the model, and with a stopping rule the passes of each row; else every
            output itself.
        binary: whether they are returned as bytes.
    """
    if not training:
        return [Selected(n, o, binary) for n, o in _deterministic(predictor).items()]
    listed, adaptive = offers(predictor), options.adaptive is not None
    asked = [*MOMENTS, *predictor.measure_names(options)]
    outputs = [spec.name for spec in predictor.manifest.outputs]
    names = [_name(output, quantity, predictor) for output in outputs for quantity in asked]
    found = {name: listed[name] for name in names if name in listed}
    if adaptive:
        found |= BY_ROW
    return [Selected(name, offer, binary) for name, offer in found.items()]


def select(
    predictor: Predictor, requested: Sequence[RequestedOutput], training: bool, binary: bool
) -> list[Selected]:
    """The tensors of an answer to a request that names them.

    Args:
        predictor: of the model.
        requested: the request's outputs.
        training: whether passes are run. If not, only the model's outputs themselves
            are available; if so, they are available as well.
        binary: default of `binary_data` for all outputs.

    Raises:
        InputError: a name is unknown or duplicate; with the known names.
    """
    listed = offers(predictor) if training else _deterministic(predictor)
    of_outputs = [o for o in listed.values() if o.output and o.quantity]
    long = {quantity_name(o.output, str(o.quantity)): o for o in of_outputs}
    known = {**long, **listed}
    selected: dict[str, Selected] = {}
    for index, output in enumerate(requested):
        place = f"outputs[{index}].name is {output.name[:80]!r}"
        offer, measure = _find(output.name, known)
        if offer is None:
            raise InputError(f"{place}{_why_unknown(output.name, predictor, listed)}")
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
    if offer is None or offer.measure is None:
        return known.get(name), None
    return offer, f"{offer.quantity}{colon}{arguments}" if name not in known else offer.quantity


def _why_unknown(name: str, predictor: Predictor, listed: Mapping[str, Offer]) -> str:
    if name in offers(predictor):
        return (
            ", which requires passes; 'training' is false. "
            f"Leave that out, or request {list(listed)}."
        )
    return f"; the outputs are {list(listed)}."
