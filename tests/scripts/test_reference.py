"""docs/reference.md is generated from the definitions."""

from scripts.reference import PAGE, page


def test_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run `make docs`"
