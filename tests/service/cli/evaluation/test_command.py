"""`mcdropout evaluate` on a demo model."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from models.zoo.data import digits_halves
from service.cli import app
from service.evaluation.document import read_evaluation
from tests.conftest import STORE

DIGITS = STORE / "digits" / "1" / "model.onnx"
QUICK = ("--passes", "4,20", "--bootstrap", 20, "--rate-scale", "0.5", "--masks", "shared")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "test.npz"
    _, test = digits_halves()
    np.savez(path, pixels=test.x[:60], digit=test.y[:60])
    return path


def evaluate(*arguments: object, width: int = 80) -> Result:
    return CliRunner(env={"COLUMNS": str(width)}).invoke(
        app, ["evaluate", str(DIGITS), *map(str, arguments)]
    )


def test_tables_and_file_show_the_settings(data: Path, tmp_path: Path) -> None:
    path, page = tmp_path / "evaluation.json", tmp_path / "report.html"
    files = ("--output", path, "--report", page)
    done = evaluate("--data", data, "--target", "digit", "--ood", data, *files, *QUICK)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    for start in (
        *("deterministic", "4 passes", "20 passes", "accuracy", "mutual_information"),
        *("minus 20 passes", "* not 0, at 95 %", "aps 90 %", "wrong among accepted"),
        "accepted, out of distribution",
    ):
        assert any(line.startswith(start) for line in lines), done.stdout
    assert max(map(len, lines)) <= 80
    assert "There are only 60 rows" in " ".join(done.stdout.split())
    assert "with which the model was" not in " ".join(done.stdout.split())
    found = read_evaluation(path)
    assert [result.setting.name for result in found.results] == [
        *("deterministic", "4 passes", "20 passes", "20 passes, rates × 0.5"),
        "calibrated, 100 passes",
    ]
    assert found.other is not None
    assert found.command is not None
    assert page.read_text("utf-8").startswith("<!doctype html>")


def test_json_is_the_document(data: Path) -> None:
    done = evaluate("--data", data, "--target", "digit", "--json", *QUICK, "--rate-scale", "")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith('{\n "format_version": 1')


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ([], "has no targets; it has ['pixels', 'digit']"),
        (["--target", "digit", "--passes", "ten"], "--passes is 'ten'; give whole numbers"),
        (["--target", "digit", "--rate-scale", "7"], "rate_scale is 7"),
        (
            ["--target", "digit", "--output", "/dev/null/e.json"],
            "/dev/null is not a writable folder",
        ),
    ],
)
def test_wrong_flag_is_an_error(data: Path, flags: list[str], text: str) -> None:
    done = evaluate("--data", data, *flags)
    assert done.exit_code == 2
    assert text in done.stderr


def test_existing_file_is_kept_without_force(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "evaluation.json"
    path.touch()
    done = evaluate("--data", data, "--target", "digit", "--output", path)
    assert done.exit_code == 2
    assert "already exists" in done.stderr
