"""Every error that the client raises on purpose.

ClientError
├── InvalidCallError           the call cannot be sent as it is; nothing was
├── RefusedError               the server refuses the request: 4xx
├── UnavailableError           it cannot answer now, and may later: 429 and 503, after all tries
├── DeadlineExceededError      the time was over before the answer was there: 504, or the client's
├── ServerFaultError           the server failed: another 5xx, or an answer that is none
└── UnreachableError           no connection, or one that broke, after all tries

The message is the server's own where it gave one: what is wrong, where, and what
would be right.
"""


class ClientError(Exception):
    """Base of all errors that the client raises on purpose.

    Attributes:
        status: of the server's answer; None where there was none.
        request_id: by which the server's log knows the request; None if none was sent.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.request_id: str | None = None


class InvalidCallError(ClientError, ValueError):
    """What was asked for cannot be sent as it is."""


class RefusedError(ClientError):
    """The request is wrong, names what is not there, or may not be made."""


class UnavailableError(ClientError):
    """The server or the model cannot answer now.

    Attributes:
        retry_after: seconds after which the server wants to be asked again, if it said so.
    """

    def __init__(self, message: str, status: int, retry_after: float | None = None) -> None:
        super().__init__(message, status)
        self.retry_after = retry_after


class DeadlineExceededError(ClientError, TimeoutError):
    """The time of the call was over before its answer was there."""


class ServerFaultError(ClientError):
    """The server failed, or what answered is not this server."""


class UnreachableError(ClientError, ConnectionError):
    """There was no connection to the server, or it broke.

    Attributes:
        sent: whether the server may have seen the request.
    """

    def __init__(self, message: str, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent
