"""Models that take strings: their answers, errors and memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from service import Predictor, load_model
from service.cli import app
from service.errors import InputError
from service.graph.plan import Layout, compile_plan
from service.inference.options import Limits
from service.inference.runner import Runner
from service.inference.texts import BYTES_EACH, FREE, max_letters, require_few, size_in_memory
from service.inference.trials import trial_rows
from service.protocol.options import Options
from service.server.commands import example_rows
from tests.conftest import SIGMAS
from tests.service.reference import loaded
from tests.service.text_model import moments, save_text_model

TEXTS = ["good good film", "bad", "", "good  bad film", "no such word"]
ROWS = [[text] for text in TEXTS]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_text_model(tmp_path_factory.mktemp("texts") / "model.onnx")


@pytest.fixture(scope="module")
def model(path: Path) -> Predictor:
    return load_model(path)


def test_moments_depend_on_the_words(model: Predictor) -> None:
    passes = 20_000
    found = model.predict(ROWS, passes=passes, seed=1)
    for index, text in enumerate(TEXTS):
        mean, variance = moments(text)
        assert abs(found.mean[index, 0] - mean) <= SIGMAS * np.sqrt(variance / passes)
        # The kurtosis of a sum of Bernoulli numbers is at most 3 here.
        error = SIGMAS * variance * np.sqrt(2 / (passes - 1))
        assert abs(found.variance[index, 0] - variance) <= error


@pytest.mark.parametrize(
    "form",
    [
        np.array,
        lambda rows: np.array(rows, object),
        lambda rows: np.char.encode(np.array(rows), "utf-8"),
        lambda rows: {"text": rows},
        lambda rows: [[np.str_(row[0])] for row in rows],
    ],
)
def test_strings_of_any_kind_are_accepted(model: Predictor, form: Callable[[Any], Any]) -> None:
    assert model.predict(form(ROWS), 10, 1) == model.predict(ROWS, 10, 1)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["a"], [5]], r"x\[1\]\[0\] is the number 5; the model expects string there"),
        ([["a"], [None]], r"x\[1\]\[0\] is null; the model expects string there"),
        (["a"], r"x\[0\] is the string 'a'; the model expects lists of shape \(rows, 1\)"),
        ([["a", "b"]], r"x\[0\] has 2 values; the model expects 1"),
        (
            [["a"], ["\ud800"]],
            r"x\[1\]\[0\] is not valid text: surrogates not allowed at character 0",
        ),
        (np.array([["a"], [b"\xff"]], object), r"x\[1\]\[0\] is not UTF-8 \(invalid start byte at"),
        (np.array([["a"], [5]], object), r"x\[1\]\[0\] is of type int, and no string"),
        (np.array([[1.0]]), r"x has shape \(1, 1\) and dtype float64; the model expects string"),
        (np.array(["a"]), r"dtype <U1; .* For one row, add an axis in front: \(1, 1\)"),
    ],
)
def test_other_values_than_strings_are_refused(model: Predictor, rows: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        model.predict(rows, 10)


def test_strings_are_refused_for_numeric_inputs(digits: Predictor) -> None:
    with pytest.raises(
        InputError, match=r"x\[0\]\[0\] is the string 'a'; the model expects float32"
    ):
        digits.predict([["a"] * 64])
    for kind, name in ((str, "<U1"), (object, "string")):
        with pytest.raises(InputError, match=f"dtype {name}; the model expects float32"):
            digits.predict(np.full((1, 64), "a", kind))


@pytest.mark.parametrize("layout", [Layout.TILED, Layout.SERIAL])
def test_other_layouts_give_the_same_samples(path: Path, model: Predictor, layout: Layout) -> None:
    artifact, _ = loaded(path)
    other = Runner(compile_plan(artifact, layout), ["CPUExecutionProvider"])
    rows = {"text": np.array(ROWS[:1], object)}
    own = model.sampler.runner
    draws = own.neutral(own.frontier(rows), 1)
    for runner in (own, other):
        (y,) = runner.run(runner.frontier(rows), draws).values()
        assert y.ravel().tolist() == [moments(TEXTS[0])[0]]


def test_trial_rows_have_known_words(path: Path) -> None:
    artifact, _ = loaded(path)
    assert trial_rows(artifact)["text"].tolist()[:2] == [["good"], ["film bad good"]]
    assert example_rows(artifact.manifest) == {"text": [""]}


def test_answer_does_not_depend_on_the_batch(model: Predictor) -> None:
    together = model.predict([*ROWS, ["x " * 5000]], 50, 3)
    np.testing.assert_array_equal(together.mean[0], model.predict(ROWS[:1], 50, 3).mean[0])


def test_text_that_exceeds_the_memory_is_refused(path: Path) -> None:
    model = load_model(path, limits=Limits(memory=16 << 20))
    assert model.predict([["a " * 10_000]], 5).mean.shape == (1, 1)
    with pytest.raises(InputError, match=r"up to 400000 characters, of 'text' takes about 193 MiB"):
        model.predict([["a " * 200_000]], 5)


def test_long_texts_run_in_small_chunks(model: Predictor) -> None:
    short, long = ({"text": np.array([["a" * n]], object)} for n in (4, 1 << 18))
    assert model.sampler.sizing(short).rows > 500
    assert model.sampler.sizing(long).rows <= 4


def test_strings_count_by_their_memory() -> None:
    array = np.array([["a" * 1000], ["é" * 1000]], object)
    assert size_in_memory(array) >= 2 * 1000
    assert size_in_memory(np.zeros((2, 5))) == 80


@pytest.mark.parametrize(
    ("longest", "found"), [(0, 1024), (1024, 1024), (1025, 2048), (5000, 8192)]
)
def test_text_lengths_are_rounded_up_to_few_values(longest: int, found: int) -> None:
    assert max_letters(np.array([["a" * longest], ["a"]], object)) == found
    assert max_letters(np.zeros((2, 5))) == 0


def test_long_text_does_not_join_short_ones(model: Predictor) -> None:
    # All rows of a batch take the memory of the longest text.
    short, other, long = (
        model.prepare([[text]], Options(passes=5)) for text in ("a", "good " * 200, "a" * 100_000)
    )
    assert model.sampler.joins(short, other)
    assert not model.sampler.joins(short, long)


def test_many_strings_in_few_bytes_are_refused() -> None:
    require_few(FREE, 0, "x")
    require_few(FREE + 10, 10 * BYTES_EACH, "x")
    with pytest.raises(InputError, match="x has 1048577 strings in 15 bytes, and at most 1048576"):
        require_few(FREE + 1, 15, "x")


@pytest.mark.parametrize(
    ("name", "content"),
    [("rows.json", '[["good film"], ["a, b"]]'), ("rows.csv", 'text\ngood film\n"a, b"\n')],
)
def test_command_predicts_texts(path: Path, tmp_path: Path, name: str, content: str) -> None:
    rows = tmp_path / name
    rows.write_text(content)
    ended = CliRunner().invoke(app, ["predict", str(path), str(rows), "--passes", "5"])
    assert ended.exit_code == 0, ended.output
    assert "y: mean ± standard deviation over 5 passes" in ended.output


def test_command_explains_uneven_lines(path: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text\nbad,film\n")
    ended = CliRunner().invoke(app, ["predict", str(path), str(tmp_path / "rows.csv")])
    assert ended.exit_code == 2
    assert "line 2 has 2 cells, and line 1 has 1." in ended.output


def test_inspect_shows_strings(path: Path) -> None:
    ended = CliRunner().invoke(app, ["inspect", str(path)])
    assert ended.exit_code == 0, ended.output
    assert "string" in ended.output
