"""The report of an evaluation: one HTML file that needs nothing else, neither network nor script.

A page is built from the document alone: `topics/` asks the questions of a reader and answers them
in sentences and figures, `charts/` draws those, and `page.html` is the template.
"""

from pathlib import Path

from service.evaluation.document import Evaluation
from service.evaluation.report.build import page_of
from service.evaluation.report.page import html

__all__ = ["write_report"]


def write_report(evaluation: Evaluation, path: Path) -> None:
    """Write the report to a file; an existing one is replaced.

    Raises:
        OSError: the file cannot be written.
    """
    path.write_text(html(page_of(evaluation)), "utf-8")
