"""The `mcdropout` command."""

import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from service.errors import MCDropoutError, SetupError

app = typer.Typer(
    help="Serve Keras models with Monte Carlo dropout.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@contextmanager
def _errors_as_text() -> Iterator[None]:
    """An error raised on purpose is a sentence and exit code 2, not a traceback."""
    try:
        yield
    except MCDropoutError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on [8000].")] = None,
    models: Annotated[
        Path | None, typer.Option(help="Folder of <name>/<version>/model.onnx [models/store].")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N [auto].")] = None,
    activate_dropout: Annotated[
        bool | None,
        typer.Option(
            "--activate-dropout", help="Turn on dropouts that a file holds and keeps off."
        ),
    ] = None,
) -> None:
    """Serve a folder of models over HTTP. MCDROPOUT_* variables set what flags leave out."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s:     %(message)s")
    logging.getLogger("onnx_ir").setLevel(logging.WARNING)
    with _errors_as_text():
        _serve(
            host=host,
            port=port,
            models=models,
            device=device,
            activate_dropout=activate_dropout,
        )


def _serve(**flags: object) -> None:
    # Imported here: `--help` needs no ONNX runtime, and a missing one is an
    # error to be told, not a traceback.
    import uvicorn

    from service.api.app import create_app
    from service.device import choose_device
    from service.greeting import greeting
    from service.predictor import Limits, Predictor, load_model
    from service.repository import Repository
    from service.settings import read_settings

    settings = read_settings(**flags)
    device = choose_device(settings.device)
    limits = Limits(settings.max_passes, settings.max_samples, settings.memory << 20)

    def load(path: Path) -> Predictor:
        activate = settings.activate_dropout
        return load_model(path, device.providers, limits, activate_dropout=activate)

    repository = Repository(settings.models, load)

    def greet(loaded: Repository) -> None:
        url = _url(settings.host, listening.getsockname()[1])
        print(greeting(loaded, url), flush=True)

    # Bound before anything is loaded: a port that is taken ends the start at once.
    listening = _listen(settings.host, settings.port)
    # Uvicorn shuts down in good order at either signal, and then raises it again.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    uvicorn.Server(uvicorn.Config(create_app(repository, device, greet))).run(sockets=[listening])


@app.command()
def inspect(
    file: Annotated[Path, typer.Argument(help="A model.onnx.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "cpu",
    activate_dropout: Annotated[
        bool,
        typer.Option(
            "--activate-dropout", help="Turn on dropouts that the file holds and keeps off."
        ),
    ] = False,
) -> None:
    """Load a model file as the server does; show its sites, its plan and its proof."""
    with _errors_as_text():
        from rich.console import Console

        from service import inspection
        from service.device import choose_device
        from service.predictor import load_model

        providers = choose_device(device).providers
        model = load_model(file, providers, activate_dropout=activate_dropout)
        if as_json:
            typer.echo(inspection.as_json(model))
            return
        for table in inspection.as_tables(model):
            Console().print(table)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise SetupError(
            f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}. Choose "
            "another with --port (make serve PORT=…), or --port 0 for any that is free."
        ) from error
    # Connections inherit it. Without, the body of an answer waits until the client has
    # acknowledged the headers, which it takes 40 ms for. asyncio sets it itself on the
    # sockets that it made, and on no others.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _url(host: str, port: int) -> str:
    """Where a client on this machine reaches the server; 0.0.0.0 and :: are no addresses."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


if __name__ == "__main__":
    app()
