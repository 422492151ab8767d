"""Evaluate the demo models, and show their reports.

    python -m scripts.demo_reports --output build/reports --figures docs/images

Runs `mcdropout evaluate` as users do. With --figures it needs a browser.
"""

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, ViewportSize

from models.zoo.data import co2_splits, digits_halves
from scripts.browser import NEEDED, installed_browser, launched
from scripts.evaluate_demo_models import STORE, rotated

Array = NDArray[Any]

ROOT = STORE.parent.parent
SEED = 2016
#: Report and its section, image, window in pixels, and scheme.
SCREENSHOTS = (
    ("digits.html", "report.png", (1200, 1320), "light"),
    ("co2.html#intervals", "report-phone.png", (360, 1100), "dark"),
)


def write_data(folder: Path) -> None:
    """Rows that neither trained nor calibrated the models, and rows that are unlike these."""
    _, digits = digits_halves()
    year, ppm = co2_splits().test
    beyond = np.linspace(2005, 2025, 400, dtype=np.float32)[:, None]
    np.savez(folder / "digits.npz", x=digits.x, y=digits.y)
    np.savez(folder / "digits-rotated.npz", x=rotated(digits.x, 90))
    np.savez(folder / "co2.npz", x=year, y=ppm)
    np.savez(folder / "co2-after-2005.npz", x=beyond)


def evaluate(name: str, other: str, folder: Path) -> None:
    """Write the document and the report of a demo model into the folder."""
    model = STORE.relative_to(ROOT) / name / "1" / "model.onnx"
    command = [sys.executable, "-m", "mcdropout", "evaluate", str(model)]
    flags = {
        "--data": folder / f"{name}.npz",
        "--ood": folder / f"{other}.npz",
        "--output": folder / f"{name}.json",
        "--report": folder / f"{name}.html",
        "--seed": SEED,
    }
    given = [str(word) for flag in flags.items() for word in flag]
    subprocess.run([*command, *given, "--force"], check=True, cwd=ROOT)


def shoot(browser: Browser, url: str, image: Path, size: tuple[int, int], scheme: Any) -> None:
    """An image of a report where the browser opens it."""
    viewport = ViewportSize(width=size[0], height=size[1])
    with browser.new_page(viewport=viewport, color_scheme=scheme) as page:
        page.goto(url)
        page.screenshot(path=image)
    # 256 colors, found so that the few pixels of a thin line keep theirs: a third of the size.
    with Image.open(image) as opened:
        found = opened.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=3)
    found.save(image, optimize=True)


def main(
    output: Annotated[Path, typer.Option(help="Folder of the reports.")] = Path("build/reports"),
    figures: Annotated[Path | None, typer.Option(help="Folder of the screenshots.")] = None,
) -> None:
    """Write the reports of both demo models, and screenshots of them."""
    path = installed_browser()
    if figures is not None and path is None:
        sys.exit(f"error: --figures {NEEDED}")
    output.mkdir(parents=True, exist_ok=True)
    write_data(output)
    evaluate("digits", "digits-rotated", output)
    evaluate("co2", "co2-after-2005", output)
    if figures is None or path is None:
        return
    with launched(path) as browser:
        for report, image, size, scheme in SCREENSHOTS:
            url = f"{output.resolve().as_uri()}/{report}"
            shoot(browser, url, figures / image, size, scheme)


if __name__ == "__main__":
    typer.run(main)
