"""Invalid paths, methods, queries and headers."""

import random

from scripts.hostile.cases import Call
from scripts.hostile.values import V1, V2, VALID

_PATHS = [
    *("/v1/models", "/v1/models/digits", "/v1/models/digits/versions/1", "/v1/models/co2/metadata"),
    *("/v2", "/v2/models/digits", "/v2/models/digits/versions/1/infer", "/v2/models/co2/config"),
    *("/v2/health/live", "/v2/repository/index", "/v2/repository/models/co2/unload", "/metrics"),
    *("/", "/docs", "/openapi.json", "/static-offline-docs/x", "/health/ready", V1, V2),
]
_BITS = [
    *("%0A", "%00", "%2F", "%2e%2e", "..", "//", ";", ":", "%", "%zz", "%ff", "%C3%A9", "%0d%0a"),
    *(
        "+1",
        "1.0",
        "1_0",
        "-1",
        "9" * 30,
        "a" * 5000,
        "%25",
        "*",
        "@",
        "[",
        "{name}",
        "~",
        "%F0%9F",
    ),
]
_METHODS = ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "LOCK"]
_HEADERS = [
    *(
        ("Content-Type", kind)
        for kind in ("text/html", "", ";", "application/x-npz; a=b", "\u00e9")
    ),
    *(("Content-Encoding", how) for how in ("gzip", "br, gzip", "identity, identity", "x" * 9000)),
    *(("Accept", kind) for kind in ("application/x-npz", "*", "text/plain;q=2", "")),
    *(("X-Request-ID", text) for text in ("a b", "\t", "x" * 300, "\u00ff", "{}")),
    *(("Expect", "100-continue"), ("Expect", "x"), ("Upgrade", "h2c"), ("Connection", "upgrade")),
    *(
        ("Origin", "null"),
        ("Origin", "\u00e9"),
        ("Authorization", "Bearer"),
        ("Cookie", "a" * 9000),
    ),
    *(
        ("traceparent", "00-zz"),
        ("Range", "bytes=0-"),
        ("Host", ""),
        ("Host", "a/b\\c"),
        ("TE", "x"),
    ),
    *(("Transfer-Encoding", "gzip, chunked"), ("Inference-Header-Content-Length", "\u00b2")),
]


def odd_address(rng: random.Random) -> Call:
    """A path that is changed somewhere, with any method."""
    path = rng.choice(_PATHS)
    for _ in range(rng.randrange(3)):
        place = rng.randrange(1, len(path) + 1)
        path = path[:place] + rng.choice(_BITS) + path[place + rng.randrange(3) :]
    if rng.random() < 0.2:
        path += "?" + "&".join(
            rng.choices(["passes=5", "a", "=", "%00", "seed=x", "b=" * 200], k=3)
        )
    return Call("odd address", path, rng.choice([b"", b"{}", b"x"]), rng.choice(_METHODS))


def odd_headers(rng: random.Random) -> Call:
    """A valid body, or none, with headers that contradict it."""
    import json

    path, body = rng.choice(VALID)
    headers = dict(rng.choices(_HEADERS, k=rng.randrange(1, 4)))
    content = rng.choice([json.dumps(body).encode(), b"", b"\x00" * 64])
    return Call("odd headers", path, content, headers=headers)
