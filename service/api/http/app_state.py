"""The state shared by the routes, and the context of a request."""

import threading
from dataclasses import dataclass, field

from fastapi import Request

from service.repository.registry import Repository
from service.runtime.device import Device
from service.serving.context import Context
from service.serving.data_plane import DataPlane


@dataclass(frozen=True)
class AppState:
    """The state shared by the routes.

    Attributes:
        plane: the data plane.
        device: that runs the models.
        control: whether requests may load and unload models.
        max_body: maximum bytes of a request's body.
        draining: set when the process is shutting down.
    """

    plane: DataPlane
    device: Device
    control: bool = False
    max_body: int = 64 << 20
    draining: threading.Event = field(default_factory=threading.Event)

    @property
    def repository(self) -> Repository:
        """The models."""
        return self.plane.repository


def state_of(request: Request) -> AppState:
    """The state of the application that received a request."""
    found: AppState = request.app.state.shared
    return found


def context_of(request: Request) -> Context:
    """The context of a request."""
    found: Context = request.scope["state"]["context"]
    return found
