"""The parameters of a request: how to sample."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, StrictBool, create_model, model_validator

from service.api.http.known import Known
from service.api.http.option_fields import (
    Whole,
    flat_fields,
    flat_items,
    refuse_options_without_passes,
)
from service.inference.options import read_options
from service.protocol.options import OPTIONS, AskedMeasure, Options


class Parameters(Known):
    """How to sample, and in which form to answer."""

    #: What Triton reserves, and what the clients of Triton and MLServer add unasked.
    IGNORED: ClassVar[frozenset[str]] = frozenset(
        {"sequence_id", "sequence_start", "sequence_end", "priority", "headers", "content_type"}
    )
    IGNORED_PREFIX: ClassVar[str | None] = "triton_"

    training: StrictBool = Field(
        default=True,
        description="false: one pass with dropout off, which gives the output of the Keras model",
    )
    timeout: Annotated[Whole, Field(ge=0, lt=1 << 63)] | None = Field(
        default=None, description="request deadline in microseconds; 0: the server's limit"
    )
    binary_data_output: StrictBool = Field(
        default=False, description="default of `binary_data` for all outputs"
    )

    @model_validator(mode="after")
    def _nothing_to_sample(self) -> Self:
        refuse_options_without_passes(self, self.training)
        return self

    @property
    def seconds(self) -> float | None:
        """`timeout` in seconds; None is no limit of the request's own."""
        return self.timeout / 1e6 if self.timeout else None

    @property
    def measure_names(self) -> list[str] | None:
        """`measures` with their arguments; None: not given."""
        given = getattr(self, "measures", None)
        return None if given is None else flat_items(given)

    def options(self, measures: Sequence[AskedMeasure] | None) -> Options:
        """The sampler's options, with the measures of the answer; None: the model's own."""
        given = {name: getattr(self, name, None) for name in OPTIONS}
        if given["sites"] is not None:
            given["sites"] = flat_items(given["sites"])
        return read_options(**{**given, "measures": measures})


_OPTIONS: Any = flat_fields()
InferParameters = create_model(
    "InferParameters", __base__=Parameters, __doc__=Parameters.__doc__, **_OPTIONS
)
