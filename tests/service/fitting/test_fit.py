"""Calibrations of models with known answers, as they are applied after loading."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from service import load_model
from service.annotations import Annotations
from service.calibration.fingerprint import fingerprint, row_hashes
from service.cli.annotated_copy import write_annotated
from service.core.calibration import IntervalMethod, SetMethod
from service.errors import InputError, SetupError
from service.evaluation.data import Labeled, labeled
from service.fitting import Asked, Outcome, calibrate
from service.fitting.fit import fit
from service.fitting.seen import halves
from service.inference.predictor import Predictor
from service.protocol.options import Options
from tests.service.fitting import fitted_models as models

#: Bound of a standard normal number that is exceeded with a probability below 1e-6.
FIVE = 5


@pytest.fixture(scope="module")
def sum_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.sum_model(tmp_path_factory.mktemp("sum"))


@pytest.fixture(scope="module")
def noisy_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.noisy_model(tmp_path_factory.mktemp("noisy"))


@pytest.fixture(scope="module")
def class_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.class_model(tmp_path_factory.mktemp("class"))


def fitted(path: Path, data: Labeled, **asked: object) -> tuple[Outcome, Predictor]:
    """What is fitted, and the model as it is served with that."""
    outcome = fit(path, models.loaded(path), data, Asked(**asked))  # type: ignore[arg-type]
    return outcome, models.loaded(path).with_calibration(outcome.document)


def covers(covered: int, rows: int, calibrated: int, coverage: float) -> bool:
    """Whether a share of new rows agrees with a coverage that so many rows were fitted to."""
    error = np.sqrt(coverage * (1 - coverage) * (1 / rows + 1 / calibrated))
    return bool(abs(covered / rows - coverage) < FIVE * error + 1 / calibrated)


def test_noise_of_targets_is_recovered_beside_the_variance_over_passes(sum_path: Path) -> None:
    model = models.loaded(sum_path)
    data = models.with_noise(model, 0.1 * models.rows(4000, 3, 0), 0.5, 1)
    outcome, _ = fitted(sum_path, data)
    # 0.5² of the targets, less the variance over passes, which a maximum likelihood subtracts.
    over_passes = models.RATE / (1 - models.RATE) * models.WEIGHT**2 * 0.03
    found = 1 / (outcome.document.noise_precision or np.nan)
    assert found == pytest.approx(0.25 - over_passes, abs=FIVE * 0.25 * np.sqrt(2 / 2000))
    metrics = outcome.document.metrics
    assert metrics.after["nll"] < metrics.before["nll"]
    assert metrics.after["nll"] == pytest.approx(0.5 * np.log(2 * np.pi * np.e * 0.25), abs=0.08)


@pytest.mark.parametrize("method", ["absolute", "normalized", "cqr"])
def test_intervals_that_are_served_cover_new_rows(sum_path: Path, method: IntervalMethod) -> None:
    model = models.loaded(sum_path)
    x = models.rows(3000, 3, 2)
    data = models.with_noise(model, x, 1.0 + np.abs(x[:, :1]), 3)
    options = Options(passes=40)
    first, new = data.take(np.arange(1000)), data.take(np.arange(1000, 3000))
    _, served = fitted(sum_path, first, intervals=method, options=options)
    for coverage in (0.9, 0.95):
        found = served.predict(new.rows, 40, 0, [{"prediction_interval": coverage}])
        low, high = np.moveaxis(found.measures["prediction_interval"], -1, 0)
        covered = int(((low <= new.targets) & (new.targets <= high)).sum())
        assert covers(covered, 2000, 500, coverage)


@pytest.mark.parametrize("method", ["absolute", "normalized", "cqr"])
@pytest.mark.parametrize("batch", [1, 49])
def test_row_that_lies_on_the_threshold_is_inside_in_any_batch(
    sum_path: Path, method: IntervalMethod, batch: int
) -> None:
    """As many rows as the rank of the threshold: ⌈50 × 0.9⌉ of the 49 that chose it."""
    model = models.loaded(sum_path)
    data = models.with_noise(model, models.rows(98, 3, 12), 1.0, 13)
    options = Options(passes=20)
    asked = {"intervals": method, "coverages": (0.9,), "masks": "shared", "options": options}
    _, served = fitted(sum_path, data, **asked)
    held, inside = np.random.default_rng(0).permutation(halves(98)[1]), 0
    for start in range(0, 49, batch):
        some = data.take(held[start : start + batch])
        found = served.predict(some.rows, 20, 0).measures["prediction_interval"]
        low, high = np.moveaxis(found, -1, 0)
        inside += int(((low <= some.targets) & (some.targets <= high)).sum())
    assert inside == 45


def test_known_heteroscedastic_noise_is_not_fitted_again(noisy_path: Path) -> None:
    model = models.loaded(noisy_path)
    x = 0.1 * models.rows(600, 3, 4)
    data = models.with_noise(model, x, np.exp(x[:, :1] / 2), 5)
    outcome, served = fitted(noisy_path, data)
    document = outcome.document
    assert (document.noise_precision, set(document.reference)) == (None, {"total"})
    found = served.predict(x, 200, 0)
    assert found.measures["prediction_interval"].shape == (600, 1, 2)
    # In the mean the CRPS of a normal distribution, for targets of its own, is σ / √π.
    deviation = np.exp(x[halves(600)[1], 0] / 2).mean()
    assert document.metrics.after["crps"] == pytest.approx(deviation / np.sqrt(np.pi), rel=0.15)


@pytest.mark.parametrize("temperature", [0.5, 1.6])
def test_temperature_of_labels_is_recovered(class_path: Path, temperature: float) -> None:
    model = models.loaded(class_path)
    data = models.with_labels(model, models.rows(4000, 4, 6), temperature, 7)
    outcome, served = fitted(class_path, data)
    assert outcome.document.temperature == pytest.approx(temperature, rel=0.15)
    metrics = outcome.document.metrics
    assert metrics.after["nll"] < metrics.before["nll"]
    found = served.predict(data.rows, 50, 0, masks="per_row")
    labels = data.targets[halves(4000)[1]]
    p = found.measures["calibrated"][halves(4000)[1], labels]
    assert -np.log(p).mean() == pytest.approx(metrics.after["nll"])


@pytest.mark.parametrize("method", ["lac", "aps"])
def test_sets_that_are_served_cover_new_rows(class_path: Path, method: SetMethod) -> None:
    model = models.loaded(class_path)
    data = models.with_labels(model, models.rows(3000, 4, 8), 1.6, 9)
    first, new = data.take(np.arange(1000)), data.take(np.arange(1000, 3000))
    outcome, served = fitted(class_path, first, sets=method)
    found = served.predict(new.rows, 50, 0, [{"prediction_set": 0.95}]).measures["prediction_set"]
    covered = int(found[np.arange(2000), new.targets].sum())
    assert covered >= binom.ppf(1e-7, 2000, 0.93)
    if method == "lac":
        assert covers(covered, 2000, 500, 0.95)
    assert outcome.document.metrics.after["set_coverage_0.95"] > 0.9


def test_label_that_lies_on_the_threshold_is_in_the_set_in_any_batch(class_path: Path) -> None:
    model = models.loaded(class_path)
    data = models.with_labels(model, models.rows(98, 4, 14), 1.6, 15)
    asked = {"sets": "lac", "coverages": (0.9,), "coverage": 0.8, "masks": "shared"}
    _, served = fitted(class_path, data, **asked)
    alone = [data.take(np.array([row])).rows for row in range(98)]
    answers = [served.predict(rows, 50, 0).measures for rows in alone]
    inside = [found["prediction_set"][0, y] for found, y in zip(answers, data.targets, strict=True)]
    assert np.array(inside)[halves(98)[1]].sum() == 45
    assert sum(found["accept"].item() for found in answers) == 80  # ⌈99 × 0.8⌉ of all rows


def test_risk_of_accepted_answers_is_below_the_target(class_path: Path) -> None:
    model = models.loaded(class_path)
    data = models.with_labels(model, models.rows(4000, 4, 10), 0.3, 11)
    first, new = data.take(np.arange(2000)), data.take(np.arange(2000, 4000))
    outcome, served = fitted(class_path, first, target_risk=0.1, confidence=0.99)
    chosen = outcome.document.selection
    assert chosen is not None
    assert (chosen.measure, chosen.keep, chosen.target_risk) == (
        "predictive_entropy",
        "at_most",
        0.1,
    )
    found = served.predict(new.rows, 50, 0)
    accept = found.measures["accept"]
    assert accept.mean() == pytest.approx(chosen.coverage, abs=0.07)
    assert (found.mean.argmax(axis=1) != new.targets)[accept].mean() < 0.12


@pytest.mark.parametrize("measure", ["confidence", "mutual_information"])
def test_coverage_accepts_that_share_of_the_most_certain(class_path: Path, measure: str) -> None:
    model = models.loaded(class_path)
    data = models.with_labels(model, models.rows(999, 4, 12), 1.0, 13)
    outcome, served = fitted(class_path, data, coverage=0.7, measure=measure)
    found = served.predict(data.rows, 50, 0, [measure, "accept"], masks="per_row")
    assert found.measures["accept"].sum() == 700  # ⌈1000 × 0.7⌉
    values, accept = found.measures[measure], found.measures["accept"]
    sign = -1 if measure == "confidence" else 1
    assert (sign * values)[accept].max() <= (sign * values)[~accept].min()
    assert set(outcome.document.reference) == {measure, "predictive_entropy"}


def test_rate_scale_that_fits_is_that_of_the_document(sum_path: Path) -> None:
    model = models.loaded(sum_path)
    x = models.rows(1500, 3, 14)
    # The targets vary as a dropout of a quarter of the variance would make them.
    ratio = models.RATE / (1 - models.RATE) / 4
    half = np.sqrt(ratio) * models.WEIGHT * np.linalg.norm(x, axis=1, keepdims=True)
    outcome, _ = fitted(sum_path, models.with_noise(model, x, half, 15), rate_scale=True)
    assert outcome.rate_scale is not None
    wanted = ratio / (1 + ratio) / models.RATE
    assert outcome.rate_scale.value == pytest.approx(wanted, abs=0.15)
    assert outcome.document.sampling.rate_scale == outcome.rate_scale.value


def test_risk_of_a_regression_is_that_of_errors_beyond_a_tolerance(sum_path: Path) -> None:
    model = models.loaded(sum_path)
    data = models.with_noise(model, models.rows(500, 3, 16), 4.0, 17)
    with pytest.raises(InputError, match="give error_tolerance"):
        fitted(sum_path, data, target_risk=0.1)
    outcome, _ = fitted(sum_path, data, target_risk=0.1, error_tolerance=8.0)
    chosen = outcome.document.selection
    assert chosen is not None
    assert (chosen.measure, chosen.coverage > 0.9) == ("total", True)
    assert chosen.error_tolerance == 8.0


def test_random_seeds_accept_the_coverage_of_rows_that_are_alike(sum_path: Path) -> None:
    """Rows that shared masks would have all the luck of one seed: 0.11 of the answers, not 0.8."""
    x = 1 + 0.01 * models.rows(500, 3, 32)
    data = models.with_noise(models.loaded(sum_path), x, 1.0, 33)
    first = data.take(np.arange(499))
    outcome, served = fitted(sum_path, first, coverage=0.8, options=Options(passes=20))
    assert outcome.document.sampling.masks == "per_row"
    assert not any("masks" in note for note in outcome.notes)
    answers = (served.predict(x[499:], 20, seed, ["accept"]) for seed in range(1000, 1400))
    accepted = sum(answer.measures["accept"].item() for answer in answers)
    assert covers(accepted, 400, 499, 0.8)


def test_rows_share_masks_where_the_model_draws_for_all_of_them(tmp_path: Path) -> None:
    path = models.weight_model(tmp_path)
    data = models.with_noise(models.loaded(path), models.rows(60, 3, 34), 1.0, 35)
    outcome, _ = fitted(path, data)
    assert outcome.document.sampling.masks == "shared"
    assert outcome.notes[-1].startswith(
        "site 'w' draws once for all rows of a pass, and the rows shared the masks of seed 0"
    )
    with pytest.raises(InputError, match=r"masks is \"per_row\", and site 'w' draws once"):
        fitted(path, data, masks="per_row")


def test_masks_that_are_asked_to_be_shared_are_said(class_path: Path) -> None:
    data = models.with_labels(models.loaded(class_path), models.rows(60, 4, 36), 1.0, 37)
    outcome, _ = fitted(class_path, data, masks="shared", options=Options(seed=5))
    assert outcome.document.sampling.masks == "shared"
    assert outcome.notes[-1].startswith("the rows shared the masks of seed 5")


def test_calibration_is_the_same_every_time(class_path: Path) -> None:
    data = models.with_labels(models.loaded(class_path), models.rows(200, 4, 18), 1.0, 19)
    one, two = (fitted(class_path, data)[0].document for _ in range(2))
    assert one.model_copy(update={"created": two.created}) == two


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (
            {"coverages": (0.9, 0.99)},
            r"A coverage of 0\.99 needs 99 of those: at least 197 rows",
        ),
        ({"coverage": 0.9, "measure": "calibrated"}, "made by the calibration itself"),
        (
            {"coverage": 0.9, "measure": "quantiles"},
            r"'quantiles' has values of shape \(4, 3\) and type float64",
        ),
        ({"coverage": 0.9, "measure": "quantiles:0.5"}, "has arguments; name one without"),
        ({"coverage": 0.9, "measure": "label"}, r"'label' has values of shape \(\) and type <U1"),
        ({"target_risk": 0.1, "error_tolerance": 1.0}, "error_tolerance is of a regression"),
    ],
)
def test_what_does_not_suit_is_refused(
    class_path: Path, asked: dict[str, object], error: str
) -> None:
    data = models.with_labels(models.loaded(class_path), models.rows(100, 4, 20), 1.0, 21)
    with pytest.raises(InputError, match=error):
        fitted(class_path, data, **asked)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"coverages": (0.9, 1.0)}, "coverages has 1; it must be above 0 and below 1"),
        ({"coverages": (0.9, 0.9)}, "coverages has one twice"),
        ({"sets": ("lac", "raps")}, "sets has 'raps'; the methods are lac, aps"),
        ({"intervals": ()}, "intervals has none; the methods are absolute, normalized, cqr"),
        ({"sets": ("lac", "lac")}, "sets has one twice"),
        ({"target_risk": 0.0}, "target_risk is 0; it must be"),
        ({"target_risk": 0.1, "coverage": 0.9}, "both given"),
        ({"measure": "confidence"}, "without target_risk or coverage"),
        ({"options": Options(passes={"max": 100, "tolerance": 0.1})}, "a stopping rule"),
    ],
)
def test_what_cannot_be_asked_is_refused(asked: dict[str, object], error: str) -> None:
    with pytest.raises(InputError, match=error):
        Asked(**asked)  # type: ignore[arg-type]


def test_calibration_is_saved_where_it_is_looked_for(class_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(class_path.read_bytes())
    data = models.with_labels(models.loaded(path), models.rows(100, 4, 22), 1.0, 23)
    x, y = data.rows["x"], data.targets
    outcome = calibrate(path, x, y, name="some", coverage=0.5)
    assert outcome.save() == tmp_path / "calibration.json"
    assert load_model(path).calibration.document == outcome.document
    with pytest.raises(SetupError, match=r"calibration\.json already exists"):
        outcome.save()
    again = calibrate(path, x, y, name="some", coverage=0.5)  # the first one does not apply
    assert again.document.model_copy(update={"created": outcome.document.created}) == (
        outcome.document
    )
    again.save(force=True)


def test_rows_that_trained_the_model_are_named(class_path: Path, tmp_path: Path) -> None:
    path, x = tmp_path / "model.onnx", models.rows(100, 4, 24)
    known = fingerprint("train.csv", row_hashes({"x": x[:25]}))
    write_annotated(class_path, path, Annotations(training_data=known))
    outcome = calibrate(path, x, np.zeros(100, int), name="valid.csv")
    wanted = "25 % of the rows of valid.csv are among those of train.csv"
    assert outcome.notes[0].startswith(wanted)


def test_what_makes_the_likelihood_worse_is_said(class_path: Path) -> None:
    model = models.loaded(class_path)
    data = models.with_labels(model, models.rows(200, 4, 26), 1.0, 27)
    first, second = halves(200)
    targets = data.targets.copy()
    targets[first] = model.predict(data.rows, seed=0, measures=["predicted_class"]).measures[
        "predicted_class"
    ][first]
    targets[second] = (targets[second] + 1) % 4
    outcome, _ = fitted(class_path, labeled(model, data.rows, targets))
    assert outcome.document.metrics.after["nll"] > outcome.document.metrics.before["nll"]
    assert "on these it is no better" in outcome.notes[-1]


@pytest.mark.parametrize("methods", [("lac", "aps"), ("aps",)])
def test_each_method_of_sets_has_rules_and_metrics(
    class_path: Path, methods: tuple[SetMethod, ...]
) -> None:
    model = models.loaded(class_path)
    data = models.with_labels(model, models.rows(400, 4, 25), 1.0, 26)
    outcome, served = fitted(class_path, data, sets=methods)
    document = outcome.document
    assert [(one.method, one.coverage) for one in document.sets] == [
        (method, coverage) for method in methods for coverage in (0.9, 0.95)
    ]
    held, after = halves(400)[1], document.metrics.after
    for method in methods:
        alone, _ = fitted(class_path, data, sets=method)
        assert set(alone.document.sets) <= set(document.sets)
        asked = {"prediction_set": {"method": method, "coverage": 0.95}}
        answer = served.predict(data.rows, 50, 0, [asked], masks="per_row")
        inside = answer.measures["prediction_set"][held]
        name = "set_size_0.95" if method == methods[0] else f"set_size_0.95_{method}"
        assert inside.sum(axis=1).mean() == after[name]
    plain = served.predict(data.rows, 50, 0, masks="per_row").measures["prediction_set"][held]
    assert plain.sum(axis=1).mean() == after["set_size_0.9"]


def test_each_method_of_intervals_is_chosen_by_a_request(sum_path: Path) -> None:
    data = models.with_noise(models.loaded(sum_path), models.rows(200, 3, 27), 1.0, 28)
    outcome, served = fitted(sum_path, data, intervals=["cqr", "absolute"])
    rules = outcome.document.intervals
    assert [one.method for one in rules] == ["cqr", "cqr", "absolute", "absolute"]
    asked = {"prediction_interval": {"method": "absolute", "coverage": 0.95}}
    found = served.predict(data.rows, 200, 0, [asked])
    low, high = np.moveaxis(found.measures["prediction_interval"], -1, 0)
    np.testing.assert_allclose(high - low, 2 * rules[3].threshold)
    assert {"mpiw_0.9", "mpiw_0.9_absolute"} <= outcome.document.metrics.after.keys()


def test_all_methods_without_a_further_run_are_the_default(
    class_path: Path, sum_path: Path
) -> None:
    labels = models.with_labels(models.loaded(class_path), models.rows(60, 4, 29), 1.0, 30)
    numbers = models.with_noise(models.loaded(sum_path), models.rows(60, 3, 31), 1.0, 32)
    sets = fitted(class_path, labels)[0].document.sets
    intervals = fitted(sum_path, numbers)[0].document.intervals
    assert [one.method for one in sets[::2]] == ["aps", "lac"]
    assert [one.method for one in intervals[::2]] == ["normalized", "absolute"]
    with pytest.raises(InputError, match="sets are of a classification; a regression has inter"):
        fitted(sum_path, numbers, sets="lac")
