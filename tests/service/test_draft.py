from pathlib import Path

import pytest

from service.draft import draft_of, require_writable
from service.errors import SetupError


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
    with (
        pytest.raises(SetupError, match=r"file cannot be written: .*full"),
        draft_of(path) as draft,
    ):
        raise OSError(f"{draft.write_text('new')} bytes, and the disk is full")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_takes_no_files_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "new" / "calibration.json"
    with pytest.raises(SetupError, match=r"calibration\.json cannot be written: .*not a writable"):
        require_writable(path, force=True)
    failing = pytest.raises(SetupError, match=r"calibration\.json cannot be written: Not a dir")
    with failing, draft_of(path) as draft:
        draft.touch()


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="is a folder"):
        require_writable(tmp_path, force=True)
