"""The commands of the Dockerfile and of `make serve`, run in clean environments.

No container engine is needed: the image's install and start commands are read from the
Dockerfile and run in a folder with the files that the image copies.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
_URL = re.compile(rb"^Serving .* at (http://\S+)", re.MULTILINE)


def stage(name: str) -> list[tuple[str, str]]:
    """(instruction, rest) of one stage of the Dockerfile, with continued lines joined."""
    text = re.sub(r"\\\n\s*", "", DOCKERFILE)
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    stages: dict[str, list[tuple[str, str]]] = {}
    for line in lines:
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            current = stages.setdefault(rest.split(" AS ")[1], [])
        else:
            current.append((instruction, rest))
    return stages[name]


def runs(name: str) -> list[str]:
    """The shell commands of a stage, without BuildKit's mounts."""
    commands = [rest for instruction, rest in stage(name) if instruction == "RUN"]
    return [re.sub(r"--mount=\S+\s*", "", command) for command in commands]


def copy_into(folder: Path, *names: str) -> None:
    """Copy what the COPY lines of stages copy into an image, to the same places."""
    copies = [rest.split() for name in names for what, rest in stage(name) if what == "COPY"]
    for source in (source for *sources, _ in copies for source in sources):
        (folder / source).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / source, folder / source, ignore=ignore)
        else:
            shutil.copy(ROOT / source, folder / source)


def clean_environment(**extra: str) -> dict[str, str]:
    """The variables of this process, without those of its Python environment."""
    dropped = ("VIRTUAL_ENV", "PYTHON", "MCDROPOUT_", "MAKE", "MFLAGS", "COV_", "PYTEST")
    return {k: v for k, v in os.environ.items() if not k.startswith(dropped)} | extra


@contextmanager
def started(command: list[str], folder: Path, env: dict[str, str]) -> Iterator[str]:
    """Run a server during the block; yields its URL when its models are loaded."""
    log = folder / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdout=out, stderr=out, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 240
        while not (found := _URL.search(log.read_bytes())):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start:\n{log.read_text()}")
            time.sleep(0.1)
        yield found[1].decode()
    finally:
        # The whole process group: make, its shell and the server.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def require_demo_answers(url: str) -> None:
    answer = httpx.post(f"{url}/v1/models/co2:predict", json={"instances": [[1985.0]]}).json()
    assert answer["predictions"][0]["variance"][0] > 0
    assert httpx.get(f"{url}/health/ready").status_code == 200


def test_gpu_stage_differs_from_cpu_in_its_requirements_only() -> None:
    cpu, gpu = stage("builder-cpu"), stage("builder-gpu")
    assert [(i, rest.replace("gpu", "cpu")) for i, rest in gpu] == cpu
    text = (ROOT / "requirements" / "gpu.txt").read_text()
    assert re.search(r"^onnxruntime-gpu==", text, re.MULTILINE)
    assert not re.search(r"^onnxruntime==", text, re.MULTILINE)


def test_image_runs_as_an_unprivileged_user() -> None:
    runtime = stage("runtime")
    assert ("USER", "10001") in runtime
    assert any(instruction == "HEALTHCHECK" for instruction, _ in runtime)


@pytest.mark.slow
def test_image_commands_install_and_serve_in_a_clean_environment(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    copy_into(tmp_path, "builder", "builder-cpu")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "base"], check=True)
    path = f"{venv}/bin:{tmp_path}/base/bin:{os.environ['PATH']}"
    env = clean_environment(PATH=path, VIRTUAL_ENV=str(venv), UV_LINK_MODE="copy")
    for command in (*runs("builder"), *runs("builder-cpu")):
        command = command.replace("/opt/venv", str(venv))
        subprocess.run(["bash", "-ec", command], cwd=tmp_path, env=env, check=True)
    listed = subprocess.run(
        [venv / "bin" / "python", "-c", "import tensorflow"], capture_output=True
    )
    assert listed.returncode, "the image must not hold TensorFlow"

    for package in ("mcdropout", "models", "service"):
        shutil.rmtree(tmp_path / package)  # the image has the installed package only
    (start,) = (rest for instruction, rest in stage("runtime") if instruction == "CMD")
    assert start == '["mcdropout", "serve"]'
    variables = {"MCDROPOUT_PORT": "0", "MCDROPOUT_MODELS": str(ROOT / "models" / "store")}
    with started([str(venv / "bin" / "mcdropout"), "serve"], tmp_path, env | variables) as url:
        require_demo_answers(url)


@pytest.mark.slow
def test_make_serve_works_in_a_fresh_clone(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, clone], check=True)
    command = ["make", "serve", "PORT=0", f"PYTHON={sys.executable}"]
    with started(command, clone, clean_environment()) as url:
        require_demo_answers(url)
        # Serving the model of the README's example needs no TensorFlow.
        site_packages = clone / ".venv" / "lib" / "python3.11" / "site-packages"
        assert (site_packages / "onnxruntime").is_dir()
        assert not (site_packages / "tensorflow").exists()
