"""The import rules are enforced: `lint-imports` finds each import that violates one."""

import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.conftest import ROOT

#: A file, and a forbidden statement.
VIOLATIONS = (
    ("service/core/moments.py", "from service.runtime.engine import Engine"),
    ("service/graph/plan.py", "from service.inference.runner import Runner"),
    ("service/nodes/reach.py", "from service.graph.plan import Plan"),
    ("service/inference/predictor.py", "from service.api import app"),
    ("service/serving/context.py", "from service.api.http.errors import placed"),
    ("service/scheduling/batch.py", "from service.repository.scan import scan_model"),
    ("service/api/v2/infer.py", "from service.api.tfserving.codec import decode"),
    ("service/client/rows.py", "from service.errors import InputError"),
    ("service/client/rows.py", "import pydantic"),
    ("service/protocol/tensors.py", "from service.client.steps import Reply"),
    ("service/protocol/tensors.py", "import fastapi"),
    ("models/export/trace.py", "from service.inference.load import load_model"),
    ("models/export/trace.py", "from service.graph.plan import Plan"),
    ("service/inference/predictor.py", "import tensorflow"),
    ("service/inference/sampler.py", "from models.export import export_model"),
    ("service/client/sync.py", "import mcdropout"),
    ("models/export/trace.py", "import scripts.reference"),
    ("service/core/moments.py", "import tests.conftest"),
    ("service/inference/predictor.py", "import onnxruntime"),
    ("service/nodes/reach.py", "import onnxruntime"),
    ("service/serving/data_plane.py", "import starlette.requests"),
    ("service/core/moments.py", "import onnx_ir"),
)


def said_of(copy: Path, violations: Iterable[tuple[str, str]]) -> str:
    """The report on a copy of the project with violations."""
    shutil.copy(ROOT / "pyproject.toml", copy)
    for package in ("mcdropout", "models", "scripts", "service"):
        ignored = shutil.ignore_patterns("store", "__pycache__")
        shutil.copytree(ROOT / package, copy / package, ignore=ignored)
    for file, statement in violations:
        with (copy / file).open("a") as source:
            source.write(f"\n{statement}\n")
    ended = lint_imports(copy)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    return said_of(tmp_path_factory.mktemp("project"), VIOLATIONS)


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    options = ["--no-cache", "--no-logo", "pyproject.toml"]
    return subprocess.run([*command, *options], capture_output=True, text=True, cwd=folder)


@pytest.mark.parametrize(("file", "statement"), VIOLATIONS)
def test_forbidden_import_is_found(broken: str, file: str, statement: str) -> None:
    module = file.removesuffix(".py").replace("/", ".")
    words = statement.split()
    imported = words[1]
    # The report names external packages as a whole.
    names = {imported, imported.partition(".")[0], f"{imported}.{words[-1]}"}
    assert any(f"{module} -> {name} (l." in broken for name in names), broken


def test_cycle_is_found(tmp_path: Path) -> None:
    cycle = ("service/core/moments.py", "from service.core.summary import Summary")
    assert "- .moments -> .summary (1 import)" in said_of(tmp_path, [cycle])


def test_project_follows_the_rules() -> None:
    ended = lint_imports(ROOT)
    assert ended.returncode == 0, ended.stdout


def test_few_modules_are_beside_the_packages() -> None:
    assert len(list((ROOT / "service").glob("*.py"))) <= 8
