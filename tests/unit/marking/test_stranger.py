"""What the honest stranger types can be typed, and his machines are the Vagrantfile's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pytest_swarmlab.marking import combining
from tests.marking import stranger, stranger_cost
from tests.marking.stranger import Block, blocks

EXERCISES = stranger.exercises()


def test_he_types_every_exercise_in_the_labs_order() -> None:
    assert [path.stem for path in EXERCISES] == ["1", *(f"2-{n}" for n in range(1, 11))]


@pytest.mark.parametrize("path", EXERCISES, ids=lambda path: path.stem)
def test_all_of_it_is_shell_for_machines_that_are_there(path: Path) -> None:
    there = {node.name for node in stranger.machines().nodes}
    for block in blocks(path.read_text("utf-8")):
        assert set(block.nodes) <= there
        read = subprocess.run(["bash", "-n"], input=block.text.encode(), check=False)
        assert read.returncode == 0


def test_a_head_names_machines_and_how_long_he_waits() -> None:
    text = "# why\n\n## manager1, Ctrl-C after 20 s\nlong\n# said\n## worker1 worker2\nls\nid\n"
    assert list(blocks(text)) == [
        Block(("manager1",), "long\n# said\n", 20),
        Block(("worker1", "worker2"), "ls\nid\n"),
    ]


def test_what_is_typed_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="nobody types 'ls' anywhere"):
        list(blocks("ls\n"))


def test_his_machines_run_the_vagrantfiles_own_script() -> None:
    script = stranger.provision_script()
    assert script.startswith("  set -eu\n")
    assert "NFS $role" in script.splitlines()[-1]


def test_what_he_is_to_lose_are_checks_of_the_rubric() -> None:
    rubric = combining.load(None).rubric
    known = {check for item in rubric.items.values() for check in item.checks}
    assert known >= stranger_cost.LOST.keys()
