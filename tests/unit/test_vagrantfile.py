"""The Vagrantfile describes the lab's machines, and Vagrant accepts it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pytest_swarmlab.model import Topology

VAGRANTFILE = Path(__file__).parents[2] / "Vagrantfile"
TEXT = VAGRANTFILE.read_text(encoding="utf-8")


def machines(text: str) -> dict[str, str]:
    """Name → address, as the table at its beginning has them."""
    table = text.partition("MACHINES = {")[2].partition("}")[0]
    return dict(re.findall(r'"(\w+)"\s*=>\s*"([\d.]+)"', table))


def test_its_machines_are_the_labs() -> None:
    assert machines(TEXT) == {node.name: node.address for node in Topology.of().nodes}


def test_its_memory_is_the_labs() -> None:
    (memory,) = {node.memory_mib for node in Topology.of().nodes}
    assert f'ENV.fetch("SWARMLAB_MEMORY", "{memory}")' in TEXT


def test_its_share_is_for_the_labs_network_alone() -> None:
    assert re.findall(r'"(192\.168\.56\.\d+/\d+)"', TEXT) == ["192.168.56.0/24"]


def test_what_it_runs_on_the_machines_is_a_shell_script() -> None:
    script = TEXT.partition("<<~'SHELL'\n")[2].partition("\nSHELL")[0]
    assert "docker.io" in script
    for text, code in ((script, 0), (f"{script}\nfi", 2)):
        assert subprocess.run(["sh", "-n"], input=text.encode(), check=False).returncode == code


def validate(directory: Path, dotfiles: Path) -> subprocess.CompletedProcess[str]:
    # Away from the project and from the user: Vagrant makes directories wherever it looks.
    environment = {
        **os.environ,
        "VAGRANT_DOTFILE_PATH": str(dotfiles),
        "VAGRANT_HOME": str(dotfiles / "home"),
        "VAGRANT_CHECKPOINT_DISABLE": "1",
        "VAGRANT_NO_COLOR": "1",
    }
    argv = ["vagrant", "validate", "--ignore-provider"]
    return subprocess.run(
        argv, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(
    shutil.which("vagrant") is None,
    reason="Vagrant checks its file where it is installed: apt-get install vagrant",
)
def test_vagrant_accepts_it_and_would_refuse_a_bad_one(tmp_path: Path) -> None:
    accepted = validate(VAGRANTFILE.parent, tmp_path / "dot")
    assert accepted.returncode == 0, accepted.stderr
    bad = TEXT.replace("machine.vm.hostname = name", "machine.vm.hostname = 'no host name!'")
    assert bad != TEXT
    (tmp_path / "Vagrantfile").write_text(bad, encoding="utf-8")
    refused = validate(tmp_path, tmp_path / "dot")
    assert refused.returncode != 0
    assert "hostname" in refused.stderr
