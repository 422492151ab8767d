"""`mcdropout predict`, run as a process on files."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from service import Predictor, load_model
from tests.conftest import STORE

CO2 = STORE / "co2" / "1" / "model.onnx"
YEARS = [[1985.0], [2010.0]]


def predict(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service.cli", "predict", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def wanted() -> list[list[float]]:
    mean: list[list[float]] = load_model(CO2).predict(YEARS, 50, 7).mean.tolist()
    return mean


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.json", json.dumps(YEARS)),
        ("rows.json", json.dumps({"instances": YEARS})),
        ("rows.json", json.dumps({"inputs": {"year": YEARS}})),
        ("rows.csv", "year\n1985\n2010.0\n"),
        ("rows.csv", "1985\n\n2010.0"),
    ],
)
def test_rows_come_from_a_file(
    tmp_path: Path, wanted: list[list[float]], name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    ended = predict(CO2, tmp_path / name, "--passes", 50, "--seed", 7, "--output", "json")
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert (found["passes"], found["seed"]) == (50, 7)
    assert found["outputs"]["ppm"]["mean"] == wanted


def test_rows_come_from_numpy_and_from_standard_input(
    tmp_path: Path, wanted: list[list[float]]
) -> None:
    np.save(tmp_path / "rows.npy", np.array(YEARS))
    options = ("--passes", 50, "--seed", 7, "--output", "json")
    for ended in (
        predict(CO2, tmp_path / "rows.npy", *options),
        predict(CO2, "-", *options, stdin=json.dumps(YEARS)),
    ):
        assert json.loads(ended.stdout)["outputs"]["ppm"]["mean"] == wanted


def test_a_table_has_labels_deviations_and_measures(tmp_path: Path, digits: Predictor) -> None:
    """A line of a CSV is flat; this model's rows are, too."""
    row = ",".join(["4"] * 64)
    (tmp_path / "rows.csv").write_text(f"{row}\n{row}\n")
    ended = predict(
        *(STORE / "digits" / "1" / "model.onnx", tmp_path / "rows.csv"),
        *("--seed", 7, "--measure", "predictive_entropy"),
    )
    assert ended.returncode == 0, ended.stderr
    assert "probabilities: mean ± standard deviation over 100 passes, seed 7" in ended.stdout
    assert ended.stdout.count("±") == 2 + 2 * 5  # title, heading, and the five likeliest
    assert ended.stdout.count("… 5 more") == 2
    entropy = digits.predict([[4.0] * 64], seed=7, measures=["predictive_entropy"])
    assert f"{entropy.measures['predictive_entropy'][0]:.4g}"[:3] in ended.stdout


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.txt", "", "rows.txt is not a .npy, .json or .csv file."),
        ("rows.json", "{", "rows.json is not JSON: Expecting property name"),
        ("rows.csv", "1985\nx\n", "row 2: 'x' is not a number."),
        ("rows.csv", "1985\n1,2\n", "row 2 has 2 values, and the first has 1."),
        ("rows.csv", "1,2\n", "x has shape (1, 2) and dtype float64; the model expects float32 of"),
        ("rows.npy", "no", "rows.npy cannot be read: "),
        (
            "rows.json",
            "[[1e39]]",
            "x[0][0] is 1e+39; the model expects float32, which cannot represent",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    ended = predict(CO2, tmp_path / name)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_files_that_are_not_there_are_said(tmp_path: Path) -> None:
    assert "No such file" in predict(CO2, tmp_path / "no.json").stderr
    assert predict(tmp_path / "no.onnx", "-", stdin="[]").returncode == 2
