"""Prints answers as tables, with one line for each row."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from service.api.tfserving.codec import labeled
from service.cli.answers.answer import Answer
from service.cli.answers.shown import LETTERS, Column, first_rows, fitting_columns
from service.errors import shortened
from service.facts import facts_of
from service.protocol.prediction import Stopped
from service.rows.names import counted

#: Maximum number of rows.
_ROWS = 40


def print_table(answer: Answer, console: Console) -> None:
    """Print a table for each output, no wider than the console, of at most 40 rows.

    A classification shows the most likely class and, if it fits, the runner-up; other outputs
    show all elements, or a summary. A note below names what is left out.
    """
    identity = [Column("row", [shortened(one, LETTERS) for one in answer.ids[:_ROWS]])]
    if answer.stopped is not None:
        identity.append(Column("passes", _passes(answer.stopped)))
    room = console.width - sum(column.width for column in identity)
    for name, quantities in labeled(answer.columns, facts_of(answer.manifest)).items():
        shown = first_rows(quantities, answer.manifest, _ROWS)
        columns, left_out = fitting_columns(shown, room)
        if len(answer.ids) > _ROWS:
            left_out.insert(0, counted(len(answer.ids) - _ROWS, "more row"))
        console.print(_title(name, answer), highlight=False)
        console.print(_drawn([*identity, *columns], console.is_terminal))
        if left_out:
            text = f"Not shown: {', '.join(left_out)}. --output FILE.csv has everything."
            console.print(text, highlight=False)


def _passes(stopped: Stopped) -> list[str]:
    """Of the rows that are shown."""
    pairs = zip(stopped.passes[:_ROWS].tolist(), stopped.settled[:_ROWS].tolist(), strict=True)
    return [f"{passes}" if settled else f"{passes}, not settled" for passes, settled in pairs]


def _title(name: str, answer: Answer) -> str:
    if not answer.head:
        return f"{name}: one pass with dropout off"
    passes, seed = f"{answer.head['passes']}", answer.head["seed"]
    if answer.stopped is not None:
        of_rows = answer.stopped.passes
        passes = " to ".join(dict.fromkeys((f"{of_rows.min()}", f"{of_rows.max()}")))
    return f"{name}: mean ± standard deviation over {passes} passes, seed {seed}"


def _drawn(columns: Sequence[Column], is_terminal: bool) -> Table:
    """The table; plain columns if the output is not a terminal."""
    line = box.SIMPLE_HEAD if is_terminal else None
    table = Table(box=line, show_edge=False, pad_edge=False, collapse_padding=is_terminal)
    for column in columns:
        table.add_column(
            column.title, justify="left" if column.has_words else "right", no_wrap=True
        )
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*cells)
    return table
