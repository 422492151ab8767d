"""`mcdropout calibrate`, run as a command in this process."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from models.zoo.data import digits_splits
from service import load_model
from service.cli import app


@pytest.fixture
def model(digits_path: Path, tmp_path: Path) -> Path:
    path = tmp_path / "digits" / "1" / "model.onnx"
    path.parent.mkdir(parents=True)
    shutil.copy(digits_path, path)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    test = digits_splits()[1]
    path = tmp_path / "valid.npz"
    np.savez(path, pixels=test.x[:200], digit=test.y[:200])
    return path


def calibrate(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["calibrate", *map(str, arguments)])


def refused(code: int, *arguments: object) -> str:
    ended = calibrate(*arguments)
    assert ended.exit_code == code, ended.output
    return " ".join(ended.output.split())


def test_calibration_is_written_beside_the_model_and_applied(model: Path, data: Path) -> None:
    ended = calibrate(model, "--data", data, "--target", "digit", "--coverage", 0.8, "--passes", 20)
    assert ended.exit_code == 0, ended.output
    for said in ("temperature", "prediction sets: aps", "predictive_entropy at most", "nll"):
        assert said in ended.output
    document = load_model(model).calibration.document
    assert document is not None
    assert (document.sampling.passes, document.data.name) == (20, "valid.npz")
    assert document.sampling.masks == "per_row"
    assert f"wrote {model.with_name('calibration.json')}" in ended.output.replace("\n", "")
    text = refused(2, model, "--data", data, "--target", "digit")
    assert "already exists" in text


def test_a_broken_calibration_is_replaced_without_a_word(
    model: Path, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model.with_name("calibration.json").write_text("{")
    flags = ("--data", data, "--target", "digit", "--passes", 5, "--coverages", "0.8")
    ended = calibrate(model, *flags, "--force")
    assert ended.exit_code == 0, ended.output
    assert not caplog.messages
    assert load_model(model).calibration.document is not None


def test_document_is_printed_as_json(model: Path, data: Path, tmp_path: Path) -> None:
    to = tmp_path / "other.json"
    flags = ("--target", "digit", "--passes", 5, "--coverages", "0.8", "--sets", "lac", "--json")
    ended = calibrate(model, "--data", data, "--output", to, "--masks", "shared", *flags)
    assert ended.exit_code == 0, ended.output
    printed = json.loads(ended.stdout)
    assert printed == json.loads(to.read_text())
    assert [(one["method"], one["coverage"]) for one in printed["sets"]] == [("lac", 0.8)]
    assert printed["sampling"]["masks"] == "shared"


def test_methods_of_sets_are_fitted_in_their_order(model: Path, data: Path) -> None:
    flags = ("--target", "digit", "--passes", 5, "--sets", "lac,aps", "--coverages", "0.9,0.8")
    ended = calibrate(model, "--data", data, *flags)
    assert ended.exit_code == 0, ended.output
    assert "prediction sets: lac, aps, with a coverage of 0.9, 0.8" in ended.output
    document = load_model(model).calibration.document
    assert document is not None
    assert [(one.method, one.coverage) for one in document.sets] == [
        *(("lac", 0.9), ("lac", 0.8)),
        *(("aps", 0.9), ("aps", 0.8)),
    ]


def test_risk_that_is_not_reached_ends_with_one_and_writes_nothing(model: Path, data: Path) -> None:
    flags = ("--target", "digit", "--passes", 5, "--target-risk", 0.001)
    text = refused(1, model, "--data", data, *flags)
    assert "no threshold has a risk of at most 0.001" in text
    assert not model.with_name("calibration.json").exists()


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (("--target", "letter"), "no 'letter' for the targets"),
        ((), "no targets"),
        (("--target", "digit", "--coverages", "0.9,x"), "--coverages has 'x'; it takes numbers"),
        (("--target", "digit", "--rate-scale", "fits"), "--rate-scale has 'fits'"),
        (("--target", "digit", "--sets", "lac,x"), "sets has 'x'; the methods are lac, aps"),
        (("--target", "digit", "--intervals", "cqr"), "intervals are of a regression"),
        (("--target", "digit", "--coverages", "0.999"), "needs 999 of those: at least 1997 rows"),
    ],
)
def test_unfit_arguments_are_refused(
    model: Path, data: Path, flags: tuple[str, ...], text: str
) -> None:
    assert text in refused(2, model, "--data", data, "--passes", 2, *flags)


def test_a_single_pass_is_refused(model: Path, data: Path) -> None:
    text = refused(2, model, "--data", data, "--target", "digit", "--passes", 1)
    assert "'--passes': Input should be greater than or equal to 2" in text


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"digit": np.full(200, 10)}, "the classes are 0 to 9"),
        ({"pixels": np.zeros((200, 63))}, "(rows, 64)"),
        ({"pixels": np.full((200, 64), np.nan)}, "nan"),
        ({"digit": np.zeros(199, int)}, "each row needs one"),
    ],
)
def test_unfit_data_are_refused(
    model: Path, data: Path, change: dict[str, np.ndarray], text: str
) -> None:
    np.savez(data, **{**np.load(data), **change})
    assert text in refused(2, model, "--data", data, "--target", "digit", "--passes", 2)
