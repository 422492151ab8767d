"""Streams of the library: each estimate is the answer of so many passes, bit for bit."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service import Predictor, load_model
from service.errors import InputError, OutputError
from service.inference.estimates import Doubling
from service.inference.options import Limits
from service.protocol.options import SAMPLINGS, Sampling
from tests.service.reference import save

X = np.random.default_rng(0).uniform(0, 16, (3, 64))
MEASURES = ["predictive_entropy", "mutual_information", "quantiles"]


def require_estimates(model: Predictor, x: Any, passes: int, **options: Any) -> None:
    """Check each of a stream against a prediction of its own."""
    found = list(model.stream(x, passes, 7, **options))
    grid = [n for n in (32 << k for k in range(20)) if n < passes]
    assert [one.passes for one in found] == [*grid, passes]
    assert [one.final for one in found] == [*[False] * len(grid), True]
    for one in found:
        assert one == model.predict(x, one.passes, 7, **options)


@pytest.mark.parametrize(
    ("passes", "looks"), [(0, 32), (1, 32), (31, 32), (32, 64), (33, 64), (64, 128), (1000, 1024)]
)
def test_the_grid_doubles_from_32(passes: int, looks: int) -> None:
    assert Doubling(lambda found: None).next_look(passes) == looks


@pytest.mark.parametrize("passes", [2, 32, 33, 64, 500])
def test_estimates_are_the_answers_of_fewer_passes(digits: Predictor, passes: int) -> None:
    require_estimates(digits, X, passes, measures=MEASURES)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_estimates_with_inner_masks_are_the_answers_of_fewer_passes(
    digits: Predictor, sampling: Sampling
) -> None:
    require_estimates(digits, X, 150, measures=MEASURES, inner=3, sampling=sampling)


@pytest.mark.slow
@pytest.mark.parametrize("mib", [16, 512])
def test_estimates_are_of_all_rows_in_any_number_of_blocks(digits_path: Path, mib: int) -> None:
    model = load_model(digits_path, limits=Limits(memory=mib << 20))
    rows = np.random.default_rng(1).uniform(0, 16, (600, 64))
    require_estimates(model, rows, 70, masks="per_row", measures=MEASURES[:1])


def test_estimates_of_the_whole_do_not_depend_on_memory(digits_path: Path) -> None:
    rows = np.random.default_rng(1).uniform(0, 16, (600, 64))
    few, many = (
        load_model(digits_path, limits=Limits(memory=mib << 20)).stream(rows, 70, 7)
        for mib in (16, 512)
    )
    for one, other in zip(few, many, strict=True):
        assert one == other


def test_nothing_runs_before_it_is_asked_for(digits: Predictor) -> None:
    endless = digits.stream(X, 100_000_000, 7)
    assert [one.passes for one in islice(endless, 3)] == [32, 64, 128]


def test_wrong_arguments_are_refused_at_once(digits: Predictor) -> None:
    with pytest.raises(InputError, match="passes is 1"):
        digits.stream(X, 1)


def test_an_estimate_that_is_no_number_ends_the_stream(tmp_path: Path) -> None:
    """The first pass that drops the only element divides by 0."""
    path = tmp_path / "model.onnx"
    save(
        "k = Dropout(x, rate, on) s = Add(k, small) y = Reciprocal(s)",
        path,
        "float rate = {0.01}, bool on = {1}, float small = {0.0}",
        "float[batch, 1] x",
        "float[batch, 1] y",
    )
    stream: Iterator[Any] = load_model(path).stream([[1.0]], 100_000, 3)
    assert next(stream).passes == 32
    with pytest.raises(OutputError, match="NaN or infinity"):
        list(stream)


def test_whoever_reads_an_estimate_may_change_it(digits: Predictor) -> None:
    options: dict[str, Any] = {"passes": 300, "seed": 7, "measures": ["min", "max"]}
    for one in digits.stream(X, **options):
        if one.final:
            assert one == digits.predict(X, **options)
        for values in (one.mean, one.variance, *one.measures.values()):
            values[:] = 0
