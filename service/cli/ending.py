"""How a command ends that raises an error of the project."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from service.cli.option_flags import in_flags
from service.errors import MCDropoutError
from service.extras import needs


@contextmanager
def errors_as_text() -> Iterator[None]:
    """Print the project's own errors without a traceback, and exit with code 2."""
    try:
        with needs("cpu"):
            yield
    except MCDropoutError as error:
        typer.echo(f"error: {in_flags(str(error))}", err=True)
        raise typer.Exit(2) from error
