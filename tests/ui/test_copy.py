"""The commands and programs that the page shows give what it shows."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.ui.screen import Screen

pytestmark = pytest.mark.slow


def snippet(screen: Screen, language: str) -> str:
    screen.page.click(f".tab >> text={language}")
    return screen.page.inner_text("#snippet")


def run(command: list[str], folder: Path) -> str:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def by_curl(screen: Screen, folder: Path) -> Any:
    return json.loads(run(["bash", "-c", snippet(screen, "curl")], folder))["predictions"]


def by_python(screen: Screen, folder: Path) -> Any:
    """The means that the program prints."""
    text = snippet(screen, "Python").replace("print(", "print(prediction.mean.tolist()) #")
    return json.loads(run([sys.executable, "-c", text], folder))


def by_javascript(screen: Screen) -> Any:
    text = snippet(screen, "JavaScript").replace("console.log(", "return (")
    return screen.page.evaluate(f"async () => {{ {text} }}")["predictions"]


def test_snippets_give_the_answer_on_the_screen(screen: Screen, tmp_path: Path) -> None:
    screen.set("rate_scale", 1.5)
    screen.option("sites").get_by_label("drop_1").uncheck()
    screen.settle()
    mean = screen.value("[data-mean]")
    assert by_curl(screen, tmp_path)[0]["mean"] == [mean]
    assert by_python(screen, tmp_path) == [[mean]]
    assert by_javascript(screen)[0]["mean"] == [mean]


def test_snippet_of_the_range_gives_the_band(screen: Screen, tmp_path: Path) -> None:
    screen.page.click(".tab >> text=the range")
    found = by_curl(screen, tmp_path)
    read = "rows => rows.map(row => [...row.querySelectorAll('data')].map(x => Number(x.value)))"
    shown = screen.page.locator(".band-table tbody tr").evaluate_all(read)
    assert [row["mean"][0] for row in found] == [row[1] for row in shown]
    assert [row["quantiles"][0][3] for row in found] == [row[3] for row in shown]


def test_snippet_of_a_long_body_reads_it_from_a_file(screen: Screen, tmp_path: Path) -> None:
    years = np.linspace(1960, 2060, 800)
    screen.set("passes", 10)
    screen.page.click("text=Many rows")
    screen.page.fill(".rows textarea", "\n".join(map(str, years)))
    screen.page.click("text=Use these rows")
    screen.page.wait_for_selector(".answers tbody tr")
    screen.settle()
    with screen.page.expect_download() as waited:
        screen.page.click("text=Download body.json")
    waited.value.save_as(tmp_path / "body.json")
    expected = screen.ask("co2", years[:, None].tolist())
    means = [row["mean"] for row in expected]
    assert [row["mean"] for row in by_curl(screen, tmp_path)] == means
    assert by_python(screen, tmp_path) == means


def test_stopped_estimate_is_copied_with_its_own_passes(screen: Screen, tmp_path: Path) -> None:
    screen.set("passes", 1_000_000)
    screen.until(lambda: 1_000_000 > screen.passes > 500)
    screen.page.click("text=Stop")
    screen.settle("stopped")
    assert by_curl(screen, tmp_path)[0]["mean"] == [screen.value("[data-mean]")]


def test_copy_puts_the_text_on_the_clipboard(screen: Screen) -> None:
    screen.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    screen.page.click("#copy >> text=Copy >> nth=-1")
    screen.page.wait_for_selector("text=Copied")
    assert screen.page.evaluate("navigator.clipboard.readText()") == snippet(screen, "curl")
