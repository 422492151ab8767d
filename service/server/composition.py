"""All parts of a server, put together from its settings.

    runtime = build(read_settings())

`runtime.app` is an ASGI application, which any ASGI server can host: it loads the models at its
startup and ends what runs at its shutdown. Nothing of the process itself is touched here;
`service.server.process` does that for a server that has a process of its own.
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
from service.inference.options import Limits
from service.inference.predictor import Predictor, load_model
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
        settings: it was built from.
        repository, scheduler, tracing, plane: its parts.
        draining: set once it takes no new connections, so that answers say so.
        on_loaded: called once the models of the start are loaded or failed.
        app: the ASGI application.
    """

    settings: Settings
    repository: Repository
    scheduler: Scheduler
    tracing: Tracing
    plane: DataPlane
    draining: threading.Event = field(default_factory=threading.Event)
    on_loaded: Callable[[], None] = lambda: None
    app: ASGIApp = field(init=False)
    _stopped: threading.Event = field(default_factory=threading.Event, init=False)

    def start(self) -> None:
        """Load the models, and look for changes of them after that."""
        # A daemon: the process need not wait for a model that it will not serve.
        threading.Thread(target=self._keep_models, name="models", daemon=True).start()

    def close(self) -> None:
        """End all that runs, with a StoppingError for whoever waits; may be called again."""
        self._stopped.set()
        self.repository.stop()
        self.end_work()
        self.tracing.close()

    def end_work(self) -> None:
        """Take no more requests, and answer those that wait with a StoppingError."""
        self.scheduler.close(
            StoppingError("the server stopped before the answer was there. Send it again.")
        )

    def _keep_models(self) -> None:
        self.repository.load_all()
        if self._stopped.is_set():
            return
        guarded("greeting", self.on_loaded)
        every = self.settings.poll_seconds
        while every and not self._stopped.wait(every):
            try:
                self.repository.poll()
            except Exception:  # whatever the file system does, the next look is in a moment
                log.exception("looking for changed models failed")


def build(settings: Settings) -> Runtime:
    """A server of these settings; no model is loaded yet, and nothing listens.

    Raises:
        SetupError: something in the settings or on this machine does not allow it.
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
        )

    policy = parse_policy(settings.version_policy)
    repository = Repository(settings.models, limited(load, settings.load_timeout), policy)
    metrics = Metrics()
    batching = Batching(settings.max_batch_rows, settings.max_queue_delay_ms / 1000)
    scheduler = Scheduler(batching, settings.max_queue, on_turn=metrics.turn)
    metrics.watch(repository, scheduler)
    plane = DataPlane(
        repository,
        scheduler,
        metrics=metrics,
        tracing=tracing,
        memory=PendingMemory(settings.max_pending_mb << 20),
        timeout=settings.timeout,
    )
    runtime = Runtime(settings, repository, scheduler, tracing, plane)
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
        on_start=runtime.start,
        on_stop=runtime.close,
    )
    return runtime


def create() -> ASGIApp:
    """The application of the settings in the environment, for `uvicorn --factory` and its like."""
    return build(read_settings()).app


def read_keys(settings: Settings) -> list[Key]:
    """The API keys of the settings and of the file that they name.

    Raises:
        SetupError: the file cannot be read or holds none, or a key is malformed.
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
            "every user of this machine may read the API keys in %s; chmod 600 helps",
            settings.api_keys_file,
        )
    found = parse_keys(text, str(settings.api_keys_file))
    if not found:
        raise SetupError(f"the file of API keys {str(settings.api_keys_file)!r} holds none.")
    return [*keys, *found]
