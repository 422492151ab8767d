"""The example row of a model, for commands that need some rows."""

import typer

from service.manifest import Manifest
from service.rows import Rows
from service.server.commands import example_rows


def read_example(manifest: Manifest) -> Rows:
    """The model's example row; without one, a row of zeros and a note on standard error."""
    if any(spec.example is None for spec in manifest.inputs):
        typer.echo("The model has no example row; this is one of zeros.", err=True)
    return Rows({name: [row] for name, row in example_rows(manifest).items()})
