"""CSV files of pandas, spreadsheets and text editors: their rows, or an error."""

import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import InputError
from service.manifest import InputSpec
from service.rows import Rows, read_rows

NUMBERS = np.array([[1.5, -2.0, 0.1], [3.25, 1e-7, 4.0]])
FRAME = pd.DataFrame(NUMBERS, columns=["a", "b", "c"])


def spec(name: str, *row: int | None, dtype: str = "float64") -> InputSpec:
    return InputSpec(name=name, dtype=dtype, shape=(None, *row))


ONE, THREE, TEXT = spec("year", 1), spec("x", 3), spec("text", 1, dtype="string")
SEVERAL = [spec("age", 1), spec("place", 2), spec("name", 1, dtype="string")]


def read(folder: Path, content: str | bytes, *specs: InputSpec, header: bool | None = None) -> Rows:
    path = folder / "rows.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_rows(str(path), specs, header)


def refusal(
    folder: Path, content: str | bytes, *specs: InputSpec, header: bool | None = None
) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, content, *specs, header=header)
    text = str(caught.value)
    assert text.startswith(str(folder / "rows.csv"))
    return text.removeprefix(str(folder / "rows.csv"))


@pytest.mark.parametrize(
    "arguments",
    [
        {"index": False},
        {"index": False, "header": False},
        {"index": False, "sep": ";"},
        {"index": False, "sep": ";", "decimal": ","},
        {"index": False, "sep": ";", "decimal": ",", "header": False},
        {"index": False, "sep": "\t"},
        {"index": False, "sep": "\t", "decimal": ","},
        {"index": False, "sep": "|"},
        {"index": False, "encoding": "utf-8-sig"},
        {"index": False, "encoding": "utf-8-sig", "header": False},
        {"index": False, "encoding": "utf-16", "sep": "\t"},
        {"index": False, "lineterminator": "\r\n"},
        {"index": False, "lineterminator": "\r"},
        {"index": False, "quoting": 1},
        {"index": False, "quoting": 1, "header": False},
        {"index": False, "header": ["first, of three", 'the "second"', "a\nthird"]},
        {"index": False, "header": ["x[0]", "x[1]", "x[2]"]},
    ],
)
def test_pandas_files_are_read_exactly(tmp_path: Path, arguments: dict[str, Any]) -> None:
    FRAME.to_csv(tmp_path / "rows.csv", **arguments)
    rows = read_rows(str(tmp_path / "rows.csv"), [THREE])
    np.testing.assert_array_equal(rows.values["x"], NUMBERS)
    assert rows.ids is None


@pytest.mark.parametrize("index", [None, ["first", "second"], [7, 3]])
@pytest.mark.parametrize("columns", [["a", "b", "c"], None])
def test_index_column_identifies_rows(
    tmp_path: Path, index: Sequence[Any] | None, columns: Sequence[str] | None
) -> None:
    frame = pd.DataFrame(NUMBERS, index=index, columns=columns)
    frame.to_csv(tmp_path / "rows.csv")
    rows = read_rows(str(tmp_path / "rows.csv"), [THREE])
    np.testing.assert_array_equal(rows.values["x"], NUMBERS)
    assert rows.ids == [str(one) for one in frame.index]
    # pandas names the index when it reads the file.
    pd.read_csv(tmp_path / "rows.csv").to_csv(tmp_path / "again.csv", index=False)
    again = read_rows(str(tmp_path / "again.csv"), [THREE], header=True)
    np.testing.assert_array_equal(again.values["x"], NUMBERS)
    assert again.ids == rows.ids


@pytest.mark.parametrize("columns", [None, [1990, 2000, 2010], [10, 25, 70], [0.5, 1.0, 2.7]])
def test_numeric_header_is_not_read_as_row(tmp_path: Path, columns: Sequence[Any] | None) -> None:
    path = tmp_path / "rows.csv"
    pd.DataFrame(NUMBERS, columns=columns).to_csv(path, index=False)
    with pytest.raises(InputError, match=r"line 1, '.*', may be a header or a row. Say which with"):
        read_rows(str(path), [THREE])
    np.testing.assert_array_equal(read_rows(str(path), [THREE], header=True).values["x"], NUMBERS)
    assert len(read_rows(str(path), [THREE], header=False).values["x"]) == 3


def test_numbered_columns_are_reordered(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    pd.DataFrame(NUMBERS)[[2, 0, 1]].to_csv(path)
    np.testing.assert_array_equal(read_rows(str(path), [THREE]).values["x"], NUMBERS)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("year\n1985\n2010.0\n", [[1985.0], [2010.0]]),
        ("1985\n\n2010.0", [[1985.0], [2010.0]]),
        ("any name\n1985\n", [[1985.0]]),
        ("year\n1985\n\n\n \n", [[1985.0]]),
        ("\n\nyear\n1985\n", [[1985.0]]),
        ("\ufeff1985\n2010", [[1985.0], [2010.0]]),
        (" 1985 \n\t2010\n", [[1985.0], [2010.0]]),
        (",year\na,1985\nb,2010\n", [[1985.0], [2010.0]]),
        ("-1e-3\n+.5\n", [[-0.001], [0.5]]),
    ],
)
def test_single_column_is_read(tmp_path: Path, content: str, rows: list[list[float]]) -> None:
    assert read(tmp_path, content, ONE).values["year"].tolist() == rows


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", " is empty; it needs a line for each row."),
        ("\n \n", " is empty; it needs"),
        ("a,b,c\n", " has a header and no rows."),
        ("a,b,c\n1,,3\n", ", line 2, column 2 ('b') is empty; the model expects float64. Fill it"),
        ("a,b,c\n1,2,3\n\n1,2,nan\n", ", line 4, column 3 ('c') is nan; the model expects finite"),
        ("2.5,2,3\n1,inf,3\n", ", line 2, column 2 is inf; the model expects finite numbers"),
        ("a,b,c\n1,NA,3\n", ", line 2, column 2 ('b') is 'NA'; the model expects float64. Fill"),
        ("nan,2,3\n1,2,3\n", ", line 1, column 1 is nan; the model expects finite numbers."),
        ("a,b,c\n1,x,3\n", ", line 2, column 2 ('b') is 'x'; the model expects float64."),
        ("a,b,c\n1,5%,3\n", ", line 2, column 2 ('b') is '5%'; the model expects float64."),
        ("1.5,x,3\n1,2,3\n", ", line 1, '1.5,x,3', may be a header or a row. Say which with"),
        (",1.5,2\n1,2,3\n", ", line 1 has 2 columns beside the index column; the model expects 3"),
        (",2.5,1.5,4\n1,2,3,4\n", ", line 1, ',2.5,1.5,4', may be a header or a row."),
        (",a,b,c\n,1,2,3\n", ", line 2, column 1 is the index column, and is empty."),
        ("a,a,c\n1,2,3\n", ", line 1 names columns 1 and 2 'a'. Give each its own name."),
        ("id,a,b,c\n7,1,2,3\n", ", line 1 has 4 columns; the model expects 3, the elements of 'x'"),
        ("1.5,2\n", ", line 1 has 2 columns; the model expects 3, the elements of 'x'."),
        ("1 2 3\n4 5 6\n", ", line 1 has 1 column; the model expects 3, the elements of 'x'. Cell"),
        ("x[0],x[1],y\n1,2,3\n", ", line 1 lacks the columns ['x[2]'] and has the unknown colu"),
        ("a,b,c\n1,2,3\n4,5\n", ", line 3 has 2 cells, and line 1 has 3. They are delimited by"),
        ("a;b;c\n1;2;3\n4;5\n", ", line 3 has 2 cells, and line 1 has 3. They are delimited by"),
        ("a,b,c\n1,2,3,\n", ", line 2 has 4 cells, and line 1 has 3."),
        (
            'a,b,c\n"1,000",2,3\n',
            ", line 2, column 1 ('a') is '1,000'; the model expects float64. ",
        ),
        (
            "a,b,c\n1'000,2,3\n",
            ", line 2, column 1 ('a') is \"1'000\"; the model expects float64. ",
        ),
        ("a,b,c\n1_000,2,3\n", ", line 2, column 1 ('a') is '1_000'; the model expects float64. "),
        ("a;b;c\n1.234,5;2;3\n", ", line 2, column 1 ('a') is '1.234,5'; the model expects float"),
        ("a;b;c\n1,500;2;3\n", ", line 2: '1,500' has a comma, and it may be a decimal comma or"),
        ("a;b;c\n1,5;2;3\n1.5;2;3", ", line 2: '1,5' has a comma, and others have a decimal point"),
        (
            'a,b,c\n1,2,"3\n',
            ", line 2 is not CSV: unexpected end of data. A quoted cell must e",
        ),
        ('a,b,c\n1,2,"3"4\n', ", line 2 is not CSV: ',' expected after"),
        (b"a,b,c\n1,2,\xff\n", ", line 2 is not UTF-8 (invalid start byte). Save the file as UTF"),
        (b"\xff\xfea\x00\x00", " is not complete UTF-16. Save it as UTF-8."),
        ("a,b,c\n" + "1,2,3\n" * 200 + "1,2\n", ", line 202 has 2 cells, and line 1 has 3."),
    ],
)
def test_invalid_files_are_refused_with_line_and_column(
    tmp_path: Path, content: str | bytes, said: str
) -> None:
    assert refusal(tmp_path, content, THREE).startswith(said)


def test_decimal_commas_need_an_unambiguous_one(tmp_path: Path) -> None:
    rows = read(tmp_path, "a;b;c\n1,500;2;3\n0,5;1;1\n", THREE)
    assert rows.values["x"].tolist() == [[1.5, 2.0, 3.0], [0.5, 1.0, 1.0]]


@pytest.mark.parametrize(("content", "first"), [("0\n1.5\n", 0.0), ("7,8,9\n1,2,3\n", 7.0)])
def test_header_flags_decide_ambiguous_first_line(
    tmp_path: Path, content: str, first: float
) -> None:
    one = ONE if "," not in content else THREE
    assert "may be a header or a row" in refusal(tmp_path, content, one)
    (with_header,) = read(tmp_path, content, one, header=True).values.values()
    (without,) = read(tmp_path, content, one, header=False).values.values()
    assert (len(with_header), len(without), without[0, 0]) == (1, 2, first)


def test_several_inputs_are_matched_by_name(tmp_path: Path) -> None:
    content = 'place[1],name,age,place[0]\n1,"Ito, Jun",30,2\n3,"4",40,5\n'
    values = read(tmp_path, content, *SEVERAL).values
    assert {name: array.tolist() for name, array in values.items()} == {
        "age": [[30.0], [40.0]],
        "place": [[2.0, 1.0], [5.0, 3.0]],
        "name": [["Ito, Jun"], ["4"]],
    }
    with_index = f",{content}".replace("\n", "\nrow,", 2)
    assert read(tmp_path, with_index, *SEVERAL).ids == ["row", "row"]


@pytest.mark.parametrize(
    ("content", "header", "said"),
    [
        ("age,name,place[0]\n1,a,2\n", None, ", line 1 lacks the columns ['place[1]']; the model"),
        ("1,a,2,3\n", None, ", line 1 lacks the columns ['age', 'place[0]', 'place[1]', 'name']"),
        ("1,a,2,3\n", False, ", line 1 must name the columns: the model has inputs ['age', 'pla"),
        ("age,name,place[0],place[1]\n1,a,x,2\n", None, ", line 2, column 3 ('place[0]') is 'x'"),
        ("age,name,place[0],place[1]\n1,a,2,inf\n", None, ", line 2, column 4 ('place[1]') is in"),
    ],
)
def test_unmatched_columns_of_several_inputs_are_refused(
    tmp_path: Path, content: str, header: bool | None, said: str
) -> None:
    assert refusal(tmp_path, content, *SEVERAL, header=header).startswith(said)


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ('text\ngood film\n"a, b"\n', ["good film", "a, b"]),
        ("\ufefftext\r\nNA\r\n1.5\r\n", ["NA", "1.5"]),
        (',text\n0,"two\nlines"\n', ["two\nlines"]),
        ('text\nso "good"; really\n" ""bad"""\n', ['so "good"; really', ' "bad"']),
    ],
)
def test_texts_are_read_unchanged(tmp_path: Path, content: str, texts: list[str]) -> None:
    assert read(tmp_path, content, TEXT).values["text"].ravel().tolist() == texts


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("good\nbad\n", ", line 1, 'good', may be a header or a row. Say which with --header"),
        ('text\n""\n', ", line 2, column 1 ('text') is empty; the model expects string. Fill it"),
        ("text\na, b\n", ", line 2 has 2 cells, and line 1 has 1. They are delimited by ','; put"),
        ("id,text\n1,good\n", ", line 1 has the unknown columns ['id']; the model takes ['text']."),
    ],
)
def test_invalid_text_files_are_refused(tmp_path: Path, content: str, said: str) -> None:
    assert refusal(tmp_path, content, TEXT).startswith(said)


def test_ambiguous_delimiter_of_texts_is_refused(tmp_path: Path) -> None:
    two = spec("text", 2, dtype="string")
    assert refusal(tmp_path, "a;b,c\nd;e,f\n", two).startswith(
        ", line 1 may be delimited by any of [';', ',']. Put quotation marks around the texts."
    )


def test_integers_are_exact(tmp_path: Path) -> None:
    whole = spec("id", 2, dtype="int64")
    rows = read(tmp_path, "a,b\n9007199254740993,3.0\n", whole)
    assert rows.values["id"].tolist() == [[9007199254740993, 3]]
    for cell in ("2.5", "9223372036854775808", "1e16", "nan"):
        text = refusal(tmp_path, f"a,b\n1,{cell}\n", whole)
        assert text.startswith(f", line 2, column 2 ('b') is '{cell}'; the model expects int64.")
    small = spec("id", 2, dtype="uint8")
    assert "is 300; the model expects uint8, which" in refusal(tmp_path, "a,b\n1,300\n", small)


def test_bools_are_words_or_digits(tmp_path: Path) -> None:
    flags = spec("on", 2, dtype="bool")
    rows = read(tmp_path, "a,b\ntrue,0\nFALSE,1\n", flags)
    assert rows.values["on"].tolist() == [[True, False], [False, True]]
    assert "column 1 ('a') is 'yes'; the model expects bool" in refusal(
        tmp_path, "a,b\nyes,0\n", flags
    )


def test_line_is_reshaped_to_row(tmp_path: Path) -> None:
    image, steps = spec("image", 2, 2, 1), spec("steps", None, 2)
    line = "2.5,2,3,4\n"
    assert read(tmp_path, line, image).values["image"].tolist() == [[[[2.5], [2]], [[3], [4]]]]
    assert read(tmp_path, line, steps).values["steps"].tolist() == [[[2.5, 2], [3, 4]]]
    assert "has 3 columns; the model expects 2" in refusal(tmp_path, "1.5,2,3\n", steps)
    assert "a row of 'open', which has 2 dynamic axes. Use a .npy or .json file" in refusal(
        tmp_path, line, spec("open", None, None)
    )
    named = "image[1][1],image[1][0],image[0][1],image[0][0]\n4,3,2,1\n"
    assert read(tmp_path, named, image).values["image"].ravel().tolist() == [1, 2, 3, 4]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    numbers=st.lists(
        st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3),
        min_size=1,
        max_size=4,
    ),
    names=st.sampled_from([None, ["a", "b", "c"], ["x[0]", "x[1]", "x[2]"], False]),
    delimiter=st.sampled_from([(",", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ",")]),
    index=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    places=st.sampled_from([None, "%.3f", "%d"]),
)
def test_pandas_files_give_their_rows_or_an_error(
    tmp_path_factory: pytest.TempPathFactory,
    numbers: list[list[float]],
    names: Any,
    delimiter: tuple[str, str],
    index: bool,
    end: str,
    encoding: str,
    places: str | None,
) -> None:
    """Whatever the options of `to_csv`, no other rows are read."""
    path = tmp_path_factory.getbasetemp() / "property.csv"
    separator, decimal = delimiter
    frame = pd.DataFrame(numbers, columns=names or None)
    frame.to_csv(
        path,
        sep=separator,
        decimal=decimal,
        index=index,
        header=names is not False,
        lineterminator=end,
        encoding=encoding,
        float_format=places,
    )
    try:
        rows = read_rows(str(path), [THREE])
    except InputError:
        return
    written = np.array([[float((places or "%r") % value) for value in row] for row in numbers])
    np.testing.assert_array_equal(rows.values["x"], written)


def test_memory_is_proportional_to_values(tmp_path: Path) -> None:
    """A list of Python numbers would take several times as much."""
    wide = spec("x", 64)
    small, large = tmp_path / "small.csv", tmp_path / "large.csv"
    for path, count in ((small, 2), (large, 4000)):
        pd.DataFrame(np.random.default_rng(1).random((count, 64))).to_csv(path)
    read_rows(str(small), [wide])
    tracemalloc.start()
    values = read_rows(str(large), [wide]).values["x"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert values.nbytes == 4000 * 64 * 8
    assert peak < 2.5 * values.nbytes
