"""The client: ask a server from Python. Needs httpx and numpy, and nothing of the server."""

from service.client.aio import AsyncClient
from service.client.answers import IndexEntry, OutputPrediction, Prediction, VersionStatus
from service.client.errors import (
    ClientError,
    DeadlineExceededError,
    InvalidCallError,
    RefusedError,
    ServerFaultError,
    UnavailableError,
    UnreachableError,
)
from service.client.sync import Client

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "DeadlineExceededError",
    "IndexEntry",
    "InvalidCallError",
    "OutputPrediction",
    "Prediction",
    "RefusedError",
    "ServerFaultError",
    "UnavailableError",
    "UnreachableError",
    "VersionStatus",
]
