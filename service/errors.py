"""Every error the project raises on purpose.

MCDropoutError
├── SetupError                 the process cannot start as it is installed or configured
│   └── MissingExtraError      a package is not installed, and which extra has it
├── ExportError                a Keras model cannot be exported, or its export failed a check
├── FittingError               data do not show what is asked of a calibration
├── ModelError                 a model cannot be served
│   ├── RefusedRowsError       ONNX Runtime rejects the values of rows
│   ├── LoadError              a model could not be loaded on request
│   ├── ArtifactError          its file is not a readable, complete artifact
│   └── ProofError             it failed load-time verification
│       └── LayoutError        this layout does not suit it; another one may
├── RequestError               a request cannot be answered
│   ├── InputError             it is malformed or out of range
│   ├── ForbiddenError         its API key has no right to it
│   ├── TooLargeError          its rows or its answer exceed the memory limit
│   ├── ModelNotFoundError     its model or version does not exist
│   ├── ModelUnavailableError  its model is not ready
│   ├── QueueFullError         too many requests are in flight
│   ├── DeadlineError          it missed its deadline
│   ├── StoppingError          the server is shutting down
│   └── CancelledError         its client has disconnected
└── OutputError                the model answered with NaN or infinity

Messages are written for the person who reads them: what is wrong, where, and
what would be right. HTTP statuses are not known here (see `service.api.http.errors`).
"""

import json
from collections.abc import Callable

#: A place in a request: names of fields and indices, from the outermost to the innermost.
Loc = tuple[str | int, ...]


def shortened(value: object, maximum: int = 40) -> str:
    """What a request sent, as text of at most `maximum` characters, for a message."""
    text = str(value)
    return text if len(text) <= maximum else f"{text[: maximum - 1]}…"


def shown(value: object) -> str:
    """A value out of JSON, short enough for a message."""
    match value:
        case list():
            return "a list"
        case dict():
            return "an object"
        case str():
            return f"the string {value[:40]!r}"
    return shortened(json.dumps(value))


class MCDropoutError(Exception):
    """Base of all errors raised on purpose."""


class SetupError(MCDropoutError):
    """The process cannot start as it is installed or configured."""


class MissingExtraError(SetupError, ImportError):
    """A package that a part of the project needs is not installed."""


class ExportError(MCDropoutError):
    """A Keras model cannot be exported, or its export failed a check."""


class FittingError(MCDropoutError):
    """Data do not show what is asked of a calibration, such as a risk below a target."""


class ModelError(MCDropoutError):
    """A model cannot be served."""


class LoadError(ModelError):
    """A model could not be loaded on request; the version loaded before continues to serve."""


class RefusedRowsError(ModelError):
    """ONNX Runtime rejects the values of rows, for example an index out of range."""


class ArtifactError(ModelError):
    """A model file is not a readable, complete artifact."""


class ProofError(ModelError):
    """A model failed load-time verification."""


class LayoutError(ProofError):
    """A plan's layout does not suit the model."""


class RequestError(MCDropoutError):
    """A request cannot be answered."""


class InputError(RequestError):
    """A request is malformed or out of range.

    Attributes:
        message: what is wrong and what would be right.
        loc: of what the message is said: () the rows as a whole, else the name of an input, if
            rows came by name, and indices in them. None: the message names the place itself.
    """

    def __init__(self, message: str, loc: Loc | None = None) -> None:
        super().__init__(message if loc is None else f"{place('x', loc)} {message}")
        self.message, self.loc = message, loc

    def at(self, render: Callable[[Loc], str]) -> "InputError":
        """The same error, whose text names the place as a protocol does."""
        return self if self.loc is None else InputError(f"{render(self.loc)} {self.message}")


def place(root: str, loc: Loc) -> str:
    """A place below `root`, as text: ("name", 3, 5) is root.name[3][5]."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return root + "".join(parts)


class ForbiddenError(RequestError):
    """A request's API key lacks the required right."""


class TooLargeError(RequestError):
    """A request's rows or its answer exceed the memory limit of all requests."""


class ModelNotFoundError(RequestError):
    """A request names a model or a version that does not exist."""


class ModelUnavailableError(RequestError):
    """A request names a model that is not ready.

    Attributes:
        retry_after: seconds after which to retry; None: it does not become ready by itself.
    """

    def __init__(self, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class QueueFullError(RequestError):
    """A request was refused because of the load.

    Attributes:
        retry_after: seconds after which to retry.
    """

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DeadlineError(RequestError):
    """A request missed its deadline."""


class StoppingError(RequestError):
    """A request could not be finished before the server shut down."""

    retry_after = 1


class OutputError(MCDropoutError):
    """The answer to valid input contains NaN or infinity."""


class CancelledError(RequestError):
    """A request was stopped because its client has disconnected."""
