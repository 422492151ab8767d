"""The flags of `mcdropout calibrate`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.ending import errors_as_text
from service.cli.labeled_flags import LabeledFile, Targets
from service.cli.option_flags import list_items
from service.errors import InputError
from service.protocol.options import OPTIONS, Masks, Sampling

#: Stands for a rate scale that is to be fitted.
_FIT = "fit"


def calibrate(
    file: Annotated[Path, typer.Argument(help="A model.onnx.")],
    *,
    data: LabeledFile,
    target: Targets = None,
    model_output: Annotated[
        str | None, typer.Option(help="Output to calibrate, of a model with several.")
    ] = None,
    coverages: Annotated[
        str, typer.Option(help="Coverages of sets and intervals, separated by commas.")
    ] = "0.9,0.95",
    sets: Annotated[
        str | None,
        typer.Option(
            help="Methods of prediction sets, aps and lac, separated by commas. The first is the "
            "default of requests.",
            show_default="aps,lac, or lac of several labels",
        ),
    ] = None,
    intervals: Annotated[
        str | None,
        typer.Option(
            help="Methods of prediction intervals, normalized, absolute and cqr, likewise.",
            show_default="normalized,absolute",
        ),
    ] = None,
    rate_scale: Annotated[
        str, typer.Option(help="Factor of all dropout rates; fit: the one that fits best.")
    ] = "1",
    target_risk: Annotated[
        float | None, typer.Option(help="Accept answers of which at most this share is wrong.")
    ] = None,
    coverage: Annotated[
        float | None, typer.Option(help="Accept this share of answers, the most certain.")
    ] = None,
    confidence: Annotated[
        float, typer.Option(help="Confidence that the risk is at most --target-risk.")
    ] = 0.95,
    measure: Annotated[
        str | None,
        typer.Option(
            help="Measure that accepts; by default predictive_entropy, or of a regression total "
            "or std."
        ),
    ] = None,
    error_tolerance: Annotated[
        float | None,
        typer.Option(help="Absolute error above which a prediction of a regression is wrong."),
    ] = None,
    passes: Annotated[
        int | None,
        typer.Option(
            help="Number of passes.",
            show_default="the model's own",
            min=OPTIONS["passes"].minimum,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the passes.")] = 0,
    masks: Annotated[
        Masks | None,
        typer.Option(help="shared or per_row.", show_default="per_row, where the model allows it"),
    ] = None,
    sampling: Annotated[Sampling, typer.Option(help="independent or stratified.")] = "independent",
    output: Annotated[
        Path | None,
        typer.Option(help="File to write.", show_default="calibration.json beside the model"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the calibration.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "cpu",
) -> None:
    """Fit a calibration to labeled data, and write it beside the model.

    Fits a temperature or a noise precision, prediction sets or intervals, and on request a
    threshold that accepts answers. docs/calibrate.md is the guide. Exit codes: 0: written; 1: the
    target risk cannot be reached; 2: invalid arguments or data.
    """
    with errors_as_text():
        from service.calibration.document import calibration_of
        from service.cli.calibration.run import run
        from service.draft import require_writable
        from service.fitting import Asked
        from service.inference.options import read_options

        to = output or calibration_of(file)
        require_writable(to, force)
        asked = Asked(
            coverages=tuple(_number(one, "--coverages") for one in list_items([coverages])),
            sets=_methods(sets),
            intervals=_methods(intervals),
            rate_scale=rate_scale == _FIT,
            target_risk=target_risk,
            coverage=coverage,
            confidence=confidence,
            measure=measure,
            error_tolerance=error_tolerance,
            masks=masks,
            options=read_options(
                passes=passes,
                seed=seed,
                sampling=sampling,
                rate_scale=None if rate_scale == _FIT else _number(rate_scale, "--rate-scale"),
            ),
        )
        found = run(file, data, asked, target=target or (), output=model_output, device=device)
        found.save(to, force=force)
        if as_json:
            typer.echo(found.document.as_json())
        else:
            from service.cli.calibration.report import report

            report(found)
    typer.echo(f"wrote {to}", err=True)


def _methods(given: str | None) -> Any:
    """The methods of a flag, which `Asked` checks."""
    return None if given is None else tuple(list_items([given]))


def _number(text: str, flag: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"{flag} has {text!r:.40}; it takes numbers.") from error
