"""Prints an evaluation as compact tables."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table as Drawn

from service.cli.evaluation.calibrated import Table, calibrated_tables
from service.cli.evaluation.numbers import difference, ends, percent, value
from service.evaluation.document import Evaluation, MetricInfo, Result

#: Metrics of measures that only files have.
_LEFT_OUT = ("excess_aurc",)


def print_evaluation(evaluation: Evaluation) -> None:
    """Print the settings side by side, the main one with intervals, and what else there is."""
    console = Console(markup=False, emoji=False)  # names are not markup
    data, seconds = evaluation.data, evaluation.timing.total
    console.print(
        f"{evaluation.model.name}: {data.rows} rows of {data.name}, {seconds:.1f} s",
        highlight=False,
    )
    for table in _tables(evaluation):
        console.print(_drawn(table, console.is_terminal))
    for warning in evaluation.warnings:
        console.print(f"warning: {warning}", highlight=False)


def _tables(evaluation: Evaluation) -> Iterator[Table]:
    main = evaluation.result()
    names, others = [*main.metrics], [r for r in evaluation.results if r.differences]
    yield _side_by_side(["setting", *names], evaluation.results)
    if others and evaluation.bootstrap.resamples:
        rows = [
            [one.setting.name, *(difference(one.differences.get(name)) for name in names)]
            for one in others
        ]
        star = f"* not 0, at {percent(evaluation.bootstrap.confidence)}"
        titles = (name.replace("_", " ") for name in names)  # to be broken, where it is narrow
        yield [f"minus {main.setting.name}", *titles], [*rows, [star, *([""] * len(names))]]
    yield _of_main(evaluation, main)
    yield from calibrated_tables(evaluation)
    every = (name for one in main.measures.values() for name in one.metrics)
    of_measures = [name for name in dict.fromkeys(every) if name not in _LEFT_OUT]
    if of_measures:
        rows = [
            [measure, *(value(found.metrics.get(name)) for name in of_measures)]
            for measure, found in main.measures.items()
        ]
        yield ["measure", *of_measures], rows


def _side_by_side(columns: Sequence[str], results: Sequence[Result]) -> Table:
    return columns, [
        [one.setting.name, *(value(one.metrics.get(name)) for name in columns[1:])]
        for one in results
    ]


def _of_main(evaluation: Evaluation, main: Result) -> Table:
    own = [(_titled(evaluation.about[name]), one) for name, one in main.metrics.items()]
    for one in main.intervals:
        level = percent(one.level)
        own += [(f"PICP of {level}", one.coverage), (f"MPIW of {level}", one.width)]
    columns = [
        *(main.setting.name, "value", f"{percent(evaluation.bootstrap.confidence)} interval")
    ]
    return columns, [[title, value(one), ends(one)] for title, one in own]


def _titled(info: MetricInfo) -> str:
    return info.title if info.unit in ("1", "output") else f"{info.title} ({info.unit})"


def _drawn(table: Table, lines: bool) -> Drawn:
    columns, rows = table
    drawn = Drawn(box=box.SIMPLE_HEAD if lines else None, show_edge=False, pad_edge=False)
    for index, column in enumerate(columns):
        drawn.add_column(column, justify="right" if index else "left", no_wrap=not index)
    for row in rows:
        drawn.add_row(*row)
    return drawn
