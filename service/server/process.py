"""The server process: it listens, serves, and shuts down gracefully."""

import asyncio
import gc
import logging
import os
import resource
import signal
import socket
import sys
from functools import partial
from types import FrameType

import uvicorn

from service.guarded import guarded
from service.runtime.memory import Level, trim, use_one_heap
from service.server.banner import banner
from service.server.composition import Runtime
from service.server.connections import timed_protocol
from service.server.listening import listen, url_of

#: Seconds for which connections stay open at shutdown for requests that are arriving.
_LAST_CALL = 0.5
#: Seconds between checks of the connections.
_LOOK = 0.25
#: Seconds between checks of the memory.
_LOOK_AT_MEMORY = 2.0

log = logging.getLogger("mcdropout")


def prepare() -> None:
    """Set up the process, before there are threads in it."""
    # The event loop releases the GIL whenever it sends. By default the thread that runs the
    # passes may then keep it for 5 ms, which is longer than a short request takes.
    sys.setswitchinterval(0.0005)
    use_one_heap()


def serve(runtime: Runtime) -> None:
    """Serve until a signal ends the process; does not return.

    Raises:
        SetupError: the server cannot listen at its address.
    """
    settings = runtime.settings
    level = Level()
    runtime.repository.on_change = partial(_set_models_aside, level)
    # Bound before anything is loaded: a port that is taken ends the start at once.
    listening = listen(settings.host, settings.port)
    url = url_of(settings.host, listening.getsockname()[1])
    runtime.on_loaded = lambda: _greet(runtime, url)
    config = uvicorn.Config(
        runtime.app,
        loop="uvloop",
        http=timed_protocol(settings.read_timeout),
        ws="none",  # upgrade requests are answered like any other
        log_config=None,
        access_log=False,  # ours has more fields
        server_header=False,
        timeout_keep_alive=75,
        # Our own grace period ends first; this is for connections that are stuck sending.
        timeout_graceful_shutdown=int(settings.grace) + 2,
    )
    _Server(config, runtime, level).run(sockets=[listening])
    runtime.close()
    logging.shutdown()
    # Threads may still run in ONNX Runtime, which Python's exit would destroy.
    os._exit(0)


def _set_models_aside(level: Level) -> None:
    """Release unloaded models, and exclude loaded ones from garbage collection.

    The collector would traverse all of them again and again while all requests wait.
    """
    gc.unfreeze()
    trim()
    gc.freeze()
    level.reset()


def _greet(runtime: Runtime, url: str) -> None:
    if runtime.settings.log_format == "json":
        log.info("Serving %s at %s", runtime.repository.folder, url)
        return
    try:
        print(
            banner(runtime.repository, url, keys=runtime.keyed, page=runtime.settings.ui),
            flush=True,
        )
    except OSError:
        log.warning("the banner could not be written")


async def _look_after_memory(level: Level) -> None:
    while True:
        await asyncio.sleep(_LOOK_AT_MEMORY)
        await asyncio.to_thread(guarded, "memory", level.restore)


class _Server(uvicorn.Server):
    """Uvicorn's server with the graceful shutdown that orchestrators expect."""

    def __init__(self, config: uvicorn.Config, runtime: Runtime, level: Level) -> None:
        super().__init__(config)
        self._runtime = runtime
        self._level = level
        self._grace = runtime.settings.grace

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """First signal: finish in-flight requests; second signal: exit at once."""
        if self.should_exit:
            os._exit(128 + sig)
        # Before anything that takes time: a second signal may arrive meanwhile.
        super().handle_exit(sig, frame)
        # Uvicorn would raise the signal again at its end; the exit code of a shutdown is 0.
        self._captured_signals.clear()
        # From now on each answer closes its connection.
        self._runtime.draining.set()
        log.info(
            "%s: graceful shutdown; in-flight requests have at most %g s to finish, and a second "
            "signal stops at once",
            *(signal.Signals(sig).name, self._grace),
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and check connections and memory until the process ends."""
        await super().startup(sockets)
        self._looking = [
            asyncio.create_task(self._look_after_connections()),
            asyncio.create_task(_look_after_memory(self._level)),
        ]

    async def _look_after_connections(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            connections = list(self.server_state.connections)
            # Each takes a file descriptor; models and logs need some, too.
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            crowded = limit != resource.RLIM_INFINITY and len(connections) > limit / 2
            now = asyncio.get_running_loop().time()
            for connection in connections:
                connection.look(now, crowded)  # type: ignore[union-attr]  # all are `TimedConnection`

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for in-flight requests for the grace period, then answer the rest with an error."""
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        late = loop.call_later(self._grace, self._runtime.end_work)
        # Then idle connections are closed, unless a request is just arriving.
        await asyncio.sleep(min(_LAST_CALL, self._grace))
        await super().shutdown(sockets)
        late.cancel()
        self._runtime.close()
