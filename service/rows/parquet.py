"""Reads the rows of a Parquet file."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.errors import InputError
from service.extras import needs
from service.manifest import InputSpec
from service.rows.columns import INDEX, by_name, in_order, names_inputs, require_width, row_shape
from service.rows.given import Further, Rows

#: Column in which pandas keeps an index without a name.
_INDEX = (*INDEX, "__index_level_0__")


def read_parquet(path: Path, specs: Sequence[InputSpec], further: Further) -> Rows:
    """Read the rows of a Parquet file whose columns are single values.

    Columns are matched with the inputs as those of a CSV with a header are (see docs/predict.md).

    Args:
        path: of the file.
        specs: the model's inputs.
        further: see `Further`; the columns keep the types of the file.

    Raises:
        InputError: with file, column and what would be right.
        MissingExtraError: pyarrow is not installed.
        OSError, ValueError: it is no Parquet file.
    """
    with needs("parquet"):
        from pyarrow.parquet import read_table
    table = read_table(path)
    names = [str(name) for name in table.column_names]
    others = [spec.name for spec in further(names)]
    own = {p: name for p, name in enumerate(names) if name not in (*others, *_INDEX)}
    refuse = partial(_refusal, path)
    if names_inputs(own, specs):
        places = by_name(own, specs, refuse)
    else:
        require_width(len(own), specs[0], refuse, targets=True)
        places = {specs[0].name: in_order(own)}
    read = partial(_column, path, table)
    values = {
        spec.name: np.stack([read(names[place]) for place in places[spec.name]], axis=1).reshape(
            table.num_rows, *row_shape(spec, len(places[spec.name]))
        )
        for spec in specs
    }
    return Rows(values, further={name: read(name) for name in others})


def _refusal(path: Path, text: str) -> InputError:
    return InputError(f"{path}{text}")


def _column(path: Path, table: Any, name: str) -> NDArray[Any]:
    """(B,) values of a column without missing ones."""
    column = table.column(name)
    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        raise InputError(
            f"{path}, row {row}, column {name!r} is empty. Fill it, or leave the row out."
        )
    found: NDArray[Any] = column.to_numpy()
    if found.dtype == object and not isinstance(found[0] if len(found) else "", str | bytes):
        raise InputError(f"{path}, column {name!r} is of type {column.type}; give single values.")
    return found
