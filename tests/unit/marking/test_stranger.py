"""What the honest stranger types can be typed, and his machines are the Vagrantfile's."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.node import Output
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


class Typing:
    """A swarm of machines that keep what is typed on them, and answer as they were told to."""

    def __init__(self, said: dict[str, str] | None = None) -> None:
        self.said = said or {}
        self.typed: list[tuple[str, tuple[str, ...]]] = []
        self.phases: list[str] = []
        self.recorder = self

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self.phases.append(name)
        yield

    def node(self, name: str) -> Machine:
        return Machine(self, name)


@dataclass(frozen=True)
class Machine:
    """One of them."""

    swarm: Typing
    name: str
    address: str = "192.168.56.10"

    def heed_interrupt(self) -> None:
        """Nobody presses Ctrl-C here."""

    def run(self, *argv: str, check: bool = True) -> Output:
        del check
        self.swarm.typed.append((self.name, argv))
        said = (out for word, out in self.swarm.said.items() if word in argv[-1] or word in argv)
        return Output(0, next(said, ""), "")

    def put(self, content: bytes, path: str) -> None:
        del content, path


def test_a_token_is_typed_where_the_text_says_as_it_was_shown_last() -> None:
    worker, manager = (f"SWMTKN-1-{'a' * 40}-{letter * 20}" for letter in "wm")
    swarm = Typing({"swarm init": f"join --token {worker} x", "join-token": f"--token {manager} x"})
    stranger.follow(cast(Swarm, swarm))
    joins = [(name, argv[-1]) for name, argv in swarm.typed if "swarm join --token" in argv[-1]]
    assert [name for name, _ in joins] == ["worker1", "worker2", "manager3"]
    assert [worker in text for _, text in joins] == [True, True, False]
    assert manager in joins[2][1]
    assert swarm.phases == [f"stranger/{path.stem}" for path in EXERCISES]


def test_what_waits_for_ever_is_given_up() -> None:
    swarm = Typing()
    stranger.follow(cast(Swarm, swarm))
    limits = {argv[3] for _, argv in swarm.typed if "db-local" in argv[-1]}
    assert limits == {"20", "15"}
    assert {argv[:2] for _, argv in swarm.typed} == {("timeout", "--signal=INT")}


@pytest.mark.parametrize("said", ["Installing nfs-common", ""])
def test_a_machine_on_which_something_is_missing_is_refused(said: str) -> None:
    swarm = Typing({"vagrant-shell": said})
    with pytest.raises(ProviderError, match="provisioning of"):
        stranger.provision(cast(Sequence[Node], [swarm.node("worker1")]))
    there = Typing({"vagrant-shell": "worker1: Docker 26.1.5, NFS client"})
    stranger.provision(cast(Sequence[Node], [there.node("worker1")]))
    assert [argv[0] for _, argv in there.typed] == ["sh", "bash", "bash"]


RECORD = stranger_cost.surveyed()
MARK = stranger_cost.marked(RECORD)
CHECKS = [check for criterion in MARK.criteria for check in criterion.checks]


def test_a_real_cluster_loses_what_the_texts_errata_cost() -> None:
    assert stranger_cost.lost(RECORD) == stranger_cost.LOST.keys()


def test_of_what_is_there_nothing_is_left_ungraded() -> None:
    assert [c.result.id for c in CHECKS if c.result.id.startswith("state.") and c.ungraded] == []


def test_the_documentation_tells_what_it_costs() -> None:
    told = "\n".join(stranger_cost.tables(MARK))
    assert told in stranger_cost.PAGE.read_text("utf-8"), told
