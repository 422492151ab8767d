"""What a measure is: a quantity of one output, made from the samples of its passes."""

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
    """What a measure is made from; the cheapest that suffices."""

    #: Mean and variance, which are there anyway.
    MOMENTS = "moments"
    #: Each sample once, in order, in chunks: memory does not grow with P.
    STREAM = "stream"
    #: All samples at the end.
    SAMPLES = "samples"


class Measure(ABC):
    """Subclasses are frozen dataclasses, whose fields are the measure's arguments.

    Every field has a default, and `__post_init__` refuses what it cannot be with an
    `InputError`. A measure that needs a stream keeps a state: `init`, then `update` with chunk
    after chunk, `take` where rows leave, `finalize`. States never change; each step makes a new
    one. The result must not depend on how the passes are cut into chunks, to the bit.

    Attributes:
        name: what requests call it.
        unit: of its values: "nats", "1", or "output" for that of the model's output.
        tasks: of models that have it; None: all.
        needs: see `Needs`.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    tasks: ClassVar[frozenset[str] | None] = None
    needs: ClassVar[Needs] = Needs.MOMENTS

    @abstractmethod
    def shape(self, output: Shape) -> Shape:
        """Shape of its values, of an output's shape: rows on axis 0, None for a dynamic axis."""

    def init(self, samples: Array) -> Any:
        """The state of no samples; (P, B, …) `samples` are the first that will be added."""
        raise NotImplementedError(f"{self.name} keeps no state")

    def update(self, state: Any, samples: Array) -> Any:
        """The state with (P, B, …) samples more."""
        raise NotImplementedError(f"{self.name} keeps no state")

    def take(self, state: Any, rows: Rows) -> Any:
        """The state of some of the B rows."""
        raise NotImplementedError(f"{self.name} keeps no state")

    @abstractmethod
    def finalize(self, state: Any, moments: Moments, samples: Array | None) -> Array:
        """The measure's values.

        Args:
            state: of all samples, of a measure that needs a stream.
            moments: of (B, …) outputs.
            samples: (P, B, …), for a measure that needs them. Of an output that is the same in
                all passes they are one, and `state` is that of one.

        Returns:
            (B, …) float64, of `shape`.
        """

    @classmethod
    def applies(cls, task: str) -> bool:
        """Whether models of a task have it."""
        return cls.tasks is None or task in cls.tasks

    @classmethod
    def read(cls, arguments: Any) -> Self:
        """The measure with arguments as a request sends them.

        Args:
            arguments: an object of name to value; or the bare value, where there is one
                argument alone. None: the defaults.

        Raises:
            InputError: an argument is unknown or wrong; saying what would be right.
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
        """What is said of an argument that is wrong."""
        return InputError(f"measures gives {cls.name!r} {given}; it takes {takes}.")
