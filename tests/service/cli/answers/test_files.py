"""Files of answers, read by other libraries."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from service.cli.answers.answer import Answer
from service.cli.answers.files import as_json, require_writable, write
from service.errors import InputError, MissingExtraError
from service.protocol.prediction import Stopped
from tests.service.cli.answers.fabricated import answer, shaped

MEAN = np.array([[0.1, 0.2, 0.7], [1 / 3, 0.5, 1e-17]])


@pytest.fixture
def found() -> Answer:
    quantities = {
        "mean": MEAN,
        "variance": MEAN / 7,
        "mutual_information": [0.1, 0.2],
        "quantiles": shaped(2, 3, 2),
        "samples": shaped(2, 4, 3),
        "predicted_class": [2, 1],
        "label": np.array(["bird", "a, dog"], object),
    }
    return answer("classification", {"p": quantities}, ["cat", "a, dog", "bird"], ids=["r1", "r2"])


COLUMNS = [
    "row",
    *("mean[cat]", "mean[a, dog]", "mean[bird]"),
    *("variance[cat]", "variance[a, dog]", "variance[bird]"),
    "mutual_information",
    *("quantiles[cat][0]", "quantiles[cat][1]", "quantiles[a, dog][0]", "quantiles[a, dog][1]"),
    *("quantiles[bird][0]", "quantiles[bird][1]"),
    *(f"samples[{n}][{label}]" for n in range(4) for label in ("cat", "a, dog", "bird")),
    *("predicted_class", "label"),
]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_table_has_a_column_for_each_element(tmp_path: Path, found: Answer, suffix: str) -> None:
    path = tmp_path / f"found.{suffix}"
    write(path, found)
    read = pd.read_csv if suffix == "csv" else pd.read_parquet
    frame = read(path, **({"float_precision": "round_trip"} if suffix == "csv" else {}))
    assert list(frame) == COLUMNS
    assert frame["row"].tolist() == ["r1", "r2"]
    assert frame["label"].tolist() == ["bird", "a, dog"]
    assert frame["predicted_class"].dtype == np.int64
    for name, values in found.columns["p"].items():
        if name != "label":
            columns = [c for c in COLUMNS if c.partition("[")[0] == name]
            read_again = frame[columns].to_numpy().reshape(values.shape)
            np.testing.assert_array_equal(read_again, values)


def test_columns_of_several_outputs_begin_with_output_name(tmp_path: Path) -> None:
    one = {"mean": [[0.2]], "variance": [[0.1]], "std": [[0.3]]}
    path, stopped = tmp_path / "found.csv", Stopped(np.array([64]), np.array([True]))
    write(path, answer("classification", {"a": one, "b": one}, ["ham", "spam"], stopped=stopped))
    with path.open(newline="") as file:
        head, row = csv.reader(file)
    assert head[:6] == [
        "row",
        "passes",
        "settled",
        "a.mean[spam]",
        "a.variance[spam]",
        "a.std[spam]",
    ]
    assert row == ["0", "64", "True", *["0.2", "0.1", "0.3"] * 2]


@pytest.mark.parametrize("task", ["regression", "other"])
def test_single_element_has_no_index(tmp_path: Path, task: str) -> None:
    path = tmp_path / "found.csv"
    write(path, answer(task, {"y": {"mean": [[0.2]], "variance": [[0.1]], "q": [[[1.0, 2.0]]]}}))
    assert path.read_text() == "row,mean,variance,q[0],q[1]\n0,0.2,0.1,1.0,2.0\n"


def test_json_has_the_form_of_a_server(tmp_path: Path, found: Answer) -> None:
    path = tmp_path / "found.json"
    write(path, found)
    read = json.loads(path.read_text())
    assert (read["passes"], read["seed"], len(read["predictions"])) == (100, 7, 2)
    for name, values in found.columns["p"].items():
        assert [row[name] for row in read["predictions"]] == values.tolist()


def test_json_and_npz_have_the_passes_of_each_row(tmp_path: Path) -> None:
    stopped = Stopped(np.array([64, 200]), np.array([True, False]))
    found = answer("regression", {"y": {"mean": shaped(2, 1)}}, stopped=stopped)
    for name in ("found.json", "found.npz"):
        write(tmp_path / name, found)
    with np.load(tmp_path / "found.npz") as arrays:
        read = {name: arrays[name].tolist() for name in ("row_passes", "row_settled")}
    assert read == {"row_passes": [64, 200], "row_settled": [True, False]}
    assert json.loads((tmp_path / "found.json").read_text()).items() > read.items()
    assert json.loads(as_json(found)).items() > read.items()


def test_npz_has_an_array_for_each_quantity(tmp_path: Path, found: Answer) -> None:
    path = tmp_path / "found.npz"
    write(path, found)
    with np.load(path) as arrays:
        read = dict(arrays)
    assert {name: read.pop(name).tolist() for name in ("row", "passes", "seed")} == {
        "row": ["r1", "r2"],
        "passes": 100,
        "seed": 7,
    }
    assert read.keys() == found.columns["p"].keys()
    for name, values in found.columns["p"].items():
        np.testing.assert_array_equal(read[name], values)


def test_invalid_outputs_are_refused_before_prediction(tmp_path: Path) -> None:
    there = tmp_path / "there.csv"
    there.write_text("precious")
    for path, said in (
        (Path("found.txt"), "--output is found.txt; it must end in .csv, .json, .npz or .parquet."),
        (there, "there.csv already exists. Name another file, or use --force to replace it."),
        (tmp_path / "no" / "found.csv", "no is not a writable folder."),
    ):
        with pytest.raises(InputError, match=said):
            require_writable(path, force=False)
    require_writable(there, force=True)
    assert there.read_text() == "precious"


def test_failed_write_keeps_existing_file(
    tmp_path: Path, found: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "found.npz"
    path.write_text("precious")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(InputError, match=r"found.npz cannot be written: No space left on device\."):
        write(path, found)
    assert [file.name for file in tmp_path.iterdir()] == ["found.npz"]
    assert path.read_text() == "precious"


def test_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r'pip install .*"\.\[parquet\]"'):
        require_writable(tmp_path / "found.parquet", force=False)
