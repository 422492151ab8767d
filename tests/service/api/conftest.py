"""What the tests of streams share."""

from collections.abc import Iterator

import pytest

from tests.service.api.hosted import Hosted, hosting


@pytest.fixture(scope="session")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with hosting(tmp_path_factory.mktemp("store")) as running:
        yield running
