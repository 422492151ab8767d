"""Settings of the server, from flags and MCDROPOUT_* environment variables."""

import re
from pathlib import Path

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.errors import SetupError

PREFIX = "MCDROPOUT_"


class Settings(BaseSettings):
    """A flag of `mcdropout serve` wins over its environment variable."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on; 0 picks one")
    models: Path = Field(
        default=Path("models/store"), description="folder of <name>/<version>/model.onnx"
    )
    device: str = Field(
        default="auto",
        description="what runs the models: auto, cpu, cuda or cuda:N for GPU number N",
    )
    max_passes: int = Field(default=1_000_000, ge=2, description="most passes of one request")
    max_samples: int = Field(
        default=1_000_000, ge=2, description="most rows × passes of one request"
    )
    memory: int = Field(
        default=512, ge=1, description="MiB that the passes of a request take at a time"
    )
    activate_dropout: bool = Field(
        default=False, description="turn on dropouts that a file holds and keeps off"
    )

    @field_validator("device")
    @classmethod
    def _known_device(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
            raise ValueError("it takes auto, cpu, cuda, or cuda:N for GPU number N")
        return device


def read_settings(**flags: object) -> Settings:
    """Settings with the given flags; a flag that is None is not set.

    Raises:
        SetupError: naming the setting that is wrong, and what it takes.
    """
    try:
        return Settings(**{k: v for k, v in flags.items() if v is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise SetupError(
            f"setting {name} (--{name.replace('_', '-')} or {PREFIX}{name.upper()}) is "
            f"{first['input']!r}: {first['msg'].removeprefix('Value error, ')}."
        ) from error
