"""The load tests detect wrong answers, failures and growing memory."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from scripts.load_test.__main__ import app
from scripts.load_test.answers import AnswerError, MismatchError, check
from scripts.load_test.scenarios import HEADER, SCENARIOS, SEEDED, Array, Question, questions
from scripts.load_test.verdict import answer_bars, memory_bars
from scripts.load_test.windows import Tally, Window, figures, from_json, merged
from scripts.local_server import LocalServer
from tests.conftest import ROOT

MIB = float(1 << 20)


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    json_length: int

    def check(self, question: Question) -> None:
        check(question, self.status, str(self.json_length), self.body)


#: Wrong replies, by the number of the request.
Spoil = Callable[[Question, Reply, int], Reply]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)


@pytest.fixture(scope="module")
def asked() -> list[Question]:
    return [question for every in questions().values() for question in every]


def reply(question: Question, moments: Array | None = None) -> Reply:
    """The right reply, or one with other numbers."""
    if moments is None:
        known = question.reference is not None
        shape = (2, question.scenario.rows, question.width)
        moments = question.reference if known else np.ones(shape)
    assert moments is not None
    head = {"passes": question.scenario.passes, "seed": question.seed or 1}
    if not question.scenario.binary:
        pairs = zip(*moments.tolist(), strict=True)
        predictions = [{"mean": mean, "variance": variance} for mean, variance in pairs]
        body = orjson.dumps({**head, "predictions": predictions})
        return Reply(200, body, len(body))
    outputs = [{"name": name, "shape": moments.shape[1:]} for name in ("mean", "variance")]
    text = orjson.dumps({"parameters": head, "outputs": outputs})
    return Reply(200, text + moments.tobytes(), len(text))


@contextmanager
def stub(asked: list[Question], spoil: Spoil) -> Iterator[str]:
    """A server that knows the right answers; yields its URL."""
    known = {question.body: question for question in asked}
    right = {body: reply(question) for body, question in known.items()}
    numbers = count()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found = spoil(known[body], right[body], next(numbers))
            self.send_response(found.status)
            self.send_header(HEADER, str(found.json_length))
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def sweep(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run("scripts.load_test", "--url", url, "--loads", "1,2", "--seconds", "2", *arguments)


def off_by_a_bit(moments: Array) -> Array:
    changed = moments.copy()
    changed[1, 0, 0] = np.nextafter(changed[1, 0, 0], 1)
    return changed


def test_check_accepts_right_answers_and_explains_wrong_ones(asked: list[Question]) -> None:
    assert len(asked) == 32 * len(SCENARIOS)
    assert sum(question.seed is not None for question in asked) == SEEDED * len(SCENARIOS)
    for question in asked:
        good = reply(question)
        good.check(question)
        with pytest.raises(AnswerError, match="status 500: boom"):
            Reply(500, b"boom", 4).check(question)
        with pytest.raises(AnswerError, match="unreadable"):
            replace(good, body=good.body[:-9]).check(question)
        certain = np.zeros((2, question.scenario.rows, question.width))
        with pytest.raises(AnswerError, match="certain"):
            reply(question, certain).check(question)
        with pytest.raises(AnswerError, match="numbers of"):
            reply(question, np.ones((2, 3, 5))).check(question)
        if question.reference is not None:
            with pytest.raises(MismatchError, match=f"mismatch: seed {question.seed} differs"):
                reply(question, off_by_a_bit(question.reference)).check(question)


def test_windows_are_merged_and_converted_to_json_and_back() -> None:
    first = Window(2, 1.0, {"a": Tally([1.0, 3.0], failures=1), "b": Tally([2.0])})
    first.note("wrong")
    second = Window(2, 3.0, {"a": Tally([4.0], turned_away=2, compared=1)})
    both = merged([from_json(json.loads(json.dumps(w.as_json()))) for w in (first, second)])
    assert both.seconds == 4
    assert both.texts == {"wrong": 1}
    assert both.scenarios["a"] == Tally([1.0, 3.0, 4.0], failures=1, turned_away=2, compared=1)
    together = both.together
    assert both.rate(together) == 1.0
    assert [together.quantile(share) for share in (0.5, 0.95)] == [2.0, 4.0]
    assert figures(both, Tally())["p50"] is None


TIMES = np.arange(1, 61) * 10.0
NOISE = np.random.default_rng(0).normal(0, 0.4, 60)


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [
        pytest.param(300 + NOISE, [True, True], id="flat"),
        pytest.param(300 - 200 * np.exp(-TIMES / 20) + NOISE, [True, True], id="warms up"),
        pytest.param(300 + 30 * TIMES / 600 + NOISE, [False, False], id="leaks"),
        # Every sample is near the level of the first quarter, but memory grows steadily.
        pytest.param(300 + 20 * TIMES / 600 + NOISE, [True, False], id="leaks slowly"),
        pytest.param(300 + 25 * (TIMES > 400) + NOISE, [False, False], id="steps up"),
        pytest.param(300 - 25 * (TIMES > 400) + NOISE, [False, False], id="steps down"),
        pytest.param(300 + 25 * (TIMES == 400) + NOISE, [False, True], id="a peak"),
    ],
)
def test_memory_bars(sizes: Array, kept: list[bool]) -> None:
    bars = memory_bars(list(TIMES), list(sizes * MIB))
    assert [bar.kept for bar in bars] == kept, bars


def test_memory_trend_is_given_per_hour() -> None:
    _, trend = memory_bars(list(TIMES), list((300 + TIMES / 60) * MIB))
    assert trend.found == "+2.6% (+60.0 MiB/h)"


def test_memory_bars_need_samples() -> None:
    (bar,) = memory_bars([1.0, 2.0], [1.0, 1.0])
    assert not bar.kept


def test_answer_bars_require_equal_answers() -> None:
    good = Tally([1.0], compared=1, turned_away=3)
    assert all(bar.kept for bar in answer_bars(good))
    assert not all(bar.kept for bar in answer_bars(Tally()))
    assert not all(bar.kept for bar in answer_bars(replace(good, failures=1)))
    assert not all(bar.kept for bar in answer_bars(replace(good, mismatches=1)))


@pytest.mark.slow
def test_sweep_reports_each_load_and_scenario(server: LocalServer, tmp_path: Path) -> None:
    results = tmp_path / "load.json"
    kept = ("--figures", str(tmp_path), "--results", str(results))
    ended = sweep(server.url, *kept)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for scenario in SCENARIOS:
        assert scenario.name in ended.stdout
    found = json.loads(results.read_text())
    assert list(found["loads"]) == ["1", "2"]
    for load in found["loads"].values():
        assert load["requests"] > 0
        assert load["failures"] == load["turned_away"] == 0
        assert 0 < load["p50"] <= load["p95"] <= load["p99"]
    assert found["compared"] > 0
    assert found["mismatches"] == 0
    assert (tmp_path / "load.png").stat().st_size > 10_000


@pytest.mark.slow
def test_sweep_detects_wrong_numbers(asked: list[Question]) -> None:
    def spoil(question: Question, right: Reply, number: int) -> Reply:
        if question.reference is None or number % 5:
            return right
        return reply(question, off_by_a_bit(question.reference))

    with stub(asked, spoil) as url:
        ended = sweep(url)
    assert ended.returncode == 1
    assert "mismatch: seed" in ended.stdout
    assert not re.search(r" 0 differ", ended.stdout)


@pytest.mark.slow
def test_sweep_detects_occasional_failures(asked: list[Question]) -> None:
    def spoil(_: Question, right: Reply, number: int) -> Reply:
        wrong = {0: Reply(500, b"boom", 4), 10: Reply(503, b"busy", 4)}
        return wrong.get(number % 20, right)

    with stub(asked, spoil) as url:
        ended = sweep(url, "--turned-away", "429")
    assert ended.returncode == 1
    assert "status 500: boom" in ended.stdout
    assert "status 503: busy" in ended.stdout
    assert " 0 differ" in ended.stdout


@pytest.mark.slow
def test_sweep_counts_refused_requests_separately(asked: list[Question], tmp_path: Path) -> None:
    results = tmp_path / "load.json"
    with stub(asked, lambda _, right, n: right if n % 20 else Reply(503, b"busy", 4)) as url:
        kept = ("--figures", str(tmp_path), "--results", str(results))
        ended = sweep(url, *kept)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for load in json.loads(results.read_text())["loads"].values():
        assert load["turned_away"] > 0
        assert load["failures"] == 0


@pytest.mark.slow
def test_sweep_fails_without_a_server() -> None:
    ended = run(
        "scripts.load_test", "--url", "http://127.0.0.1:9", "--loads", "1", "--seconds", "1"
    )
    assert ended.returncode == 1
    assert "refused" in ended.stdout


@pytest.mark.parametrize("loads", ["0", "", "1,two"])
def test_sweep_refuses_invalid_loads(loads: str) -> None:
    ended = CliRunner().invoke(app, ["--loads", loads])
    assert ended.exit_code == 2
    assert "--loads is" in ended.output


@pytest.mark.slow
def test_locust_accepts_the_file(server: LocalServer) -> None:
    file = "scripts/load_test/locustfile.py"
    how = ("--headless", "--users", "2", "--spawn-rate", "2", "--run-time", "3s")
    ended = run("locust", "-f", file, "--host", server.url, *how)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "digits 1×100 binary" in ended.stdout + ended.stderr


@pytest.mark.slow
def test_soak_reports_memory(tmp_path: Path) -> None:
    # In such a short time, memory is still growing to its level.
    short = ("--minutes", "0.2", "--clients", "8", "--band", "0.5")
    ended = run("scripts.load_test", "soak", *short, "--figures", str(tmp_path))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for text in ("trend of memory", "MiB/h", "answers compared", "0 differ"):
        assert text in ended.stdout
    assert "NO" not in ended.stdout
    assert (tmp_path / "soak.png").stat().st_size > 10_000
