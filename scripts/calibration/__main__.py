"""Print what calibrations of the demo models promise, and what random divisions of rows give.

    python -m scripts.calibration --figures docs/images

Each division calibrates with half of the held-out rows and tests with the other half; predictions
are computed once. `co2` as it ships knows its whole record. To see what becomes of intervals beyond
the data, the same network is trained with the first decades, which needs the exporter's TensorFlow.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from scripts.calibration.co2 import measured, plot, tables
from scripts.calibration.digits import digits_table
from scripts.calibration.passes import passes_table


def main(
    figures: Annotated[Path | None, typer.Option(help="Folder to draw the figure into.")] = None,
) -> None:
    """Print the tables, and draw the figure."""
    console = Console()
    console.print(digits_table())
    console.print(passes_table())
    found = measured()
    for table in tables(found):
        console.print(table)
    if figures is not None:
        plot(found, figures / "calibration.png")


if __name__ == "__main__":
    typer.run(main)
