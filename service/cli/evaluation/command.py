"""The flags of `mcdropout evaluate`."""

import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from service.cli.ending import errors_as_text
from service.cli.labeled_flags import LabeledFile, Targets
from service.cli.option_flags import list_items
from service.errors import InputError
from service.protocol.options import DEFAULT_SAMPLING, Masks, Sampling

T = TypeVar("T")


def evaluate(
    file: Annotated[Path, typer.Argument(help="A model.onnx.")],
    *,
    data: LabeledFile,
    target: Targets = None,
    model_output: Annotated[
        str | None, typer.Option(help="Output that the targets are of, of a model with several.")
    ] = None,
    ood: Annotated[
        Path | None, typer.Option(help="Rows that are unlike those of the model's training.")
    ] = None,
    passes: Annotated[
        str, typer.Option(help="Numbers of passes to compare, separated by commas.")
    ] = "10,100,1000",
    rate_scale: Annotated[
        list[str] | None,
        typer.Option(
            help='Rate scales to compare, separated by commas; "" for none.',
            show_default="0.5,1.5, where possible",
        ),
    ] = None,
    masks: Annotated[
        Masks | None,
        typer.Option(
            help="Masks of all settings.", show_default="shared, and per_row where possible"
        ),
    ] = None,
    sampling: Annotated[
        Sampling, typer.Option(help="independent or stratified.")
    ] = DEFAULT_SAMPLING,
    seed: Annotated[int, typer.Option(help="Random seed of passes and resamples.")] = 0,
    bootstrap: Annotated[
        int, typer.Option(help="Resamples for confidence intervals; 0 for none.", min=0)
    ] = 1000,
    confidence: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    output: Annotated[
        Path | None, typer.Option(help="Write everything to a .json file.", show_default=False)
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a report to an .html file.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "cpu",
) -> None:
    """Measure on labeled data how far a model's uncertainty can be trusted.

    Compares dropout off, numbers of passes, rate scales and masks by accuracy or RMSE,
    likelihood, calibration, and how well the measures find errors. docs/evaluate.md is the guide.
    """
    with errors_as_text():
        from service.cli.evaluation.progress import shown_progress
        from service.draft import draft_of, require_writable
        from service.extras import needs
        from service.inference.load import load_model
        from service.runtime.device import choose_device

        with needs("evaluate"):
            from service.cli.evaluation.tables import print_evaluation
            from service.evaluation import evaluate as run
            from service.evaluation.report import write_report

        for path in filter(None, (output, report)):
            require_writable(path, force)
        model = load_model(file, choose_device(device).providers)
        with shown_progress() as progress:
            found = run(
                file,
                data,
                target=target or (),
                ood=ood,
                output=model_output,
                passes=_numbers("--passes", [passes], int),
                rate_scales=None
                if rate_scale is None
                else _numbers("--rate-scale", rate_scale, float),
                masks=None if masks is None else [masks],
                sampling=sampling,
                seed=seed,
                resamples=bootstrap,
                confidence=confidence,
                progress=progress,
                loaded=model,
            )
        found = found.model_copy(update={"command": shlex.join(["mcdropout", *sys.argv[1:]])})
        if output is not None:
            with draft_of(output) as draft:
                draft.write_text(found.as_json(), "utf-8")
            typer.echo(f"wrote {output}", err=True)
        if report is not None:
            with draft_of(report) as draft:
                write_report(found, draft)
            typer.echo(f"wrote {report}", err=True)
        if as_json:
            typer.echo(found.as_json(), nl=False)
        else:
            print_evaluation(found)


def _numbers(flag: str, given: Sequence[str], kind: Callable[[str], T]) -> list[T]:
    try:
        return [kind(item) for item in list_items(given)]
    except ValueError:
        what = "whole numbers" if kind is int else "numbers"
        raise InputError(
            f"{flag} is {', '.join(given)!r}; give {what}, separated by commas."
        ) from None
