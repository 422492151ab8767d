"""The model that `mcdropout predict` asks: a file, or a model of a server."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

from numpy.typing import NDArray
from pydantic import ValidationError

from service.client import Client, ClientError
from service.errors import InputError
from service.inference.load import load_model
from service.manifest import Manifest, Source
from service.protocol.prediction import Prediction
from service.runtime.device import choose_device

_ADDRESS = re.compile(r"(https?://.+?)/v1/models/([^/:]+)(?:/versions/(\d+))?(?::predict)?/?")
#: Fields of the manifest by their names in the server's answer.
_FIELDS = {
    **{name: name for name in ("task", "inputs", "outputs", "labels", "noise", "noise_precision")},
    **{name: name for name in ("passes", "sites")},
    "measures": "default_measures",
}


class Model(Protocol):
    """A model that answers rows."""

    @property
    def manifest(self) -> Manifest:
        """Its description."""

    @property
    def predict(self) -> Callable[..., Prediction]:
        """Mean, variance and measures over passes; see `Predictor.predict`."""

    def predict_deterministic(self, x: Any) -> Mapping[str, NDArray[Any]]:
        """Output name to (B, …), with dropout off; see `Predictor.predict_deterministic`."""


@contextmanager
def opened(place: str, device: str | None = None, api_key: str | None = None) -> Iterator[Model]:
    """A model file that is loaded, or a model of a server, during the block.

    Args:
        place: path of a file, or the model's address: http://HOST:PORT/v1/models/NAME.
        device: for a file; see `choose_device`. None: the CPU.
        api_key: for a server.

    Raises:
        InputError: the address or an argument is invalid; also in the block, for every error of
            the server.
        ModelError: the file cannot be served.
    """
    if not re.match("https?://", place):
        if api_key is not None:
            raise InputError(f"--api-key is for a model of a server; {place} is a file.")
        yield load_model(Path(place), choose_device(device or "cpu").providers)
        return
    found = _ADDRESS.fullmatch(place)
    if found is None:
        raise InputError(
            f"{place} is not the address of a model, such as http://127.0.0.1:8000/v1/models/NAME."
        )
    if device is not None:
        raise InputError(f"--device is for a model file; {place} is a model of a server.")
    url, name, version = found.groups()
    try:
        with Client(url, api_key) as client:
            yield _Served(client, unquote(name), int(version) if version else None, place)
    except ClientError as error:
        raise InputError(str(error)) from error


class _Served:
    """A model of a server."""

    def __init__(self, client: Client, name: str, version: int | None, place: str) -> None:
        self._client, self._name, self._version = client, name, version
        self.manifest = read_manifest(client.model(name, version), place)

    def predict(self, x: Any, **options: Any) -> Prediction:
        return self._client.predict(self._name, x, version=self._version, **options)

    def predict_deterministic(self, x: Any) -> Mapping[str, NDArray[Any]]:
        return self._client.predict_deterministic(self._name, x, version=self._version)


def read_manifest(details: Mapping[str, Any], place: str) -> Manifest:
    """The manifest as far as a server tells it.

    Raises:
        InputError: the model is not ready, or the server is of another version.
    """
    if details.get("inputs") is None:
        state, reason = (str(details.get(key, "")) for key in ("state", "reason"))
        raise InputError(f"{place} is not ready ({state}){f': {reason}' if reason else '.'}")
    fields = {name: details[there] for name, there in _FIELDS.items() if there in details}
    source = Source(kind="memory", name=place, sha256="")
    try:
        return Manifest.model_validate({**fields, "tools": {}, "source": source})
    except ValidationError as error:
        raise InputError(
            f"{place} is described in another form than this version of mcdropout expects; use "
            "the version of the server."
        ) from error
