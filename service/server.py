"""The process: it listens, loads, answers, and ends in good order."""

import asyncio
import errno
import logging
import os
import resource
import signal
import socket
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn

from service.api.app import create_app
from service.api.app_state import AppState
from service.api.keys import Key, parse_keys
from service.device import choose_device
from service.errors import SetupError, StoppingError
from service.greeting import greeting
from service.guarded import guarded
from service.impatient import impatient
from service.loading import limited
from service.logs import Format
from service.memory import use_few_arenas
from service.options import Limits
from service.policy import parse_policy
from service.predictor import Predictor, load_model
from service.repository import Repository
from service.scheduler import Batching, Scheduler
from service.serving.data_plane import DataPlane
from service.serving.metrics import Metrics
from service.serving.pending_memory import PendingMemory
from service.serving.tracing import start_tracing
from service.settings import Settings, split_origins

#: Seconds for which connections are kept for a request that is on its way, at the end.
_LAST_CALL = 0.5
#: Seconds from one look at the connections to the next.
_LOOK = 0.25

log = logging.getLogger("mcdropout")


def run(settings: Settings) -> None:
    """Serve until a signal ends it.

    Raises:
        SetupError: something in the settings or on this machine does not allow it.
    """
    # The event loop gives Python's lock away whenever it sends. By default the thread that
    # runs the passes may then keep it for 5 ms, which is longer than a short request takes.
    sys.setswitchinterval(0.0005)
    use_few_arenas()
    keys = _keys(settings)
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
    shared = AppState(plane, device, settings.repository_control, settings.max_body_mb << 20)
    # Bound before anything is loaded: a port that is taken ends the start at once.
    listening = listen(settings.host, settings.port)
    url = _url(settings.host, listening.getsockname()[1])
    keeper = _Keeper(
        repository, settings.poll_seconds, lambda: _greet(repository, url, settings.log_format)
    )
    app = create_app(
        shared,
        keys=keys,
        cors_origins=split_origins(settings.cors_origins),
        on_start=keeper.start,
    )
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=impatient(settings.read_timeout),
        ws="none",  # who asks for one gets an answer like any other
        log_config=None,
        access_log=False,  # ours says more
        server_header=False,
        timeout_keep_alive=75,
        # Ours comes first; this is for connections that are stuck in their sending.
        timeout_graceful_shutdown=int(settings.grace) + 2,
    )
    _Server(config, shared.draining, scheduler, settings.grace).run(sockets=[listening])
    keeper.stop()
    tracing.close()
    logging.shutdown()
    # Threads may be in ONNX Runtime, and Python's own end would tear it down under them.
    os._exit(0)


def _keys(settings: Settings) -> list[Key]:
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


def _greet(repository: Repository, url: str, form: Format) -> None:
    if form == "json":
        log.info("Serving %s at %s", repository.folder, url)
        return
    try:
        print(greeting(repository, url), flush=True)
    except OSError:
        log.warning("the greeting could not be written")


class _Keeper:
    """Loads the models at the start, and looks for changes after that."""

    def __init__(self, repository: Repository, every: float, on_loaded: Callable[[], None]) -> None:
        self._repository = repository
        self._every = every
        self._on_loaded = on_loaded
        self._stopped = threading.Event()

    def start(self) -> None:
        # A daemon: the process need not wait for a model that it will not serve.
        threading.Thread(target=self._run, name="models", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._repository.stop()

    def _run(self) -> None:
        self._repository.load_all()
        if self._stopped.is_set():
            return
        guarded("greeting", self._on_loaded)
        while self._every and not self._stopped.wait(self._every):
            try:
                self._repository.poll()
            except Exception:  # whatever the file system does, the next look is in a moment
                log.exception("looking for changed models failed")


class _Server(uvicorn.Server):
    """Ends as orchestrators want it to."""

    def __init__(
        self,
        config: uvicorn.Config,
        draining: threading.Event,
        scheduler: Scheduler,
        grace: float,
    ) -> None:
        super().__init__(config)
        self._draining = draining
        self._scheduler = scheduler
        self._grace = grace

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """At the first signal finish what is under way; at the second end at once."""
        if self.should_exit:
            os._exit(128 + sig)
        # From now on each answer says that it is its connection's last.
        self._draining.set()
        log.info(
            "%s: finishing what is under way, for at most %g s; again ends at once",
            *(signal.Signals(sig).name, self._grace),
        )
        super().handle_exit(sig, frame)
        # Uvicorn would raise the signal again after its end; the end in good order is 0.
        self._captured_signals.clear()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and look after the connections until the process ends."""
        await super().startup(sockets)
        self._looking = asyncio.create_task(self._look_after_connections())

    async def _look_after_connections(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            connections = list(self.server_state.connections)
            # Each takes a file descriptor, of which models and logs need some, too.
            most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            crowded = most != resource.RLIM_INFINITY and len(connections) > most / 2
            now = asyncio.get_running_loop().time()
            for connection in connections:
                connection.look(now, crowded)  # type: ignore[union-attr]  # all are `Impatient`

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the work be finished, or tell those who wait that it will not be."""
        for server in self.servers:
            server.close()
        scheduler = self._scheduler
        stopped = StoppingError("the server stopped before the answer was there. Send it again.")
        late = asyncio.get_running_loop().call_later(self._grace, scheduler.close, stopped)
        # Then those are closed that wait for their next request, unless it is just coming.
        await asyncio.sleep(min(_LAST_CALL, self._grace))
        await super().shutdown(sockets)
        late.cancel()
        scheduler.close(stopped)


def listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        raise SetupError(_cannot_listen(host, port, error)) from error
    # Connections inherit it. Without, the body of an answer waits until the client has
    # acknowledged the headers, which it takes 40 ms for. The event loop sets it itself on
    # the sockets that it made, and on no others.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _cannot_listen(host: str, port: int, error: Exception) -> str:
    number = getattr(error, "errno", None) or 0
    if number in (errno.EADDRINUSE, errno.EACCES):
        return (
            f"cannot listen on {host} port {port}: {os.strerror(number)}. Choose another with "
            "--port (make serve PORT=…), or --port 0 for any that is free."
        )
    # A name that is not found has a number of its own kind; one that is no name has none.
    said = str(getattr(error, "strerror", None) or error).partition(" (while")[0]
    why = os.strerror(number) if number > 0 else said
    return (
        f"cannot listen on {host!r}: {why}. --host (make serve HOST=…) takes an address of this "
        "machine, such as 127.0.0.1, or 0.0.0.0 for all of them."
    )


def _url(host: str, port: int) -> str:
    """Where a client on this machine reaches the server; 0.0.0.0 and :: are no addresses."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
