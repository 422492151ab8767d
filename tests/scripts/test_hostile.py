"""The malformed requests are reproducible from a seed, and harmless."""

import pytest

from scripts.hostile import run as running
from scripts.hostile.run import MAKERS, judge, make, own_server, run
from scripts.hostile.send import CLOSED, HANG, Outcome


def test_number_reproduces_its_case() -> None:
    assert [make(1, n) for n in range(200)] == [make(1, n) for n in range(200)]
    assert make(1, 0) != make(2, 0)
    assert len({make(1, n).kind for n in range(3000)}) == len(MAKERS) + 1  # lines and fields


@pytest.mark.parametrize(
    ("kind", "results", "wrong"),
    [
        ("noise", ("400",), False),
        ("noise", (CLOSED,), False),
        ("pipeline", ("200", "400"), False),
        ("damaged JSON", ("504",), False),
        ("damaged JSON", (CLOSED,), True),
        ("noise", (HANG,), True),
        ("pipeline", ("200", "500"), True),
        ("odd address", ("503",), True),
    ],
)
def test_harmful_outcomes_are_failures(kind: str, results: tuple[str, ...], wrong: bool) -> None:
    assert (judge(Outcome(kind, results, "")) is not None) == wrong


def test_malformed_requests_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "WAIT", 10.0)
    with own_server() as server:
        report = run(server, 7, 1500, 16, lambda: None)
    assert report.passed, (report.failures[:5], report.wrong)
    assert sum(report.counts.values()) >= 1500
    assert {"200", "400", "404", "405"} <= {result for _, result in report.counts}
