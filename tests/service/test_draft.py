from pathlib import Path

import pytest

from service.draft import draft_of


def test_a_draft_takes_the_place_of_its_file_when_it_is_done(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    with draft_of(path) as draft:
        draft.write_text("new")
        assert draft.parent == path.parent
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_a_draft_that_fails_leaves_its_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(OSError, match="full"), draft_of(path) as draft:
        raise OSError(f"{draft.write_text('new')} bytes, and the disk is full")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
