"""Settings of the server: flags, MCDROPOUT_* environment variables, a TOML file, defaults."""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.errors import SetupError
from service.inference.calibration import OnMisfit
from service.repository.version_policy import parse_policy
from service.runtime.device import DEVICES, is_device
from service.server.logs import Format

PREFIX = "MCDROPOUT_"
_OF_KUBERNETES = re.compile(rf"{PREFIX}(SERVICE_(HOST|PORT)|PORT_\d+_)")
#: Names the file; not a setting itself.
CONFIG = f"{PREFIX}CONFIG"
#: Seconds. The clocks of the system and the event loop reject very large numbers.
_LONGEST = 7 * 86_400


#: Scheme, host and port, the port only where the scheme does not imply it.
_ORIGIN = re.compile(
    r"(?!http://[^/]*:80$)(?!https://[^/]*:443$)[a-z][a-z0-9+.-]*://"
    r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?"
)


def split_origins(origins: str) -> list[str]:
    """The origins of the setting `cors_origins`."""
    return origins.replace(",", " ").split()


class Settings(BaseSettings):
    """A flag of `mcdropout serve` overrides its variable, which overrides the file."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", allow_inf_nan=False
    )

    host: str = Field(default="127.0.0.1", min_length=1, description="address to listen on")
    port: int = Field(
        default=8000, ge=0, le=65535, description="port to listen on; 0 picks a free one"
    )
    models: Path = Field(
        default=Path("models/store"), description="folder of `<name>/<version>/model.onnx`"
    )
    device: str = Field(
        default="auto",
        description="`cpu`, `cuda`, `cuda:N` for GPU number N, or `auto`: a GPU if one works",
    )
    activate_dropout: bool = Field(
        default=False, description="activate dropout that a model file keeps off"
    )
    version_policy: str = Field(
        default="latest", description="which versions of a model are served"
    )
    poll_seconds: float = Field(
        default=0.0,
        ge=0,
        le=_LONGEST,
        description="seconds between checks for changed models; 0 disables polling",
    )
    repository_control: bool = Field(
        default=False, description="whether requests may load and unload models"
    )
    calibrated: bool = Field(
        default=True, description="whether answers are calibrated where a request does not say"
    )
    calibration_misfit: OnMisfit = Field(
        default="refuse",
        description="a model whose calibration does not fit is not loaded (`refuse`), or answers "
        "without it (`ignore`)",
    )
    max_model_mb: int = Field(
        default=4096, ge=1, description="maximum size of a model's files, in MiB"
    )
    load_timeout: float = Field(
        default=300.0,
        gt=0,
        description="maximum time to load one version of a model, in seconds",
    )
    memory: int = Field(
        default=512, ge=1, description="memory for the passes that run at a time, in MiB"
    )
    max_rows: int = Field(default=100_000, ge=1, description="maximum rows per request")
    max_passes: int = Field(default=1_000_000, ge=2, description="maximum passes per request")
    max_samples: int = Field(
        default=1_000_000,
        ge=2,
        description="maximum samples (rows × passes × inner masks) per request",
    )
    max_body_mb: int = Field(default=64, ge=1, description="maximum size of a request body, in MiB")
    max_pending_mb: int = Field(
        default=512,
        ge=1,
        description="maximum memory for bodies and answers of all in-flight requests, in MiB",
    )
    max_queue: int = Field(
        default=512, ge=1, description="maximum in-flight requests; further ones are answered 429"
    )
    timeout: float = Field(
        default=60.0,
        gt=0,
        le=_LONGEST,
        description="default and maximum request deadline, in seconds",
    )
    read_timeout: float = Field(
        default=30.0,
        gt=0,
        le=_LONGEST,
        description="maximum time for a request to arrive, in seconds",
    )
    grace: float = Field(
        default=20.0,
        ge=0,
        le=_LONGEST,
        description="time for in-flight requests to finish at graceful shutdown, in seconds",
    )
    max_batch_rows: int = Field(
        default=64,
        ge=1,
        description="maximum rows in a batch of several requests; 1 disables dynamic batching",
    )
    max_queue_delay_ms: float = Field(
        default=0.0,
        ge=0,
        le=60_000,
        description="maximum batching delay of an idle server, in milliseconds",
    )
    api_keys: SecretStr = Field(
        default=SecretStr(""),
        description="API keys as `right:key` items; without any, no authentication is required",
    )
    api_keys_file: Path | None = Field(
        default=None, description="file of API keys, in the same form"
    )
    cors_origins: str = Field(
        default="", description="origins whose web pages may send requests, separated by commas"
    )
    ui: bool = Field(default=True, description="whether `/` is the web page")
    log_format: Format = Field(default="console", description="`console` or `json`")
    access_log: bool = Field(
        default=True, description="whether to write an access log line for each request"
    )

    @field_validator("device")
    @classmethod
    def _known_device(cls, device: str) -> str:
        if not is_device(device):
            raise ValueError(DEVICES)
        return device

    @field_validator("version_policy")
    @classmethod
    def _known_policy(cls, policy: str) -> str:
        parse_policy(policy)
        return policy

    @field_validator("cors_origins")
    @classmethod
    def _origins_as_browsers_send_them(cls, origins: str) -> str:
        for origin in split_origins(origins):
            if origin not in ("*", "null") and not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin!r} is not an origin: write it as browsers send it, such as "
                    "https://app.example or http://localhost:3000, in lower case, without a path "
                    "and without the scheme's default port; or * for every page"
                )
        return origins


def read_settings(config: Path | None = None, **flags: object) -> Settings:
    """Settings with the given flags; a flag that is None is not set.

    Args:
        config: the file; by default the one that MCDROPOUT_CONFIG names, if any.

    Raises:
        SetupError: naming the invalid setting, its source, and its valid values.
    """
    path = os.environ.get(CONFIG) if config is None else str(config)
    in_file = _read_file(path) if path else {}
    _require_known_variables(os.environ)
    given = {name: value for name, value in flags.items() if value is not None}
    variables = {f for f in Settings.model_fields if f"{PREFIX}{f.upper()}" in os.environ}
    rest = {name: value for name, value in in_file.items() if name not in variables}
    try:
        # Arguments override variables, so only the file's values without a variable are passed.
        return Settings(**{**rest, **given})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        value = "set" if name == "api_keys" else repr(first["input"])
        raise SetupError(
            f"setting {name} ({_source(name, given, rest, path)}) is {value}: "
            f"{first['msg'].removeprefix('Value error, ')}."
        ) from error


def _source(
    name: str, given: Mapping[str, object], rest: Mapping[str, object], path: str | None
) -> str:
    if name in given:
        return f"--{name.replace('_', '-')}"
    return str(path) if name in rest else f"{PREFIX}{name.upper()}"


def _read_file(path: str) -> Mapping[str, Any]:
    try:
        found = tomllib.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise SetupError(f"the settings file {path!r} cannot be read: {error}.") from error
    for name in found:
        if name not in Settings.model_fields:
            raise SetupError(
                f"the settings file {path!r} sets {name!r}, which is not a setting."
                + _nearest(name, list(Settings.model_fields))
            )
    return found


def _require_known_variables(env: Mapping[str, str]) -> None:
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    for name, value in env.items():
        if not name.startswith(PREFIX):
            continue
        if _OF_KUBERNETES.match(name) or value.startswith("tcp://"):
            raise SetupError(
                f"the environment sets {name}={value!r}, as Kubernetes does in every pod beside a "
                "Service named 'mcdropout'. Set enableServiceLinks: false in the pod, or rename "
                "the Service."
            )
        if name not in (*known, CONFIG):
            raise SetupError(
                f"the environment sets {name}, which is not a setting." + _nearest(name, known)
            )


def _nearest(name: str, known: list[str]) -> str:
    (near,) = difflib.get_close_matches(name, known, n=1) or [""]
    return f" Did you mean {near}?" if near else f" There are: {', '.join(known)}."
