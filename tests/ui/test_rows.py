"""Many rows: pasted, opened or dropped; a table with the least certain first; a CSV file."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from models.zoo.data import digits_splits
from tests.ui.screen import Screen

pytestmark = pytest.mark.slow

YEARS = [1985.0, 2060.0, 1999.5, 2020.0]


def column(screen: Screen, name: str) -> list[float]:
    """The exact values of a column, in the order of the rows."""
    names = screen.page.locator(".answers thead th").all_inner_texts()
    place = [text.split(" ↓")[0] for text in names].index(name)
    read = "(rows, place) => rows.map(row => Number(row.children[place].firstChild.value))"
    found: list[float] = screen.page.locator(".answers tbody tr").evaluate_all(read, place)
    return found


def order(screen: Screen) -> list[int]:
    read = "rows => rows.map(row => Number(row.dataset.row))"
    found: list[int] = screen.page.locator(".answers tbody tr").evaluate_all(read)
    return found


def opened(screen: Screen, file: Path) -> None:
    screen.page.locator("details.rows").evaluate("fold => fold.open = true")
    screen.page.set_input_files("input[type=file]", file)
    screen.page.wait_for_selector(".answers tbody tr")
    screen.settle()


def test_pasted_csv_is_a_table_with_the_least_certain_first(screen: Screen) -> None:
    screen.page.click("text=Many rows")
    screen.page.fill(".rows textarea", "year\n" + "\n".join(map(str, YEARS)))
    screen.page.click("text=Use these rows")
    screen.page.wait_for_selector(".answers tbody tr")
    screen.settle()
    expected = screen.ask("co2", [[year] for year in YEARS], measures=["std"])
    deviations = [row["std"][0] for row in expected]
    assert order(screen) == list(np.argsort(deviations)[::-1])
    assert column(screen, "std") == sorted(deviations, reverse=True)
    screen.page.click(".answers th >> text=mean")
    means = [row["mean"][0] for row in expected]
    assert column(screen, "mean") == sorted(means, reverse=True)
    screen.page.click(".answers th >> text=mean")
    assert column(screen, "mean") == sorted(means)
    with screen.page.expect_download() as waited:
        screen.page.click("text=Download CSV")
    with waited.value.path().open() as file:
        lines = list(csv.DictReader(file))
    assert waited.value.suggested_filename == "co2.csv"
    assert [float(line["mean"]) for line in lines] == means
    assert [float(line["std"]) for line in lines] == deviations
    assert "interval[1]" in lines[0]


@pytest.mark.parametrize("suffix", ["npy", "json", "csv"])
def test_file_is_read(screen: Screen, tmp_path: Path, suffix: str) -> None:
    images = digits_splits()[1].x[:30]
    file = tmp_path / f"images.{suffix}"
    if suffix == "npy":
        np.save(file, images)
    elif suffix == "json":
        file.write_text(json.dumps({"instances": images.tolist()}))
    else:
        header = ",".join(f"pixels[{i}]" for i in range(64))
        np.savetxt(file, images, delimiter=",", header=header, comments="", fmt="%g")
    screen.choose("digits")
    opened(screen, file)
    measures = ["predictive_entropy", "mutual_information", "confidence", "label"]
    expected = screen.ask("digits", images.tolist(), measures=measures)
    ranked = order(screen)
    entropies = [expected[row]["predictive_entropy"] for row in ranked]
    assert column(screen, "total uncertainty") == entropies == sorted(entropies, reverse=True)
    # A row opens in the form, where it has the table's answer.
    first = screen.page.locator(".answers tbody tr").first
    label, confidence = first.locator("td").first.inner_text(), column(screen, "confidence")[0]
    first.get_by_role("button").click()
    screen.page.wait_for_selector(".hero")
    screen.settle()
    assert screen.row() == images[ranked[0]].tolist()
    assert screen.page.inner_text(".hero .big") == label
    assert screen.value(".winner data") == confidence
    screen.page.click("text=All rows")
    screen.page.wait_for_selector(".answers tbody tr")
    screen.settle()
    screen.page.click(".loaded >> text=Close")
    screen.page.wait_for_selector(".hero")
    screen.settle()


def test_dropped_file_is_read(screen: Screen) -> None:
    drop = """(fold, text) => {
        const data = new DataTransfer();
        data.items.add(new File([text], "years.json"));
        fold.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));
    }"""
    screen.page.locator("details.rows").evaluate(drop, json.dumps([[year] for year in YEARS]))
    screen.page.wait_for_selector(".answers tbody tr")
    assert sorted(order(screen)) == [0, 1, 2, 3]


REFUSED = [
    ("1985\nsoon\n", "instances[1][0] is the string 'soon'; the model expects float32 there."),
    ("[[1985], [1986, 1987]]", "instances[1] has 2 values; the model expects 1 there"),
    ("a,b\n1,2\n", "The text cannot be read: the file has 2 columns; the model needs 1: year."),
    ("[[1985]", "The text cannot be read: "),
    ('"1985\n', "The text cannot be read: a quoted cell does not end."),
    ("1985\n1986,2\n", "The text cannot be read: line 2 has 2 cells; the first has 1."),
]


def test_rows_that_cannot_be_read_are_refused_beside_them(screen: Screen) -> None:
    screen.page.click("text=Many rows")
    note = screen.page.locator(".rows").get_by_role("alert")
    for text, error in REFUSED:
        screen.page.fill(".rows textarea", text)
        screen.page.click("text=Use these rows")
        screen.until(lambda error=error: note.inner_text().startswith(error))  # type: ignore[misc]


def test_npy_file_that_does_not_fit_is_refused(screen: Screen, tmp_path: Path) -> None:
    screen.page.locator("details.rows").evaluate("fold => fold.open = true")
    note = screen.page.locator(".rows").get_by_role("alert")
    for array, error in (
        (np.arange(3.0), "instances[0] is the number 0"),
        (
            np.asfortranarray(np.ones((2, 3))),
            "rows.npy cannot be read: its elements are in Fortran",
        ),
        (np.array(["a"]), "rows.npy cannot be read: its elements are no numbers"),
        (np.array(1.0), "rows.npy cannot be read: it holds a single number"),
    ):
        np.save(tmp_path / "rows.npy", array)
        screen.page.set_input_files("input[type=file]", tmp_path / "rows.npy")
        screen.until(lambda error=error: note.inner_text().startswith(error))  # type: ignore[misc]
