import itertools
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from service.core.strata import BLOCK
from service.errors import CancelledError
from service.graph.artifact import read_artifact
from service.graph.plan import Layout, compile_plan
from service.inference.jobs import DeterministicJob, Job, SampleJob
from service.inference.planner import plan_model
from service.inference.runner import Draws, Runner
from service.inference.sampler import Sampler
from service.inference.sizes import Sizes, Sizing
from service.protocol.options import SAMPLINGS, Masks, Sampling
from service.runtime.engine import CPU
from tests.conftest import SIGMAS, STORE
from tests.service.reference import moments_of, sample_moments

ROWS = {"year": np.array([[1985.0], [2010.0], [1960.0]], np.float32)}


def co2(layout: Layout = Layout.SPLIT, samples_per_chunk: int = 4096) -> Sampler:
    """Five sites of one shape and rate."""
    plan = compile_plan(read_artifact(STORE / "co2" / "1" / "model.onnx"), layout)
    return Sampler(Runner(plan, [CPU]), Sizing(Sizes(samples=samples_per_chunk)))


@pytest.fixture(scope="module")
def sampler() -> Sampler:
    return co2()


def test_sites_of_one_shape_have_independent_draws(sampler: Sampler) -> None:
    runner = sampler.runner
    draws = runner.draw(runner.frontier(ROWS), range(200), Draws(seed=7))
    assert {site.numbers.shape for site in draws} == {(200, 1, 320)}
    for a, b in itertools.combinations(draws, 2):
        correlation = np.corrcoef(a.numbers.ravel(), b.numbers.ravel())[0, 1]
        assert abs(correlation) < SIGMAS / np.sqrt(a.numbers.size)


def test_rows_with_per_row_masks_have_independent_draws(sampler: Sampler) -> None:
    runner = sampler.runner
    draws = runner.draw(runner.frontier(ROWS), range(200), Draws(7, masks="per_row"))
    assert {site.numbers.shape for site in draws} == {(200, 3, 320)}
    for a, b in itertools.combinations(draws[0].numbers.swapaxes(0, 1), 2):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < SIGMAS / np.sqrt(a.size)


def test_samples_are_ordered_by_pass_then_row(sampler: Sampler) -> None:
    samples = sampler.sample(ROWS, 30, Draws(7))["ppm"]
    assert samples.shape == (30, 3, 1)
    for row in range(3):
        alone = sampler.sample({"year": ROWS["year"][row : row + 1]}, 30, Draws(7))["ppm"]
        np.testing.assert_allclose(samples[:, row], alone[:, 0], rtol=1e-5)


def test_neutral_draws_with_training_on_are_the_deterministic_output(sampler: Sampler) -> None:
    runner = sampler.runner
    frontier = runner.frontier(ROWS)
    passes = runner.run(frontier, runner.neutral(frontier, passes=3))["ppm"]
    off = sampler.deterministic(ROWS)["ppm"]
    for index in range(3):
        np.testing.assert_allclose(passes[index], off, rtol=1e-6)


@pytest.mark.parametrize("masks", ["shared", "per_row"])
@pytest.mark.parametrize("chunk", [1, 2, 7, 50, 100_000])
def test_chunks_of_rows_and_passes_do_not_change_an_answer(
    sampler: Sampler, chunk: int, masks: str
) -> None:
    """A chunk of 1 or 2 samples holds fewer than the three rows, so these are cut as well."""
    draws = Draws(7, masks)  # type: ignore[arg-type]
    whole = sample_moments(sampler, ROWS, 40, draws)["ppm"]
    cut = sample_moments(co2(samples_per_chunk=chunk), ROWS, 40, draws)["ppm"]
    np.testing.assert_allclose(cut.mean, whole.mean, rtol=1e-5)
    np.testing.assert_allclose(cut.variance, whole.variance, rtol=1e-5)


def test_trunk_and_tail_in_one_run_do_not_change_an_answer(sampler: Sampler) -> None:
    together, apart = (sampler.sample(ROWS, 9, Draws(7), apart)["ppm"] for apart in (False, True))
    np.testing.assert_allclose(together, apart, rtol=1e-6)


@pytest.mark.parametrize("layout", [Layout.TILED, Layout.SERIAL])
@pytest.mark.parametrize("masks", ["shared", "per_row"])
def test_layouts_do_not_change_an_answer(sampler: Sampler, layout: Layout, masks: str) -> None:
    draws = Draws(7, masks)  # type: ignore[arg-type]
    other = co2(layout)
    np.testing.assert_allclose(
        other.sample(ROWS, 9, draws)["ppm"], sampler.sample(ROWS, 9, draws)["ppm"], rtol=1e-5
    )
    np.testing.assert_allclose(
        other.deterministic(ROWS)["ppm"], sampler.deterministic(ROWS)["ppm"], rtol=1e-6
    )


@pytest.mark.slow
def test_call_is_reproducible_while_others_run(sampler: Sampler) -> None:
    wanted = sample_moments(sampler, ROWS, 20_000, Draws(7))["ppm"]
    found = []

    def work() -> None:
        found.append(sample_moments(sampler, ROWS, 20_000, Draws(7))["ppm"])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for moments in found:
        np.testing.assert_array_equal(moments.mean, wanted.mean)
        np.testing.assert_array_equal(moments.m2, wanted.m2)


@pytest.mark.parametrize("masks", ["shared", "per_row"])
@pytest.mark.parametrize("chunk", [12, 60, 111])
def test_chunks_of_passes_do_not_change_stratified_moments_by_a_bit(
    sampler: Sampler, chunk: int, masks: Masks
) -> None:
    draws = Draws(7, masks, rate_scale=0.7, sampling="stratified")
    whole = sample_moments(sampler, ROWS, 95, draws)["ppm"]
    cut = sample_moments(co2(samples_per_chunk=chunk), ROWS, 95, draws)["ppm"]
    assert whole.coupled is not None
    for name in ("mean", "variance", "standard_error"):
        np.testing.assert_array_equal(getattr(cut, name), getattr(whole, name))


def test_stratified_passes_share_out_their_masks(sampler: Sampler) -> None:
    runner = sampler.runner
    frontier = runner.frontier(ROWS)
    for masks, rows in (("shared", 1), ("per_row", 3)):
        draws = Draws(7, masks, sampling="stratified")  # type: ignore[arg-type]
        for drawn in runner.draw(frontier, range(40), draws):
            kept = drawn.numbers.reshape(2, BLOCK, rows, 320).sum(axis=1)
            rate = 1 - 1 / drawn.scale
            assert np.abs(kept - BLOCK * (1 - rate)).max() < 1


def test_a_stratified_request_begins_with_the_passes_of_a_shorter_one(sampler: Sampler) -> None:
    draws = Draws(7, sampling="stratified")
    long, short = (sampler.sample(ROWS, passes, draws)["ppm"] for passes in (70, 33))
    np.testing.assert_allclose(long[:33], short, rtol=1e-6)


YEARS = np.array([[1985.0], [2010.0], [1960.0], [1999.0], [1971.0], [2001.0]], np.float32)


class Steady:
    """Steps of a fixed number of samples."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum

    def rows(self, sizes: Sizes) -> int:
        return self._maximum

    def samples(self, sizes: Sizes) -> int:
        return self._maximum


def finish(sampler: Sampler, jobs: list[SampleJob], maximum: int = 1 << 40) -> None:
    for _ in sampler.run(jobs, Steady(maximum)):
        pass


@pytest.mark.parametrize("layout", [Layout.SPLIT, Layout.TILED])
@pytest.mark.parametrize("maximum", [1, 40, 1 << 40])
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_jobs_of_a_batch_give_the_same_as_alone(
    layout: Layout, maximum: int, sampling: Sampling
) -> None:
    """They differ in rows, passes, seeds and masks."""
    sampler = co2(layout)
    jobs = [
        SampleJob({"year": YEARS[:1]}, 40, Draws(1, sampling=sampling)),
        SampleJob({"year": YEARS[1:3]}, 27, Draws(2, sampling=sampling)),
        SampleJob({"year": YEARS[3:]}, 21, Draws(1, "per_row", sampling=sampling)),
        SampleJob({"year": YEARS[:1]}, 40, Draws(3, sampling=sampling)),
    ]
    assert all(sampler.joins(jobs[0], job) for job in jobs)
    finish(sampler, jobs, maximum)
    for job in jobs:
        assert job.done
        found = moments_of(job)["ppm"]
        alone = sample_moments(sampler, job.rows, job.passes, job.draws)["ppm"]
        assert found.count == job.passes
        np.testing.assert_array_equal(found.mean, alone.mean)
        np.testing.assert_array_equal(found.variance, alone.variance)


def test_shapes_from_the_trunk_are_updated_when_rows_leave(tmp_path: Path) -> None:
    """A tail with a shape as input gets the shape of the remaining jobs."""
    text = """
        <ir_version: 8, opset_import: ["" : 18]>
        shapes (float[batch, 4] x) => (float[batch, 4] y)
        <float ratio = {0.5}, bool on = {1}, int64[2] pair = {-1, 2}, float two = {2}>
        {
            doubled = Mul(x, two)
            pairs = Reshape(doubled, pair)
            whole = Shape(doubled)
            kept = Dropout(pairs, ratio, on)
            y = Reshape(kept, whole)
        }
        """
    path = tmp_path / "model.onnx"
    onnx.save(onnx.parser.parse_model(text), path)
    sampler = plan_model(read_artifact(path), [CPU], 1 << 28).sampler
    assert sampler.plan.cut.shapes
    x = np.arange(1, 25, dtype=np.float32).reshape(6, 4)
    jobs = [SampleJob({"x": x[:2]}, 5, Draws(1)), SampleJob({"x": x[2:]}, 30, Draws(2))]
    finish(sampler, jobs)
    for job in jobs:
        alone = sample_moments(sampler, job.rows, job.passes, job.draws)["y"]
        np.testing.assert_allclose(moments_of(job)["y"].mean, alone.mean, rtol=1e-6)


def test_jobs_run_what_is_verified(sampler: Sampler) -> None:
    """Verification uses `sample`, and requests use `run`."""
    jobs = [SampleJob(ROWS, 40, Draws(1)), SampleJob(ROWS, 40, Draws(2, "per_row"))]
    finish(sampler, jobs)
    for job in jobs:
        samples = sampler.sample(ROWS, 40, job.draws)["ppm"].astype(np.float64)
        found = moments_of(job)["ppm"]
        np.testing.assert_allclose(found.mean, samples.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(found.variance, samples.var(axis=0, ddof=1), rtol=1e-9)


def test_failed_job_leaves_and_the_others_continue(sampler: Sampler) -> None:
    jobs = [SampleJob({"year": YEARS[i : i + 1]}, 30, Draws(i)) for i in range(3)]
    steps = sampler.run(jobs, Steady(30))
    assert next(steps)[1:] == (3, 0, 3)  # the trunk
    assert next(steps)[1:] == (3, 10, 0)
    jobs[1].stop(CancelledError("gone"))
    assert [step.rows for step in steps] == [2, 2]
    assert [job.done for job in jobs] == [True, False, True]
    alone = sample_moments(sampler, jobs[2].rows, 30, Draws(2))["ppm"]
    np.testing.assert_allclose(moments_of(jobs[2])["ppm"].mean, alone.mean, rtol=1e-6)


def test_failed_job_runs_no_chunk(sampler: Sampler) -> None:
    jobs: list[Job] = [SampleJob(ROWS, 10, Draws(7)), DeterministicJob(ROWS)]
    for job in jobs:
        job.stop(CancelledError("gone"))
        assert not list(sampler.run([job]))
        assert not job.done


def test_jobs_with_other_inputs_do_not_join(sampler: Sampler) -> None:
    job = SampleJob(ROWS, 10, Draws(7))
    site = sampler.sites[0].name
    others: tuple[dict[str, Any], ...] = {"rate_scale": 0.5}, {"sites": frozenset([site])}
    others = *others, {"sampling": "stratified"}, {"inner": 2}
    for other in (Draws(7, **changed) for changed in others):
        assert not sampler.joins(job, SampleJob(ROWS, 10, other))
    assert not sampler.joins(job, DeterministicJob(ROWS))
    assert not sampler.joins(DeterministicJob(ROWS), job)
    assert not co2(Layout.SERIAL).joins(job, SampleJob(ROWS, 10, Draws(7)))


def test_serial_plan_pads_to_a_fixed_number_of_rows(digits_path: Path) -> None:
    artifact = read_artifact(digits_path)
    plans = [compile_plan(artifact, layout) for layout in (Layout.SPLIT, Layout.SERIAL)]
    split, serial = (Sampler(Runner(plan, [CPU]), fixed_rows=4) for plan in plans)
    rows = {"pixels": np.random.default_rng(0).uniform(0, 16, (6, 64)).astype(np.float32)}
    for draws in (Draws(7), Draws(7, "per_row")):
        np.testing.assert_allclose(
            serial.sample(rows, 5, draws)["probabilities"],
            split.sample(rows, 5, draws)["probabilities"],
            atol=1e-5,
        )


@pytest.mark.slow
def test_memory_does_not_grow_with_the_passes(digits_path: Path) -> None:
    """Peak memory of a new process, for some passes and a hundred times as many."""
    code = (
        "import sys; import numpy as np; from service import load_model\n"
        "model = load_model(sys.argv[1])\n"
        "model.predict(np.zeros((1, 64)), passes=int(sys.argv[2]), seed=7)\n"
        "status = open('/proc/self/status').read()\n"
        "print(status.partition('VmHWM:')[2].split()[0])"
    )
    few, many = (
        int(subprocess.check_output([sys.executable, "-c", code, str(digits_path), passes]))
        for passes in ("1000", "100000")
    )
    assert many <= 1.1 * few
