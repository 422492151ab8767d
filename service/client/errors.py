"""Every error that the client raises on purpose.

ClientError
├── InvalidCallError           the call is invalid; no request was sent
├── RefusedError               the server refused the request: 4xx
├── UnavailableError           it cannot answer now: 429 and 503, after all retries
├── DeadlineExceededError      the deadline has passed: 504, or the client's own
├── ServerFaultError           the server failed: another 5xx, or an invalid answer
└── UnreachableError           no connection, or a broken one, after all retries

The message is the server's own if there is one: what is wrong, where, and what would be
right.
"""


class ClientError(Exception):
    """Base of all errors that the client raises on purpose.

    Attributes:
        status: HTTP status of the server's answer; None if there was none.
        request_id: identifies the request in the server's log; None if none was sent.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.request_id: str | None = None


class InvalidCallError(ClientError, ValueError):
    """The call is invalid and cannot be sent."""


class RefusedError(ClientError):
    """The request is invalid, names something unknown, or is not allowed."""


class UnavailableError(ClientError):
    """The server or the model cannot answer now.

    Attributes:
        retry_after: seconds after which to retry, if the server gave them.
    """

    def __init__(self, message: str, status: int, retry_after: float | None = None) -> None:
        super().__init__(message, status)
        self.retry_after = retry_after


class DeadlineExceededError(ClientError, TimeoutError):
    """The deadline of the call has passed."""


class ServerFaultError(ClientError):
    """The server failed, or something else answered."""


class UnreachableError(ClientError, ConnectionError):
    """There was no connection to the server, or it broke.

    Attributes:
        sent: whether the server may have seen the request.
    """

    def __init__(self, message: str, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent
