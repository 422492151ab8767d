from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from service import load_model
from service.errors import ModelError
from service.runtime import memory
from service.runtime.memory import Level, available_memory, give_back
from tests.service.reference import save

MIB = 1 << 20


def group(root: Path, lines: str, folder: str, files: dict[str, str]) -> None:
    (root / "proc" / "self").mkdir(parents=True, exist_ok=True)
    (root / "proc" / "self" / "cgroup").write_text(lines)
    place = root / "sys" / "fs" / "cgroup" / folder
    place.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (place / name).write_text(text)


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=900 * MIB))


def test_without_control_groups_the_memory_of_the_machine_counts(tmp_path: Path) -> None:
    assert available_memory(tmp_path) == 900 * MIB


def test_limit_of_a_container_counts_without_unreclaimable_memory(tmp_path: Path) -> None:
    """Version 2, where a container sees its own group at the top."""
    files = {
        "memory.max": f"{512 * MIB}\n",
        "memory.current": f"{300 * MIB}\n",
        "memory.stat": f"anon 5\ninactive_file {100 * MIB}\n",
    }
    group(tmp_path, "0::/\n", "", files)
    assert available_memory(tmp_path) == 312 * MIB


def test_limit_of_a_parent_group_counts(tmp_path: Path) -> None:
    group(tmp_path, "0::/pod/server\n", "pod/server", {"memory.max": "max\n"})
    files = {
        "memory.max": f"{200 * MIB}",
        "memory.current": f"{250 * MIB}",
        "memory.stat": "inactive_file 0\n",
    }
    group(tmp_path, "0::/pod/server\n", "pod", files)
    assert available_memory(tmp_path) == 0


def test_control_groups_of_version_1_count(tmp_path: Path) -> None:
    """A path that exists on the host only is replaced by the top."""
    files = {
        "memory.limit_in_bytes": f"{400 * MIB}",
        "memory.usage_in_bytes": f"{150 * MIB}",
        "memory.stat": f"total_inactive_file {50 * MIB}\n",
    }
    group(tmp_path, "5:cpu,cpuacct:/a\n4:memory:/docker/abc\n0::/\n", "memory", files)
    assert available_memory(tmp_path) == 300 * MIB


def test_unreadable_limits_are_ignored(tmp_path: Path) -> None:
    group(tmp_path, "0::/\n", "", {"memory.max": "plenty", "memory.current": "1"})
    assert available_memory(tmp_path) == 900 * MIB


def test_model_that_exceeds_the_memory_is_refused_before_it_is_read(
    digits_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: MIB)
    said = r"needs about 3 MiB of memory .*\(it is of 1 MiB\), and 1 MiB are available\. Give the"
    with pytest.raises(ModelError, match=said):
        load_model(digits_path)


HALF = "bool on = {1}, float half = {0.5}"


@pytest.mark.parametrize(
    ("body", "constants"),
    [
        ("a = Expand(x, wide) v = ReduceMean <keepdims = 1> (a, last) [d] y = Dropout(v, half, on)",
         "int64[2] wide = {1, 1099511627776}, int64[1] last = {1}"),
        ("[d] a = Dropout(x, half, on) b = Expand(a, wide) y = ReduceMean <keepdims = 1> (b, last)",
         "int64[2] wide = {1, 1099511627776}, int64[1] last = {1}"),
        ("b = ConstantOfShape(wide) a = Add(x, b) v = ReduceMean <keepdims = 1> (a, last) "
         "[d] y = Dropout(v, half, on)",
         "int64[2] wide = {1, 1099511627776}, int64[1] last = {1}"),
    ],
)  # fmt: skip
def test_graph_with_a_huge_tensor_is_refused_before_it_runs(
    tmp_path: Path, body: str, constants: str
) -> None:
    constants = f"{HALF}, {constants}"
    shape = "float[batch, 1]"
    path = save(body, tmp_path / "model.onnx", constants, f"{shape} x", f"{shape} y")
    before = psutil.Process().memory_info().rss
    with pytest.raises(ModelError, match=r"needs about \d{8} MiB of memory"):
        load_model(path)
    assert psutil.Process().memory_info().rss - before < 100 * MIB


@pytest.mark.parametrize(("of_x", "of_y"), [(1 << 40, 1), (1, 1 << 40)])
def test_model_with_huge_rows_or_outputs_is_refused_before_allocation(
    tmp_path: Path, of_x: int, of_y: int
) -> None:
    if of_y == 1:
        body = "a = ReduceMean <keepdims = 1> (x, last) [d] y = Dropout(a, half, on)"
    else:
        body = "[d] a = Dropout(x, half, on) y = Expand(a, wide)"
    constants = f"{HALF}, int64[1] last = {{1}}, int64[2] wide = {{1, {of_y}}}"
    x, y = f"float[batch, {of_x}] x", f"float[batch, {of_y}] y"
    with pytest.raises(ModelError, match=r"needs about \d{8,} MiB of memory"):
        load_model(save(body, tmp_path / "model.onnx", constants, x, y))


def taken() -> int:
    return int(psutil.Process().memory_info().rss)


def test_memory_of_large_requests_is_released_while_models_stay(digits_path: Path) -> None:
    """With an arena per model, each would keep the memory of its largest request."""
    predictors = [load_model(digits_path) for _ in range(3)]
    for predictor in predictors:
        predictor.predict(np.zeros((1, 64)), passes=2, seed=1)
    give_back()
    before, peak = taken(), 0
    for predictor in predictors:
        predictor.predict(np.zeros((256, 64)), passes=200, seed=1)
        peak = max(peak, taken())
    assert peak - before > 16 * MIB  # otherwise this test would show nothing
    give_back()
    assert taken() - before < 8 * MIB


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Has an item for each release of memory."""
    found = list[int]()
    monkeypatch.setattr(memory, "give_back", lambda: found.append(1))
    return found


def looks(given: list[int], sizes: list[int]) -> list[int]:
    """Which checks at these sizes released memory, after a reset at the first one."""
    there = iter(sizes)
    level, which = Level(lambda: next(there) * MIB), []
    for number in range(1, len(sizes)):
        before = len(given)
        level.restore()
        which += [number] * (len(given) - before)
    return which


def test_memory_is_released_only_if_it_has_grown(given: list[int]) -> None:
    assert looks(given, [40, 47, 49, 41, 48, 50]) == [2, 5]


def test_memory_of_a_running_request_is_released_later(
    given: list[int],
) -> None:
    # The first two releases cannot free any of the 200, the third one frees all.
    assert looks(given, [40, 200, 200, 200, 40, 49]) == [1, 3, 5]


def test_lower_memory_becomes_the_reference(given: list[int]) -> None:
    assert looks(given, [60, 60, 40, 49]) == [3]


def test_interval_rises_if_memory_grows_again_at_once(given: list[int]) -> None:
    assert looks(given, [40] + [200] * 40) == [1, 3, 7, 15, 23, 31, 39]
