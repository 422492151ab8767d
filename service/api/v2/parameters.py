"""The parameters of a request: how to sample."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BeforeValidator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_validator,
)

from service.api.known import Known
from service.options import Options
from service.protocol.options import Masks


def _whole(value: Any) -> Any:
    """Clients whose only numbers are floats send 100.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[StrictInt, BeforeValidator(_whole)]


class InferParameters(Known):
    """How to sample, and in which form to answer."""

    #: What Triton reserves, and what the clients of Triton and MLServer add unasked.
    IGNORED: ClassVar[frozenset[str]] = frozenset(
        {"sequence_id", "sequence_start", "sequence_end", "priority", "headers", "content_type"}
    )
    IGNORED_PREFIX: ClassVar[str | None] = "triton_"

    passes: Whole | None = Field(
        default=None, description="number of stochastic passes, at least 2; default: the model's"
    )
    seed: Whole | None = Field(
        default=None, description="makes the answer repeatable; default: a random one, returned"
    )
    training: StrictBool = Field(
        default=True, description="false: one pass with dropout off, the Keras model's own output"
    )
    masks: Masks = Field(
        default="shared",
        description="shared: a pass is one thinned network for all rows; per_row: each row has "
        "masks of its own, as with Keras' model(x, training=True)",
    )
    rate_scale: StrictFloat = Field(
        default=1.0, description="multiplies every drop rate, 0 or more; none may exceed 1"
    )
    sites: StrictStr | None = Field(
        default=None,
        description="names of the sites that draw, with commas between them; default: all",
    )
    timeout: Annotated[Whole, Field(ge=0, lt=1 << 63)] | None = Field(
        default=None, description="microseconds to wait for the answer; 0: the server's own limit"
    )
    binary_data_output: StrictBool = Field(
        default=False, description="whether outputs that do not say come as bytes behind the JSON"
    )

    @model_validator(mode="after")
    def _nothing_to_sample(self) -> Self:
        asked = {"passes", "seed", "masks", "rate_scale", "sites"}
        given = sorted(self.model_fields_set & asked)
        if not self.training and given:
            raise ValueError(
                f"'training' is false, which runs one pass with dropout off: leave out {given}"
            )
        return self

    @property
    def seconds(self) -> float | None:
        """`timeout` in seconds; None is no limit of the request's own."""
        return self.timeout / 1e6 if self.timeout else None

    def options(self, measures: tuple[str, ...]) -> Options:
        """The sampler's options, with the measures that the outputs ask for."""
        sites = None
        if self.sites is not None:
            sites = [name.strip() for name in self.sites.split(",") if name.strip()]
        return Options(self.passes, self.seed, measures, self.masks, self.rate_scale, sites)
