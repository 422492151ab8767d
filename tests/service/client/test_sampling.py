"""Sampling options that are refused before anything is sent."""

import json
from typing import Any

import numpy as np
import pytest

from service.client.errors import InvalidCallError
from service.client.sampling import question, read_options
from service.client.signature import Signature


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"passes": 10.0}, r"passes is 10\.0 of type float; it must be a whole number"),
        ({"passes": True}, "passes is True of type bool; it must be a whole number"),
        ({"seed": 1.5}, r"seed is 1\.5 of type float; it must be a whole number"),
        ({"rate_scale": "a"}, "rate_scale is 'a' of type str; it must be a number"),
        ({"rate_scale": True}, "rate_scale is True of type bool; it must be a number"),
        ({"measures": "mutual_information"}, r"give a list: \['mutual_information'\]"),
        ({"measures": 1}, "measures is 1 of type int; it must be a list of names"),
        ({"sites": "drop"}, r"sites is the string 'drop'; give a list: \['drop'\]"),
        ({"sites": [1]}, r"sites is \[1\] of type list; it must be a list of names"),
        ({"sites": ["a,b"]}, "the site 'a,b' has a comma"),
        ({"measures": ["std,min"]}, "the measure 'std,min' has a comma"),
        ({"masks": 1}, "masks is 1 of type int; it must be a string"),
        ({"measures": [{"a": 1, "b": 2}]}, "give objects of one name and its argument"),
    ],
)
def test_option_of_another_type_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidCallError, match=message):
        read_options(**options)


def test_numpy_numbers_are_sent_as_numbers() -> None:
    given = read_options(passes=np.int64(5), seed=np.uint8(7), rate_scale=np.float32(0.5))
    sent = question(given, Signature((), ("y",)))["parameters"]
    assert json.loads(json.dumps(sent)) == {
        "passes": 5,
        "seed": 7,
        "rate_scale": 0.5,
    }


def test_options_at_their_default_are_not_sent() -> None:
    sent = question(read_options(masks="shared", sites=None), Signature((), ("y",)))
    assert sent["parameters"] == {}
    given = {"masks": "per_row", "sampling": "stratified", "rate_scale": 2.0}
    assert question(read_options(**given), Signature((), ("y",)))["parameters"] == given


def test_measure_with_arguments_is_one_string() -> None:
    options = read_options(measures=["entropy", {"quantiles": [0.05, 0.95]}, {"interval": 0.9}])
    sent = question(options, Signature((), ("y",)))
    assert sent["parameters"]["measures"] == "entropy,quantiles:0.05:0.95,interval:0.9"


def test_without_measures_the_model_s_own_are_asked_for_and_with_an_empty_list_none() -> None:
    signature = Signature((), ("y",))
    assert "measures" not in question(read_options(), signature)["parameters"]
    assert question(read_options(measures=[]), signature)["parameters"]["measures"] == ""
