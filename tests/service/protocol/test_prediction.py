"""`Prediction` is the same in the library and in the client, which adds the source."""

import numpy as np
import pytest

from service.client import Prediction as Answered
from service.protocol.prediction import OutputPrediction, Prediction

ONE = OutputPrediction(np.ones((2, 3)), np.zeros((2, 3)))
OTHER = OutputPrediction(np.ones((2, 3)), np.ones((2, 3)))


def test_predictions_are_equal_by_their_numbers() -> None:
    again = OutputPrediction(np.ones((2, 3)), np.zeros((2, 3)))
    assert Prediction({"y": ONE}, 5, 7) == Prediction({"y": again}, 5, 7)
    assert Prediction({"y": ONE}, 5, 7) != Prediction({"y": OTHER}, 5, 7)
    assert Prediction({"y": ONE}, 5, 7) != Prediction({"y": ONE}, 5, 8)


def test_answers_to_different_requests_may_be_equal() -> None:
    one = Answered({"y": ONE}, 5, 7, "m", 1, request_id="a")
    assert one == Answered({"y": ONE}, 5, 7, "m", 1, "b")
    assert one != Answered({"y": ONE}, 5, 7, "m", 2, "a")
    assert one != Prediction({"y": ONE}, 5, 7)


def test_a_prediction_shows_its_fields() -> None:
    shown = repr(Prediction({"y": ONE}, 5, 7))
    assert shown == f"Prediction(outputs={{'y': {ONE!r}}}, passes=5, seed=7)"
    answered = repr(Answered({"y": ONE}, 5, 7, "m", 1, "a"))
    assert answered == f"{shown[:-1]}, model='m', version=1, request_id='a')"


def test_several_outputs_have_no_single_mean() -> None:
    found = Answered({"y": ONE, "z": OTHER}, 5, 7, "m", 1, "a")
    assert (list(found), found["z"]) == (["y", "z"], OTHER)
    with pytest.raises(AttributeError, match=r"several outputs; name one: prediction\['y'\].mean"):
        _ = found.mean
