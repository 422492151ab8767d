"""`mcdropout evaluate` on a multi-label classification, against scikit-learn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score
from typer.testing import CliRunner

from service import Predictor, load_model
from service.cli import app
from service.evaluation.document import Evaluation, read_evaluation
from service.fitting import calibrate
from tests.service.fitting import fitted_models as models

Array = NDArray[Any]
ROWS, PASSES = 300, 30


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a calibration, and labeled data beside it."""
    folder = tmp_path_factory.mktemp("labels")
    path = models.label_model(folder)
    model = models.loaded(path)
    valid, test = (
        models.with_flags(model, models.rows(ROWS, 4, seed), 1.6, seed) for seed in (1, 2)
    )
    calibrate(path, valid.rows["x"], valid.targets, coverage=0.6).save()
    columns = {"d": 3, "b": 1, "a": 0, "c": 2}  # named by the labels, in any order
    flags = {name: test.targets[:, place] for name, place in columns.items()}
    np.savez(folder / "test.npz", x=test.rows["x"], y=test.targets)
    with (folder / "test.csv").open("w") as file:
        print(*(f"x[{i}]" for i in range(4)), *flags, sep=",", file=file)
        for x, *row in zip(test.rows["x"], *flags.values(), strict=True):
            print(*map(repr, x.tolist()), *map(int, row), sep=",", file=file)
    return path


def run(path: Path, data: str, *flags: str) -> tuple[Evaluation, str]:
    to = path.with_name(f"{data}.json")
    how = ["--passes", f"{PASSES}", "--bootstrap", "20", "--rate-scale", "", "--masks", "shared"]
    arguments = ["evaluate", path, "--data", path.with_name(data), *flags, "--output", to, *how]
    done = CliRunner(env={"COLUMNS": "120"}).invoke(app, [str(one) for one in arguments])
    assert done.exit_code == 0, done.output
    return read_evaluation(to), done.stdout


@pytest.fixture(scope="module")
def evaluated(path: Path) -> tuple[Evaluation, str]:
    return run(path, "test.npz")


@pytest.fixture(scope="module")
def model(path: Path) -> Predictor:
    return load_model(path)


def told(setting: str, model: Predictor, x: Array) -> Array:
    """(B, K) probabilities of the labels in a setting."""
    if setting == "deterministic":
        return model.predict_deterministic(x)["y"]
    if setting == f"{PASSES} passes":
        return model.predict(x, PASSES, 0, calibrated=False).mean
    return model.predict(x, 50, 0, masks="per_row", calibrated=True).measures["calibrated"]


def ece(p: Array, y: Array) -> float:
    """Of 15 bins of equal width, of the confidence in what is predicted of each label."""
    confidence, right = np.maximum(p, 1 - p).ravel(), ((p > 0.5) == y).ravel()
    shares, means = calibration_curve(right, confidence, n_bins=15)
    rows, _ = np.histogram(confidence, np.linspace(0, 1, 16))
    return float(np.abs(shares - means) @ rows[rows > 0] / len(confidence))


@pytest.mark.parametrize("setting", ["deterministic", f"{PASSES} passes", "calibrated, 50 passes"])
def test_metrics_are_those_of_scikit_learn(
    setting: str, evaluated: tuple[Evaluation, str], model: Predictor, path: Path
) -> None:
    found = evaluated[0].result(setting).metrics
    data = np.load(path.with_name("test.npz"))
    y, p = data["y"], told(setting, model, data["x"]).astype(np.float64)
    wanted = {
        "accuracy": accuracy_score(y.ravel(), p.ravel() > 0.5),
        "exact_match": accuracy_score(y, p > 0.5),
        "nll": log_loss(y.ravel(), p.ravel()),
        "brier": 2 * brier_score_loss(y.ravel(), p.ravel()),
        "ece": ece(p, y),
    }
    assert {name: found[name].value for name in wanted} == pytest.approx(wanted, rel=1e-6)


def test_measures_find_the_wrong_labels_as_well_as_scikit_learn_says(
    evaluated: tuple[Evaluation, str], model: Predictor, path: Path
) -> None:
    data = np.load(path.with_name("test.npz"))
    names = ["predictive_entropy", "mutual_information", "confidence"]
    predicted = model.predict(data["x"], PASSES, 0, names, calibrated=False)
    wrong = (predicted.mean > 0.5) != data["y"]
    for name in names:
        values = predicted.measures[name] * (-1 if name == "confidence" else 1)
        found = evaluated[0].result().measures[name].metrics["auroc"].value
        assert found == pytest.approx(roc_auc_score(wrong.ravel(), values.ravel()), rel=1e-6)


def test_columns_named_by_the_labels_are_the_same_data(
    evaluated: tuple[Evaluation, str], path: Path
) -> None:
    targets = [part for label in "dbac" for part in ("--target", label)]
    found, _ = run(path, "test.csv", *targets)
    assert found.result().metrics == evaluated[0].result().metrics


def test_sets_are_those_of_answers(
    evaluated: tuple[Evaluation, str], model: Predictor, path: Path
) -> None:
    data = np.load(path.with_name("test.npz"))
    answers, y = model.predict(data["x"], 50, 0, masks="per_row"), data["y"]
    inside = answers.measures["prediction_set"]
    found = evaluated[0].result("calibrated, 50 passes").sets[0]
    size, held = inside.sum(axis=1), (inside | ~y).all(axis=1)
    wanted = [held.mean(), size.mean(), (size == 0).mean(), (size == 1).mean()]
    shares = [found.coverage, found.size, found.empty, found.single]
    assert [one.value for one in shares] == pytest.approx(wanted)
    for one in (one for one in found.by_size if one.name in "123"):
        these = size == int(one.name)
        assert one.rows == these.sum()
        assert one.coverage.value == pytest.approx(held[these].mean())
    assert sum(one.rows for one in found.by_size) == ROWS
    of_labels = {name: inside[y[:, n], n].mean() for n, name in enumerate("abcd")}
    assert found.least.coverage.value == pytest.approx(min(of_labels.values()))
    assert of_labels[found.least.name] == min(of_labels.values())
    assert found.least.rows == y[:, "abcd".index(found.least.name)].sum()


def test_decisions_are_those_of_rows(
    evaluated: tuple[Evaluation, str], model: Predictor, path: Path
) -> None:
    data = np.load(path.with_name("test.npz"))
    answers = model.predict(data["x"], 50, 0, masks="per_row")
    accept = answers.measures["accept"]
    wrong = ((answers.mean > 0.5) != data["y"]).any(axis=1)
    found = evaluated[0].result("calibrated, 50 passes").acceptance
    assert found is not None
    shares = [found.share.value, found.risk.value, found.risk_of_all.value]
    assert shares == pytest.approx([accept.mean(), wrong[accept].mean(), wrong.mean()])


def test_tables_show_labels_and_rows(evaluated: tuple[Evaluation, str]) -> None:
    text = evaluated[1]
    assert "exact_match" in text
    assert "calibrated, 50 passes" in text
