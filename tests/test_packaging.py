"""The wheel, installed into new environments as a user would."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, STORE
from tests.test_deployment import clean_environment

pytestmark = pytest.mark.slow

UV = Path(sys.executable).with_name("uv")
CO2 = STORE / "co2" / "1" / "model.onnx"


def run(*command: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    env = clean_environment(**variables)
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=180)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # Only tracked files: the contents of the wheel do not depend on other files here.
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("benchmarks", "docs", "tests")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    ended = run(UV, "build", "--quiet", "--wheel", "--out-dir", folder / "dist", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    (found,) = (folder / "dist").glob("*.whl")
    return found


def installed(wheel: Path, extra: str, folder: Path) -> Path:
    """The `bin` folder of a new environment with the wheel and an extra."""
    locked = ("--constraint", ROOT / "requirements" / "cpu.txt")
    for command in (
        (UV, "venv", "--quiet", "--python", sys.executable, folder),
        (UV, "pip", "install", "--quiet", "--python", folder, *locked, f"{wheel}{extra}"),
    ):
        ended = run(*command, cwd=wheel.parent)
        assert ended.returncode == 0, ended.stderr
    return folder / "bin"


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment without an extra."""
    return installed(wheel, "", tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def cpu(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the extra `cpu`."""
    return installed(wheel, "[cpu]", tmp_path_factory.mktemp("cpu"))


def test_client_works_without_an_extra(base: Path, tmp_path: Path) -> None:
    code = "from mcdropout import AsyncClient, Client, __version__; print(Client('http://x'))"
    ended = run(base / "python", "-c", code, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    ("statement", "extra"),
    [
        ("from mcdropout import load_model", "cpu"),
        ("from service import load_model", "cpu"),
        ("from mcdropout import export_model", "export"),
        ("from models.export import export_model", "export"),
    ],
)
def test_name_with_missing_packages_says_what_to_install(
    base: Path, tmp_path: Path, statement: str, extra: str
) -> None:
    ended = run(base / "python", "-c", statement, cwd=tmp_path)
    python = base / "python"
    how = f'Install it: in a clone of mcdropout, {python} -m pip install ".[{extra}]"'
    assert how in ended.stderr


def test_command_without_an_extra_says_what_to_install(base: Path, tmp_path: Path) -> None:
    ended = run(base / "mcdropout", "serve", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: the package 'typer' is needed")
    assert 'pip install ".[cpu]"' in ended.stderr


def test_extra_cpu_predicts(cpu: Path, tmp_path: Path) -> None:
    assert run(cpu / "mcdropout", "--version", cwd=tmp_path).stdout.startswith("mcdropout 0.")
    code = (
        "from mcdropout import load_model\n"
        f"print(load_model({str(CO2)!r}).predict([[1985.0]], seed=7).variance)"
    )
    ended = run(cpu / "python", "-c", code, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    for extra, command in (
        ("export", ("export", "model.keras", "--output", "out")),
        ("evaluate", ("evaluate", CO2, "--data", "test.npz")),
        ("evaluate", ("calibrate", CO2, "--data", "valid.npz")),
    ):
        ended = run(cpu / "mcdropout", *command, cwd=tmp_path)
        assert ended.returncode == 2
        assert ended.stderr.endswith(f'pip install ".[{extra}]".\n')


def test_wheel_exports(wheel: Path, tmp_path: Path) -> None:
    """TensorFlow comes from this environment, and the project from the wheel."""
    target = tmp_path / "site"
    ended = run(UV, "pip", "install", "--no-deps", "--target", target, wheel, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    packages = {path.name for path in target.iterdir() if path.is_dir()}
    assert {"mcdropout", "models", "service"} <= packages
    assert {path.name for path in (target / "models").iterdir()} == {
        *("__init__.py", "py.typed", "export"),
    }
    assert not list(target.rglob("ruff.toml"))
    assert (target / "service" / "api" / "ui" / "static" / "index.html").is_file()
    (tmp_path / "mine.py").write_text(
        "import keras, models.export, service\n"
        f"assert models.__file__.startswith({str(target)!r}), models.__file__\n"
        "def build():\n"
        "    layers = keras.layers\n"
        "    return keras.Sequential([keras.Input((4,)), layers.Dropout(.5), layers.Dense(1)])\n"
    )
    words = ("export", "mine:build", "--output", "out", "--json")
    command = (sys.executable, "-m", "mcdropout", *words)
    ended = run(*command, cwd=tmp_path, PYTHONPATH=str(target))
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["sites"][0]["rate"] == 0.5
    assert (tmp_path / "out" / "model.onnx").is_file()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("service", ["--version"]), ("models", ["export", "model.keras", "--output", "out"])],
)
def test_another_package_of_the_same_name_is_named(
    cpu: Path, tmp_path: Path, name: str, arguments: list[str]
) -> None:
    (tmp_path / f"{name}.py").write_text("raise SystemExit('the other one was run')\n")
    ended = run(cpu / "python", "-m", "mcdropout", *arguments, cwd=tmp_path)
    assert ended.returncode == 2
    assert f"mcdropout has a package {name!r} of its own" in ended.stderr
    assert f"before it: {tmp_path / name}.py" in ended.stderr
    # An installed command does not import from the working directory.
    assert run(cpu / "mcdropout", "--version", cwd=tmp_path).returncode == 0
