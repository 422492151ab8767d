"""Examples of requests in the API's document, for the demo models.

The name of an example begins with the model that it is for. The document does not change with
the models of a server, whose names are not public where keys are required.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Path

#: A year for `co2`.
YEAR = [1985.0]
#: An 8×8 image of a two for `digits`, row by row.
# fmt: off
DIGIT = [
    0, 0, 7, 16, 14, 3, 0, 0,
    0, 0, 9, 14, 11, 15, 0, 0,
    0, 0, 1, 5, 0, 15, 5, 0,
    0, 0, 0, 0, 0, 16, 5, 0,
    0, 0, 0, 0, 3, 16, 4, 0,
    0, 0, 0, 1, 12, 14, 1, 0,
    0, 0, 5, 12, 16, 16, 14, 1,
    0, 0, 8, 16, 14, 10, 13, 3,
]
# fmt: on

#: The name of a model in a path.
Name = Annotated[
    str,
    Path(
        description="name of the model",
        openapi_examples={name: {"value": name} for name in ("co2", "digits")},
    ),
]


def examples(bodies: Mapping[str, tuple[str, Any]]) -> dict[str, Any]:
    """Examples of a body: name to summary and value, in the form of OpenAPI."""
    return {
        name: {"summary": f"{name.partition('_')[0]}: {summary}", "value": value}
        for name, (summary, value) in bodies.items()
    }
