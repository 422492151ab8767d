"""Writes answers to their destination: a table or JSON on standard output, or a file."""

from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console

from service.cli.answers.answer import Answer
from service.cli.answers.files import as_json, require_writable, write
from service.cli.answers.table import print_table
from service.rows.names import counted

#: Values of --output from before it took files.
_TABLE, _JSON = Path("table"), Path("json")


@dataclass(frozen=True)
class Target:
    """Destination of an answer.

    Attributes:
        path: of a file; None: to standard output.
        is_json: whether JSON is printed instead of a table.
    """

    path: Path | None
    is_json: bool

    def take(self, answer: Answer) -> None:
        """Write the answer.

        Raises:
            InputError: the file cannot be written.
        """
        if self.path is not None:
            write(self.path, answer)
            how = ", ".join(f"{name} {value}" for name, value in answer.head.items())
            rows = counted(len(answer.ids), "row")
            typer.echo(f"wrote {self.path}: {rows}, {how or 'dropout off'}", err=True)
        if self.is_json:
            typer.echo(as_json(answer))
        elif self.path is None:
            # Names and labels are not markup.
            print_table(answer, Console(markup=False, emoji=False))


def target_of(output: Path | None, force: bool, is_json: bool) -> Target:
    """Validate the destination before the prediction.

    Args:
        output: a file; or "json" or "table", the values from before it took files.
        force: whether an existing file may be replaced.
        is_json: whether to print JSON.

    Raises:
        InputError, MissingExtraError: see `require_writable`.
    """
    if output in (None, _TABLE, _JSON):
        return Target(None, is_json or output == _JSON)
    require_writable(output, force)
    return Target(output, is_json)
