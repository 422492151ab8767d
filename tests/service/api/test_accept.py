"""Which media type a client gets of those that it accepts."""

import pytest

from service.api.http.accept import preferred

OFFERED = ("application/json", "application/x-npz", "text/event-stream", "application/x-ndjson")


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html, image/*;q=0.8", "application/json"),
        ("text/event-stream", "text/event-stream"),
        ("Application/X-NDJSON", "application/x-ndjson"),
        ("text/event-stream; charset=utf-8", "text/event-stream"),
        ("application/x-npz, */*", "application/x-npz"),
        ("application/json, text/event-stream", "application/json"),
        ("application/json;q=0.5, text/event-stream", "text/event-stream"),
        ("application/x-npz;q=0.2,application/x-ndjson ; q=0.9", "application/x-ndjson"),
        ("text/event-stream;q=0", "application/json"),
        ("text/event-stream;q=0, application/x-npz;q=0.1", "application/x-npz"),
        (",;,text/event-stream;q=high", "text/event-stream"),
    ],
)
def test_preferred_is_the_best_that_is_offered(accept: str, wanted: str) -> None:
    assert preferred(accept, OFFERED, default="application/json") == wanted
