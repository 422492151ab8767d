"""The settings that an evaluation compares."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from service.errors import InputError
from service.evaluation.document import Setting
from service.inference.inputs import ReadRows
from service.inference.options import sampling_of
from service.inference.predictor import Predictor
from service.protocol.options import DEFAULT_SAMPLING, MASKS, OPTIONS, Masks, Options, Sampling

#: Rate scales that are compared if none are asked for, where the model allows them.
_SCALES = (0.5, 1.5)
_LEAST = OPTIONS["passes"].minimum or 0
#: Numbers of passes after which the curve of metrics has a point.
_CURVE = (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What to compare with the model as it is served.

    Attributes:
        passes: numbers of passes.
        rate_scales: besides 1; None: 0.5 and 1.5, where they are possible.
        masks: the first is compared in all settings, the others by themselves; None: "shared",
            and "per_row" where it is possible.
        sampling: of all passes.
        seed: of all passes.
    """

    passes: Sequence[int] = (10, 100, 1000)
    rate_scales: Sequence[float] | None = None
    masks: Sequence[Masks] | None = None
    sampling: Sampling = DEFAULT_SAMPLING
    seed: int = 0

    def main_passes(self, default: int) -> int:
        """The passes of a request that says nothing, if they are compared; else the most."""
        return default if default in self.passes else max(self.passes)


@dataclass(frozen=True)
class Run:
    """Passes of which several settings are made: more passes begin with the fewer.

    Attributes:
        options: of the most passes.
        passes: of the settings, ascending.
        curve: numbers of passes of which the metrics are wanted, ascending.
    """

    options: Options
    passes: Sequence[int]
    curve: Sequence[int] = ()

    @property
    def most(self) -> int:
        """Passes that run."""
        return self.passes[-1]

    def setting(self, passes: int) -> Setting:
        """The setting of so many passes."""
        options, name = self.options, f"{passes} passes"
        if options.rate_scale != 1:
            name += f", rates × {options.rate_scale:g}"
        if options.masks != "shared":
            name += ", per-row masks"
        if options.sampling != DEFAULT_SAMPLING:
            name += f", {options.sampling}"
        return Setting(
            name=name,
            kind="passes",
            passes=passes,
            rate_scale=options.rate_scale,
            masks=options.masks,
            sampling=options.sampling,
        )


def runs_of(model: Predictor, row: ReadRows, compared: Compared) -> list[Run]:
    """The runs that give all settings with passes.

    Args:
        model: that runs.
        row: one row of its inputs.
        compared: what is asked for.

    Raises:
        InputError: the model does not allow what is asked for.
    """
    if not compared.passes:
        raise InputError("passes names no number of passes; give at least one, such as 100.")
    if (fewest := min(compared.passes)) < _LEAST:
        raise InputError(
            f"passes is {fewest}; a variance needs at least {_LEAST}. Dropout off is compared "
            "without being named, where the model has a switch for it."
        )
    main = compared.main_passes(model.manifest.passes)
    masks = compared.masks or MASKS
    # As the model is by itself: what its calibration changes is a setting of its own.
    base = Options(
        seed=compared.seed,
        masks=masks[0],
        sampling=compared.sampling,
        rate_scale=1.0,
        calibrated=False,
    )
    runs = [*_of_passes(base, compared.passes)]
    for run in runs:
        model.prepare(row, run.options)
    asked = _SCALES if compared.rate_scales is None else compared.rate_scales
    wanted = [replace(base, passes=main, rate_scale=scale) for scale in asked if scale != 1]
    scales = _possible(model, row, wanted, required=compared.rate_scales is not None)
    others = [replace(base, passes=main, masks=mask) for mask in masks[1:]]
    apart = _possible(model, row, others, required=compared.masks is not None)
    return [*runs, *(Run(options, [main]) for options in (*scales, *apart))]


def _of_passes(base: Options, passes: Sequence[int]) -> Iterator[Run]:
    """Runs of several numbers of passes; few of them are not coupled."""
    for sampling in dict.fromkeys(sampling_of(number, base.sampling) for number in passes):
        alike, curve = (
            sorted({n for n in some if sampling_of(n, base.sampling) == sampling})
            for some in (passes, (*passes, *_CURVE))
        )
        options = replace(base, passes=alike[-1], sampling=sampling)
        yield Run(options, alike, [number for number in curve if number <= alike[-1]])


def _possible(
    model: Predictor, row: ReadRows, wanted: Sequence[Options], required: bool
) -> list[Options]:
    """Those that the model allows; if they are required, all."""
    found = []
    for options in wanted:
        try:
            model.prepare(row, options)
        except InputError:
            if required:
                raise
            continue
        found.append(options)
    return found
