"""Judges and drills of an exercise share its setting and its events, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_swarmlab.lab import EXERCISES

PERFORMS = {"clients", "faults", "providers", "swarm", "waiting"}
"""Parts of the package that do something to a cluster."""


@pytest.mark.parametrize("path", sorted(EXERCISES.glob("*/verify.py")), ids=lambda p: p.parent.name)
def test_judges_load_nothing_that_acts_on_a_cluster(path: Path) -> None:
    package = f"tests.exercises.{path.parent.name}"
    code = f"import sys, {package}.verify; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    own = {name.removeprefix(f"{package}.") for name in loaded if name.startswith(f"{package}.")}
    assert own & {"drill", "perform"} == set()
    assert {part for part in PERFORMS if f"pytest_swarmlab.{part}" in loaded} == set()
