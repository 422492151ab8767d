"""Invalid HTTP: heads, lengths, chunks, pipelines, upgrades, pieces and pauses."""

import json
import random

from scripts.hostile.cases import Raw
from scripts.hostile.values import VALID, broken

_LENGTHS = [b"-1", b"+5", b"0x10", b"1e3", b" 5", b"5 ", b"", b"9" * 40, b"5, 5", b"\xb2", b"5\x00"]
_SIZES = [
    b"-1",
    b"0x5",
    b"FFFFFFFFFFFFFFFFF",
    b"",
    b" 5",
    b"5;" + b"a" * 9000,
    b"5\t",
    b"g",
    b"5\n",
]
_LINES = [
    *(b"POST / HTTP/9.9", b"POST / HTTP/1.10", b"POST /", b"POST  / HTTP/1.1", b"\x00 / HTTP/1.1"),
    *(b"PRI * HTTP/2.0", b"CONNECT a:443 HTTP/1.1", b"GET http://x/ HTTP/1.1", b"GET x HTTP/1.1"),
    *(
        b"get / http/1.1",
        b"GET /\xff HTTP/1.1",
        b"GET / HTTP/1.0",
        b"GET //[ HTTP/1.1",
        b"A" * 70_000,
    ),
    *(b"OPTIONS * HTTP/1.1", b"GET /\t HTTP/1.1", b"GET /a b HTTP/1.1", b"HTTP/1.1 200 OK"),
]
_FIELDS = [
    *(b"no colon", b": empty", b"a b: c", b"a: \x00", b"a: b\r c", b"a:\r\n folded", b"\xff: \xff"),
    *(
        b"Content-Length: 3\r\nContent-Length: 4",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3",
    ),
    *(
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: chunked, chunked",
        b"Host: a\r\nHost: b",
    ),
    *(b"Connection: Upgrade\r\nUpgrade: h2c", b"Connection: Upgrade\r\nUpgrade: websocket"),
    *(b"Expect: 100-continue", b"A: " + b"b" * 70_000, b"\r\n".join([b"a: b"] * 2000), b"a : b"),
]


def valid(rng: random.Random, *fields: bytes) -> bytes:
    """A valid request, except for additional header fields."""
    path, body = rng.choice(VALID)
    content = json.dumps(body).encode()
    head = [b"POST " + path.encode() + b" HTTP/1.1", b"Host: x", *fields]
    return b"\r\n".join([*head, b"Content-Length: %d" % len(content), b"", b""]) + content


def odd_line(rng: random.Random) -> Raw:
    """An invalid request line or header field."""
    if rng.random() < 0.5:
        return Raw("odd line", (rng.choice(_LINES) + b"\r\nHost: x\r\n\r\n",), end=_end(rng))
    return Raw("odd field", (valid(rng, rng.choice(_FIELDS)),), end=_end(rng))


def odd_length(rng: random.Random) -> Raw:
    """An invalid length, or one that is not the body's."""
    head, _, content = valid(rng).rpartition(b"\r\n\r\n")
    head = head.rpartition(b"\r\n")[0]
    said = rng.choice([*_LENGTHS, b"%d" % rng.randrange(2 * len(content))])
    sent = head + b"\r\nContent-Length: " + said + b"\r\n\r\n" + content
    return Raw("odd length", (sent,), end=_end(rng, 0.15))


def odd_chunks(rng: random.Random) -> Raw:
    """A chunked body with wrong sizes and ends."""
    head, _, content = valid(rng).rpartition(b"\r\n\r\n")
    head = head.rpartition(b"\r\n")[0] + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    cut = rng.randrange(len(content))
    sizes = [b"%x" % cut, b"%x" % (len(content) - cut)]
    if rng.random() < 0.7:
        sizes[rng.randrange(2)] = rng.choice(_SIZES)
    ends = rng.choices([b"\r\n", b"\r\n", b"\n", b"", b"\r"], k=2)
    last = rng.choice([b"0\r\n\r\n", b"0\r\n\r\n", b"0\r\n", b"", b"0\r\nA: b\r\n\r\n", b"00\n\n"])
    pieces = zip(sizes, (content[:cut], content[cut:]), ends, strict=True)
    body = b"".join(size + b"\r\n" + piece + end for size, piece, end in pieces)
    return Raw("odd chunks", (head + body + last,), end=_end(rng, 0.15))


def pipeline(rng: random.Random) -> Raw:
    """Several requests at once, some of them broken."""
    requests = [
        valid(rng, *rng.choices(_FIELDS, k=rng.choice([0, 0, 1])))
        for _ in range(rng.randrange(2, 9))
    ]
    place = rng.randrange(len(requests))
    if rng.random() < 0.6:
        requests[place] = broken(rng, requests[place])
    ends = rng.choices([b"", b"", b"\r\n", b"\n", b"\r\n" * 5], k=len(requests))
    sent = b"".join(request + end for request, end in zip(requests, ends, strict=True))
    return Raw("pipeline", (sent,), end=_end(rng, 0.6))


def pieces(rng: random.Random) -> Raw:
    """A request in pieces, complete, broken or ended early, with pauses between them."""
    fields = rng.choice([(), (), (rng.choice(_FIELDS),)])
    content = valid(rng, *fields)
    if rng.random() < 0.4:
        content = broken(rng, content)
    cuts = sorted(rng.randrange(len(content) + 1) for _ in range(rng.randrange(1, 6)))
    parts = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    if rng.random() < 0.3:
        parts.pop()
    return Raw("pieces", tuple(parts), rng.choice([0.0, 0.002, 0.02]), _end(rng, 0.3))


def noise(rng: random.Random) -> Raw:
    """Random bytes, another protocol, or a request with random bytes changed."""
    sent = rng.choice(
        [
            rng.randbytes(rng.randrange(1, 400)),
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(100),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + rng.randbytes(30),
            b"\r\n" * rng.randrange(1, 40),
            broken(rng, valid(rng)),
        ]
    )
    return Raw("noise", (sent,), end=_end(rng, 0.02))


def _end(rng: random.Random, waits: float = 0.3) -> str:
    """How the client ends; waiting is rare, since it takes as long as the server's timeout."""
    return "wait" if rng.random() < waits else rng.choice(["half", "half", "half", "reset"])
