"""Passes by a stopping rule, as an object and as text."""

import re
from typing import Any

import numpy as np
import pytest

from service.protocol.adaptive import AdaptivePasses, Decision
from service.protocol.options import OptionError, Options

RULES: dict[str, dict[str, Any]] = {
    "max=2000,tolerance=0.01": {"max": 2000, "tolerance": 0.01},
    "max=500,min=100,tolerance=1e-05,relative=true,rows=together": {
        "max": 500,
        "min": 100,
        "tolerance": 1e-5,
        "relative": True,
        "rows": "together",
    },
    "max=2000,decide=predicted_class": {"max": 2000, "decide": {"measure": "predicted_class"}},
    "max=90,decide=predictive_entropy,threshold=0.5,confidence=0.9": {
        "max": 90,
        "decide": {"measure": "predictive_entropy", "threshold": 0.5, "confidence": 0.9},
    },
}


@pytest.mark.parametrize("text", RULES)
def test_text_and_object_say_the_same(text: str) -> None:
    found = Options(passes=text).passes
    assert isinstance(found, AdaptivePasses)
    assert found == Options(passes=RULES[text]).passes == Options(passes=found).passes
    assert (found.as_text(), found.as_object()) == (text, RULES[text])


def test_numbers_of_numpy_are_numbers() -> None:
    given = {"max": np.int64(50), "tolerance": np.float32(0.5)}
    found = Options(passes=given).passes
    assert isinstance(found, AdaptivePasses)
    assert found.as_text() == "max=50,tolerance=0.5"


def test_defaults_are_left_out() -> None:
    rule = AdaptivePasses(decide=Decision(measure="predicted_class", confidence=0.95))
    assert rule.as_object() == {"max": 2000, "decide": {"measure": "predicted_class"}}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, "passes.tolerance is None; it must be a number above 0, unless 'decide' is given."),
        ({"max": 1}, "passes.max is 1; it must be a whole number, 2 or more."),
        ({"max": 20.0}, "passes.max is 20.0; it must be a whole number"),
        ({"min": True, "tolerance": 1}, "passes.min is True; it must be a whole number"),
        ({"tolerance": 0}, "passes.tolerance is 0; it must be a number above 0"),
        ({"tolerance": "x"}, "passes.tolerance is 'x'; it must be a number above 0"),
        ({"tolerance": 10**400}, "it must be a number above 0"),
        ({"tolerance": 1, "relative": 1}, "passes.relative is 1; it must be true or false."),
        ({"tolerance": 1, "rows": "all"}, "passes.rows is 'all'; it must be each or together."),
        ({"tolerance": 1, "tol": 1}, "passes has no field 'tol'; its fields are ["),
        ({"decide": "mean"}, "passes.decide is 'mean'; it must be an object"),
        ({"decide": {}}, "passes.decide.measure is None; it must be a name."),
        (
            {"decide": {"measure": "mean"}},
            "passes.decide.threshold is None; it must be a number, except for 'predicted_class' "
            "and 'accept'.",
        ),
        ({"decide": {"level": 1}}, "passes.decide has no field 'level'"),
        (
            {"decide": {"measure": "predicted_class"}, "tolerance": 1},
            "passes.tolerance is 1; it must be left out where 'decide' is given.",
        ),
        (
            {"decide": {"measure": "predicted_class"}, "relative": True},
            "passes.relative is True; it must be left out where 'decide' is given.",
        ),
        ("decide=predicted_class,threshold=1", "threshold is 1; it must be left out for a class."),
        ("decide=accept,threshold=1", "threshold is 1; it must be left out for 'accept'."),
        ("decide=mean,threshold=1,confidence=1", "confidence is 1; it must be from 0.5 to below 1"),
        ("threshold=1", "passes.decide.measure is None; it must be a name."),
        ("tolerance", "in which 'tolerance' is not one more field; it must be a whole number, or"),
        ("tolerance=1,tolerance=2", "in which 'tolerance=2' is not one more field"),
        ("10.5", "in which '10.5' is not one more field"),
        ("100", "in which '100' is not one more field; it must be a whole number, or fields as in"),
        ([1], "passes is [1] of type list; it must be a whole number, an int, or an object such"),
    ],
)
def test_an_invalid_rule_is_refused_with_what_is_valid(given: Any, wanted: str) -> None:
    with pytest.raises(OptionError, match=re.escape(wanted)):
        Options(passes=given)
