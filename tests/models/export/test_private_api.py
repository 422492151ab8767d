from importlib.metadata import PackageNotFoundError

import pytest

from models.export import private_api
from models.export.private_api import TESTED_VERSIONS, require_tested_versions
from service.errors import SetupError


def test_installed_versions_are_tested() -> None:
    require_tested_versions()


def test_untested_version_is_refused_at_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TESTED_VERSIONS, "keras", {"3.0.0"})
    with pytest.raises(SetupError, match=r"keras 3\.15\.1 was never tested .* Install keras==3"):
        require_tested_versions()


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(private_api, "version", missing)
    with pytest.raises(SetupError, match=r'is not installed.*pip install .*"\.\[export\]"'):
        require_tested_versions()
