"""CONTRIBUTING.md is right: its files exist, and the same checks run everywhere."""

import re
import tomllib

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT


def lint_commands() -> list[str]:
    """The commands of `make lint`, as typed in the project's folder."""
    recipe = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    return [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()[1:]]


def test_pre_commit_runs_the_checks_of_make_lint() -> None:
    config = YAML(typ="safe").load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert [hook["entry"] for hook in hooks] == lint_commands()
    assert all(hook["pass_filenames"] is False for hook in hooks)


def test_make_lint_checks_each_file_of_github() -> None:
    files = (ROOT / ".github").rglob("*.yml")
    assert {str(p.relative_to(ROOT)) for p in files} <= set(" ".join(lint_commands()).split())


def test_the_workflow_runs_the_checks_with_pinned_actions() -> None:
    workflow = YAML(typ="safe").load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    steps = workflow["jobs"]["checks"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == [".ci/run"]
    used = [step["uses"] for step in steps if "uses" in step]
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action) for action in used)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_named_files_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    if page != "CONTRIBUTING.md":
        text = text.partition("## Where to change what")[2].partition("\n## ")[0]
    named = re.findall(
        r"`((?:\.ci|\.github|docs|mcdropout|models|scripts|service|tests)/[^`<*]*)`", text
    )
    assert len(named) > 15
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_named_objects_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    targets = re.findall(r"`make ([a-z-]+)", text)
    assert set(targets) <= set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.M))
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert "api" in {contract["id"] for contract in contracts["contracts"]}
