"""The goodput script, with a simulated server."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from scripts import goodput


def client_of(seconds: dict[float, float]) -> httpx.AsyncClient:
    """A client whose server takes some seconds for a request with a given timeout; others: 429."""

    async def answer(request: httpx.Request) -> httpx.Response:
        timeout = json.loads(request.content).get("timeout", 0.0)
        if timeout not in seconds:
            return httpx.Response(429)
        await asyncio.sleep(seconds[timeout])
        return httpx.Response(200, json={})

    return httpx.AsyncClient(base_url="http://x", transport=httpx.MockTransport(answer))


async def level_of(seconds: dict[float, float], deadline: float) -> dict[str, Any]:
    async with client_of(seconds) as client:
        return await goodput.level(client, rate=20.0, seconds=1.0, deadline=deadline)


def test_only_answers_within_the_deadline_count() -> None:
    # Timeout 0 stands for short requests, which have no timeout.
    found = asyncio.run(level_of({0.2: 0.01, 0.0: 0.0}, 0.2))
    assert found["answered_in_time_per_second"] == 20
    assert found["statuses"] == {"200": 20}
    assert found["short_answered"] == 1
    late = asyncio.run(level_of({0.1: 0.3}, 0.1))
    assert late["answered_in_time_per_second"] == 0
    assert late["median_seconds"] is late["short_p99_seconds"] is None
    refused = asyncio.run(level_of({}, 0.1))
    assert refused["statuses"] == {"429": 20}


def test_results_are_shown_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {
        "sent_per_second": 10.0,
        "answered_in_time_per_second": 8.0,
        "median_seconds": 0.5,
        "statuses": {"200": 8},
        "short_answered": 1.0,
        "short_p99_seconds": None,
    }
    found = {"capacity_per_second": 10.0, "levels": [{"load": n, **row} for n in (1, 2)]}
    goodput.show(found, Console(width=120))
    assert "capacity 10.0 requests/s" in capsys.readouterr().out
    goodput.draw({"runs": {"now": found}}, tmp_path / "goodput.png")
    assert (tmp_path / "goodput.png").read_bytes().startswith(b"\x89PNG")
