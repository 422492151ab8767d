"""Says what was fitted, and what it changed."""

from collections.abc import Iterator

import typer
from rich.console import Console
from rich.table import Table

from service.calibration.document import CalibrationDocument
from service.fitting import Outcome
from service.fitting.rate_scale import RateScale


def report(found: Outcome) -> None:
    """Print what was fitted and why, and metrics before and after; notes on standard error."""
    console = Console(markup=False, emoji=False)
    for line in _fitted(found):
        console.print(line)
    rows = found.document.data.rows
    console.print(f"on {rows - rows // 2} rows that chose none of it but thresholds:")
    console.print(_metrics(found.document))
    for note in found.notes:
        typer.echo(f"note: {note}", err=True)


def _fitted(found: Outcome) -> Iterator[str]:
    document = found.document
    if found.rate_scale is not None:
        yield _of_rates(found.rate_scale)
    if document.temperature is not None:
        way = "more" if document.temperature < 1 else "less"
        yield f"temperature: {document.temperature:.3g} makes probabilities {way} extreme"
    if document.noise_precision is not None:
        deviation = document.noise_precision**-0.5
        yield (
            f"noise precision: {document.noise_precision:.4g}, a standard deviation of "
            f"{deviation:.4g}"
        )
    for what, rules in (("sets", document.sets), ("intervals", document.intervals)):
        if rules:
            methods = ", ".join(dict.fromkeys(rule.method for rule in rules))
            shares = ", ".join(dict.fromkeys(f"{rule.coverage:g}" for rule in rules))
            yield f"prediction {what}: {methods}, with a coverage of {shares}"
    if (chosen := document.selection) is not None:
        side = "at most" if chosen.keep == "at_most" else "at least"
        yield (
            f"accepted: {chosen.measure} {side} {chosen.threshold:.4g}, "
            f"{chosen.coverage:.1%} of the rows. {chosen.guarantee}"
        )


def _of_rates(scale: RateScale) -> str:
    compared = (
        f"{scale.best:g} fits best, by {scale.gain:.4f} ± {scale.standard_error:.4f} nats a row"
    )
    why = "" if scale.value != 1 or scale.best == 1 else ", which may be chance"
    curve = ", ".join(f"{at:g}: {loss:.4f}" for at, loss in scale.curve.items())
    return f"rate scale: {scale.value:g}; {compared}{why}. Loss by scale: {curve}"


def _metrics(document: CalibrationDocument) -> Table:
    metrics = document.metrics
    table = Table("metric", "before", "after")
    for name in dict.fromkeys([*metrics.before, *metrics.after]):
        values = (side.get(name) for side in (metrics.before, metrics.after))
        table.add_row(name, *("" if value is None else f"{value:.4g}" for value in values))
    return table
