"""The Python client for a server. Needs only httpx, NumPy and `service.protocol`."""

from service.client.aio import AsyncClient
from service.client.answers import IndexEntry, Prediction, VersionStatus
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
from service.protocol.prediction import OutputPrediction

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
