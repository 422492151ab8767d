"""The benchmark: its floor is a lower bound, its timing is fair, and the command runs."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import typer

from scripts.benchmark.__main__ import read_cases, read_networks
from scripts.benchmark.bars import BARS, verdicts
from scripts.benchmark.floor import TOLERANCE, FloorError, difference_of_floor, write_files
from scripts.benchmark.networks import build_network
from scripts.benchmark.results import CaseResult, Memory
from scripts.benchmark.timing import Case, Effort, Measured, Timing, interleave, measure, quota
from scripts.benchmark.torch_ways import torch_way
from scripts.benchmark.ways import Array, Kind, Way, moments, tile, without
from tests.conftest import ROOT

ROW = np.zeros((1, 4), np.float32)


class FakeTime:
    """A clock that advances only when a fake way is called."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[tuple[str, int]] = []

    def __call__(self) -> float:
        return self.now

    def way(self, name: str, seconds: Callable[[int], float], kind: Kind = Kind.OTHER) -> Way:
        """A way whose call of P passes takes `seconds(P)`."""

        def call(x: Array, passes: int) -> None:
            self.now += seconds(passes)
            self.calls.append((name, passes))

        return Way(name, call, kind)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dense", "lstm"])
def test_floor_is_the_artifact_without_dropout(name: str, tmp_path: Path) -> None:
    network = build_network(name)
    files = write_files(network, tmp_path)
    assert files.trunk.exists() == (name == "dense")
    assert difference_of_floor(files, network.shape) <= TOLERANCE


@pytest.mark.slow
def test_floor_with_other_outputs_is_refused(tmp_path: Path) -> None:
    network = build_network("dense")
    other = replace(network, tail=keras.models.clone_model(network.tail))  # other weights
    with pytest.raises(FloorError, match="dense: trunk and tail differ by"):
        write_files(other, tmp_path)


def test_interleave_begins_each_round_with_a_different_way() -> None:
    order: list[str] = []
    calls = {name: (lambda name=name: order.append(name)) for name in "abc"}
    times = interleave(calls, dict.fromkeys("abc", 3))
    assert "".join(order) == "abcbcacab"
    assert {name: len(found) for name, found in times.items()} == {"a": 3, "b": 3, "c": 3}


def test_interleave_spreads_the_rounds_of_a_slow_way() -> None:
    order: list[str] = []
    calls = {name: (lambda name=name: order.append(name)) for name in ("fast", "slow")}
    interleave(calls, {"fast": 9, "slow": 3})
    assert order.count("fast") == 9
    rounds = [order[:index].count("fast") for index, name in enumerate(order) if name == "slow"]
    assert rounds == [3, 5, 9]  # in rounds 3, 6 and 9, after `fast` or before it


@pytest.mark.parametrize(
    ("seconds", "rounds"),
    [(1e-5, 200), (0.1, 10), (1.0, 7), (2.0, 5), (12.0, 1)],
    ids=["most", "fill a second", "fewest", "too slow for them", "at least one"],
)
def test_quota(seconds: float, rounds: int) -> None:
    assert quota(seconds, Effort()) == rounds


def test_measure_gives_the_median_of_the_rounds_without_the_warm_up() -> None:
    time = FakeTime()
    durations = iter([9.0, 9.0, 2.0, 1.0, 3.0])  # a few passes, then as a whole
    measured = measure(
        [time.way("way", lambda passes: next(durations))],
        ROW,
        100,
        Effort(rounds=3, max_rounds=3, max_seconds=100.0),
        clock=time,
    )
    assert measured.timings == {"way": Timing(seconds=2.0, rounds=3)}


def test_measure_gives_the_reason_for_leaving_a_way_out() -> None:
    time = FakeTime()
    ways = [
        time.way("quick", lambda passes: 0.001),
        time.way("loop", lambda passes: passes * 0.5, Kind.LOOP),
        time.way("tiled", lambda passes: 0.001, Kind.TILED),
        without("torch_tiled", "torch is not installed"),
    ]
    measured = measure(ways, ROW, 100, largest_tensor=1 << 24, clock=time)
    assert list(measured.timings) == ["quick"]
    assert measured.skipped == {
        "loop": "a call would take about 50 s, over 20 s",
        "tiled": "its largest tensor would take 6.2 GiB",
        "torch_tiled": "torch is not installed",
    }
    assert ("loop", 100) not in time.calls


def test_fixed_cost_is_not_multiplied_by_the_passes() -> None:
    time = FakeTime()
    measured = measure([time.way("deterministic", lambda passes: 0.5)], ROW, 1000, clock=time)
    assert measured.timings["deterministic"] == Timing(0.5, 7)


def test_moments_are_of_the_passes_of_each_row() -> None:
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    tiled = tile(x, 4)
    assert tiled.shape == (12, 2)
    np.testing.assert_array_equal(tiled[3:6], x)
    noise = np.random.default_rng(0).normal(size=tiled.shape)
    mean, variance = moments(tiled + noise, 4)
    np.testing.assert_allclose(mean, x + noise.reshape(4, 3, 2).mean(axis=0))
    np.testing.assert_allclose(variance, np.var(noise.reshape(4, 3, 2), axis=0, ddof=1))


def test_torch_supports_the_networks_written_for_it() -> None:
    way = torch_way(build_network("lstm"))
    assert way.unavailable
    with pytest.raises(RuntimeError, match="torch_tiled is not available: only dense and cnn"):
        way.call(ROW, 2)


def test_verdicts_have_a_direction_and_may_be_unmeasured() -> None:
    timings = {"plan": Timing(2.0, 7), "floor": Timing(1.9, 7), "tiled": Timing(7.9, 7)}
    result = CaseResult.of("dense", Case(32, 100), Measured(timings, {}))
    memory = Memory.of({Case(1, 1_000): 100, Case(1, 100_000): 105})
    found = {
        verdict.bar.ratio: verdict.reached
        for verdict in verdicts([result], memory)
        if verdict.value is not None
    }
    assert found == {"plan/floor": True, "tiled/plan": False, "memory": True}
    assert [verdict.reached for verdict in verdicts([], [])] == [None] * len(BARS)


def test_invalid_options_are_explained() -> None:
    assert read_cases("1x100,32x10", quick=False) == [Case(1, 100), Case(32, 10)]
    assert read_networks(None, quick=True) == ["dense", "cnn"]
    for text in ("1", "1xa", "1x2x3", "1x1", "0x9"):
        with pytest.raises(typer.BadParameter):
            read_cases(text, quick=False)
    with pytest.raises(typer.BadParameter, match=r"there is no network \['vgg'\]"):
        read_networks("dense,vgg", quick=False)


@pytest.mark.slow
def test_command_writes_results_and_a_figure(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.benchmark", "--quick", "--networks", "dense"]
    command += ["--cases", "1x10,1x100", "--output", str(tmp_path), "--figures", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for text in ("Ratios of median times", "Bars", "plan/floor ≤ 1.5", "not measured"):
        assert text in ended.stdout
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(results) == {
        *("date", "machine", "effort", "cases", "default_options", "memory", "parts", "bars")
    }
    assert results["machine"]["versions"]["onnxruntime"]
    small, larger = results["cases"]
    assert (small["network"], small["rows"], small["passes"]) == ("dense", 1, 10)
    ways = {"plan", "tiled", "loop", "keras_loop", "tf_function", "deterministic", "floor"}
    assert ways <= set(larger["ways"])
    assert all(way["seconds"] > 0 and way["rounds"] > 0 for way in larger["ways"].values())
    assert larger["ratios"]["plan/floor"] > 0
    assert {entry["way"] for entry in results["default_options"]} == {"plan", "tiled", "floor"}
    assert [entry["passes"] for entry in results["memory"]] == [1_000, 10_000, 100_000]
    assert (tmp_path / "results.png").read_bytes() == (tmp_path / "benchmark.png").read_bytes()
