"""What `make report` evaluates, and the images that it makes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser

from models.zoo.data import co2_splits, digits_halves, digits_splits
from scripts.demo_reports import shoot, write_data


def test_rows_are_held_out_and_years_are_beyond_the_data(tmp_path: Path) -> None:
    write_data(tmp_path)
    digits, co2 = (np.load(tmp_path / f"{name}.npz") for name in ("digits", "co2"))
    for known in (digits_splits()[0], digits_halves()[0]):
        assert not {row.tobytes() for row in digits["x"]} & {row.tobytes() for row in known.x}
    for weeks in (co2_splits().train, co2_splits().valid):
        assert not {*co2["x"][:, 0]} & {*weeks.year[:, 0]}
    assert len(co2["x"]) == len(co2["y"]) > 400
    assert np.load(tmp_path / "co2-after-2005.npz")["x"].min() > co2["x"].max()


@pytest.mark.slow
def test_image_has_the_size_of_the_window(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<!doctype html><title>page</title><p>text")
    image = tmp_path / "page.png"
    shoot(browser, (tmp_path / "page.html").as_uri(), image, (360, 740), "dark")
    with Image.open(image) as found:
        assert found.size == (360, 740)
