"""How a command ends that raises an error of the project."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from service.cli.option_flags import in_flags
from service.errors import FittingError, MCDropoutError
from service.extras import needs


@contextmanager
def errors_as_text() -> Iterator[None]:
    """Print the project's own errors without a traceback.

    The exit code is 1 if data do not show what was asked for, otherwise 2.
    """
    try:
        with needs("cpu"):
            yield
    except MCDropoutError as error:
        typer.echo(f"error: {in_flags(str(error))}", err=True)
        raise typer.Exit(1 if isinstance(error, FittingError) else 2) from error
