"""What an evaluation warns of."""

import numpy as np
import pytest

from service.core.measures.facts import Facts
from service.evaluation.data import Labeled
from service.evaluation.document import Setting
from service.evaluation.results import Scored
from service.evaluation.scores import Scores
from service.evaluation.warnings import warnings_of
from service.inference.inputs import ReadRows


@pytest.mark.parametrize(
    ("errors", "text"),
    [
        (0, "No prediction is wrong. "),
        (1, "Only 1 prediction is wrong. "),
        (2, "Only 2 predictions are wrong. "),
    ],
)
def test_few_errors_are_counted_in_words(errors: int, text: str) -> None:
    wrong = (np.arange(300) < errors).astype(float)[:, None]
    scores = Scores({"wrong": wrong, "nll": wrong}, {})
    main = Scored(Setting(name="100 passes", kind="passes"), scores)
    rows = ReadRows({"x": np.zeros((300, 1))})
    data = Labeled("data", rows, wrong[:, 0], Facts("p", (None, 2), "classification"))
    (warning,) = warnings_of(main, data, None)
    assert warning.startswith(text)
