"""Start the server as a process of its own on a free port, and stop it again."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_URL = re.compile(r"^Serving .* at (http://\S+)")


@dataclass
class LocalServer:
    """A running server.

    Attributes:
        process: the server.
        url: where it answers, without a slash at the end.
        seconds: from the start of the process until every model was loaded.
        lines: what it has printed so far.
    """

    process: subprocess.Popen[str]
    url: str = ""
    seconds: float = 0.0
    lines: list[str] = field(default_factory=list)


@contextmanager
def local_server(
    models: Path, env: Mapping[str, str] | None = None, timeout: float = 60
) -> Iterator[LocalServer]:
    """Run `mcdropout serve` on 127.0.0.1 for the time of the block.

    Args:
        models: folder of models.
        env: its whole environment; by default this process's.
        timeout: seconds to wait for its models.

    Raises:
        RuntimeError: it ended, or did not say that its models are loaded, in time.
    """
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "serve", "--port", "0", "--models", str(models)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
    )
    server = LocalServer(process)
    ready = threading.Event()
    reader = threading.Thread(target=_read, args=(server, ready, start), daemon=True)
    reader.start()
    try:
        if not ready.wait(timeout) or not server.url:
            raise RuntimeError("the server did not start:\n" + "".join(server.lines))
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


def _read(server: LocalServer, ready: threading.Event, start: float) -> None:
    """Keep reading, or a full pipe would stop the server."""
    for line in server.process.stdout or ():
        server.lines.append(line)
        if found := _URL.match(line):
            server.url, server.seconds = found[1], time.monotonic() - start
            ready.set()
    ready.set()  # it ended
