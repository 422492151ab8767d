"""The interface of a measure: a quantity of one output, computed from its samples."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from math import prod
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from service.core.calibration import Calibration
from service.core.measures.facts import NO_OFF, Facts, Shape
from service.core.moments import Moments
from service.errors import InputError, shortened
from service.protocol.options import AskedMeasure

Array = NDArray[Any]
Rows = slice | NDArray[np.intp]

CLASSIFICATION = frozenset({"classification", "multilabel_classification"})
REGRESSION = frozenset({"regression", "heteroscedastic_regression"})


class Needs(StrEnum):
    """The data that a measure needs; the cheapest that suffices."""

    #: Mean and variance, which are always computed.
    MOMENTS = "moments"
    #: Each sample once, in order, in chunks: memory does not grow with P.
    STREAM = "stream"
    #: All samples at the end.
    SAMPLES = "samples"
    #: The output with dropout off, for which one more pass is run.
    OFF = "off"


@dataclass(frozen=True)
class Sampled:
    """What there is of an output after its last pass, as it is presented to a measure.

    Attributes:
        moments: of (B, …) outputs.
        samples: (P, B, …), for a measure that needs them. For an output that is the same in all
            passes there is one, and a state is that of one sample.
        off: (B, …) with dropout off, for a measure that needs it.
        noise: the same of the variance of the targets' noise, for a measure that reads it.
        classes, calibration: see `Facts`.
    """

    moments: Moments
    samples: Array | None = None
    off: Array | None = None
    noise: "Sampled | None" = None
    classes: NDArray[np.str_] | None = None
    calibration: Calibration | None = None


class Measure(ABC):
    """Base of measures: frozen dataclasses, whose fields are the measure's arguments.

    Every field has a default, and `__post_init__` rejects invalid values with an `InputError`.
    A measure that needs a stream has a state: `init`, then `update` with each chunk, `take` when
    rows leave the batch, `finalize`. States are immutable. The result must not depend, bit for
    bit, on how the passes are divided into chunks, nor on the other rows of a batch. A measure
    that is computed from the values of another one (see `based_on`) has these for its state.

    Each of the inner masks of a pass gives a sample, and P is the number of all of them. A measure
    may average over samples, but not take them as independent: those of one pass are not, nor are
    stratified passes. `Moments` accounts for both.

    Classes are on the last axis: (…, K) probabilities, or (…, 1), the probability of the second of
    two. A multi-label output is presented as (…, 1) for each of its elements (see `Facts.view`).

    Attributes:
        name: in requests and answers.
        unit: of its values: "nats", "1", or "output" or "output²" for that of the model's output.
        dtype: of its values: "float64", "int64", "bool", or "string" for str.
        tasks: of the models that support it; None: all.
        needs: see `Needs`.
        certain: which of its values certain answers have; None: it does not order answers.
        reads_noise: whether it reads `Sampled.noise`; it then needs no stream.
        of_elements: whether its values are of the output's elements, or of their classes; they are
            then given in the form of the output, not of its view.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    dtype: ClassVar[str] = "float64"
    tasks: ClassVar[frozenset[str] | None] = None
    needs: ClassVar[Needs] = Needs.MOMENTS
    certain: ClassVar[Literal["low", "high"] | None] = None
    reads_noise: ClassVar[bool] = False
    of_elements: ClassVar[bool] = False

    @abstractmethod
    def shape(self, output: Shape) -> Shape:
        """Shape of its values for an output's shape: rows on axis 0, None for a dynamic axis."""

    def elements(self, values: Shape, samples: int) -> int:
        """Number of values of a row, for their shape, after so many samples.

        A dynamic axis counts as one.
        """
        return prod(size or 1 for size in values[1:])

    def init(self, samples: Array) -> Any:
        """The initial state; (P, B, …) `samples` are the first that will be added."""
        raise NotImplementedError(f"{self.name} keeps no state")

    def update(self, state: Any, samples: Array) -> Any:
        """The state after (P, B, …) further samples."""
        raise NotImplementedError(f"{self.name} keeps no state")

    def take(self, state: Any, rows: Rows) -> Any:
        """The state of some of the B rows."""
        raise NotImplementedError(f"{self.name} keeps no state")

    def based_on(self, facts: Facts) -> AskedMeasure | None:
        """The measure that it is computed from; None: from the samples.

        Raises:
            InputError: the output has no values for its arguments; with those that it has.
        """
        return None

    @abstractmethod
    def finalize(self, state: Any, found: Sampled) -> Array:
        """The measure's values.

        Args:
            state: after all samples, for a measure that needs a stream; of a measure that is
                based on another one, its values.
            found: what else there is.

        Returns:
            (B, …) of `dtype` and `shape`.
        """

    @classmethod
    def description(cls) -> str:
        """What it is, in one sentence."""
        return (cls.__doc__ or "").partition("\n")[0]

    @classmethod
    def arguments(cls) -> dict[str, Any]:
        """Its arguments and their defaults."""
        return {field.name: field.default for field in fields(cls)}  # type: ignore[arg-type]

    @classmethod
    def applies(cls, facts: Facts) -> bool:
        """Whether an output supports it."""
        return cls.tasks is None or (facts.view is not None and facts.task in cls.tasks)

    @classmethod
    def lacks(cls, facts: Facts) -> str | None:
        """What the model does not say and the measure requires, as a clause; None: nothing."""
        if cls.needs is Needs.OFF and not facts.has_off:
            return NO_OFF
        if cls.reads_noise and facts.noise is None:
            return (
                "the noise of the model's targets is not known. Set it with mcdropout annotate "
                "MODEL --noise-precision, or for a model that predicts its noise --noise"
            )
        return None

    @classmethod
    def read(cls, arguments: Any) -> Self:
        """Make the measure with the arguments of a request.

        Args:
            arguments: an object of name to value; or the bare value of the first argument. None:
                the defaults.

        Raises:
            InputError: an argument is unknown or invalid; with what would be right.
        """
        names = list(cls.arguments())
        if arguments is None:
            return cls()
        if not names:
            raise cls.refusal("arguments", "none")
        if not isinstance(arguments, Mapping):
            arguments = {names[0]: arguments}
        unknown = sorted(set(arguments) - set(names))
        if unknown:
            raise cls.refusal(f"the arguments {shortened(unknown)}", str(names))
        return cls(**arguments)

    @classmethod
    def refusal(cls, given: str, takes: str) -> InputError:
        """The error of an invalid argument."""
        return InputError(f"measures gives {cls.name!r} {given}; it takes {takes}.")
