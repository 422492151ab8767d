"""`mcdropout predict` on files, with the demo models."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pandas as pd
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from models.zoo.data import digits_splits
from service import Predictor, load_model
from service.cli import app
from service.core.measures import measures_of
from service.manifest import METADATA_KEY
from tests.conftest import ROOT, STORE, EditArtifact

CO2 = STORE / "co2" / "1" / "model.onnx"
DIGITS = STORE / "digits" / "1" / "model.onnx"
YEARS = [[1985.0], [2010.0]]
SEED = ("--passes", 50, "--seed", 7)


def predict(*arguments: object, stdin: str = "") -> Result:
    return CliRunner().invoke(app, ["predict", *map(str, arguments)], input=stdin)


@pytest.fixture(scope="module")
def co2() -> Predictor:
    return load_model(CO2)


@pytest.fixture(scope="module")
def wanted(co2: Predictor) -> list[list[float]]:
    mean: list[list[float]] = co2.predict(YEARS, 50, 7).mean.tolist()
    return mean


@pytest.fixture(scope="module")
def images() -> NDArray[np.float32]:
    return np.asarray(digits_splits()[1].x[:3], np.float32)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.json", json.dumps(YEARS)),
        ("rows.json", json.dumps({"instances": YEARS})),
        ("rows.json", json.dumps({"inputs": {"year": YEARS}})),
        ("rows.csv", "year\n1985\n2010.0\n"),
        ("rows.csv", "1985\n\n2010.0"),
        ("rows.tsv", "\tyear\na\t1985\nb\t2010,0\n"),
    ],
)
def test_rows_come_from_a_file(
    tmp_path: Path, wanted: list[list[float]], name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    ended = predict(CO2, tmp_path / name, *SEED, "--output", "json")
    assert ended.exit_code == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert (found["passes"], found["seed"]) == (50, 7)
    assert found["outputs"]["ppm"]["mean"] == wanted


def test_rows_come_from_numpy_and_from_standard_input(
    tmp_path: Path, wanted: list[list[float]]
) -> None:
    np.save(tmp_path / "rows.npy", np.array(YEARS))
    np.savez(tmp_path / "rows.npz", year=np.array(YEARS))
    for ended in (
        predict(CO2, tmp_path / "rows.npy", *SEED, "--json"),
        predict(CO2, tmp_path / "rows.npz", *SEED, "--json"),
        predict(CO2, "-", *SEED, "--json", stdin=json.dumps(YEARS)),
    ):
        assert json.loads(ended.stdout)["outputs"]["ppm"]["mean"] == wanted


def test_stopping_rule_is_given_as_text() -> None:
    rule = ("--passes", "max=100,tolerance=0.2", "--seed", 7)
    found = json.loads(predict(CO2, "-", *rule, "--json", stdin=json.dumps(YEARS)).stdout)
    wanted = load_model(CO2).predict(YEARS, {"max": 100, "tolerance": 0.2}, 7)
    assert wanted.row_passes is not None
    assert found["row_passes"] == wanted.row_passes.tolist() == [20, 100]
    assert found["row_settled"] == [True, False]


def test_process_prints_only_json(wanted: list[list[float]]) -> None:
    command = [sys.executable, "-m", "mcdropout", "predict", CO2, "-", *SEED, "--json"]
    ended = subprocess.run(
        [*map(str, command)], input=json.dumps(YEARS), capture_output=True, text=True, timeout=60
    )
    assert json.loads(ended.stdout)["outputs"]["ppm"]["mean"] == wanted
    assert ended.stderr == ""


@pytest.mark.parametrize(
    ("write", "flags"),
    [
        (lambda frame, path: frame.to_csv(path), []),
        (lambda frame, path: frame.to_csv(path, index=False), ["--header"]),
        (lambda frame, path: frame.to_csv(path, index=False, header=False), []),
        (lambda frame, path: frame.to_csv(path, sep=";", decimal=",", encoding="utf-8-sig"), []),
        (lambda frame, path: frame.add_prefix("pixel").to_csv(path, index=False, sep="\t"), []),
    ],
)
def test_pandas_files_are_predicted_row_by_row(
    tmp_path: Path,
    digits: Predictor,
    images: NDArray[np.float32],
    write: Callable[[pd.DataFrame, Path], None],
    flags: list[str],
) -> None:
    path = tmp_path / "rows.csv"
    write(pd.DataFrame(images), path)
    ended = predict(DIGITS, path, *SEED, *flags, "--json")
    assert ended.exit_code == 0, ended.stderr
    mean = json.loads(ended.stdout)["outputs"]["probabilities"]["mean"]
    assert mean == digits.predict(images, 50, 7).mean.tolist()


def test_numeric_header_is_refused(tmp_path: Path, images: NDArray[np.float32]) -> None:
    pd.DataFrame(images).to_csv(tmp_path / "rows.csv", index=False)
    ended = predict(DIGITS, tmp_path / "rows.csv")
    assert ended.exit_code == 2
    assert ended.stdout == ""
    assert "may be a header or a row. Say which with --header or --no-header." in ended.stderr


def test_table_has_a_line_for_each_row(tmp_path: Path, digits: Predictor) -> None:
    row = ",".join(["4"] * 64)
    (tmp_path / "rows.csv").write_text(f"{row}\n{row}\n")
    flags = ("--seed", 7, "--measures", "predictive_entropy,quantiles:0.5", "--no-calibrated")
    ended = predict(DIGITS, tmp_path / "rows.csv", *flags)
    assert ended.exit_code == 0, ended.stderr
    title, head, *lines = ended.stdout.splitlines()
    assert title == "probabilities: mean ± standard deviation over 100 passes, seed 7"
    assert head.split() == [
        "row",
        "class",
        "mean",
        "±",
        "deviation",
        "runner-up",
        *(
            "predictive_entropy",
            "quantiles",
        ),
    ]
    found = digits.predict([[4.0] * 64], seed=7, measures=["predictive_entropy"])
    entropy = f"{found.measures['predictive_entropy'][0]:.4g}"
    assert [line.split()[0] for line in lines] == ["0", "1"]
    for line in lines:
        assert line.split()[1] == str(found.mean[0].argmax())
        assert line.split()[-2][:4] == entropy[:4]


def test_guide_shows_printed_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Except for the numbers, which depend on the machine."""
    guide = (ROOT / "docs" / "predict.md").read_text()
    monkeypatch.chdir(ROOT)
    command, shown = re.findall(r"```(?:sh)?\n(.*?)```", guide, re.DOTALL)[:2]
    ended = predict(*command.split()[2:])
    assert [line.split()[:2] for line in ended.stdout.splitlines()] == [
        line.split()[:2] for line in shown.splitlines()
    ]
    assert ended.stdout.splitlines()[1] == shown.splitlines()[1]


def test_every_option_is_a_flag(digits: Predictor) -> None:
    options: dict[str, Any] = {
        "passes": 20,
        "seed": 3,
        "measures": ["variation_ratio", "quantiles:0.1:0.9"],
        "masks": "per_row",
        "rate_scale": 0.5,
        "sites": [digits.manifest.sites[0].name, digits.manifest.sites[2].name],
    }
    example = [digits.manifest.inputs[0].example]
    wanted = digits.predict(example, **options)
    for together in (True, False):
        flags: list[str] = []
        for name, value in options.items():
            values = value if isinstance(value, list) else [value]
            flag = f"--{name.replace('_', '-')}"
            if together:
                flags += [flag, ",".join(map(str, values))]
            else:
                single = flag.removesuffix("s") if isinstance(value, list) else flag
                flags += [part for one in values for part in (single, str(one))]
        ended = predict(DIGITS, "--example", "--json", *flags)
        assert ended.exit_code == 0, ended.stderr
        found = json.loads(ended.stdout)["outputs"]["probabilities"]
        assert found["mean"] == wanted.mean.tolist()
        for name, measured in wanted.measures.items():
            assert found[name] == measured.tolist()


def test_folder_of_a_model_is_answered_with_its_file() -> None:
    for folder in (CO2.parent, CO2.parent.parent):
        ended = predict(folder, "--example")
        assert f"{folder} cannot be read: Is a directory. Give a file, such as {CO2}." in (
            ended.stderr
        )


@pytest.mark.parametrize(
    ("flags", "advice"),
    [
        (("--passes", 1), "For the answer without dropout use --deterministic."),
        (("--site", ""), "or use --deterministic."),
    ],
)
def test_errors_advise_flags(flags: tuple[object, ...], advice: str) -> None:
    ended = predict(CO2, "--example", *flags)
    assert ended.exit_code == 2
    assert advice in ended.stderr


def test_deterministic_runs_with_dropout_off(co2: Predictor) -> None:
    ended = predict(CO2, "-", "--deterministic", "--json", stdin=json.dumps(YEARS))
    wanted = co2.predict_deterministic(YEARS)["ppm"]
    assert json.loads(ended.stdout) == {"outputs": {"ppm": {"output": wanted.tolist()}}}
    ended = predict(CO2, "--example", "--deterministic", "--rate-scale", "0.5", "--seed", 7)
    assert ended.exit_code == 2
    assert ended.stderr == (
        "error: --deterministic runs one pass with dropout off: leave out --seed, --rate-scale.\n"
    )


def test_output_file_is_replaced_only_with_force(tmp_path: Path, co2: Predictor) -> None:
    (tmp_path / "rows.csv").write_text(",year\nthen,1985\nnow,2010\n")
    path = tmp_path / "found.csv"
    arguments = (CO2, tmp_path / "rows.csv", "--passes", 20, "--seed", 7, "--output", path)
    ended = predict(*arguments)
    assert (ended.exit_code, ended.stdout) == (0, ""), ended.stderr
    assert ended.stderr == f"wrote {path}: 2 rows, passes 20, seed 7\n"
    frame = pd.read_csv(path, index_col="row", float_precision="round_trip")
    wanted = co2.predict(YEARS, 20, 7)
    assert frame.index.tolist() == ["then", "now"]
    assert frame["mean"].tolist() == wanted.mean.ravel().tolist()
    assert frame["variance"].tolist() == wanted.variance.ravel().tolist()
    before = path.read_bytes()
    ended = predict(*arguments, "--passes", 30)
    assert ended.exit_code == 2
    assert ended.stderr.endswith(
        "already exists. Name another file, or use --force to replace it.\n"
    )
    assert path.read_bytes() == before
    assert predict(*arguments, "--passes", 30, "--force").exit_code == 0
    assert path.read_bytes() != before


@pytest.mark.parametrize("suffix", ["csv", "json", "npz", "parquet"])
def test_output_files_have_every_measure(tmp_path: Path, digits: Predictor, suffix: str) -> None:
    """Strings, integers and floats, and several axes."""
    measures = measures_of(digits.terms.widest.facts)
    path = tmp_path / f"found.{suffix}"
    flags = ("--measures", ",".join(measures), "--output", path)
    ended = predict(DIGITS, "--example", *SEED, *flags)
    assert ended.exit_code == 0, ended.stderr
    example = [digits.manifest.inputs[0].example]
    wanted = digits.predict(example, 50, 7, measures).measures
    if suffix == "json":
        (found,) = json.loads(path.read_text())["predictions"]
        row = {name: values[0].tolist() for name, values in wanted.items()}
        row["prediction_set"] = np.array([*"0123456789"])[row["prediction_set"]].tolist()
        assert {name: found[name] for name in measures} == row
    elif suffix == "npz":
        with np.load(path) as arrays:
            for name, values in wanted.items():
                np.testing.assert_array_equal(arrays[name], values)
    else:
        frame = pd.read_parquet(path) if suffix == "parquet" else pd.read_csv(path)
        for name, values in wanted.items():
            columns = [column for column in frame if column.partition("[")[0] == name]
            assert len(columns) == values.size


def test_json_files_are_the_answers_of_the_server(tmp_path: Path, client: httpx.Client) -> None:
    path = tmp_path / "found.json"
    ended = predict(CO2, "-", *SEED, "--output", path, stdin=json.dumps(YEARS))
    assert ended.exit_code == 0, ended.stderr
    body = {"instances": YEARS, "passes": 50, "seed": 7}
    answer = client.post("/v1/models/co2:predict", json=body).json()
    assert json.loads(path.read_text()) == {
        key: value for key, value in answer.items() if key not in ("model", "version")
    }


def test_example_is_that_of_the_model(co2: Predictor) -> None:
    ended = predict(CO2, "--example", *SEED, "--json")
    mean = json.loads(ended.stdout)["outputs"]["ppm"]["mean"]
    assert mean == co2.predict([co2.manifest.inputs[0].example], 50, 7).mean.tolist()
    assert ended.stderr == ""


def test_model_without_example_predicts_zeros_with_a_note(
    edit_artifact: EditArtifact, digits: Predictor
) -> None:
    def forget(model: onnx.ModelProto) -> None:
        (entry,) = (e for e in model.metadata_props if e.key == METADATA_KEY)
        manifest = json.loads(entry.value)
        del manifest["inputs"][0]["example"]
        entry.value = json.dumps(manifest)

    ended = predict(edit_artifact(forget), "--example", *SEED, "--json")
    assert ended.stderr == "The model has no example row; this is one of zeros.\n"
    mean = json.loads(ended.stdout)["outputs"]["probabilities"]["mean"]
    assert mean == digits.predict([[0.0] * 64], 50, 7).mean.tolist()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.txt", "", "rows.txt is not a .npy, .npz, .json, .csv or .tsv file."),
        ("rows.json", "{", "rows.json is not JSON: Expecting property name"),
        ("rows.csv", "1985\nx\n", "rows.csv, line 2, column 1 is 'x'; the model expects float32."),
        ("rows.csv", "1985\n1,2\n", "rows.csv, line 2 has 2 cells, and line 1 has 1."),
        ("rows.csv", "1,2\n", "rows.csv, line 1 has 2 columns; the model expects 1, the elements"),
        ("rows.npy", "no", "rows.npy is not a NumPy file of numbers or texts. Write it with"),
        ("rows.npz", "PK\x03\x04", "rows.npz cannot be read: "),
        (
            "rows.json",
            "[[1e39]]",
            "x[0][0] is 1e+39; the model expects float32, which cannot represent",
        ),
    ],
)
def test_invalid_files_are_explained(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    ended = predict(CO2, tmp_path / name)
    assert ended.exit_code == 2
    assert message in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.onnx", "--example"], "error: no.onnx cannot be read: No such file"),
        ([CO2, "no.json"], "error: no.json cannot be read: No such file or directory."),
        ([CO2], "error: give rows, which is a file or - for standard input, or --example."),
        ([CO2, "-", "--example"], "error: give rows, which is a file or - for standard input, or"),
        (
            [CO2, "-", "--header"],
            "error: --header and --no-header apply only to .csv",
        ),
        ([CO2, "--example", "--output", "x.txt"], "error: --output is x.txt; it must end in .csv"),
        ([CO2, "--example", "--sites", "a,,b"], "error: sites names ['', 'a', 'b']; the model has"),
        ([CO2, "--example", "--passes", "1"], "error: passes is 1; a variance needs at least 2."),
    ],
)
def test_invalid_arguments_are_explained(arguments: list[object], message: str) -> None:
    ended = predict(*arguments)
    assert ended.exit_code == 2
    assert ended.stderr.startswith(message)
    assert ended.stdout == ""
