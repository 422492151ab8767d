"""The layer rules are rules: an import that breaks one is found by lint, or here."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("file", "statement"),
    [
        ("service/predictor.py", "import tensorflow"),
        ("service/predictor.py", "import onnxruntime"),
        ("service/sampler.py", "from models.export import export_model"),
        ("service/core/moments.py", "import onnx_ir"),
        ("service/core/moments.py", "from service.engine import Engine"),
        ("service/graph/plan.py", "from service.engine import Engine"),
        ("service/nodes/reach.py", "from service.graph.plan import Plan"),
        ("service/nodes/reach.py", "import onnxruntime"),
        ("service/predictor.py", "from service.api import app"),
        ("service/api/native.py", "from service.sampler import Sampler"),
        ("models/export/trace.py", "from service.predictor import load_model"),
        ("models/export/lower.py", "from service.graph.plan import Plan"),
        ("models/export/trace.py", "from mcdropout import load_model"),
        ("service/predictor.py", "from mcdropout import export_model"),
        ("service/client/sync.py", "import mcdropout"),
        ("service/client/rows.py", "from service.errors import InputError"),
        ("service/client/rows.py", "import pydantic"),
        ("service/protocol/tensors.py", "from service.errors import InputError"),
        ("service/protocol/tensors.py", "from service.client.steps import Reply"),
        ("service/protocol/tensors.py", "import fastapi"),
    ],
)
def test_an_import_against_the_layers_is_refused(file: str, statement: str) -> None:
    command = [sys.executable, "-m", "ruff", "check", "--select", "TID251", "--stdin-filename"]
    ended = subprocess.run(
        [*command, file, "-"], input=statement + "\n", capture_output=True, text=True, cwd=ROOT
    )
    assert "is banned" in ended.stdout, ended.stdout + ended.stderr


#: From the bottom up: each may import those before it. Lint knows folders, and these share one.
ORDER = (
    "protocol",
    "client",
    "errors",
    "texts",
    "extras",
    "guarded",
    "memory",
    "manifest",
    "nodes",
    "core",
    "graph",
    "engine",
    "device",
    "runner",
    "jobs",
    "sizes",
    "speed",
    "sampler",
    "inputs",
    "trials",
    "verification",
    "planner",
    "options",
    "predictor",
    "batch",
    "backlog",
    "scheduler",
    "inspection",
    "policy",
    "scan",
    "versions",
    "listing",
    "loading",
    "repository",
    "serving",
    "greeting",
    "logs",
    "settings",
    "api",
    "impatient",
    "server",
    "offline",
    "option_flags",
    "cli",
)


@pytest.mark.parametrize("path", sorted((ROOT / "service").rglob("*.py")), ids=str)
def test_imports_go_down(path: Path) -> None:
    layer = path.relative_to(ROOT / "service").parts[0].removesuffix(".py")
    if layer == "__init__":
        return
    above = set(ORDER[ORDER.index(layer) + 1 :])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("service."):
            imported = str(node.module).split(".")[1]
            assert imported not in above, f"{path} imports service.{imported}, which is above it"


def imported_by(path: Path) -> set[str]:
    """Names of the modules that a file imports."""
    found = set[str]()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize(
    ("package", "allowed"), [("client", {"client", "protocol"}), ("protocol", {"protocol"})]
)
def test_what_client_and_server_share_needs_no_server(package: str, allowed: set[str]) -> None:
    for path in (ROOT / "service" / package).rglob("*.py"):
        own = {name.split(".")[1] for name in imported_by(path) if name.startswith("service.")}
        assert own <= allowed, path


#: What turns bytes into arrays and back; it serves any transport.
CODECS = ("arrays.py", "v2/tensors.py", "v2/json_data.py")


@pytest.mark.parametrize("file", CODECS)
def test_a_codec_knows_no_http(file: str) -> None:
    tops = {name.split(".")[0] for name in imported_by(ROOT / "service" / "api" / file)}
    assert tops.isdisjoint({"fastapi", "starlette"})
