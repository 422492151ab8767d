"""The `mcdropout` command."""

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from service.annotations import Annotations
from service.cli.annotation_flags import with_annotations
from service.cli.option_flags import with_options
from service.errors import MCDropoutError, SetupError
from service.extras import needs
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


@contextmanager
def _errors_as_text() -> Iterator[None]:
    """Print the project's own errors without a traceback, and exit with code 2."""
    try:
        with needs("cpu"):
            yield
    except MCDropoutError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error


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
    with _errors_as_text():
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


class Output(StrEnum):
    """Output format of `predict`."""

    TABLE = "table"
    JSON = "json"


@app.command()
@with_options
def predict(
    file: Annotated[Path, typer.Argument(help="A model.onnx.")],
    rows: Annotated[
        str, typer.Argument(help="Rows: a .json, .csv or .npy file, or - for JSON on stdin.")
    ],
    output: Annotated[Output, typer.Option(help="Output format.")] = Output.TABLE,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "cpu",
    *,
    options: Mapping[str, Any],
) -> None:
    """Predict rows with a model file, without a server."""
    with _errors_as_text():
        from rich.console import Console

        from service.cli import offline
        from service.inference.predictor import load_model
        from service.runtime.device import choose_device

        model = load_model(file, choose_device(device).providers)
        x = offline.read_rows(rows, model.manifest.inputs)
        found = model.predict(x, **options)
        if output is Output.JSON:
            typer.echo(offline.as_json(found))
            return
        console = Console(markup=False, emoji=False)  # names and labels are not markup
        for table in offline.as_tables(found, model.manifest):
            console.print(table)


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
    with _errors_as_text():
        from rich.console import Console

        from service.cli import inspection
        from service.inference.predictor import load_model
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
    *,
    annotations: Annotations,
) -> None:
    """Write a copy of a model file that says its task, labels, links, noise or measures.

    The copy is written only if it passes load-time verification.
    """
    with _errors_as_text():
        from rich.console import Console

        from service.cli import inspection
        from service.cli.annotated_copy import write_annotated

        target = _target(file, output)
        if not annotations.given:
            raise SetupError("nothing is said of the model: give --task, --labels or another flag.")
        if target.exists() and not force:
            raise SetupError(f"{target} already exists. Give another --output, or use --force.")
        model = write_annotated(file, target, annotations, activate_dropout=activate_dropout)
        Console(markup=False, emoji=False).print(inspection.description(model.manifest))
    typer.echo(f"wrote {target}", err=True)


def _target(file: Path, output: Path | None) -> Path:
    """The file that a copy is written to; of a folder, the one that a server looks for."""
    if output is None:
        return file
    return output if output.suffix == ".onnx" else output / MODEL_FILE
