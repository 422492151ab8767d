"""Send a case and observe the outcome."""

import re
import socket
import struct
import time
from dataclasses import dataclass

import httpx

from scripts.hostile.cases import Call, Case, Raw

#: Maximum seconds until an answer or the end of the connection.
PATIENCE = 10.0
HANG, CLOSED = "hang", "closed"
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a case.

    Attributes:
        kind: of the case.
        results: statuses of its answers, or `CLOSED`, or `HANG`.
        text: beginning of the last answer.
    """

    kind: str
    results: tuple[str, ...]
    text: str


def send(case: Case, url: httpx.URL, client: httpx.Client) -> Outcome:
    """Send a case: a call through `client`, or bytes over a connection of their own."""
    if isinstance(case, Call):
        try:
            return _call(case, url, client)
        except (httpx.InvalidURL, httpx.LocalProtocolError, UnicodeError):
            case = _as_bytes(case)  # httpx does not send it
    return _raw(case, url)


def _call(case: Call, url: httpx.URL, client: httpx.Client) -> Outcome:
    address = url.copy_with(raw_path=case.path.encode())
    headers = [(k.encode(), v.encode("latin-1")) for k, v in case.headers.items()]
    request = client.build_request(case.method, url, headers=headers, content=case.content)
    request.url = address
    try:
        answer = client.send(request)
    except httpx.TimeoutException as error:
        return Outcome(case.kind, (HANG,), repr(error))
    except httpx.TransportError as error:
        if isinstance(error, httpx.LocalProtocolError):
            raise
        return Outcome(case.kind, (CLOSED,), repr(error))
    return Outcome(case.kind, (str(answer.status_code),), answer.text[:300])


def _as_bytes(case: Call) -> Raw:
    lines = [f"{case.method} {case.path} HTTP/1.1", "Host: x", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in case.headers.items()]
    lines += [f"Content-Length: {len(case.content)}", "", ""]
    return Raw(case.kind, ("\r\n".join(lines).encode("latin-1", "replace") + case.content,))


def _raw(case: Raw, url: httpx.URL) -> Outcome:
    deadline = time.monotonic() + PATIENCE
    found = b""
    try:
        with socket.create_connection((url.host, url.port or 80), PATIENCE) as connection:
            for part in case.parts:
                connection.sendall(part)
                time.sleep(case.pause)
            if case.end == "half":
                connection.shutdown(socket.SHUT_WR)
            while case.end != "reset" and not _is_whole(found):
                connection.settimeout(max(0.01, deadline - time.monotonic()))
                part = connection.recv(1 << 16)
                if not part:
                    break
                found += part
            if case.end == "reset":
                # With this option, closing the socket sends a reset.
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    except TimeoutError:
        return Outcome(case.kind, (HANG,), repr(found[-300:]))
    except OSError:
        pass  # the server has ended it
    statuses = tuple(status.decode() for status in _STATUS.findall(found))
    return Outcome(case.kind, statuses or (CLOSED,), repr(found[:300]))


def _is_whole(found: bytes) -> bool:
    """Whether an answer is complete, so that the connection may stay open."""
    head, end, body = found.removeprefix(_CONTINUE).partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return bool(end and length and len(body) >= int(length[1]))
