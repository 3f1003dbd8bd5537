"""What may import what: data flows one way."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_swarmlab

PACKAGE = Path(pytest_swarmlab.__file__).parent
HEAVY = {
    "docker",
    "testinfra",
    "requests",
    "rich",
    "matplotlib",
    "pytest_html",
    "tenacity",
    "jinja2",
}
SEES_PYTEST = {
    "plugin",
    "hooks",
    "fixtures",
    "session",
    "distribution",
    "scheduling",
    "evidence.claims",
    "reporting.attachment",
}


def modules() -> dict[str, set[str]]:
    """Module below the package → what it imports when it runs, type checking aside."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        found[name] = set(_imports(ast.parse(path.read_text(encoding="utf-8"))))
    return found


def _imports(tree: ast.AST) -> list[str]:
    names: list[str] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        names += _imports(node)
    return names


def within(imports: set[str], *parts: str) -> set[str]:
    return {
        name
        for name in imports
        for part in parts
        if f"{name}.".startswith(f"pytest_swarmlab.{part}.")
    }


def test_only_what_pytest_calls_knows_pytest() -> None:
    knows = {name for name, imports in modules().items() if "pytest" in imports}
    assert knows <= SEES_PYTEST


@pytest.mark.parametrize("name", [n for n in modules() if n.startswith("providers")])
def test_providers_know_neither_swarms_nor_faults(name: str) -> None:
    forbidden = ("faults", "cluster", "lifecycle", "stacks", "grading", "reporting", "fixtures")
    assert within(modules()[name], *forbidden) == set()


def test_grading_knows_the_model_and_the_record_alone() -> None:
    ours = {n for n in modules()["grading"] if n.startswith("pytest_swarmlab.")}
    assert {".".join(n.split(".")[:3]) for n in ours} <= {
        "pytest_swarmlab.errors",
        *(n for n in ours if n.startswith("pytest_swarmlab.errors.")),
        "pytest_swarmlab.evidence.record",
        "pytest_swarmlab.model",
        *(n for n in ours if n.startswith("pytest_swarmlab.model.")),
    }


@pytest.mark.parametrize("name", [n for n in modules() if n.startswith("reporting")])
def test_reports_are_made_from_the_record_alone(name: str) -> None:
    forbidden = ("cluster", "providers", "faults", "lifecycle", "stacks", "conditions", "waits")
    assert within(modules()[name], *forbidden) == set()


def test_nothing_below_knows_the_plugin() -> None:
    knows = {n for n, imports in modules().items() if within(imports, "plugin")}
    assert knows == set()


def test_a_pytest_run_without_a_cluster_does_not_pay_for_one() -> None:
    code = "import pytest_swarmlab.plugin, sys; print(*{m.partition('.')[0] for m in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & HEAVY == set()
