"""The command that installs a missing extra."""

import sys
from importlib import import_module

import pytest

from service import extras
from service.errors import MissingExtraError
from service.extras import how_to_install, needs


class Installed:
    """An installed distribution, which came from somewhere."""

    def __init__(self, origin: str | None) -> None:
        self.origin = origin

    def read_text(self, name: str) -> str | None:
        """A file of its metadata."""
        assert name == "direct_url.json"
        return self.origin


@pytest.mark.parametrize(
    ("origin", "option"),
    [
        ('{"url": "file:///clone", "dir_info": {"editable": true}}', "-e "),
        ('{"url": "file:///clone", "dir_info": {}}', ""),
        ('{"url": "file:///mcdropout.whl", "archive_info": {}}', ""),
        (None, ""),
    ],
)
def test_command_keeps_a_clone_that_runs_in_place(
    monkeypatch: pytest.MonkeyPatch, origin: str | None, option: str
) -> None:
    monkeypatch.setattr(extras, "distributions", lambda name: [Installed(origin)])
    command = f'{sys.executable} -m pip install {option}".[evaluate]"'
    assert how_to_install("evaluate") == f"in a clone of mcdropout, {command}"


def test_command_is_of_the_running_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/home/of me/python")
    assert "'/home/of me/python' -m pip install" in how_to_install("otel")


def test_missing_package_is_named_with_its_extra() -> None:
    message = r"'no_such_package' is .*\[parquet\]"
    with pytest.raises(MissingExtraError, match=message), needs("parquet"):
        import_module("no_such_package.part")


def test_missing_module_of_the_project_is_no_missing_extra() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"service\.no_such_module"), needs("cpu"):
        import_module("service.no_such_module")
