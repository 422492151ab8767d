"""All tolerances are in one file."""

import re

from service.core import tolerances
from tests.conftest import ROOT

#: Comparisons of floating-point numbers, and small literal numbers.
_COMPARES = re.compile(
    r"\b(?:isclose|allclose)\((?:[^()]|\([^()]*\))*\b(?:[ar]tol|(?:rel|abs)_tol)=[0-9.]+e"
)


def _sources() -> dict[str, str]:
    folders = ("service", "models/export", "mcdropout")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return {str(path): path.read_text() for path in paths if path.name != "tolerances.py"}


def test_no_comparison_has_a_literal_tolerance() -> None:
    assert [path for path, text in _sources().items() if _COMPARES.search(text)] == []


def test_each_tolerance_is_used() -> None:
    text = "".join(_sources().values())
    names = [name for name in vars(tolerances) if name.isupper()]
    assert len(names) == 12
    assert [name for name in names if not re.search(rf"\b{name}\b", text)] == []
