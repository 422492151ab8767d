"""The flags that name labeled data, of `mcdropout evaluate` and `mcdropout calibrate`."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

LabeledFile: TypeAlias = Annotated[
    Path,
    typer.Option(
        help="Labeled rows that the model was not trained with: a .npz, .csv, .tsv or .parquet "
        "file."
    ),
]
Targets: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        help="Column or array with the targets; by default the output's name, or y.",
    ),
]
