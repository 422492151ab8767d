"""The interface of a measure: a quantity of one output, computed from its samples."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from service.core.moments import Moments
from service.errors import InputError, shortened

Array = NDArray[Any]
Rows = slice | NDArray[np.intp]
Shape = tuple[int | None, ...]


class Needs(StrEnum):
    """The data that a measure needs; the cheapest that suffices."""

    #: Mean and variance, which are always computed.
    MOMENTS = "moments"
    #: Each sample once, in order, in chunks: memory does not grow with P.
    STREAM = "stream"
    #: All samples at the end.
    SAMPLES = "samples"


class Measure(ABC):
    """Base of measures: frozen dataclasses, whose fields are the measure's arguments.

    Every field has a default, and `__post_init__` rejects invalid values with an `InputError`.
    A measure that needs a stream has a state: `init`, then `update` with each chunk, `take` when
    rows leave the batch, `finalize`. States are immutable. The result must not depend, bit for
    bit, on how the passes are divided into chunks.

    Attributes:
        name: in requests and answers.
        unit: of its values: "nats", "1", or "output" for that of the model's output.
        tasks: of the models that support it; None: all.
        needs: see `Needs`.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    tasks: ClassVar[frozenset[str] | None] = None
    needs: ClassVar[Needs] = Needs.MOMENTS

    @abstractmethod
    def shape(self, output: Shape) -> Shape:
        """Shape of its values for an output's shape: rows on axis 0, None for a dynamic axis."""

    def init(self, samples: Array) -> Any:
        """The initial state; (P, B, …) `samples` are the first that will be added."""
        raise NotImplementedError(f"{self.name} keeps no state")

    def update(self, state: Any, samples: Array) -> Any:
        """The state after (P, B, …) further samples."""
        raise NotImplementedError(f"{self.name} keeps no state")

    def take(self, state: Any, rows: Rows) -> Any:
        """The state of some of the B rows."""
        raise NotImplementedError(f"{self.name} keeps no state")

    @abstractmethod
    def finalize(self, state: Any, moments: Moments, samples: Array | None) -> Array:
        """The measure's values.

        Args:
            state: after all samples, for a measure that needs a stream.
            moments: of (B, …) outputs.
            samples: (P, B, …), for a measure that needs them. For an output that is the same
                in all passes, P is 1, and `state` is that of one sample.

        Returns:
            (B, …) float64, of `shape`.
        """

    @classmethod
    def applies(cls, task: str) -> bool:
        """Whether models of a task support it."""
        return cls.tasks is None or task in cls.tasks

    @classmethod
    def read(cls, arguments: Any) -> Self:
        """Make the measure with the arguments of a request.

        Args:
            arguments: an object of name to value; or the bare value, if there is only one
                argument. None: the defaults.

        Raises:
            InputError: an argument is unknown or invalid; with what would be right.
        """
        names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        if arguments is None:
            return cls()
        if not names:
            raise cls.refusal("arguments", "none")
        if not isinstance(arguments, Mapping):
            if len(names) > 1:
                raise cls.refusal("bare values", f"an object of {names}")
            arguments = {names[0]: arguments}
        unknown = sorted(set(arguments) - set(names))
        if unknown:
            raise cls.refusal(f"the arguments {shortened(unknown)}", str(names))
        return cls(**arguments)

    @classmethod
    def refusal(cls, given: str, takes: str) -> InputError:
        """The error of an invalid argument."""
        return InputError(f"measures gives {cls.name!r} {given}; it takes {takes}.")
