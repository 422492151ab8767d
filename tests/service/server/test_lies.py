"""Files and settings that contradict themselves: a clear error at the start or the load."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import onnx
import pytest

from scripts.local_server import local_server
from service.api.http.keys import parse_keys
from service.errors import ArtifactError, SetupError
from service.graph.artifact import read_artifact
from service.manifest import METADATA_KEY
from service.server.composition import read_keys
from service.server.settings import read_settings
from tests.conftest import STORE, EditArtifact

pytestmark = pytest.mark.slow


def lying(edit: EditArtifact, change: Callable[[dict[str, Any]], object]) -> Path:
    def apply(model: onnx.ModelProto) -> None:
        (entry,) = [p for p in model.metadata_props if p.key == METADATA_KEY]
        manifest = json.loads(entry.value)
        change(manifest)
        entry.value = json.dumps(manifest)

    return edit(apply)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["labels"].pop(), "labels: 9 labels were given, and output .* has 10 classes"),
        (lambda m: m["inputs"][0].update(dtype="complex64"), "a different type or shape"),
        (lambda m: m["inputs"][0].update(dtype="nonsense"), "a different type or shape"),
        (lambda m: m["inputs"][0].update(shape=[None, 65]), "a different type or shape"),
        (lambda m: m["outputs"][0].update(dtype="float64"), "a different type or shape"),
        (lambda m: m["outputs"][0].update(shape=[None, 10, 1]), "a different type or shape"),
        (lambda m: m["sites"][0].update(shape=[None, 1, 1, 10**9]), "a different type or shape"),
        (lambda m: m.update(passes=10**12), "passes: Input should be less than or equal to"),
        (lambda m: m.update(passes=1), "passes"),
    ],
)
def test_manifest_that_contradicts_the_file_is_refused(
    edit_artifact: EditArtifact, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    with pytest.raises(ArtifactError, match=message):
        read_artifact(lying(edit_artifact, change))


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e300"])
@pytest.mark.parametrize(
    "name", ["GRACE", "TIMEOUT", "READ_TIMEOUT", "POLL_SECONDS", "MAX_QUEUE_DELAY_MS"]
)
def test_infinite_time_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"MCDROPOUT_{name}", value)
    with pytest.raises(SetupError, match=f"MCDROPOUT_{name}"):
        read_settings()


@pytest.mark.parametrize("key", ["a" * 20 + "\udcff", "ключ" * 5, "a" * 20 + "ü"])
def test_key_that_headers_cannot_contain_stops_the_start(key: str) -> None:
    with pytest.raises(SetupError, match="characters other than ASCII"):
        parse_keys(f"predict:{key}", "MCDROPOUT_API_KEYS")


@pytest.mark.parametrize(("mode", "warned"), [(0o600, 0), (0o640, 0), (0o644, 1)])
def test_file_of_keys_readable_by_everyone_gives_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, warned: int
) -> None:
    file = tmp_path / "keys"
    file.write_text(f"predict:{'a' * 20}\n")
    file.chmod(mode)
    with caplog.at_level(logging.WARNING):
        assert len(read_keys(read_settings(api_keys_file=file))) == 1
    assert len([r for r in caplog.records if "every user of this machine" in r.message]) == warned


def test_a_server_without_standard_streams_serves() -> None:
    """Text for standard error must not reach a client's connection."""
    code = (
        "import os, sys; [os.close(n) for n in (0, 1, 2)]\n"
        "from service.server.logs import configure; configure('console')\n"
        "import logging, socket; ours, theirs = socket.socketpair()\n"
        "logging.getLogger('mcdropout').warning('a line'); os.write(2, b'another')\n"
        "theirs.setblocking(False)\n"
        "try: theirs.recv(9)\n"
        "except BlockingIOError: os._exit(7)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert ended.returncode == 7


def test_answers_do_not_reveal_the_folder_of_models(tmp_path: Path) -> None:
    for name in ("broken", "empty"):
        (tmp_path / name / "1").mkdir(parents=True)
    (tmp_path / "broken" / "1" / "model.onnx").write_bytes(b"no model")
    (tmp_path / "none").mkdir()
    (tmp_path / "co2").symlink_to(STORE / "co2")
    env = os.environ | {"MCDROPOUT_REPOSITORY_CONTROL": "true"}
    with local_server(tmp_path, env) as server, httpx.Client(base_url=server.url) as client:
        answers = [
            *(client.get(f"/v1/models/{n}") for n in ("broken", "empty", "none", "co2", "nope")),
            *(client.get(f"/v2/models/{n}/ready") for n in ("broken", "empty", "none")),
            *(client.post(f"/v2/repository/models/{n}/load") for n in ("broken", "empty", "none")),
            *(client.get(path) for path in ("/v1/models", "/health/ready")),
            client.post("/v2/repository/index"),
        ]
    assert any("broken/1/model.onnx" in answer.text for answer in answers)
    assert not [answer.text for answer in answers if str(tmp_path) in answer.text]
    assert str(tmp_path / "broken") in "".join(server.lines)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/models/digits:predict", {"instances": {"a" * 20_000: 1}}),
        ("/v1/models/digits:predict", {"inputs": {"a" * 20_000: 1}}),
        ("/v1/models/digits:predict", {"instances": [[1]], "a" * 20_000: 1}),
        ("/v1/models/digits:predict", {"instances": [[1]], "sites": ["a" * 20_000] * 3}),
        ("/v1/models/digits:predict", {"instances": [[1]], "measures": ["a" * 20_000]}),
        ("/v1/models/digits:predict", {"instances": [[1]], "masks": "a" * 20_000}),
        ("/v1/models/digits:predict", {"instances": [["a" * 20_000]]}),
        ("/v1/models/" + "a" * 20_000 + ":predict", {}),
        ("/v2/models/digits/infer", {"inputs": [{"name": "a" * 20_000}]}),
        ("/v2/models/digits/infer", {"inputs": [], "a" * 20_000: 1}),
        ("/" + "a" * 20_000, {}),
    ],
)
def test_errors_do_not_repeat_long_values(client: httpx.Client, path: str, body: object) -> None:
    answer = client.post(path, json=body)
    assert 400 <= answer.status_code < 500
    assert len(answer.json()["error"]) <= 2000
