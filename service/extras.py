"""Names the extra to install if a package of an optional part is missing."""

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distributions
from typing import Literal, TypeAlias

from service.errors import MissingExtraError

Extra: TypeAlias = Literal["cpu", "evaluate", "export", "otel", "parquet"]


def how_to_install(extra: Extra) -> str:
    """The command that adds an extra to the running environment, for a message."""
    python = shlex.quote(sys.executable)
    option = "-e " if _runs_in_place() else ""
    other = ', or ".[gpu]" on a machine with an NVIDIA GPU' if extra == "cpu" else ""
    return f'in a clone of mcdropout, {python} -m pip install {option}".[{extra}]"{other}'


def _runs_in_place() -> bool:
    """Whether a clone is installed as it lies, which a copy would replace (PEP 610)."""
    origins = (one.read_text("direct_url.json") for one in distributions(name="mcdropout"))
    return any(json.loads(one).get("dir_info", {}).get("editable") for one in origins if one)


@contextmanager
def needs(extra: Extra) -> Iterator[None]:
    """Around imports: if a package is missing, name the extra that installs it.

    Raises:
        MissingExtraError: a package that is not one of this project's is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "mcdropout", "models", "service"):
            raise  # an incomplete installation, which no extra completes
        raise MissingExtraError(
            f"the package {package!r} is needed for this, and is not installed. Install it: "
            f"{how_to_install(extra)}."
        ) from error
