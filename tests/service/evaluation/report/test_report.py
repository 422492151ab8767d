"""The report is one file that refers to nothing else, whatever the document says."""

from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from service.evaluation.document import Evaluation, Setting
from service.evaluation.report import write_report
from tests.service.evaluation.report.documents import (
    UNDEFINED,
    about,
    acceptance,
    calibrated,
    classification,
    ranking,
    regression,
    sets,
)

HOSTILE = "</style></title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
#: Elements and attributes by which a page would ask for something else, or run something.
_LOADING = {"script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use"}
_REFERRING = {"src", "srcset", "data", "action", "xlink:href", "background", "poster"}


class Parsed(HTMLParser):
    """The elements of a page, its ids and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: Counter[str] = Counter()
        self.values: dict[str, list[str]] = {}
        self.text = ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, found in attrs:
            self.attributes[name] += 1
            self.values.setdefault(name, []).append(found or "")

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Evaluation], Parsed]:
    def write(evaluation: Evaluation) -> Parsed:
        write_report(evaluation, tmp_path / "report.html")
        assert (tmp_path / "report.html").stat().st_size < 300_000
        return Parsed(tmp_path / "report.html")

    return write


def hostile() -> Evaluation:
    """Markup wherever a document has free text, and very long names."""
    settings = [
        Setting(name=name, kind="passes", passes=100) for name in (HOSTILE, "setting " * 500)
    ]
    evaluation = classification(
        measures={HOSTILE: ranking(about(0.9)), "measure_" * 300: ranking(UNDEFINED)},
        settings=settings,
        model=HOSTILE,
        warnings=[HOSTILE],
    )
    names = {"name": HOSTILE, "labels": (HOSTILE, *map(str, range(1000))), "output": HOSTILE}
    return evaluation.model_copy(
        update={
            "model": evaluation.model.model_copy(update=names),
            "data": evaluation.data.model_copy(update={"name": HOSTILE * 20}),
            "main": HOSTILE,
            "tools": {HOSTILE: HOSTILE},
        }
    )


def decided() -> Evaluation:
    """Sets of two methods, and a threshold."""
    rules = (sets(about(0.93)), sets(about(0.88), method="lac"), sets(about(0.99), 0.95))
    return calibrated(classification(), sets=rules, acceptance=acceptance(about(0.01, 0.005)))


def covering() -> Evaluation:
    """Conformal intervals of two methods, beside central ones."""
    found = regression()
    central = found.result().intervals
    methods = ("absolute", "cqr")
    conformal = [one.model_copy(update={"method": m}) for m in methods for one in central]
    return calibrated(found, intervals=(*central, *conformal))


def old() -> Evaluation:
    """Without what documents did not have at first."""
    results = [
        one.model_copy(update={"differences": {}, "best": None}) for one in regression().results
    ]
    return regression().model_copy(update={"results": tuple(results)})


DOCUMENTS: dict[str, Callable[[], Evaluation]] = {
    "classification": classification,
    "regression": regression,
    "hostile": hostile,
    "decided": decided,
    "covering": covering,
    "old": old,
    "without other data": lambda: classification(other=False),
    "one setting": lambda: classification(settings=[Setting(name="only", kind="deterministic")]),
    "without measures": lambda: classification(measures={}),
    "undefined": lambda: classification(
        accuracy=UNDEFINED, measures={"predictive_entropy": ranking(UNDEFINED)}
    ),
    "many measures": lambda: classification(
        measures={f"measure_{index}": ranking(about(0.9)) for index in range(20)}
    ),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_report_needs_nothing_else(name: str, written: Callable[[Evaluation], Parsed]) -> None:
    page = written(DOCUMENTS[name]())
    assert not _LOADING & set(page.tags)
    assert not _REFERRING & set(page.attributes)
    assert not [name for name in page.attributes if name.startswith("on")]
    assert all(link.startswith("#") for link in page.values.get("href", []))
    assert "default-src 'none'; style-src 'unsafe-inline'" in page.values["content"]
    assert set(Counter(page.values["id"]).values()) == {1}
    assert "url(" not in page.text
    assert "@import" not in page.text


@pytest.mark.parametrize("name", DOCUMENTS)
def test_report_has_no_undefined_number(name: str, written: Callable[[Evaluation], Parsed]) -> None:
    page = written(DOCUMENTS[name]())
    assert "nan" not in page.text
    assert "None" not in page.text
    assert not [found for found in page.values["d"] if "nan" in found or "inf" in found]


def test_markup_in_names_is_shown_as_text(written: Callable[[Evaluation], Parsed]) -> None:
    page = written(hostile())
    assert page.text.count(HOSTILE) > 10


def test_report_says_where_it_comes_from(written: Callable[[Evaluation], Parsed]) -> None:
    page = written(classification(warnings=["12 rows are of the training data."]))
    for fact in (
        "mcdropout evaluate digits --data test.npz --seed 7",
        "ab" * 32,
        "cd" * 32,
        "numpy 2.3.0",
        "1,000 bootstrap resamples",
        "12 rows are of the training data.",
        "rotated.npz, 100 rows",
    ):
        assert fact in page.text


def test_report_without_other_data_says_what_was_not_tested(
    written: Callable[[Evaluation], Parsed],
) -> None:
    page = written(classification(other=False))
    assert "Not tested" in page.text
    assert "--ood" in page.text


def test_same_document_makes_the_same_file(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one.html", "two.html")]
    for path in paths:
        write_report(classification(), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
