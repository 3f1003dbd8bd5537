"""What may import pytest, and what a run without a cluster must not load.

The order of all other imports stands in pyproject.toml, for import-linter.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import pytest_swarmlab
from pytest_swarmlab.lab import EXERCISES

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
    "run.hiding",
    "run.interruption",
    "run.session",
    "run.workers",
    "run.scheduling",
    "judging.live",
    "lab.command",
    "reporting.attachment",
}


def modules(package: Path = PACKAGE) -> dict[str, set[str]]:
    """Module below the package → what it imports when it runs, type checking aside."""
    found = {}
    for path in package.rglob("*.py"):
        name = ".".join(path.relative_to(package).with_suffix("").parts).removesuffix(".__init__")
        found[name] = set(_imports(ast.parse(path.read_text(encoding="utf-8"))))
    return found


def _imports(tree: ast.AST) -> list[str]:
    names: list[str] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        names += _imports(node)
    return names


def test_only_what_pytest_calls_knows_pytest() -> None:
    knows = {name for name, imports in modules().items() if "pytest" in imports}
    assert knows <= SEES_PYTEST


def test_a_pytest_run_without_a_cluster_does_not_pay_for_one() -> None:
    code = "import pytest_swarmlab.plugin, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert loaded & HEAVY == set()
    assert "pytest_swarmlab.evidence.events" not in loaded, "two thirds of the plugin's start"


def test_exercises_import_what_is_installed_with_the_package_alone() -> None:
    """A wheel has no `tests`, and nothing that only the suite's own tests need."""
    wanted = [Requirement(each) for each in requires("pytest-swarmlab") or ()]
    declared = {canonicalize_name(each.name) for each in wanted if each.marker is None}
    declared.add(canonicalize_name("pytest-swarmlab"))
    provided = packages_distributions()
    for name, imports in modules(EXERCISES).items():
        for top in {each.partition(".")[0] for each in imports} - sys.stdlib_module_names - {""}:
            by = {canonicalize_name(each) for each in provided.get(top, [])}
            assert top == "pytest_swarmlab" or by & declared, f"{name} imports {top}"
