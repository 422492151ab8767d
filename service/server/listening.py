"""The listening socket of the server, and its URL."""

import errno
import os
import socket

from service.errors import SetupError


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at an address.

    Raises:
        SetupError: the address is not one of this machine, or is in use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        raise SetupError(_cannot_listen(host, port, error)) from error
    # Connections inherit TCP_NODELAY. Without it, the body of an answer waits until the client
    # has acknowledged the headers, which takes 40 ms. The event loop sets it only on sockets
    # that it has created.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _cannot_listen(host: str, port: int, error: Exception) -> str:
    number = getattr(error, "errno", None) or 0
    if number in (errno.EADDRINUSE, errno.EACCES):
        return (
            f"cannot listen on {host} port {port}: {os.strerror(number)}. Choose another with "
            "--port (make serve PORT=…), or --port 0 for any that is free."
        )
    # An unknown host name has its own error numbers; an invalid one has none.
    said = str(getattr(error, "strerror", None) or error).partition(" (while")[0]
    why = os.strerror(number) if number > 0 else said
    return (
        f"cannot listen on {host!r}: {why}. --host (make serve HOST=…) takes an address of this "
        "machine, such as 127.0.0.1, or 0.0.0.0 for all of them."
    )


def url_of(host: str, port: int) -> str:
    """The URL for clients on this machine; 0.0.0.0 and :: are not usable addresses."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
