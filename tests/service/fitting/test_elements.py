"""Calibrations of models that predict several things for a row: labels, steps, numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from service.annotations import Annotations
from service.core.calibration import SetMethod
from service.errors import InputError
from service.evaluation.data import Labeled, labeled
from service.fitting import Asked, Outcome
from service.fitting.fit import fit
from service.fitting.seen import halves
from service.inference.predictor import Predictor
from tests.service.fitting import fitted_models as models

#: Bound of a standard normal number that is exceeded with a probability below 1e-6.
FIVE = 5
OWN = ["accept", "prediction_set", "calibrated", "reason"]


@pytest.fixture(scope="module")
def label_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.label_model(tmp_path_factory.mktemp("labels"))


@pytest.fixture(scope="module")
def step_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.step_model(tmp_path_factory.mktemp("steps"))


@pytest.fixture(scope="module")
def vector_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.vector_model(tmp_path_factory.mktemp("vector"))


def fitted(path: Path, data: Labeled, **asked: Any) -> tuple[Outcome, Predictor]:
    """What is fitted, and the model as it is served with that."""
    outcome = fit(path, models.loaded(path), data, Asked(**asked))
    return outcome, models.loaded(path).with_calibration(outcome.document)


def divided(data: Labeled, count: int) -> tuple[Labeled, Labeled]:
    """The first rows, and the others."""
    return data.take(np.arange(count)), data.take(np.arange(count, len(data)))


def test_one_temperature_fits_all_labels(label_path: Path) -> None:
    data = models.with_flags(models.loaded(label_path), models.rows(3000, 4, 0), 1.6, 1)
    outcome, served = fitted(label_path, data)
    document = outcome.document
    assert document.temperature == pytest.approx(1.6, rel=0.15)
    assert {(one.method, one.coverage) for one in document.sets} == {("lac", 0.9), ("lac", 0.95)}
    before, after = document.metrics.before, document.metrics.after
    assert after["nll"] < before["nll"]
    assert (after["accuracy"], after["exact_match"]) == (before["accuracy"], before["exact_match"])
    # The metrics are those of the calibrated probabilities, label by label.
    held = halves(3000)[1]
    found = served.predict(data.rows, 50, 0, masks="per_row").measures["calibrated"][held]
    y = data.targets[held]
    assert -np.log(np.where(y, found, 1 - found)).mean() == pytest.approx(after["nll"])
    assert (2 * (found - y) ** 2).mean() == pytest.approx(after["brier"])
    right = (found > 0.5) == y
    assert right.mean() == pytest.approx(after["accuracy"])
    assert right.all(axis=1).mean() == pytest.approx(after["exact_match"])


def test_a_set_holds_all_labels_of_a_new_row(label_path: Path) -> None:
    data = models.with_flags(models.loaded(label_path), models.rows(3000, 4, 2), 1.6, 3)
    first, new = divided(data, 1000)
    assert (~new.targets.any(axis=1)).sum() > 50
    outcome, served = fitted(label_path, first)
    for coverage in (0.9, 0.95):
        inside = served.predict(new.rows, 50, 0, [{"prediction_set": coverage}])
        covered = (inside.measures["prediction_set"] | ~new.targets).all(axis=1).sum()
        error = np.sqrt(coverage * (1 - coverage) * (1 / 2000 + 1 / 500))
        assert abs(covered / 2000 - coverage) < FIVE * error + 1 / 500
    metrics = outcome.document.metrics.after
    answer = served.predict(first.rows, 50, 0, masks="per_row")
    sizes = answer.measures["prediction_set"][halves(1000)[1]].sum(axis=1)
    assert metrics["set_size_0.9"] == sizes.mean()
    assert metrics["set_coverage_0.9"] > 0.8


@pytest.mark.parametrize("method", ["lac", "aps"])
def test_the_sets_of_a_sequence_hold_all_its_classes(step_path: Path, method: SetMethod) -> None:
    model = models.loaded(step_path)
    x = 2 * np.random.default_rng(4).normal(size=(1500, 3, 4)).astype(np.float32)
    first, new = divided(models.with_steps(model, x, 5), 500)
    _, served = fitted(step_path, first, sets=method, coverages=(0.9,))
    inside = served.predict(new.rows, 50, 0).measures["prediction_set"]
    assert inside.shape == (1000, 3, 4)
    held = np.take_along_axis(inside, new.targets[..., None], axis=-1)[..., 0]
    covered = int(held.all(axis=1).sum())
    assert covered >= binom.ppf(1e-7, 1000, 0.9 - FIVE * np.sqrt(0.09 / 250))
    if method == "lac":
        error = np.sqrt(0.09 * (1 / 1000 + 1 / 250))
        assert abs(covered / 1000 - 0.9) < FIVE * error + 1 / 250
        assert held.mean() > 0.92  # more than each alone has to be


def test_risk_of_labels_is_that_of_rows_with_a_wrong_one(label_path: Path) -> None:
    data = models.with_flags(models.loaded(label_path), models.rows(4000, 4, 6), 0.2, 7)
    first, new = divided(data, 2000)
    outcome, served = fitted(label_path, first, target_risk=0.15, confidence=0.999)
    chosen = outcome.document.selection
    assert chosen is not None
    assert chosen.guarantee.endswith(
        "A row is judged as a whole: by the least certain of its elements, and it is wrong if any "
        "of them is."
    )
    found = served.predict(new.rows, 50, 0, ["predictive_entropy"])
    accept = found.measures["accept"]
    assert (list(found.measures), accept.shape) == (["predictive_entropy", *OWN], (2000,))
    worst = found.measures["predictive_entropy"].max(axis=1)
    np.testing.assert_array_equal(accept, worst <= chosen.threshold)
    wrong = ((found.mean > 0.5) != new.targets).any(axis=1)
    assert 0.2 < accept.mean() < 0.95
    # The guarantee fails with a probability of 0.001, and the seed is fixed.
    assert wrong[accept].mean() < 0.15 < wrong.mean()


@pytest.mark.parametrize("measure", ["confidence", "mutual_information", "std"])
def test_coverage_accepts_rows_by_their_least_certain_label(label_path: Path, measure: str) -> None:
    data = models.with_flags(models.loaded(label_path), models.rows(99, 4, 8), 1.0, 9)
    _, served = fitted(label_path, data, coverage=0.7, measure=measure)
    found = served.predict(data.rows, 50, 0, [measure], masks="per_row").measures
    doubt = (-found[measure] if measure == "confidence" else found[measure]).max(axis=1)
    assert found["accept"].sum() == 70
    assert doubt[found["accept"]].max() <= doubt[~found["accept"]].min()


def test_a_sequence_is_wrong_if_a_step_is(step_path: Path) -> None:
    model = models.loaded(step_path)
    x = 6 * np.random.default_rng(10).normal(size=(1200, 3, 4)).astype(np.float32)
    data = models.with_steps(model, x, 11)
    outcome, served = fitted(step_path, data, target_risk=0.3)
    chosen = outcome.document.selection
    assert chosen is not None
    found = served.predict(data.rows, 50, 0, ["predictive_entropy"], masks="per_row")
    accept = found.measures["accept"]
    worst = found.measures["predictive_entropy"].max(axis=1)
    np.testing.assert_array_equal(accept, worst <= chosen.threshold)
    wrong = (found.mean.argmax(axis=-1) != data.targets).any(axis=1)
    assert f"{accept.sum()} are accepted and {wrong[accept].sum()} of them wrong" in (
        chosen.guarantee
    )
    assert not accept.all()


def test_a_vector_is_wrong_if_a_number_is_off(vector_path: Path) -> None:
    model = models.loaded(vector_path)
    x = models.rows(900, 3, 12)
    noise = np.random.default_rng(13).normal(size=x.shape) * 0.2 * x
    data = labeled(model, x, x + noise)
    asked = {"target_risk": 0.1, "error_tolerance": 0.5, "measure": "std"}
    outcome, served = fitted(vector_path, data, **asked)
    chosen = outcome.document.selection
    assert chosen is not None
    found = served.predict(data.rows, 200, 0, ["std"], masks="per_row")
    accept = found.measures["accept"]
    assert accept.shape == (900,)
    np.testing.assert_array_equal(accept, found.measures["std"].max(axis=1) <= chosen.threshold)
    wrong = np.any(np.abs(found.mean - data.targets) > 0.5, axis=1)
    assert 0.3 < accept.mean() < 1
    assert f"{accept.sum()} are accepted and {wrong[accept].sum()} of them wrong" in (
        chosen.guarantee
    )


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"sets": "aps"}, "sets has 'aps', which orders classes of which one is true"),
        ({"intervals": "cqr"}, "intervals are of a regression; a classification has sets"),
        ({"error_tolerance": 1.0}, "error_tolerance is of a regression"),
    ],
)
def test_what_labels_do_not_have_is_refused(
    label_path: Path, asked: dict[str, Any], error: str
) -> None:
    data = models.with_flags(models.loaded(label_path), models.rows(40, 4, 14), 1.0, 15)
    with pytest.raises(InputError, match=error):
        fitted(label_path, data, **asked)


def test_a_single_label_is_a_set_or_none(tmp_path: Path) -> None:
    said = Annotations(task="multilabel_classification", passes=50)
    path = models.element_model(tmp_path, "Sigmoid", said, "1")
    model = models.loaded(path)
    data = models.with_flags(model, models.rows(400, 1, 16), 1.0, 17)
    _, served = fitted(path, data)
    found = served.predict(data.rows, 50, 0).measures
    assert found["prediction_set"].shape == found["calibrated"].shape == (400, 1)
    assert (found["prediction_set"] | ~data.targets).mean() >= 0.85
