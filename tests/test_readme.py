"""The commands of the README do what it says, and links of all pages lead somewhere."""

import inspect
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from scripts.local_server import LocalServer
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def block(language: str, containing: str) -> str:
    """The only code block of a language that contains a text."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = (text for text in blocks if containing in text)
    return str(found)


def test_first_request_gives_the_shown_answer(server: LocalServer) -> None:
    command = block("sh", "curl -s ").replace("http://127.0.0.1:8000", server.url)
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    found, shown = json.loads(ended.stdout), json.loads(block("json", "co2"))
    rows, rows_shown = found.pop("predictions"), shown.pop("predictions")
    assert found == shown
    for row, row_shown in zip(rows, rows_shown, strict=True):
        for key, values in row_shown.items():
            assert row[key] == pytest.approx(values, rel=1e-4)


def test_stream_gives_estimates_and_the_answer_last(server: LocalServer) -> None:
    command = block("sh", "curl -N").replace("http://127.0.0.1:8000", server.url)
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    *estimates, last = map(json.loads, ended.stdout.splitlines())
    assert [line["passes"] for line in estimates] == [32 << n for n in range(12)]
    assert (last["passes"], last["final"]) == (100_000, True)


def test_python_example_runs() -> None:
    from models.zoo.data import digits_splits

    names: dict[str, Any] = {"x": digits_splits()[1].x[:3]}
    exec(block("python", "load_model"), names)
    assert names["prediction"].mean.shape == (3, 10)


def test_every_named_make_command_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:^|`)make ([a-z0-9]+)", README, re.MULTILINE)):
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


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}
