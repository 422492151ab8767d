"""Rows of any length respect the memory limit, the deadline and the time slices."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from service import Predictor, load_model
from service.errors import InputError, StoppingError
from service.inference.options import Limits
from service.inference.sizes import Sizes
from service.inference.speed import Speed, Step
from service.protocol.options import Options
from service.scheduling.batch import TIME_SLICE, TimeSlice
from service.scheduling.scheduler import Scheduler
from tests.service.reference import save

#: Each step of a row attends to every other one: memory and time grow with the square.
PAIRS = (
    "k = Dropout(x, half, on) t = Transpose<perm = [0, 2, 1]>(k) p = MatMul(k, t) "
    "e = Exp(p) y = ReduceMean<keepdims = 0>(e, axes)"
)
#: The same for a row of a static shape, before the draw: 2 MiB and 134 M multiply-adds.
HEAVY_TRUNK = (
    "w = Expand(x, wide) p = MatMul(w, w) s = ReduceMean<keepdims = 0>(p, axes) "
    "y = Dropout(s, half, on)"
)
#: The same after the draw.
HEAVY_TAIL = (
    "k = Dropout(x, half, on) w = Expand(k, wide) p = MatMul(w, w) "
    "y = ReduceMean<keepdims = 0>(p, axes)"
)
CONSTANTS = "float half = {0.5}, bool on = {1}, int64[2] axes = {1, 2}"
WIDE = f"{CONSTANTS}, int64[3] wide = {{1, 512, 512}}"


def pairs(path: Path) -> Path:
    return save(PAIRS, path, CONSTANTS, "float[batch, time, 4] x", "float[batch] y")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    path = tmp_path_factory.mktemp("pairs") / "model.onnx"
    return load_model(pairs(path), limits=Limits(memory=16 << 20))


def rows(length: int) -> np.ndarray:
    return np.full((1, length, 4), 0.1, np.float32)


def test_sizes_depend_on_the_shape_of_the_rows(model: Predictor) -> None:
    name = model.manifest.inputs[0].name
    few, many = (model.sampler.sizing({name: rows(length)}) for length in (100, 1000))
    assert 50 < many.sample / few.sample < 150
    assert few.samples > 50 * many.samples
    for length in (100, 1000):
        assert model.sampler.sizing.known({name: rows(length)}) is not None
    assert model.sampler.sizing.known({name: rows(999)}) is None


def test_row_that_exceeds_the_memory_is_refused_before_it_runs(model: Predictor) -> None:
    started = time.monotonic()
    with pytest.raises(InputError, match=r"row of shape \[50000, 4\] of 'x' takes about \d+ MiB"):
        model.predict(rows(50_000), passes=2)
    assert time.monotonic() - started < 1


def test_answer_does_not_depend_on_chunks_by_length(model: Predictor, tmp_path: Path) -> None:
    roomy = load_model(pairs(tmp_path / "model.onnx"))
    found, wanted = (m.predict(rows(700), passes=20, seed=7) for m in (model, roomy))
    np.testing.assert_array_equal(found.mean, wanted.mean)
    np.testing.assert_array_equal(found.variance, wanted.variance)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    """300 passes of 1,200 steps would take 3.4 GiB in one run."""
    code = (
        "import sys; import numpy as np; from service import load_model\n"
        "from service.inference.options import Limits\n"
        "model = load_model(sys.argv[1], limits=Limits(memory=16 << 20))\n"
        "peak = lambda: int(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])\n"
        "before = peak()\n"
        "model.predict(np.zeros((1, 1200, 4), np.float32), passes=300, seed=7)\n"
        "print(peak() - before)"
    )
    path = str(pairs(tmp_path / "model.onnx"))
    grown = int(subprocess.check_output([sys.executable, "-c", code, path]))
    assert grown < 64 << 10  # KiB


def test_long_row_does_not_run_on_the_thread_of_the_caller(model: Predictor) -> None:
    """Short rows have measured the speed of the model before."""
    scheduler = Scheduler()
    try:
        for _ in range(20):
            scheduler.submit(
                model.prepare(rows(8), Options(passes=100)), model.sampler
            ).future.result(30)
        long = model.prepare(rows(1000), Options(passes=100))
        assert scheduler.run_now(long, model.sampler) is None
        scheduler.submit(long, model.sampler).future.result(30)
        again = model.prepare(rows(1000), Options(passes=100))  # by now its size is known, too
        assert scheduler.run_now(again, model.sampler) is None
    finally:
        scheduler.close(StoppingError("the test is over"))


@pytest.mark.slow
@pytest.mark.parametrize("body", [HEAVY_TRUNK, HEAVY_TAIL])
@pytest.mark.parametrize("training", [True, False])
def test_first_time_slices_of_a_heavy_model_are_short(
    tmp_path: Path, body: str, training: bool
) -> None:
    """A row or a pass alone takes 0.6 to 3 ms, and there are 400 of each."""
    path = save(body, tmp_path / "model.onnx", WIDE, "float[batch, 1, 1] x", "float[batch] y")
    heavy = load_model(path)
    x = np.ones((400, 1, 1), np.float32)
    time_slices: list[TimeSlice] = []
    scheduler = Scheduler(on_time_slice=time_slices.append)
    job = heavy.prepare(x, Options(passes=2)) if training else heavy.prepare_deterministic(x)
    try:
        scheduler.submit(job, heavy.sampler).future.result(60)
    finally:
        scheduler.close(StoppingError("the test is over"))
    whole = sum(time_slice.seconds for time_slice in time_slices)
    assert max(time_slice.seconds for time_slice in time_slices) < max(whole / 2, 8 * TIME_SLICE)
    assert len(time_slices) > 3


def test_slow_step_of_few_samples_counts() -> None:
    speed, sizes = Speed(), Sizes()
    speed.learn(Step(sizes, 1, 1), 0.5)
    assert speed.samples_in(sizes, TIME_SLICE) == 1
    assert speed.seconds_for(sizes, 1, 10) == pytest.approx(5, rel=0.01)


def test_speed_is_uncertain_after_an_outlier() -> None:
    """Otherwise one stalled run could refuse all requests, and prevent a new measurement."""
    speed, sizes = Speed(), Sizes()
    speed.learn(Step(sizes, 1, 1), 5.0)
    assert speed.known
    assert not speed.sure
    for _ in range(8):
        speed.learn(Step(sizes, 1, 100), 0.001)
    assert speed.sure
    assert speed.seconds_for(sizes, 1, 1000) < 0.1


def test_fast_step_of_few_samples_does_not_count() -> None:
    speed, sizes = Speed(), Sizes()
    speed.learn(Step(sizes, 1, 100), 0.001)
    speed.learn(Step(sizes, 1, 2), 0.0005)
    assert speed.samples_in(sizes, 0.001) > 50


#: DropConnect: a pass draws a mask for 120,000 weights, and each row adds one product.
SHARED_WEIGHTS = "k = Dropout(w, half, on) y = MatMul(x, k)"


def test_cost_of_shared_draws_is_counted_once(tmp_path: Path) -> None:
    """The cost of 200 rows, which share their draws, is not predicted as 200 times that of one."""
    weights = f"{CONSTANTS}, float[300, 400] w = {{{', '.join(['0.5'] * 120_000)}}}"
    path = save(
        SHARED_WEIGHTS,
        tmp_path / "model.onnx",
        weights,
        "float[batch, 300] x",
        "float[batch, 400] y",
    )
    model = load_model(path)
    assert model.planned.report.layout == "by_pass"
    sampler = model.sampler
    x = np.ones((200, 300), np.float32)
    sizes = sampler.sizing({"x": x})
    one, many = (
        sampler.speed.seconds_for(sizes, count, sizes.work(count, 100)) for count in (1, 200)
    )
    assert many < 20 * one
    # The rows are not cut into blocks with separate draws either.
    assert min(sizes.rows, sampler.speed.rows_in(sizes, TIME_SLICE)) >= 50
    time_slices: list[TimeSlice] = []
    scheduler = Scheduler(on_time_slice=time_slices.append)
    try:
        job = model.prepare(x, Options(passes=100, seed=1))
        scheduler.submit(job, sampler).future.result(60)
    finally:
        scheduler.close(StoppingError("the test is over"))
    assert sum(time_slice.rows * time_slice.passes for time_slice in time_slices) == 200 * 100


def test_inner_masks_have_a_speed_of_their_own() -> None:
    speed, one, eight = Speed(), Sizes(sample=100), Sizes(sample=1000, inner=8)
    speed.learn(Step(one, 100, 10), 0.1)
    before = speed.seconds_for(one, 0, 1000)
    # Until a pass with so many has run, it is that of a byte.
    assert speed.seconds_for(eight, 0, 100) == pytest.approx(before)
    speed.learn(Step(eight, 100, 10), 0.2)
    assert speed.seconds_for(one, 0, 1000) == before
    assert speed.seconds_for(eight, 0, 1000) == pytest.approx(0.2)
