"""The scripts of stacks/backup: without a finding, and honest about how they end."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SHELLCHECK = Path(sys.executable).with_name("shellcheck")
BACKUP = Path(__file__).parents[2] / "stacks" / "backup"
SCRIPTS = [BACKUP / "swarm-backup", BACKUP / "swarm-restore"]


def ran(script: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(script), *argv], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_has_no_finding_and_can_be_executed(script: Path) -> None:
    argv = [str(SHELLCHECK), "--shell=bash", "--format=gcc", str(script)]
    assert subprocess.run(argv, capture_output=True, text=True, check=False).stdout == ""
    assert script.stat().st_mode & 0o100


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_exit_code_that_a_script_uses_is_told_by_its_help(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    used = {
        int(code)
        for code in re.findall(r"\bfail (\d+)|\bcode=([1-9])\b", text)
        for code in code
        if code
    }
    told = {int(code) for code in re.findall(r"(?:^|\s)(\d+)  [a-z]", ran(script, "--help").stdout)}
    assert used <= told, f"{used - told} are not told"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_option_that_a_script_takes_is_told_by_its_help(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    taken = set(re.findall(r"^    (--[a-z-]+)(?: \| --[a-z-]+)*\)", text, flags=re.MULTILINE))
    told = set(re.findall(r"--[a-z-]+", ran(script, "--help").stdout))
    assert taken - {"--help"} <= told


@pytest.mark.parametrize(
    ("script", "argv", "said"),
    [
        ("swarm-backup", ["--nonsense"], "unknown option --nonsense"),
        ("swarm-backup", ["--to"], "--to needs a value"),
        ("swarm-backup", ["--keep", "0"], "--keep 0: a whole number"),
        ("swarm-backup", ["--to", "here"], "--to here: a path from the root on"),
        ("swarm-restore", [], "name the backup's directory"),
        ("swarm-restore", ["a", "b"], "one backup at a time: a or b?"),
        ("swarm-restore", ["--swarm"], "--swarm needs a value"),
        ("swarm-restore", ["--nonsense"], "unknown option --nonsense"),
    ],
)
def test_wrong_usage_is_told_and_ends_with_2(script: str, argv: list[str], said: str) -> None:
    done = ran(BACKUP / script, *argv)
    assert done.returncode == 2
    assert said in done.stderr


def test_units_start_what_the_readme_installs() -> None:
    unit = (BACKUP / "swarm-backup.service").read_text(encoding="utf-8")
    readme = (BACKUP / "README.md").read_text(encoding="utf-8")
    assert "ExecStart=/usr/local/sbin/swarm-backup " in unit
    assert "swarm-backup swarm-restore /usr/local/sbin/" in readme
    # The leader's turn that is skipped is no failure for systemd.
    assert "SuccessExitStatus=4" in unit
