"""The commands of the README do what it says, and links of all pages lead somewhere."""

import inspect
import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from models.zoo.data import digits_halves, digits_splits
from scripts.local_server import LocalServer
from service.cli import app
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def block(language: str, containing: str) -> str:
    """The only code block of a language that contains a text."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    (found,) = (text for of, text in blocks if of == language and containing in text)
    return str(found)


def test_first_example_accepts_a_digit_and_abstains_from_one(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    shown = block("", "accept")
    program, *words = block("sh", "docs/examples/two-digits.json").split()
    assert program == ".venv/bin/mcdropout"
    address = "http://127.0.0.1:8000"
    ended = CliRunner().invoke(app, [word.replace(address, server.url) for word in words])
    assert re.findall("True|False", shown) == ["True", "False"]
    # The last digits depend on the machine.
    number = r"(?<=0\.\d\d)\d+"
    assert re.sub(number, "", ended.stdout) == re.sub(number, "", shown)


def test_digits_of_the_first_example_are_new_to_the_model() -> None:
    rows = json.loads((ROOT / "docs" / "examples" / "two-digits.json").read_text())["instances"]
    _, new = digits_halves()
    found = [next(i for i, x in enumerate(new.x.tolist()) if x == row) for row in rows]
    assert new.y[found].tolist() == [0, 2]


def test_first_example_can_be_sent_by_curl(server: LocalServer) -> None:
    command = " ".join(re.findall(r"`(curl[^`]*two-digits[^`]*)`", README)[0].split())
    command = command.replace("http://127.0.0.1:8000", server.url)
    ended = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=True, cwd=ROOT
    )
    rows = json.loads(ended.stdout)["predictions"]
    assert [row["accept"] for row in rows] == [True, False]
    assert rows[1]["reason"].startswith("predictive_entropy is above")


def test_request_gives_the_shown_answer(server: LocalServer) -> None:
    command = block("sh", "curl -s ").replace("http://127.0.0.1:8000", server.url)
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    found, shown = json.loads(ended.stdout), json.loads(block("json", "co2"))
    rows, rows_shown = found.pop("predictions"), shown.pop("predictions")
    assert found == shown
    for row, row_shown in zip(rows, rows_shown, strict=True):
        assert list(row) == list(row_shown)
        for key in ("accept", "reason"):
            assert row.pop(key) == row_shown.pop(key)
        for key, values in row_shown.items():
            np.testing.assert_allclose(row[key], values, rtol=1e-4)


def test_stream_gives_estimates_and_the_answer_last(server: LocalServer) -> None:
    command = block("sh", "curl -N").replace("http://127.0.0.1:8000", server.url)
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    *estimates, last = map(json.loads, ended.stdout.splitlines())
    assert [line["passes"] for line in estimates] == [32 << n for n in range(12)]
    assert (last["passes"], last["final"]) == (100_000, True)


def test_python_example_runs() -> None:
    names: dict[str, Any] = {"x": digits_splits()[1].x[:3]}
    exec(block("python", "load_model"), names)
    assert names["prediction"].mean.shape == (3, 10)


def test_every_named_make_command_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:^|`)make ([a-z0-9-]+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_setting_is_in_the_table() -> None:
    from service.cli.commands import serve
    from service.server.settings import PREFIX, Settings

    flags = set(inspect.signature(serve).parameters)
    for name, field in Settings.model_fields.items():
        flag = f"`--{name.replace('_', '-')}`" if name in flags else ""
        given = field.default not in (None, "", SecretStr(""))
        default = f"`{field.default}`" if given else ""
        row = f"| `{PREFIX}{name.upper()}` | {flag} | {default} | {field.description} |"
        assert row in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_linked_file_and_heading_exists(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)\s]+)\)", page.read_text()):
        name, _, heading = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not heading or heading in anchors(file), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_pip_install_is_of_the_clone(page: Path) -> None:
    """The project is on no index, so that its name installs nothing, or what is not this."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for command in re.findall(r"pip install ([^`\n]+)", page.read_text()):
        (what,) = (word for word in shlex.split(command, comments=True) if word != "-e")
        found = re.fullmatch(r"\.(?:\[([a-z,]+)\])?", what)
        assert found, command
        assert set((found[1] or "cpu").split(",")) <= extras.keys(), command


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}
