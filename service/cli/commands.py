"""The `mcdropout` command."""

import signal
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from service.annotations import Annotations
from service.cli.annotation_flags import TrainingData, TrainingTargets, with_annotations
from service.cli.calibration.command import calibrate
from service.cli.ending import errors_as_text
from service.cli.evaluation.command import evaluate
from service.cli.option_flags import with_options
from service.errors import InputError, SetupError
from service.repository.scan import MODEL_FILE

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mcdropout {version('mcdropout')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Serve Keras models with Monte Carlo dropout."""


@app.command()
def serve(
    *,
    config: Annotated[
        Path | None, typer.Option(help="TOML file with settings.", envvar="MCDROPOUT_CONFIG")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 0 picks a free one.", show_default="8000")
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(help="Folder of <name>/<version>/model.onnx.", show_default="models/store"),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda or cuda:N.", show_default="auto")
    ] = None,
    activate_dropout: Annotated[
        bool | None,
        typer.Option("--activate-dropout", help="Activate dropout that a model file keeps off."),
    ] = None,
    log_format: Annotated[
        str | None, typer.Option(help="console or json.", show_default="console")
    ] = None,
) -> None:
    """Serve a folder of models over HTTP.

    Every setting is also a MCDROPOUT_* variable and a key of the TOML file. A flag overrides
    a variable, which overrides the file.
    """
    # Until the server installs its own handlers for a graceful shutdown.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    with errors_as_text():
        # Imported here: `--help` needs no ONNX Runtime, and a missing one is reported as an
        # error, not as a traceback.
        from service.server import logs, process
        from service.server.composition import build
        from service.server.settings import read_settings

        process.prepare()
        settings = read_settings(
            config,
            host=host,
            port=port,
            models=models,
            device=device,
            activate_dropout=activate_dropout,
            log_format=log_format,
        )
        logs.configure(settings.log_format, settings.access_log)
        process.serve(build(settings))


@app.command()
@with_options
def predict(
    model: Annotated[
        str,
        typer.Argument(
            help="A model.onnx, or the address of a server's model: "
            "http://127.0.0.1:8000/v1/models/NAME."
        ),
    ],
    rows: Annotated[
        str | None,
        typer.Argument(
            help="Rows: a .csv, .tsv, .json, .npy or .npz file, or - for JSON on stdin.",
            show_default=False,
        ),
    ] = None,
    *,
    example: Annotated[
        bool, typer.Option("--example", help="Predict the model's example row.")
    ] = False,
    header: Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header",
            help="Whether the first line of a CSV is a header.",
            show_default="detected",
        ),
    ] = None,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="Run one pass with dropout off.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write everything to a .csv, .json, .npz or .parquet file.", show_default=False
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    device: Annotated[
        str | None,
        typer.Option(help="Of a model file: auto, cpu, cuda or cuda:N.", show_default="cpu"),
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(help="API key of the server.", show_default=False)
    ] = None,
    options: Mapping[str, Any],
) -> None:
    """Predict rows with a model file, or with a model of a running server.

    Prints a table with a line for each row, and the standard deviation behind ±.
    docs/predict.md describes it, the files it writes, and how it reads a CSV.
    """
    with errors_as_text():
        from service.cli.answers.answer import ask, ask_deterministic
        from service.cli.answers.target import target_of
        from service.cli.example import read_example
        from service.cli.models import opened
        from service.rows import read_rows

        if example == (rows is not None):
            raise InputError("give rows, which is a file or - for standard input, or --example.")
        target = target_of(output, force, as_json)
        with opened(model, device, api_key) as asked:
            given = (
                read_example(asked.manifest)
                if rows is None
                else read_rows(rows, asked.manifest.inputs, header)
            )
            answer = (ask_deterministic if deterministic else ask)(asked, given, options)
        target.take(answer)


@app.command()
def inspect(
    file: Annotated[Path, typer.Argument(help="A model.onnx.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "cpu",
    activate_dropout: Annotated[
        bool,
        typer.Option("--activate-dropout", help="Activate dropout that the model file keeps off."),
    ] = False,
) -> None:
    """Load a model file as the server does; show its sites, plan and verification results."""
    with errors_as_text():
        from rich.console import Console

        from service.cli import inspection
        from service.inference.load import load_model
        from service.runtime.device import choose_device

        providers = choose_device(device).providers
        model = load_model(file, providers, activate_dropout=activate_dropout)
        if as_json:
            typer.echo(inspection.as_json(model))
            return
        console = Console(markup=False, emoji=False)  # names are not markup
        for table in inspection.as_tables(model):
            console.print(table)


@app.command()
@with_annotations
def annotate(
    file: Annotated[Path, typer.Argument(help="A model.onnx.")],
    output: Annotated[
        Path | None,
        typer.Option(
            help="File or folder to write the copy to, such as <store>/<name>/<version>. By "
            "default the model itself, with --force."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    activate_dropout: Annotated[
        bool,
        typer.Option("--activate-dropout", help="The server activates dropout that is off."),
    ] = False,
    training_data: TrainingData = None,
    target: TrainingTargets = None,
    *,
    annotations: Annotations,
) -> None:
    """Write a copy of a model file that says its task, labels, links, noise or measures.

    The copy is written only if it passes load-time verification.
    """
    with errors_as_text():
        from rich.console import Console

        from service.cli import inspection
        from service.cli.annotated_copy import write_annotated
        from service.cli.outdated import warn_of_calibration
        from service.cli.training_data import with_training_data
        from service.draft import require_writable

        to = _target(file, output)
        annotations = with_training_data(
            annotations, training_data, file, target or (), activate_dropout=activate_dropout
        )
        if not annotations.given:
            raise SetupError("nothing is said of the model: give --task, --labels or another flag.")
        require_writable(to, force)
        model = write_annotated(file, to, annotations, activate_dropout=activate_dropout)
        Console(markup=False, emoji=False).print(inspection.description(model.manifest))
        warn_of_calibration(to)
    typer.echo(f"wrote {to}", err=True)


app.command()(evaluate)
app.command()(calibrate)


def _target(file: Path, output: Path | None) -> Path:
    """The file that a copy is written to; of a folder, the one that a server looks for."""
    if output is None:
        return file
    return output if output.suffix == ".onnx" else output / MODEL_FILE
