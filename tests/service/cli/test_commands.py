import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import onnx
import pytest

from models.zoo.data import digits_splits
from scripts.local_server import local_server
from service.manifest import METADATA_KEY
from service.server.listening import listen
from service.server.settings import Settings
from tests.conftest import ROOT, STORE, EditArtifact

pytestmark = pytest.mark.slow


def serve(*flags: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `mcdropout serve` with flags that make it end by itself."""
    command = [sys.executable, "-m", "service.cli", "serve", *flags]
    env = os.environ | variables
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--models", "/nowhere"], "error: there is no model folder '/nowhere'. Give one that"),
        (["--port", "70000"], "error: setting port (--port) is 70000: Input"),
        (["--host", "192.0.2.1"], "error: cannot listen on '192.0.2.1': Cannot assign requested "),
        (["--host", "a..b"], "error: cannot listen on 'a..b': "),
        (
            ["--host", "nohost.invalid"],
            "error: cannot listen on 'nohost.invalid': Name or service "
            "not known. --host (make serve HOST=…) takes an address of this machine",
        ),
        (["--host", ""], "error: setting host (--host) is '': String should have at least 1"),
        (["--device", "tpu"], "error: setting device (--device) is 'tpu'"),
        (["--device", "cuda"], "error: the device is set to 'cuda', but CUDA is not available: "),
    ],
)
def test_failed_start_prints_a_sentence_and_exits_with_2(flags: list[str], message: str) -> None:
    ended = serve(*flags)
    assert ended.returncode == 2
    assert ended.stderr.startswith(message)
    assert "Traceback" not in ended.stderr


def test_help_shows_the_defaults() -> None:
    env = os.environ | {"COLUMNS": "200"}
    command = [sys.executable, "-m", "mcdropout"]
    shown = {
        name: subprocess.run(
            [*command, name, "--help"], capture_output=True, text=True, env=env
        ).stdout
        for name in ("serve", "predict", "inspect")
    }
    for name in ("host", "port", "models", "device", "log_format"):
        (line,) = re.findall(f"--{name.replace('_', '-')} .*", shown["serve"])
        assert f"[default: ({Settings.model_fields[name].default})]" in line
    assert "[env var: MCDROPOUT_CONFIG]" in shown["serve"]
    assert "[default: (the model's own)]" in shown["predict"]


def test_names_with_brackets_are_printed_unchanged(
    edit_artifact: EditArtifact,
) -> None:
    """Rich would interpret [/b] as markup, and :smile: as an emoji."""
    labels = ["[/b]", ":smile:", *"23456789"]

    def rename(model: onnx.ModelProto) -> None:
        (entry,) = (e for e in model.metadata_props if e.key == METADATA_KEY)
        entry.value = json.dumps(json.loads(entry.value) | {"labels": labels})

    path = edit_artifact(rename)
    ended = subprocess.run(
        [sys.executable, "-m", "mcdropout", "predict", str(path), "-"],
        input=json.dumps(digits_splits()[1].x[:30].tolist()),
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert "[/b]" in ended.stdout
    assert ":smile:" in ended.stdout


def test_port_in_use_is_reported_and_stops_the_start() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = serve("--port", str(taken.getsockname()[1]), "--models", str(STORE))
    assert ended.returncode == 2
    assert "Address already in use. Choose another with --port" in ended.stderr


def test_sigterm_ends_the_server_with_exit_code_0() -> None:
    with local_server(STORE) as server:
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0


def test_empty_store_serves_no_model_and_says_so(tmp_path: Path) -> None:
    with local_server(tmp_path) as server:
        assert any("There are no models yet" in line for line in server.lines)
        assert httpx.get(f"{server.url}/v1/models").json() == {"models": []}


def test_server_process_loads_no_tensorflow() -> None:
    """Checked by the files that the process has mapped into memory."""
    with local_server(STORE) as server:
        maps = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "onnxruntime" in maps
    assert "tensorflow" not in maps


def inspect(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service.cli", "inspect", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_inspect_shows_sites_and_plan(digits_path: Path) -> None:
    ended = inspect(str(digits_path))
    assert ended.returncode == 0, ended.stderr
    for text in ("pixels", "drop_hidden", "spatial_dropout", "split", "2.7%", "0.25"):
        assert text in ended.stdout


def test_inspect_prints_everything_as_json(digits_path: Path) -> None:
    found = json.loads(inspect(str(digits_path), "--json").stdout)
    assert [site["rate"] for site in found["manifest"]["sites"]] == [0.1, 0.25, 0.5]
    assert found["plan"]["layout"] == "split"
    assert found["proof"]["off_difference"] < 1e-5


def test_inspect_explains_an_invalid_file(tmp_path: Path) -> None:
    ended = inspect(str(tmp_path / "no.onnx"))
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: {tmp_path / 'no.onnx'} cannot be read: No such file")


def test_inspect_says_how_to_export_a_keras_model() -> None:
    file = ROOT / "models" / "zoo" / "trained" / "co2.keras"
    ended = inspect(str(file))
    assert ended.returncode == 2
    command = f"mcdropout export {file} --output models/store/co2/1"
    assert (
        ended.stderr == f"error: {file} is a Keras model, not an ONNX file. Export it: {command}\n"
    )


def test_inspect_can_activate_dropout() -> None:
    file = str(ROOT / "tests" / "data" / "torch" / "mlp_legacy_opset11.onnx")
    assert "off in the file, and nothing else" in inspect(file).stderr
    ended = inspect(file, "--activate-dropout")
    assert ended.returncode == 0
    assert "/2/Dropout" in ended.stdout


def test_inspect_explains_a_folder_and_an_invalid_device() -> None:
    folder = STORE / "co2" / "1"
    assert (
        f"Is a directory. Give a file, such as {folder / 'model.onnx'}"
        in inspect(str(folder)).stderr
    )
    ended = inspect(str(folder / "model.onnx"), "--device", "gpu")
    assert ended.stderr.startswith(
        "error: the device is 'gpu'; it takes auto, cpu, cuda, or cuda:N"
    )


def test_connections_send_without_delay() -> None:
    """The body of an answer does not wait until the client has acknowledged the headers."""
    with (
        listen("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
