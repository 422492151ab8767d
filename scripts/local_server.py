"""Start the server in its own process on a free port, and stop it again."""

import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

_GREETING = re.compile("Serving ")


@dataclass
class LocalServer:
    """A running server.

    Attributes:
        process: the server process.
        url: base URL, without a slash at the end.
        seconds: from the start of the process until every model was loaded.
        lines: its output so far.
    """

    process: subprocess.Popen[str]
    url: str = ""
    seconds: float = 0.0
    lines: list[str] = field(default_factory=list)


@contextmanager
def local_server(
    models: Path,
    env: Mapping[str, str] | None = None,
    timeout: float = 60,
    *,
    port: int | None = None,
    ready: bool = True,
    output: IO[str] | None = None,
) -> Iterator[LocalServer]:
    """Run `mcdropout serve` on 127.0.0.1 during the block.

    Args:
        models: folder of models.
        env: its whole environment; by default this process's.
        timeout: seconds to wait for its models.
        port: to listen on; by default a free one.
        ready: whether to wait until every model is loaded, or only until the server answers.
        output: where it writes; by default into `lines`.

    Raises:
        RuntimeError: it ended, or its models were not loaded, in time.
    """
    start = time.monotonic()
    port = free_port() if port is None else port
    command = [sys.executable, "-m", "service.cli", "serve", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--models", str(models)],
        stdin=subprocess.DEVNULL,
        stdout=output or subprocess.PIPE,
        stderr=output or subprocess.STDOUT,
        text=True,
        env=env,
    )
    server = LocalServer(process, f"http://127.0.0.1:{port}")
    reader = threading.Thread(target=_read, args=(server,), daemon=True)
    reader.start()
    try:
        _wait(server, ready, start + timeout)
        while ready and output is None and not any(map(_GREETING.search, server.lines)):
            time.sleep(0.01)  # printed when the models are loaded
        server.seconds = time.monotonic() - start
        yield server
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(5)
        if process.stdout:
            process.stdout.close()


def free_port() -> int:
    """A port on which no process listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _wait(server: LocalServer, ready: bool, deadline: float) -> None:
    """Wait until the server answers and, with `ready`, until no model is still loading."""
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.url}/health/{'ready' if ready else 'live'}"):
                return
        except urllib.error.HTTPError as error:
            # With a failed model the server does not become ready, but serves the others.
            if b"are loading" not in error.read():
                return
        except OSError:
            pass
        time.sleep(0.02)
    time.sleep(0.2)  # for the rest of its output
    raise RuntimeError("the server did not start:\n" + "".join(server.lines))


def _read(server: LocalServer) -> None:
    """Read the output continuously, since a full pipe would stop the server."""
    server.lines.extend(iter(server.process.stdout.readline, "") if server.process.stdout else ())
