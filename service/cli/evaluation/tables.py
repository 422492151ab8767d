"""Prints an evaluation as compact tables."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from service.evaluation.document import Estimate, Evaluation, MetricInfo

#: Metrics of measures that only files have.
_LEFT_OUT = ("excess_aurc",)


def print_evaluation(evaluation: Evaluation) -> None:
    """Print the settings side by side, the main one with intervals, its measures, and warnings."""
    console = Console(markup=False, emoji=False)  # names are not markup
    data, seconds = evaluation.data, evaluation.timing.total
    console.print(
        f"{evaluation.model.name}: {data.rows} rows of {data.name}, {seconds:.1f} s",
        highlight=False,
    )
    for table in _tables(evaluation, console.is_terminal):
        console.print(table)
    for warning in evaluation.warnings:
        console.print(f"warning: {warning}", highlight=False)


def _tables(evaluation: Evaluation, lines: bool) -> Iterator[Table]:
    about, main = evaluation.about, evaluation.result()
    yield _table(
        ["setting", *main.metrics],
        [
            [result.setting.name, *(_value(result.metrics.get(name)) for name in main.metrics)]
            for result in evaluation.results
        ],
        lines,
    )
    percent = f"{evaluation.bootstrap.confidence:.0%}".replace("%", " %")
    own = [(_titled(about[name]), one) for name, one in main.metrics.items()]
    for one in main.intervals:
        level = f"{one.level:.0%}".replace("%", " %")
        own += [(f"PICP of {level}", one.coverage), (f"MPIW of {level}", one.width)]
    yield _table(
        [main.setting.name, "value", f"{percent} interval"],
        [[title, _value(one), _ends(one)] for title, one in own],
        lines,
    )
    every = (name for one in main.measures.values() for name in one.metrics)
    names = [name for name in dict.fromkeys(every) if name not in _LEFT_OUT]
    if names:
        yield _table(
            ["measure", *names],
            [
                [measure, *(_value(result.metrics.get(name)) for name in names)]
                for measure, result in main.measures.items()
            ],
            lines,
        )


def _titled(info: MetricInfo) -> str:
    return info.title if info.unit in ("1", "output") else f"{info.title} ({info.unit})"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], lines: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD if lines else None, show_edge=False, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left")
    for row in rows:
        table.add_row(*row)
    return table


def _value(estimate: Estimate | None) -> str:
    return "–" if estimate is None or estimate.value is None else _number(estimate.value)


def _ends(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return "–"
    return f"{_number(estimate.low)} to {_number(estimate.high)}"


def _number(value: float) -> str:
    """Four decimals, fewer of large numbers."""
    return f"{value:.4f}" if abs(value) < 100 else f"{value:.5g}"
