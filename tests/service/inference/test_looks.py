"""Jobs that are looked at while they run, and rows that stop before the others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from service import load_model
from service.core.measures import BoundMeasure, Facts
from service.core.measures.quantiles import Quantiles
from service.core.stopping import Rule
from service.core.stopping.tolerance import Tolerance
from service.core.summary import value
from service.errors import CancelledError
from service.graph.artifact import read_artifact
from service.graph.plan import Layout, compile_plan
from service.inference.jobs import SampleJob
from service.inference.looks import Found, in_order
from service.inference.runner import Draws, Runner
from service.inference.sampler import Sampler
from service.inference.sizes import Sizes, Sizing
from service.protocol.options import Options
from service.runtime.engine import CPU
from tests.conftest import STORE
from tests.service.reference import sample_moments

#: Their standard errors differ by a factor of four.
YEARS = np.array([[1985.0], [2010.0], [1960.0], [1999.0], [1971.0], [2030.0]], np.float32)
GRID = (8, 20, 33, 64, 100)
DRAWS = {masks: Draws(7, masks) for masks in ("shared", "per_row")}


def rule(tolerance: float, looks: Sequence[int] = GRID, together: bool = False) -> Rule:
    """Of a job of 120 passes."""
    return Rule({"ppm": Tolerance(tolerance)}, (*looks, 120), together)


@dataclass
class Recorder:
    """Keeps what it is shown."""

    grid: Sequence[int] = GRID
    shown: list[tuple[int, Sequence[Found]]] = field(default_factory=list)

    def next_look(self, passes: int) -> int:
        return min((n for n in self.grid if n > passes), default=1 << 60)

    def show(self, passes: int, found: Sequence[Found]) -> None:
        self.shown.append((passes, found))


@dataclass
class Steps:
    """Steps of so many samples, and blocks of so many rows."""

    most: int
    most_rows: int = 1 << 40

    def rows(self, sizes: Sizes) -> int:
        return self.most_rows

    def samples(self, sizes: Sizes) -> int:
        return self.most


def co2(layout: Layout = Layout.SPLIT, row: int = 1, fixed_rows: int | None = None) -> Sampler:
    """`row`: bytes of a row of the trunk, of 6,000 at a time."""
    plan = compile_plan(read_artifact(STORE / "co2" / "1" / "model.onnx"), layout)
    return Sampler(Runner(plan, [CPU]), Sizing(Sizes(1, row, 4096, 6)), fixed_rows)


@pytest.fixture(scope="module")
def sampler() -> Sampler:
    return co2(row=1 << 20)


def job(rows: np.ndarray = YEARS, passes: int = 120, draws: Draws = DRAWS["shared"]) -> SampleJob:
    return SampleJob({"year": rows}, passes, draws)


def run(sampler: Sampler, jobs: Sequence[SampleJob], pace: Steps | None = None) -> None:
    for _ in sampler.run(jobs, pace or Steps(1 << 40)):
        pass


def answer(found: Sequence[Found]) -> tuple[np.ndarray, ...]:
    """(B,) passes, whether each row is settled, (B, 1) mean, m2."""
    return (
        in_order(found, lambda part: np.full(len(part.rows), part.passes)),
        in_order(found, lambda part: part.settled),
        in_order(found, lambda part: part.summaries["ppm"].moments.mean),
        in_order(found, lambda part: part.summaries["ppm"].moments.m2),
    )


def assert_same(found: Sequence[Found], wanted: Sequence[Found]) -> None:
    for a, b in zip(answer(found), answer(wanted), strict=True):
        np.testing.assert_array_equal(a, b)


def simulated(sampler: Sampler, tolerance: float, draws: Draws) -> Iterator[tuple[int, bool]]:
    """For each row alone, its passes and whether it met the tolerance, from all samples."""
    samples = sampler.sample({"year": YEARS}, 120, draws)["ppm"].astype(np.float64)[:, :, 0]
    looks = (*GRID, 120)
    for row in samples.T:
        met = np.array([row[:n].std(ddof=1) / np.sqrt(n) for n in looks]) <= tolerance
        yield looks[int(met.argmax()) if met.any() else -1], bool(met.any())


PACES = [Steps(1), Steps(7), Steps(40, 4), Steps(1 << 40, 1), Steps(1 << 40)]


@pytest.mark.parametrize("masks", ["shared", "per_row"])
@pytest.mark.parametrize("pace", PACES, ids=str)
def test_rows_stop_by_themselves_with_the_bits_of_their_passes(
    sampler: Sampler, masks: str, pace: Steps
) -> None:
    draws = DRAWS[masks]
    stopping = replace(job(draws=draws), rule=rule(0.12))
    run(sampler, [stopping], pace)
    passes, settled, mean, m2 = answer(stopping.found)
    assert len(set(passes)) > 2
    assert not settled.all()
    assert list(zip(passes, settled, strict=True)) == list(simulated(sampler, 0.12, draws))
    for row, count in enumerate(passes):
        fixed = sample_moments(sampler, {"year": YEARS}, int(count), draws)["ppm"]
        np.testing.assert_array_equal(mean[row], fixed.mean[row])
        np.testing.assert_array_equal(m2[row], fixed.m2[row])
    assert stopping.done
    assert stopping.left == 0


@pytest.mark.parametrize("pace", PACES, ids=str)
@pytest.mark.parametrize("layout", [Layout.SPLIT, Layout.TILED])
def test_jobs_of_several_grids_in_a_batch_come_to_what_each_comes_to_alone(
    layout: Layout, pace: Steps
) -> None:
    sampler = co2(layout)

    observers = Recorder(), Recorder()

    def jobs(observer: Recorder) -> list[SampleJob]:
        return [
            replace(job(YEARS[:2]), rule=rule(0.1)),
            replace(job(YEARS[2:5], 70), rule=rule(0.15, (5, 10, 50)), observer=observer),
            job(YEARS[5:], 41, DRAWS["per_row"]),
            replace(job(YEARS, 90, Draws(3, "per_row")), rule=rule(0.1, together=True)),
        ]

    alone, batch = map(jobs, observers)
    for one in alone:
        run(sampler, [one])
    run(sampler, batch, replace(pace, most_rows=1 << 40))
    for a, b in zip(alone, batch, strict=True):
        assert_same(a.found, b.found)
    (_, first), (_, second) = (observer.shown[0] for observer in observers)
    assert_same(first, second)


@pytest.mark.parametrize("pace", PACES, ids=str)
@pytest.mark.parametrize("tolerance", [0.12, 0.3])
def test_rows_that_stop_together_stop_when_the_last_is_settled(
    sampler: Sampler, pace: Steps, tolerance: float
) -> None:
    stopping = replace(job(), rule=rule(tolerance, together=True))
    run(sampler, [stopping], pace)
    passes, settled, *_ = answer(stopping.found)
    alone = list(simulated(sampler, tolerance, DRAWS["shared"]))
    assert set(passes) == {max(count for count, _ in alone)}
    assert set(settled) == {all(met for _, met in alone)}


@pytest.mark.parametrize("row", [1, 1 << 20], ids=["made again", "held"])
@pytest.mark.parametrize("pace", PACES, ids=str)
def test_an_observer_sees_all_rows_at_each_number_of_its_grid(pace: Steps, row: int) -> None:
    """With the bits of a job of that many passes, whether the trunk's outputs are held or not."""
    sampler = co2(row=row)
    observer = Recorder()
    watched, plain = replace(job(), observer=observer), job()
    run(sampler, [watched], pace)
    run(sampler, [plain])
    assert_same(watched.found, plain.found)
    assert [passes for passes, _ in observer.shown] == list(GRID)
    for passes, found in observer.shown:
        fixed = job(passes=passes)
        run(sampler, [fixed])
        counts, _, mean, m2 = answer(found)
        assert set(counts) == {passes}
        np.testing.assert_array_equal(mean, answer(fixed.found)[2])
        np.testing.assert_array_equal(m2, answer(fixed.found)[3])


def test_an_observer_sees_rows_that_have_stopped_as_they_stopped(sampler: Sampler) -> None:
    observer = Recorder()
    stopping = replace(job(), rule=rule(0.12), observer=observer)
    run(sampler, [stopping], Steps(10, 2))
    final = answer(stopping.found)[0]
    for passes, found in observer.shown:
        counts, settled, *_ = answer(found)
        np.testing.assert_array_equal(counts, np.minimum(final, passes))
        np.testing.assert_array_equal(settled, final <= passes)


def test_an_observer_is_not_shown_the_answer(sampler: Sampler) -> None:
    """Which follows anyway, after the last pass or when the last row has stopped."""
    for watched in (job(passes=64), replace(job(), rule=rule(1e9))):
        observer = Recorder()
        run(sampler, [replace(watched, observer=observer)])
        assert [passes for passes, _ in observer.shown] == ([8, 20, 33] if not watched.rule else [])


def test_one_block_of_rows_after_the_other_runs_without_an_observer(sampler: Sampler) -> None:
    """And all blocks up to each look with one."""
    jobs = (
        job(),
        replace(job(), rule=rule(0, (8, 20))),
        replace(job(), observer=Recorder((8, 20))),
    )
    steps = [[*sampler.run([each], Steps(1 << 40, 3))] for each in jobs]
    blocks = [[step.passes for step in each if step.passes] for each in steps]
    assert blocks == [[120, 120], [8, 12, 100, 8, 12, 100], [8, 8, 12, 12, 100, 100]]


@pytest.mark.parametrize(
    ("most", "chunks"), [(200, [120]), (50, [16, 50, 50, 4]), (9, [9, 7, *[9] * 11, 5])]
)
def test_the_first_chunk_ends_soon_after_the_first_look_of_an_observer(
    sampler: Sampler, most: int, chunks: list[int]
) -> None:
    """Unless all passes are one chunk; further looks lie inside of chunks."""
    observer = Recorder((8, 20, 33))
    watched = replace(job(YEARS[:1]), observer=observer)
    steps = [*sampler.run([watched], Steps(most))]
    assert [step.passes for step in steps if step.passes] == chunks
    assert [passes for passes, _ in observer.shown] == [8, 20, 33]


def test_rows_of_a_serial_plan_stop_though_they_stay_in_their_block(sampler: Sampler) -> None:
    serial = co2(Layout.SERIAL, fixed_rows=4)
    one, other = (replace(job(draws=DRAWS["per_row"]), rule=rule(0.12)) for _ in range(2))
    run(serial, [one])
    run(sampler, [other])
    for a, b in zip(answer(one.found), answer(other.found), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_samples_that_a_measure_keeps_are_those_of_the_row_s_passes(sampler: Sampler) -> None:
    measure = BoundMeasure(Quantiles((0.5,)), Facts("ppm", (None, 1)))
    stopping = replace(job(), rule=rule(0.12), measures=(measure,))
    run(sampler, [stopping])
    samples = sampler.sample({"year": YEARS}, 120, DRAWS["shared"])["ppm"]
    for part in stopping.found:
        wanted = np.median(samples[: part.passes, part.rows].astype(np.float64), axis=0)
        np.testing.assert_array_equal(value(measure, part.summaries)[..., 0], wanted)


def test_samples_of_rows_that_stopped_end_with_nan() -> None:
    model = load_model(STORE / "co2" / "1" / "model.onnx")
    stopping = model.prepare(YEARS, Options(passes=120, seed=7, measures=["samples", "max"]))
    stopping.rule = rule(0.12)
    run(model.sampler, [stopping])
    found = model.prediction(stopping).measures
    whole = model.predict(YEARS, 120, 7, ["samples"]).measures["samples"]
    assert found["samples"].shape[1] == max(part.passes for part in stopping.found)
    assert len({part.passes for part in stopping.found}) > 1
    for part in stopping.found:
        for row in part.rows:
            own = whole[row, : part.passes]
            np.testing.assert_array_equal(found["samples"][row, : part.passes], own)
            assert np.isnan(found["samples"][row, part.passes :]).all()
            assert found["max"][row] == own.max()


def test_a_job_that_starts_again_comes_to_the_same(sampler: Sampler) -> None:
    stopping = replace(job(), rule=rule(0.12))
    for _, _ in zip(range(9), sampler.run([stopping], Steps(30)), strict=False):
        pass
    stopping.restart()
    run(sampler, [stopping], Steps(30))
    again = replace(job(), rule=rule(0.12))
    run(sampler, [again])
    assert_same(stopping.found, again.found)


def test_a_fault_ends_all_blocks_of_a_job_in_step(sampler: Sampler) -> None:
    watched = replace(job(), observer=Recorder())
    steps = sampler.run([watched], Steps(10, 2))
    for _ in range(7):
        next(steps)
    watched.stop(CancelledError("gone"))
    assert not list(steps)
    assert not watched.done
