"""Properties of every measure: under any chunks of passes, any rows, and constant outputs."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

from service.core.calibration import (
    Calibration,
    ConformalInterval,
    ConformalSet,
    IntervalMethod,
    Selection,
)
from service.core.measures import (
    MEASURES,
    OF_CALIBRATION,
    BoundMeasure,
    Facts,
    bind,
    measures_of,
    read_measures,
)
from service.core.measures.bound import with_noise
from service.core.measures.facts import NO_CALIBRATION, NO_OFF, Half, NoiseOutput, PerElement
from service.core.summary import constant, value
from service.errors import InputError
from tests.service.core.measures.of_samples import Array, running, values

RANDOM = np.random.default_rng(0)
PASSES, ROWS = 700, 3
SHAPE = (None, 4)
LABELS = np.array(["ape", "bear", "cat", "dog"])
SETS = Calibration(
    temperature=2.0,
    sets=(ConformalSet("lac", 0.9, 0.7), ConformalSet("aps", 0.8, 0.6)),
    selection=Selection("mutual_information", 0.2, at_most=True),
)


def intervals(method: IntervalMethod, measure: str) -> Calibration:
    return Calibration(
        intervals=(ConformalInterval(method, 0.9, 1.0, 2.0),),
        selection=Selection(measure, 0.5, at_most=False),
    )


class Case(NamedTuple):
    """Outputs of a model, and what it says of the output "y"."""

    facts: Facts
    outputs: dict[str, Array]


def simplex(size: int) -> Array:
    return RANDOM.dirichlet(np.ones(size), (PASSES, ROWS)).astype(np.float32)


def normal(size: int) -> Array:
    return RANDOM.normal(0, 1, (PASSES, ROWS, size)).astype(np.float32)


CASES = {
    "softmax": Case(
        Facts("y", SHAPE, "classification", classes=LABELS, calibration=SETS), {"y": simplex(4)}
    ),
    "sigmoid": Case(
        Facts("y", (None, 1), "classification", classes=LABELS[:2], calibration=SETS),
        {"y": simplex(2)[..., :1]},
    ),
    "sequence": Case(
        Facts("y", (None, None, 4), "classification", classes=LABELS, calibration=SETS),
        {"y": np.stack([simplex(4), simplex(4)], axis=2)},
    ),
    "multilabel": Case(
        Facts(
            *("y", SHAPE, "multilabel_classification", PerElement()),
            classes=np.array([("", label) for label in LABELS]),
            calibration=Calibration(
                temperature=2.0,
                sets=(ConformalSet("lac", 0.9, 0.7),),
                selection=Selection("confidence", 0.7, at_most=False),
            ),
        ),
        {"y": np.concatenate([simplex(2), simplex(2)], axis=-1)},
    ),
    "regression": Case(
        Facts("y", SHAPE, "regression", noise=0.25, calibration=intervals("absolute", "total")),
        {"y": normal(4)},
    ),
    "without noise": Case(
        Facts("y", SHAPE, "regression", calibration=intervals("cqr", "std")), {"y": normal(4)}
    ),
    "mean and noise in one": Case(
        Facts(
            *("y", SHAPE, "heteroscedastic_regression", Half()),
            noise=NoiseOutput("y", "log_variance", Half(second=True)),
            calibration=intervals("cqr", "epistemic"),
        ),
        {"y": normal(4)},
    ),
    "mean and noise in two": Case(
        Facts(
            *("y", SHAPE, "heteroscedastic_regression"),
            noise=NoiseOutput("s", "log_scale"),
            calibration=intervals("normalized", "aleatoric"),
        ),
        {"y": normal(4), "s": normal(4)},
    ),
}
ALL = {
    f"{name}-{kind}": (bind(measure(), case.facts), case.outputs)
    for name, measure in MEASURES.items()
    for kind, case in CASES.items()
    if name in measures_of([case.facts])
}
every = pytest.mark.parametrize(("bound", "outputs"), ALL.values(), ids=ALL)


def whole(bound: BoundMeasure, outputs: dict[str, Array]) -> Array:
    return values(bound, running(bound, outputs), off=outputs["y"][0])


def test_every_measure_has_a_case() -> None:
    assert {bound.name for bound, _ in ALL.values()} == set(MEASURES)


@every
def test_values_have_the_declared_type_and_shape(
    bound: BoundMeasure, outputs: dict[str, Array]
) -> None:
    found = whole(bound, outputs)
    kinds = {"float64": "f", "int64": "i", "string": "U", "bool": "b"}
    assert found.dtype.kind == kinds[bound.measure.dtype]
    assert found.dtype.kind in "Ub" or found.dtype.itemsize == 8
    assert len(found.shape) == len(bound.shape)
    assert found.shape[0] == ROWS
    sizes = zip(found.shape, bound.shape, strict=True)
    assert all(size == said for size, said in sizes if said is not None)
    static = replace(bound.facts, shape=(None, *outputs["y"].shape[2:]))
    assert found.size == ROWS * bind(bound.measure, static).elements(PASSES)


@every
def test_values_do_not_depend_on_chunks(bound: BoundMeasure, outputs: dict[str, Array]) -> None:
    cut = values(bound, running(bound, outputs, [1, 300, 301]), off=outputs["y"][0])
    np.testing.assert_array_equal(cut, whole(bound, outputs))


@every
def test_rows_that_leave_do_not_change_the_others(
    bound: BoundMeasure, outputs: dict[str, Array]
) -> None:
    for kept in (np.array([0, 2]), np.array([1])):
        begun = running(bound, {name: y[:300] for name, y in outputs.items()})
        rest = with_noise({name: y[300:, kept] for name, y in outputs.items()}, [bound])
        found = {source: one.rows(kept).add(rest[source]) for source, one in begun.items()}
        wanted = whole(bound, outputs)[kept]
        np.testing.assert_array_equal(values(bound, found, off=outputs["y"][0, kept]), wanted)


@every
def test_constant_output_has_the_values_of_equal_passes(
    bound: BoundMeasure, outputs: dict[str, Array]
) -> None:
    same = {name: y[0] for name, y in outputs.items()}
    equal = {name: np.broadcast_to(y, (10, *y.shape)) for name, y in same.items()}
    summaries = {
        source: replace(constant(source, y, 10, [bound]), off=y)
        for source, y in with_noise(same, [bound]).items()
    }
    found, wanted = value(bound, summaries), whole(bound, equal)
    if found.dtype.kind == "f":
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-15)
    else:
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("name", MEASURES)
def test_measure_is_described(name: str) -> None:
    measure = MEASURES[name]
    assert measure.name == name
    assert measure.unit in ("nats", "1", "output", "output²")
    assert measure.description().endswith(".")
    assert measure.read(measure.arguments() or None) == measure()


def test_measures_are_of_their_tasks() -> None:
    assert {"predictive_entropy", "label"} <= set(measures_of([CASES["softmax"].facts]))
    general = measures_of([Facts("y", SHAPE)])
    assert general == [
        name
        for name, measure in MEASURES.items()
        if measure.tasks is None and name not in OF_CALIBRATION
    ]


def test_measure_is_given_for_the_outputs_that_have_it() -> None:
    outputs = [Facts("y", SHAPE, "classification"), Facts("z", SHAPE, "classification", None)]
    entropy, *std = read_measures(["predictive_entropy", "std"], outputs)
    assert (entropy.name, entropy.output) == ("predictive_entropy", "y")
    assert [(one.name, one.output) for one in std] == [("std", "y"), ("std", "z")]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["entropy"], r"measures names \['entropy'\]; a model of task 'classification' has"),
        ([{}], "measures has an object of 0 fields; it takes names, or objects of one name"),
        ([{"predictive_entropy": 1}], "gives 'predictive_entropy' arguments; it takes none."),
        (["label"], "names 'label', and the model has no labels. Set them with mcdropout annotate"),
        (["deterministic"], f"names 'deterministic', and {NO_OFF}."),
        (["accept"], f"measures names 'accept', and {NO_CALIBRATION}."),
        (["total"], r"measures names \['total'\]; a model of task 'classification' has"),
    ],
)
def test_unknown_measure_is_refused(asked: list[Any], message: str) -> None:
    facts = Facts("y", SHAPE, "classification", has_off=False)
    with pytest.raises(InputError, match=message):
        read_measures(asked, [facts])


@pytest.mark.parametrize("name", ["aleatoric", "total", "predictive_interval"])
def test_measure_of_unknown_noise_says_how_to_set_it(name: str) -> None:
    facts = Facts("y", SHAPE, "regression")
    with pytest.raises(InputError, match=f"{name}', and the noise .* mcdropout annotate MODEL --n"):
        read_measures([name], [facts])
    assert name not in measures_of([facts])
    assert "epistemic" in measures_of([facts])


def test_measure_requested_twice_is_computed_once() -> None:
    (found,) = read_measures(["predictive_entropy"] * 2, [CASES["softmax"].facts])
    assert found.measure == MEASURES["predictive_entropy"]()
