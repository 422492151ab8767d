"""docs/reference.md is what the definitions say."""

from scripts.reference import PAGE, page


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run `make docs`"
