"""What measures depend on besides samples: what a model says of its outputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.calibration import Calibration

Array = NDArray[Any]
Shape = tuple[int | None, ...]

#: Why a model has no calibrated answers.
NO_CALIBRATION = "the model has no calibration. Fit one with mcdropout calibrate MODEL"
#: Why a model has no deterministic output.
NO_OFF = "this model has no output without random numbers: its file has no switch for them"


@dataclass(frozen=True)
class View:
    """How an output is presented to the measures of its task; this one, as it is.

    A view selects or reshapes elements, so that it commutes with moments.
    """

    def array(self, y: Array) -> Array:
        """The view of (…, K) values."""
        return y

    def shape(self, output: Shape) -> Shape:
        """Its shape for an output's shape."""
        return output

    def back(self, values: Array) -> Array:
        """Values of the view's elements, or of their classes, in the form of the output."""
        return values

    def back_shape(self, values: Shape) -> Shape:
        """Their shape, for the shape of such values."""
        return values


@dataclass(frozen=True)
class PerElement(View):
    """Each element as a single sigmoid output (…, 1): a Bernoulli of its own.

    Of its two classes, the second one stands for the element: that it has its label.
    """

    def array(self, y: Array) -> Array:
        """See `View.array`."""
        return y[..., None]

    def shape(self, output: Shape) -> Shape:
        """See `View.shape`."""
        return (*output, 1)

    def back(self, values: Array) -> Array:
        """See `View.back`."""
        return values[..., -1]

    def back_shape(self, values: Shape) -> Shape:
        """See `View.back_shape`."""
        return values[:-1]


@dataclass(frozen=True)
class Half(View):
    """The first or second half of the last axis.

    Attributes:
        second: whether it is the second half.
    """

    second: bool = False

    def array(self, y: Array) -> Array:
        """See `View.array`."""
        middle = y.shape[-1] // 2
        return y[..., middle:] if self.second else y[..., :middle]

    def shape(self, output: Shape) -> Shape:
        """See `View.shape`."""
        size = output[-1]
        return (*output[:-1], None if size is None else size // 2)


#: From what a model may give of its noise to the variance.
_VARIANCES: Mapping[str, Callable[[Array], Array]] = {
    # A negative variance or scale is none: NaN, with which no answer is given.
    "variance": lambda y: np.where(y < 0, np.nan, y),
    "log_variance": np.exp,
    "scale": lambda y: np.where(y < 0, np.nan, y * y),
    "log_scale": lambda y: np.exp(2 * y),
}


@dataclass(frozen=True)
class NoiseOutput:
    """The variance of the targets' noise, computed from each sample of an output.

    Attributes:
        output: name of the output.
        form: "variance", "log_variance", "scale" or "log_scale", the scale being the standard
            deviation.
        view: the part of the output.
    """

    output: str
    form: str
    view: View = View()

    def variance(self, samples: Array) -> Array:
        """(…) float64 variances, in the squared unit of the mean; NaN for a negative one."""
        with np.errstate(over="ignore"):
            return _VARIANCES[self.form](self.view.array(samples).astype(np.float64))


@dataclass(frozen=True, eq=False)
class Facts:
    """What a model says of one of its outputs.

    Attributes:
        output: its name.
        shape: its shape: rows on axis 0, None for a dynamic axis.
        task: of the model.
        view: how it is presented to the measures of that task; None: they do not apply to it.
        classes: (C,) names of the classes, or (K, C) if each of K elements has its own; None:
            not known.
        noise: the variance of the targets' noise, constant or given by an output; None: not known.
        has_off: whether the model has an output with dropout off.
        calibration: what was fitted to it; None: nothing that holds.
        uncalibrated: why nothing does, as a clause.
    """

    output: str
    shape: Shape
    task: str = "other"
    view: View | None = field(default=View())
    classes: NDArray[np.str_] | None = None
    noise: NoiseOutput | float | None = None
    has_off: bool = True
    calibration: Calibration | None = None
    uncalibrated: str = NO_CALIBRATION

    @property
    def members(self) -> NDArray[np.str_] | None:
        """(C,) names of the classes, or (K,) of the labels, that a set may have; None: unknown."""
        if self.classes is None or self.classes.ndim == 1:
            return self.classes
        return self.classes[:, -1]
