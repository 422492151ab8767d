"""Command line flags of annotations, for every command that writes a model file."""

import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from service.annotations import EVERY_OUTPUT, Annotations, faulty_field
from service.cli.option_flags import list_items
from service.manifest import NoiseForm, Task

T = TypeVar("T")

Label = Annotated[
    list[str] | None,
    typer.Option(
        help="Name of a class, in the order of the output's last axis; may be repeated. A "
        "single sigmoid takes two: of its being 0, and 1."
    ),
]
Labels = Annotated[
    str | None, typer.Option(help="The labels separated by commas, or a file with one per line.")
]
LabelsFile = Annotated[Path | None, typer.Option(help="A file with one label per line.")]
LinkFlag = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[OUTPUT=]LINK",
        help="What makes probabilities of logits, applied in every pass: softmax, sigmoid or "
        "identity; may be repeated for several outputs.",
    ),
]
NoiseMean = Annotated[
    str | None, typer.Option(help="Output with the mean of a heteroscedastic regression.")
]
Noise = Annotated[str | None, typer.Option(help="Output with its noise; may be the same output.")]
Form = Annotated[NoiseForm | None, typer.Option(help="What the noise is given as.")]
Precision = Annotated[
    float | None, typer.Option(help="Inverse variance of the noise of a regression's targets.")
]
Measures = Annotated[
    list[str] | None,
    typer.Option(
        "--measures",
        "--measure",
        help="Measures of a request that names none, such as quantiles:0.05:0.95; separated by "
        "commas, or repeated.",
    ),
]
NoMeasures = Annotated[
    bool, typer.Option("--no-measures", help="No measures, unless a request names some.")
]

TrainingData = Annotated[
    Path | None,
    typer.Option(
        help="The rows that the model was trained with, a .npz, .csv, .tsv or .parquet file, of "
        "which the file gets a fingerprint. Evaluations and calibrations warn of such rows."
    ),
]
TrainingTargets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        help="Column or array of --training-data with targets, which is left out; by default "
        "those named as outputs, and y.",
    ),
]


def with_annotations(command: Callable[..., T]) -> Callable[..., T]:
    """Add the flags to a command, and pass what they say as `annotations`."""
    own, flags = inspect.signature(command), inspect.signature(_annotations).parameters

    @functools.wraps(command)
    def run(**given: Any) -> T:
        said = _annotations(**{name: given.pop(name) for name in flags})
        return command(**given, annotations=said)

    kept = [parameter for name, parameter in own.parameters.items() if name != "annotations"]
    run.__signature__ = own.replace(parameters=[*kept, *flags.values()])  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in [*kept, *flags.values()]}
    return run


def _annotations(
    *,
    task: Annotated[Task | None, typer.Option(help="What the outputs mean.")] = None,
    label: Label = None,
    labels: Labels = None,
    labels_file: LabelsFile = None,
    link: LinkFlag = None,
    noise_mean: NoiseMean = None,
    noise: Noise = None,
    noise_form: Form = None,
    noise_precision: Precision = None,
    measures: Measures = None,
    no_measures: NoMeasures = False,
    passes: Annotated[
        int | None, typer.Option(help="Default number of passes of a request.")
    ] = None,
) -> Annotations:
    if no_measures and measures:
        raise _ended("give one of --measures and --no-measures.")
    noises = {"mean": noise_mean, "noise": noise, "form": noise_form}
    flags = zip(("--noise-mean", "--noise", "--noise-form"), noises.values(), strict=True)
    missing = [flag for flag, given in flags if not given]
    if 0 < len(missing) < len(noises):
        raise _ended(
            f"--noise-mean, --noise and --noise-form go together; {missing[0]} is missing."
        )
    values = {
        "task": task,
        "labels": _labels(label, labels, labels_file),
        "link": dict(map(_link, link or ())) or None,
        "noise": None if missing else noises,
        "noise_precision": noise_precision,
        "measures": () if no_measures else list_items(measures) or None,
        "passes": passes,
    }
    try:
        return Annotations(**{name: y for name, y in values.items() if y is not None})
    except ValidationError as error:
        raise _ended(faulty_field(error)) from error


def _link(text: str) -> tuple[str, str]:
    output, _, link = text.rpartition("=")
    return output or EVERY_OUTPUT, link


def _labels(
    label: Sequence[str] | None, labels: str | None, file: Path | None
) -> Sequence[str] | None:
    given = [one for one in (label, labels, file) if one]
    if len(given) > 1:
        raise _ended("give one of --label, --labels and --labels-file.")
    if not given or label:
        return label or None
    if labels is not None and not Path(labels).is_file():
        return _stripped(labels.split(","))
    named = file or Path(str(labels))
    try:
        return _stripped(named.read_text(encoding="utf-8-sig").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise _ended(f"--labels-file {str(named)!r} cannot be read: {error}.") from error


def _ended(text: str) -> typer.Exit:
    """Print an error without wrapping; the exit code is that of invalid arguments."""
    typer.echo(f"error: {text}", err=True)
    return typer.Exit(2)


def _stripped(lines: Sequence[str]) -> list[str]:
    return [line.strip() for line in lines if line.strip()]
