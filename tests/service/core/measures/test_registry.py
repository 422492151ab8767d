"""What holds for every measure: of any cut of the passes, of any rows, of constant outputs."""

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


def test_its_values_have_the_shape_it_says(measure: Measure) -> None:
    values = measured(measure, SAMPLES)
    assert values.dtype == np.float64
    assert measure.shape((None, 4)) == (None, *values.shape[1:])


def test_it_is_the_same_to_the_bit_in_any_chunks(measure: Measure) -> None:
    running = Running.start(SAMPLES, [measure])
    for first, last in ((0, 1), (1, 300), (300, 301), (301, 700)):
        running = running.add(SAMPLES[first:last])
    np.testing.assert_array_equal(running.summary().value(measure), measured(measure, SAMPLES))


def test_rows_that_leave_change_nothing_of_the_others(measure: Measure) -> None:
    running = Running.start(SAMPLES, [measure]).add(SAMPLES[:300])
    kept = running.rows(np.array([0, 2])).add(SAMPLES[300:, [0, 2]])
    whole = measured(measure, SAMPLES)
    np.testing.assert_array_equal(kept.summary().value(measure), whole[[0, 2]])


def test_a_constant_output_is_what_equal_passes_are(measure: Measure) -> None:
    equal = np.broadcast_to(SAMPLES[:1], (10, 3, 4))
    found = constant(SAMPLES[0], 10, [measure]).value(measure)
    np.testing.assert_allclose(found, measured(measure, equal), rtol=1e-12, atol=1e-15)


def test_it_is_known_by_its_name(measure: Measure) -> None:
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
def test_what_is_no_measure_is_refused(asked: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_measures(asked, "classification")


def test_a_measure_asked_for_twice_is_there_once() -> None:
    (found,) = read_measures(["predictive_entropy"] * 2, "classification")
    assert found == MEASURES["predictive_entropy"]()
