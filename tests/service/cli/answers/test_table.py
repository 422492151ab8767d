"""The table that is printed for answers with known numbers."""

import io
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from service.cli.answers.answer import Answer
from service.cli.answers.table import print_table
from service.protocol.prediction import Stopped
from tests.service.cli.answers.fabricated import answer, shaped

LABELS = ["cat", "dog", "bird", "horse"]
MEANS, VARIANCES = [[0.1, 0.6, 0.3, 0.0]], [[0.01, 0.0004, 0.0001, 0.0]]


def printed(found: Answer, width: int = 80, is_terminal: bool = False) -> list[str]:
    file = io.StringIO()
    console = Console(
        file=file, width=width, force_terminal=is_terminal, markup=False, color_system=None
    )
    print_table(found, console)
    lines = file.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    return [line.rstrip() for line in lines]


def classes(*labels: str, **measures: Any) -> Answer:
    quantities = {"mean": MEANS, "variance": VARIANCES, **measures}
    return answer("classification", {"p": quantities}, labels or None)


def test_classification_shows_most_likely_class_and_runner_up() -> None:
    assert printed(classes(*LABELS, predictive_entropy=[0.9])) == [
        "p: mean ± standard deviation over 100 passes, seed 7",
        "row  class  mean ± deviation  runner-up  predictive_entropy",
        "  0  dog       0.600 ± 0.020  bird 0.3                  0.9",
    ]


def test_classes_without_labels_have_numbers() -> None:
    assert printed(classes())[2].split() == ["0", "1", "0.600", "±", "0.020", "2", "0.3"]


def test_measures_of_elements_are_those_of_shown_class() -> None:
    found = classes(
        *LABELS,
        std=[[0.1, 0.02, 0.01, 0.0]],
        interval=[[[0, 1], [0.56, 0.64], [2, 3], [4, 5]]],
        label=["dog"],
        predicted_class=[1],
    )
    assert printed(found, width=100)[1:] == [
        "row  class  mean ± deviation  runner-up   std    interval  label  predicted_class",
        "  0  dog       0.600 ± 0.020  bird 0.3   0.02  0.56, 0.64  dog                  1",
    ]


def test_columns_that_do_not_fit_are_named() -> None:
    measures = {f"a_measure_with_a_long_name_{n}": [0.5] for n in range(3)}
    lines = printed(classes(*LABELS, **measures, samples=[shaped(9, 4)]))
    assert lines[1].startswith("row  class  mean ± deviation  a_measure_with_a_long_name_0")
    assert " ".join(lines[3:]) == (
        "Not shown: a_measure_with_a_long_name_1, a_measure_with_a_long_name_2, samples. "
        "--output FILE.csv has everything."
    )


def test_a_text_is_whole_or_left_out() -> None:
    reason = "predictive_entropy is at most 0.5117"
    found = classes(*LABELS, accept=[True], reason=[reason])
    assert printed(found, width=90)[2].endswith(f"True  {reason}")
    assert printed(found, width=72)[2:] == [
        "  0  dog       0.600 ± 0.020    True",
        "Not shown: reason. --output FILE.csv has everything.",
    ]


@pytest.mark.parametrize(
    ("labels", "count", "cell"),
    [
        (LABELS, 0, "(none)"),
        (["a great cat", "dog", "bird"], 2, "a great cat, dog"),
        ([f"label {n}" for n in range(30)], 30, "label 0, label 1 +28"),
        (["one" * 20, "two"], 2, "oneoneoneoneoneoneon… +1"),
    ],
)
def test_a_set_shows_its_first_members_and_the_number_of_the_others(
    labels: list[str], count: int, cell: str
) -> None:
    inside = np.arange(len(labels)) < count
    values = {"mean": shaped(1, len(labels)), "variance": shaped(1, len(labels))}
    found = answer("classification", {"p": {**values, "prediction_set": inside[None]}}, labels)
    assert printed(found, width=100)[2].endswith(f"  {cell}")


@pytest.mark.parametrize(
    ("labels", "title"),
    [(["ham", "spam"], "P(spam)"), (None, "P(class 1)"), (LABELS, "P(class 1)")],
)
def test_single_sigmoid_is_probability_of_second_label(
    labels: list[str] | None, title: str
) -> None:
    found = answer("classification", {"p": {"mean": [[0.2]], "variance": [[0.0001]]}}, labels)
    assert printed(found)[1:] == [f"row{title.rjust(15)}", "  0  0.200 ± 0.010"]


def test_regression_shows_all_elements_that_fit() -> None:
    one = answer("regression", {"y": {"mean": [[2.5]], "variance": [[0.25]], "std": [[0.5]]}})
    assert printed(one)[1:] == ["row  mean ± deviation  std", "  0       2.50 ± 0.50  0.5"]
    three = answer("regression", {"y": {"mean": [[1.0, 2, 3]], "variance": [[1.0, 4, 9]]}})
    assert printed(three)[1:] == [
        "row          0          1          2",
        "  0  1.0 ± 1.0  2.0 ± 2.0  3.0 ± 3.0",
    ]


def test_intervals_of_several_elements_share_a_cell() -> None:
    ends = [[[0.0, 2.0], [1.5, 2.5]]]
    values = {"mean": [[1.0, 2]], "variance": [[1.0, 4]], "accept": [[True, False]]}
    found = answer("regression", {"y": {**values, "prediction_interval": ends}})
    assert printed(found)[1:] == [
        "row          0          1       accept  prediction_interval",
        "  0  1.0 ± 1.0  2.0 ± 2.0  True, False       0, 2; 1.5, 2.5",
    ]


def test_large_output_has_a_summary() -> None:
    found = answer(
        "other",
        {"map": {"mean": shaped(1, 8, 8, 2), "variance": shaped(1, 8, 8, 2), "max": [0.125]}},
    )
    assert printed(found)[1:] == [
        "row  lowest mean  highest mean  largest deviation    max",
        "  0            0             1                  1  0.125",
        "Not shown: all but a summary of 128 elements. --output FILE.csv has everything.",
    ]


def test_multilabel_shows_all_labels_or_the_most_likely() -> None:
    few = answer("multilabel_classification", {"p": {"mean": MEANS, "variance": VARIANCES}}, LABELS)
    assert printed(few)[1].split() == ["row", *LABELS]
    many = [f"label {n}" for n in range(30)]
    quantities = {"mean": shaped(1, 30), "variance": shaped(1, 30), "std": shaped(1, 30)}
    lines = printed(answer("multilabel_classification", {"p": quantities}, many))
    assert lines[1:] == [
        "row  most likely  mean ± deviation  std",
        "  0  label 29            1.0 ± 1.0    1",
    ]


def test_deterministic_outputs_have_no_deviation() -> None:
    found = answer(
        "classification", {"p": {"output": MEANS}, "y": {"output": [[0.125]]}}, LABELS, head={}
    )
    assert printed(found) == [
        "p: one pass with dropout off",
        "row  class  output  runner-up",
        "  0  dog       0.6  bird 0.3",
        "y: one pass with dropout off",
        "row  P(class 1)",
        "  0       0.125",
    ]


def test_long_table_is_cut_with_a_note() -> None:
    found = answer("regression", {"y": {"mean": shaped(45, 1), "variance": shaped(45, 1)}})
    lines = printed(found)
    assert len(lines) == 1 + 1 + 40 + 1
    assert lines[-1] == "Not shown: 5 more rows. --output FILE.csv has everything."


def test_rows_have_ids_and_passes() -> None:
    quantities = {"mean": shaped(2, 1), "variance": shaped(2, 1)}
    stopped = Stopped(np.array([32, 512]), np.array([True, False]))
    found = answer("regression", {"y": quantities}, ids=["first", "b" * 50], stopped=stopped)
    title, head, first, second = printed(found)
    assert "over 32 to 512 passes" in title
    assert head.split()[:2] == ["row", "passes"]
    assert first.split()[:2] == ["first", "32"]
    assert second.split()[:4] == ["b" * 23 + "…", "512,", "not", "settled"]


def test_title_has_one_number_if_all_rows_stopped_after_as_many_passes() -> None:
    quantities = {"mean": shaped(2, 1), "variance": shaped(2, 1)}
    stopped = Stopped(np.array([32, 32]), np.array([True, True]))
    title, *_ = printed(answer("regression", {"y": quantities}, stopped=stopped))
    assert "over 32 passes" in title


def test_terminal_gets_a_line_below_titles() -> None:
    lines = printed(classes(), is_terminal=True)
    assert set(lines[2]) == {"─"}
    assert len(lines) == 4
