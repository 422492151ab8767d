"""The code keeps to the sizes that CONTRIBUTING.md says: small files, short functions."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("mcdropout", "models", "scripts", "service")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def limit(words: str) -> int:
    """A number of CONTRIBUTING.md, between two pieces of its text."""
    text = " ".join((ROOT / "CONTRIBUTING.md").read_text().split())
    found = re.search(words.replace("N", r"(\d+)"), text)
    assert found is not None, words
    return int(found[1])


def files() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (ROOT / package).rglob("*.py")


@pytest.fixture(scope="module")
def functions() -> list[tuple[str, Function]]:
    return list(_functions())


def _functions() -> Iterator[tuple[str, Function]]:
    for path in files():
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, Function):
                yield f"{path.relative_to(ROOT)}: {node.name}", node


def lines(function: Function) -> int:
    """Lines of the body, without the docstring."""
    documented = ast.get_docstring(function, clean=False) is not None
    body = function.body[documented:]
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_no_file_is_long() -> None:
    most = limit("and never over N, outside of")
    assert [p for p in files() if len(p.read_text().splitlines()) > most] == []


def test_no_function_is_long(functions: list[tuple[str, Function]]) -> None:
    most = limit("and never over N, without its signature")
    assert len(functions) > 1000
    assert [where for where, function in functions if lines(function) > most] == []


def test_no_function_has_many_positional_parameters(
    functions: list[tuple[str, Function]],
) -> None:
    most = limit("at most N positional parameters")
    for where, function in functions:
        given = [arg.arg for arg in function.args.posonlyargs + function.args.args]
        assert len([name for name in given if name not in ("self", "cls")]) <= most, where
