"""Names the extra to install if a package of an optional part is missing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from service.errors import MissingExtraError

_INSTALL = {
    "cpu": 'pip install "mcdropout[cpu]", or "mcdropout[gpu]" on a machine with an NVIDIA GPU',
    "evaluate": 'pip install "mcdropout[evaluate]"',
    "export": 'pip install "mcdropout[export]"',
    "parquet": 'pip install "mcdropout[parquet]"',
}


@contextmanager
def needs(extra: Literal["cpu", "evaluate", "export", "parquet"]) -> Iterator[None]:
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
            f"{_INSTALL[extra]}."
        ) from error
