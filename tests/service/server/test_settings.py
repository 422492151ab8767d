from pathlib import Path

import pytest

from service.errors import SetupError
from service.server.settings import read_settings


def test_flag_overrides_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCDROPOUT_PORT", "9001")
    monkeypatch.setenv("MCDROPOUT_MODELS", "/elsewhere")
    settings = read_settings(port=9002, host=None)
    assert settings.port == 9002
    assert settings.models == Path("/elsewhere")
    assert settings.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PORT", "http", r"setting port \(MCDROPOUT_PORT\) is 'http'"),
        ("PORT", "70000", "less than or equal to 65535"),
        ("MAX_PASSES", "1", r"max_passes .* is '1': Input should be greater than or equal to 2"),
        (
            "CORS_ORIGINS",
            "a.example",
            r"'a.example' is not an origin: write it as browsers send it",
        ),
        ("CORS_ORIGINS", "https://a.example,https://b.example/", "'https://b.example/' is no"),
        ("CORS_ORIGINS", "https://A.example", "is not an origin: .* in lower case"),
        ("CORS_ORIGINS", "https://a.example:443", "without the scheme's default port"),
        ("DEVICE", "tpu", r"device .* is 'tpu': it takes auto, cpu, cuda, or cuda:N"),
    ],
)
def test_invalid_setting_is_explained(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(f"MCDROPOUT_{name}", value)
    with pytest.raises(SetupError, match=message):
        read_settings()


@pytest.mark.parametrize(
    "origins", ["", "*", "https://a.example, http://localhost:3000", "http://[::1]:8080 null"]
)
def test_origins(monkeypatch: pytest.MonkeyPatch, origins: str) -> None:
    monkeypatch.setenv("MCDROPOUT_CORS_ORIGINS", origins)
    assert read_settings().cors_origins == origins


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:3"])
def test_devices(device: str) -> None:
    assert read_settings(device=device).device == device


def write(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text)
    return path


def test_flag_overrides_a_variable_which_overrides_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = write(tmp_path, 'port = 1\nmax_rows = 2\ntimeout = 3.5\nhost = "file"\n')
    monkeypatch.setenv("MCDROPOUT_MAX_ROWS", "20")
    monkeypatch.setenv("MCDROPOUT_HOST", "variable")
    settings = read_settings(file, host="flag")
    assert (settings.port, settings.max_rows, settings.timeout) == (1, 20, 3.5)
    assert settings.host == "flag"
    assert settings.max_passes == 1_000_000


def test_a_variable_names_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MCDROPOUT_CONFIG", str(write(tmp_path, "port = 4\n")))
    assert read_settings().port == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port = 'x'", r"setting port \(.*settings.toml\) is 'x'"),
        ("prot = 1", r"settings.toml' sets 'prot', which is not a setting. Did you mean port\?"),
        ("port = ", r"the settings file .*settings.toml' cannot be read: Invalid value"),
        ("version_policy = 'newest'", "version_policy"),
    ],
)
def test_invalid_file_is_explained(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SetupError, match=message):
        read_settings(write(tmp_path, text))


def test_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"cannot be read: .*No such file"):
        read_settings(tmp_path / "no.toml")


def test_misspelled_variable_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCDROPOUT_MAX_PASES", "9")
    with pytest.raises(
        SetupError, match=r"MAX_PASES, which is not a setting. Did you mean MCDROPOUT_MA"
    ):
        read_settings()


def test_no_message_contains_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCDROPOUT_API_KEYS", "predict:a-very-secret-key-123")
    settings = read_settings()
    assert "secret-key" not in repr(settings)
