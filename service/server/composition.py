"""Builds all parts of a server from its settings.

    runtime = build(read_settings())

`runtime.app` is an ASGI application that any ASGI server can host: it loads the models at startup
and ends all work at shutdown. It does not change the process; `service.server.process` does so for
a server with its own process.
"""

import logging
import os
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from starlette.types import ASGIApp

from service.api.app import create_app
from service.api.http.app_state import AppState
from service.api.http.keys import Key, parse_keys
from service.errors import SetupError, StoppingError
from service.guarded import guarded
from service.inference.load import load_model
from service.inference.options import Limits
from service.inference.predictor import Predictor
from service.repository.loading import limited
from service.repository.registry import Repository
from service.repository.version_policy import parse_policy
from service.runtime.device import choose_device
from service.scheduling.scheduler import Batching, Scheduler
from service.server.settings import Settings, read_settings, split_origins
from service.serving.data_plane import DataPlane
from service.serving.metrics import Metrics
from service.serving.pending_memory import PendingMemory
from service.serving.tracing import Tracing, start_tracing

log = logging.getLogger("mcdropout")


@dataclass
class Runtime:
    """A server without a process.

    Attributes:
        settings: from which it was built.
        repository, scheduler, tracing, plane: its parts.
        draining: set when it accepts no new connections; answers then close theirs.
        keyed: whether requests need an API key.
        on_loaded: called when the models of the start are loaded or have failed.
        app: the ASGI application.
    """

    settings: Settings
    repository: Repository
    scheduler: Scheduler
    tracing: Tracing
    plane: DataPlane
    keyed: bool = False
    draining: threading.Event = field(default_factory=threading.Event)
    on_loaded: Callable[[], None] = lambda: None
    app: ASGIApp = field(init=False)
    _stopped: threading.Event = field(default_factory=threading.Event, init=False)

    def start(self) -> None:
        """Load the models, then poll for changes."""
        # A daemon: the process does not wait at exit for a model that still loads.
        threading.Thread(target=self._keep_models, name="models", daemon=True).start()

    def close(self) -> None:
        """End all work; waiting requests get a StoppingError. May be called again."""
        self._stopped.set()
        self.repository.stop()
        self.end_work()
        self.tracing.close()

    def end_work(self) -> None:
        """Accept no more requests, and answer waiting ones with a StoppingError."""
        self.scheduler.close(
            StoppingError(
                "the server shut down before the answer was ready. Send the request again."
            )
        )

    def _keep_models(self) -> None:
        self.repository.load_all()
        if self._stopped.is_set():
            return
        guarded("banner", self.on_loaded)
        every = self.settings.poll_seconds
        while every and not self._stopped.wait(every):
            try:
                self.repository.poll()
            except Exception:  # of the file system; the next poll follows
                log.exception("looking for changed models failed")


def build(settings: Settings) -> Runtime:
    """Build a server; no model is loaded yet, and it does not listen.

    Raises:
        SetupError: the settings are not possible on this machine.
    """
    keys = read_keys(settings)
    tracing = start_tracing(os.environ)
    device = choose_device(settings.device)
    limits = Limits(
        settings.max_passes, settings.max_samples, settings.max_rows, settings.memory << 20
    )

    def load(path: Path) -> Predictor:
        return load_model(
            path,
            device.providers,
            limits,
            activate_dropout=settings.activate_dropout,
            max_bytes=settings.max_model_mb << 20,
            on_misfit=settings.calibration_misfit,
            calibrated=settings.calibrated,
        )

    policy = parse_policy(settings.version_policy)
    repository = Repository(settings.models, limited(load, settings.load_timeout), policy)
    metrics = Metrics()
    batching = Batching(settings.max_batch_rows, settings.max_queue_delay_ms / 1000)
    scheduler = Scheduler(batching, settings.max_queue, on_time_slice=metrics.time_slice)
    metrics.watch(repository, scheduler)
    plane = DataPlane(
        repository,
        scheduler,
        metrics=metrics,
        tracing=tracing,
        memory=PendingMemory(settings.max_pending_mb << 20),
        timeout=settings.timeout,
    )
    runtime = Runtime(settings, repository, scheduler, tracing, plane, bool(keys))
    runtime.app = create_app(
        AppState(
            plane,
            device,
            settings.repository_control,
            settings.max_body_mb << 20,
            runtime.draining,
        ),
        keys=keys,
        cors_origins=split_origins(settings.cors_origins),
        page=settings.ui,
        on_start=runtime.start,
        on_stop=runtime.close,
    )
    return runtime


def create() -> ASGIApp:
    """An ASGI application with the settings of the environment, for `uvicorn --factory`."""
    return build(read_settings()).app


def read_keys(settings: Settings) -> list[Key]:
    """Read the API keys of the settings and of the key file.

    Raises:
        SetupError: the file cannot be read or contains none, or a key is malformed.
    """
    keys = parse_keys(settings.api_keys.get_secret_value(), "MCDROPOUT_API_KEYS")
    if settings.api_keys_file is None:
        return keys
    try:
        text = settings.api_keys_file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"the file of API keys cannot be read: {error}.") from error
    if settings.api_keys_file.stat().st_mode & stat.S_IROTH:
        log.warning(
            "every user of this machine can read the API keys in %s; restrict it with chmod 600",
            settings.api_keys_file,
        )
    found = parse_keys(text, str(settings.api_keys_file))
    if not found:
        raise SetupError(f"the file of API keys {str(settings.api_keys_file)!r} holds none.")
    return [*keys, *found]
