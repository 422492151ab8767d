"""HTML from a page's parts."""

from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from service.evaluation.report.view import Page

_PACKAGE = "service.evaluation.report"


def html(page: Page) -> str:
    """The page as one file, which refers to no other. Whatever comes from data is escaped."""
    environment = Environment(
        loader=PackageLoader(_PACKAGE, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    style = resources.files(_PACKAGE).joinpath("page.css").read_text("utf-8")
    return environment.get_template("page.html").render(page=page, style=Markup(style))
