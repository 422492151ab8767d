"""`mcdropout predict` and `inspect` on a model with a calibration."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from models.zoo.data import digits_splits
from service import load_model
from service.cli import app
from tests.service.calibration.models import save_calibrated

X = digits_splits()[1].x[:3].astype(np.float32)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    np.save(folder / "x.npy", X)
    return save_calibrated(folder)


def run(command: str, path: Path, *arguments: object) -> Result:
    rows = [path.parents[2] / "x.npy"] if command == "predict" else []
    found = CliRunner().invoke(app, [command, str(path), *map(str, [*rows, *arguments])])
    assert found.exit_code == 0, found.output
    return found


def test_files_have_a_bool_for_each_class(path: Path, tmp_path: Path) -> None:
    wanted = load_model(path).predict(X, 50, 7).measures
    run("predict", path, "--passes", 50, "--seed", 7, "--output", tmp_path / "found.csv")
    with (tmp_path / "found.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["accept"] for line in lines] == [f"{one}" for one in wanted["accept"]]
    assert [line["reason"] for line in lines] == wanted["reason"].tolist()
    for digit in range(10):
        inside = [f"{one}" for one in wanted["prediction_set"][:, digit]]
        assert [line[f"prediction_set[{digit}]"] for line in lines] == inside


def test_json_of_rows_and_the_table_have_labels(path: Path, tmp_path: Path) -> None:
    wanted = load_model(path).predict(X, 50, 7).measures["prediction_set"]
    sets = [[str(n) for n in np.flatnonzero(inside)] for inside in wanted]
    how = ("--passes", 50, "--seed", 7)
    run("predict", path, *how, "--output", tmp_path / "found.json")
    rows = json.loads((tmp_path / "found.json").read_text())["predictions"]
    assert [row["prediction_set"] for row in rows] == sets
    table = run("predict", path, *how, "--measures", "prediction_set:0.95").output
    assert "prediction_set" in table
    plain = run("predict", path, *how, "--no-calibrated", "--json").output
    assert [*json.loads(plain)["outputs"]["probabilities"]] == ["mean", "variance"]


def test_inspect_shows_the_calibration(path: Path) -> None:
    text = " ".join(run("inspect", path).output.split())
    assert "500 rows of valid.npz, 2026-01-02" in text
    assert "lac 0.9, aps 0.95" in text
    found = json.loads(run("inspect", path, "--json").output)
    assert found["calibration"]["selection"]["threshold"] == 0.5
