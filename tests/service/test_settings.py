from pathlib import Path

import pytest

from service.errors import SetupError
from service.settings import read_settings


def test_a_flag_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCDROPOUT_PORT", "9001")
    monkeypatch.setenv("MCDROPOUT_MODELS", "/elsewhere")
    settings = read_settings(port=9002, host=None)
    assert settings.port == 9002
    assert settings.models == Path("/elsewhere")
    assert settings.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PORT", "http", r"setting port \(--port or MCDROPOUT_PORT\) is 'http'"),
        ("PORT", "70000", "less than or equal to 65535"),
        ("MAX_PASSES", "1", r"max_passes .* is '1': Input should be greater than or equal to 2"),
        ("DEVICE", "tpu", r"device .* is 'tpu': it takes auto, cpu, cuda, or cuda:N"),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_takes(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(f"MCDROPOUT_{name}", value)
    with pytest.raises(SetupError, match=message):
        read_settings()


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:3"])
def test_devices(device: str) -> None:
    assert read_settings(device=device).device == device
