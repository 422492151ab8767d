"""The report in a real browser: on a phone and on a desktop, light and dark."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from scripts.browser import DESKTOP, PHONE
from service.evaluation.document import Evaluation
from service.evaluation.report import write_report
from tests.browser import Opened, opened
from tests.service.evaluation.report.documents import regression
from tests.service.evaluation.report.test_report import decided, hostile

pytestmark = pytest.mark.slow

Shown = Callable[[Evaluation], AbstractContextManager[Opened]]


@pytest.fixture
def shown(browser: Browser, tmp_path: Path) -> Shown:
    """Opens a report, with all its tables unfolded."""

    @contextmanager
    def show(evaluation: Evaluation) -> Iterator[Opened]:
        path = tmp_path / "report.html"
        write_report(evaluation, path)
        with opened(browser, path.as_uri(), PHONE) as found:
            found.page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
            yield found

    return show


@pytest.mark.parametrize("document", [decided, regression, hostile])
def test_report_fits_and_needs_nothing_else(
    document: Callable[[], Evaluation], shown: Shown
) -> None:
    with shown(document()) as report:
        assert report.sideways() == 0
        report.page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
        assert report.sideways() == 0
        assert report.complaints == []
        assert report.requests == [report.page.url]


@pytest.mark.parametrize("document", [decided, regression])
def test_report_is_readable_by_everyone(document: Callable[[], Evaluation], shown: Shown) -> None:
    with shown(document()) as report:
        for scheme in ("light", "dark"):
            report.page.emulate_media(color_scheme=scheme)
            assert report.serious_violations() == []
        named = report.page.get_by_role("img", name=re.compile("."))
        assert named.count() == report.page.locator("figure").count() > 3


def test_print_shows_folded_numbers(browser: Browser, tmp_path: Path) -> None:
    write_report(regression(), tmp_path / "report.html")
    with opened(browser, (tmp_path / "report.html").as_uri(), DESKTOP) as report:
        numbers = report.page.locator("details table")
        assert not any(one.is_visible() for one in numbers.all())
        report.page.emulate_media(media="print")
        assert all(one.is_visible() for one in numbers.all())
        assert report.sideways() == 0
