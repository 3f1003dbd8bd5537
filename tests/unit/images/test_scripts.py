"""The scripts that go into the node and the images: POSIX shell without a finding."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_swarmlab.images.recipe import RECIPES

SHELLCHECK = Path(sys.executable).with_name("shellcheck")
"""Comes with the development dependencies."""

SCRIPTS = sorted(
    path
    for path in RECIPES.rglob("*")
    if path.is_file() and path.read_bytes().startswith(b"#!/bin/sh\n")
)


def findings(script: Path) -> str:
    # SC1091: what a script reads lies in the image, not here.
    argv = [str(SHELLCHECK), "--shell=sh", "--exclude=SC1091", "--format=gcc", str(script)]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def test_every_image_with_a_first_start_has_an_entry_point() -> None:
    found = {script.relative_to(RECIPES).parts[0] for script in SCRIPTS}
    rabbitmq = "rabbitmq-3-management-alpine"
    assert {"mysql-8.0", "node", "postgres-15-alpine", rabbitmq, "wordpress-latest"} <= found


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(RECIPES)))
def test_a_script_has_no_finding_and_can_be_executed(script: Path) -> None:
    assert findings(script) == ""
    assert script.stat().st_mode & 0o100


def test_a_finding_is_told(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n[[ $1 == a ]] && rm $1\n", encoding="utf-8")
    assert "SC3010" in findings(script)
