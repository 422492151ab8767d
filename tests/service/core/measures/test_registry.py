"""Properties of every measure: under any chunks of passes, any rows, and constant outputs."""

from typing import Any

import numpy as np
import pytest

from service.core.measures import MEASURES, Measure, measures_of, read_measures
from service.core.summary import Running, constant
from service.errors import InputError
from tests.service.core.measures.of_samples import measured

SAMPLES = np.random.default_rng(0).dirichlet(np.ones(4), (700, 3)).astype(np.float32)
ALL = [measure() for measure in MEASURES.values()]


@pytest.fixture(params=ALL, ids=lambda measure: measure.name)
def measure(request: pytest.FixtureRequest) -> Measure:
    found: Measure = request.param
    return found


def test_values_have_the_declared_shape(measure: Measure) -> None:
    values = measured(measure, SAMPLES)
    assert values.dtype == np.float64
    assert measure.shape((None, 4)) == (None, *values.shape[1:])


def test_values_do_not_depend_on_chunks(measure: Measure) -> None:
    running = Running.start(SAMPLES, [measure])
    for first, last in ((0, 1), (1, 300), (300, 301), (301, 700)):
        running = running.add(SAMPLES[first:last])
    np.testing.assert_array_equal(running.summary().value(measure), measured(measure, SAMPLES))


def test_rows_that_leave_do_not_change_the_others(measure: Measure) -> None:
    running = Running.start(SAMPLES, [measure]).add(SAMPLES[:300])
    kept = running.rows(np.array([0, 2])).add(SAMPLES[300:, [0, 2]])
    whole = measured(measure, SAMPLES)
    np.testing.assert_array_equal(kept.summary().value(measure), whole[[0, 2]])


def test_constant_output_has_the_values_of_equal_passes(measure: Measure) -> None:
    equal = np.broadcast_to(SAMPLES[:1], (10, 3, 4))
    found = constant(SAMPLES[0], 10, [measure]).value(measure)
    np.testing.assert_allclose(found, measured(measure, equal), rtol=1e-12, atol=1e-15)


def test_measure_is_found_by_its_name(measure: Measure) -> None:
    assert MEASURES[measure.name] is type(measure)
    assert measure.unit in ("nats", "1", "output")
    assert type(measure).__doc__


def test_measures_are_of_their_tasks() -> None:
    assert {"predictive_entropy", "mutual_information"} <= set(measures_of("classification"))
    assert "predictive_entropy" not in measures_of("regression")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["entropy"], r"measures names \['entropy'\]; a model of task 'classification' has"),
        ([{}], "measures has an object of 0 fields; it takes names, or objects of one name"),
        ([{"predictive_entropy": 1}], "gives 'predictive_entropy' arguments; it takes none."),
    ],
)
def test_unknown_measure_is_refused(asked: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_measures(asked, "classification")


def test_measure_requested_twice_is_computed_once() -> None:
    (found,) = read_measures(["predictive_entropy"] * 2, "classification")
    assert found == MEASURES["predictive_entropy"]()
