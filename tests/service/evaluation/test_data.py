"""Labeled data from files and arrays."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest

from models.zoo.data import digits_splits
from service import Predictor, load_model
from service.annotations import Annotations
from service.cli.annotated_copy import write_annotated
from service.errors import InputError
from service.evaluation.data import Labeled, labeled, read_labeled, read_unlabeled
from service.manifest import METADATA_KEY
from tests.conftest import STORE, EditArtifact
from tests.service.reference import save

COUNT = 12


@pytest.fixture(scope="module")
def co2() -> Predictor:
    return load_model(STORE / "co2" / "1" / "model.onnx")


@pytest.fixture(scope="module")
def images() -> Labeled:
    _, test = digits_splits()
    model = load_model(STORE / "digits" / "1" / "model.onnx")
    return labeled(model, test.x[:COUNT], test.y[:COUNT])


def write(path: Path, data: Labeled, target: str) -> None:
    """A file of images and targets."""
    x, y = data.rows["pixels"], data.targets
    if path.suffix == ".npz":
        arrays: dict[str, Any] = {"pixels": x, target: y}
        np.savez(path, **arrays)
        return
    frame = pd.DataFrame(x).rename(columns="pixel {}".format)
    frame.insert(3, target, y)
    if path.suffix == ".csv":
        frame.to_csv(path)
    else:
        frame.to_parquet(path)


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".parquet"])
@pytest.mark.parametrize(
    ("target", "asked"), [("y", ()), ("probabilities", ()), ("digit", ("digit",))]
)
def test_file_has_rows_and_targets(
    digits: Predictor, images: Labeled, tmp_path: Path, suffix: str, target: str, asked: Any
) -> None:
    path = tmp_path / f"test{suffix}"
    write(path, images, target)
    found = read_labeled(path, digits, asked)
    assert (found.name, len(found)) == (path.name, COUNT)
    assert found.rows["pixels"].dtype == np.float32
    assert np.array_equal(found.rows["pixels"], images.rows["pixels"])
    assert np.array_equal(found.targets, images.targets)


def test_array_x_is_the_only_input(digits: Predictor, images: Labeled, tmp_path: Path) -> None:
    path = tmp_path / "test.npz"
    np.savez(path, x=images.rows["pixels"], y=images.targets)
    assert np.array_equal(read_labeled(path, digits).rows["pixels"], images.rows["pixels"])


def test_regression_reads_numbers(co2: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "test.csv"
    lines = [f"{1960 + i};{310 + i},5" for i in range(COUNT)]
    path.write_text("\n".join(["year;measured", *lines]))
    found = read_labeled(path, co2, ["measured"])
    assert found.targets.tolist() == [[310.5 + i] for i in range(COUNT)]


def test_rows_without_targets_leave_them_out(
    digits: Predictor, images: Labeled, tmp_path: Path
) -> None:
    for target in ("y", "digit"):
        path = tmp_path / "other.npz"
        write(path, images, target)
        found = read_unlabeled(path, digits, ["digit"])
        assert np.array_equal(found.rows["pixels"], images.rows["pixels"])


def frame(rows: int = COUNT) -> pd.DataFrame:
    return pd.DataFrame({"year": np.arange(1960.0, 1960 + rows), "ppm": 310.0})


@pytest.mark.parametrize(
    ("content", "target", "text"),
    [
        (
            frame(),
            ["co"],
            r"no 'co' for the targets; it has .* Name .* --target",
        ),
        (frame(), ["year"], "has no 'year' for the targets"),
        (frame().rename(columns={"ppm": "co"}), [], "has no targets; it has"),
        (frame().assign(site="a"), [], r"has the unknown columns \['site'\]|has 2 columns"),
        (frame(5), [], "has 5 rows; at least 10 are needed"),
        (frame().assign(ppm=[310.0] * 11 + [np.nan]), [], r"row 11|line 13.* is empty"),
        (frame().assign(year=[np.inf] + [1960.0] * 11), [], "finite"),
        (frame().assign(ppm=[-np.inf] + [310.0] * 11), [], "finite"),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_wrong_table_is_refused(
    co2: Predictor, tmp_path: Path, suffix: str, content: pd.DataFrame, target: Any, text: str
) -> None:
    path = tmp_path / f"test{suffix}"
    if suffix == ".csv":
        content.to_csv(path, index=False)
    else:
        content.to_parquet(path)
    with pytest.raises(InputError, match=text) as caught:
        read_labeled(path, co2, target)
    assert path.name in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"year": np.zeros((12, 1)), "y": np.zeros(11)}, "has 12 rows and 11 targets"),
        ({"years": np.zeros((12, 1)), "y": np.zeros(12)}, r"names inputs \['years'\]"),
        ({"year": np.full((12, 1), np.nan), "y": np.zeros(12)}, r"x.year\[0\]\[0\] is nan"),
        ({"year": np.zeros((12, 1))}, "has no targets"),
    ],
)
def test_wrong_arrays_are_refused(
    co2: Predictor, tmp_path: Path, arrays: dict[str, Any], text: str
) -> None:
    path = tmp_path / "test.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=text) as caught:
        read_labeled(path, co2)
    assert path.name in str(caught.value)


def test_other_files_are_refused(co2: Predictor, tmp_path: Path) -> None:
    (tmp_path / "test.json").write_text("[]")
    with pytest.raises(InputError, match=r"is not a .npz, .csv, .tsv or .parquet file"):
        read_labeled(tmp_path / "test.json", co2)
    with pytest.raises(InputError, match="cannot be read"):
        read_labeled(tmp_path / "missing.npz", co2)
    (tmp_path / "bad.parquet").write_text("no")
    with pytest.raises(InputError, match="cannot be read"):
        read_labeled(tmp_path / "bad.parquet", co2)
    (tmp_path / "text.npz").write_text("no")
    (tmp_path / "empty.npz").touch()
    np.savez(tmp_path / "object.npz", year=np.zeros((12, 1)), y=np.array([None] * 12))
    for name in ("text", "empty", "object"):
        with pytest.raises(InputError, match=rf"{name}\.npz is not a NumPy file of numbers"):
            read_labeled(tmp_path / f"{name}.npz", co2)


def test_file_without_header_is_refused(co2: Predictor, tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("1960,310\n" * COUNT)
    with pytest.raises(InputError, match="has no targets"):
        read_labeled(tmp_path / "test.csv", co2)
    with pytest.raises(InputError, match="must name the columns"):
        read_labeled(tmp_path / "test.csv", co2, header=False)


def test_model_of_an_unknown_task_is_refused(edit_artifact: EditArtifact) -> None:
    def forget_task(model: onnx.ModelProto) -> None:
        (entry,) = [one for one in model.metadata_props if one.key == METADATA_KEY]
        entry.value = entry.value.replace('"task":"classification"', '"task":"other"')

    model = load_model(edit_artifact(forget_task))
    with pytest.raises(InputError, match="task is 'other'"):
        labeled(model, np.zeros((COUNT, 64), np.float32), np.zeros(COUNT, int))


def test_part_of_the_rows_keeps_their_targets(images: Labeled) -> None:
    part = images.take(slice(3, 5))
    assert np.array_equal(part.targets, images.targets[3:5])
    assert np.array_equal(part.rows["pixels"], images.rows["pixels"][3:5])


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A regression with two outputs."""
    path = save(
        "h, m = Dropout(x, half, on) size = Relu(h) price = Neg(h)",
        tmp_path_factory.mktemp("prices") / "model.onnx",
        "float half = {0.5}, bool on = {1}",
        "float[n, 1] x",
        "float[n, 1] size, float[n, 1] price",
    )
    return write_annotated(path, path, Annotations(task="regression"))


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".parquet"])
def test_targets_of_other_outputs_are_left_out(
    prices: Predictor, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"test{suffix}"
    columns: dict[str, Any] = {"x": np.arange(12.0), "size": np.ones(12), "price": np.full(12, 2.0)}
    if suffix == ".npz":
        np.savez(path, x=columns.pop("x")[:, None], **columns)
    elif suffix == ".csv":
        pd.DataFrame(columns).to_csv(path, index=False)
    else:
        pd.DataFrame(columns).to_parquet(path)
    for output, value in (("size", 1), ("price", 2)):
        found = read_labeled(path, prices, output=output)
        assert np.array_equal(found.targets, np.full((12, 1), value))
        assert np.array_equal(found.rows["x"], np.arange(12.0)[:, None])
    with pytest.raises(InputError, match=r"name one of \['size', 'price'\] as output"):
        read_labeled(path, prices)
