"""On machines that an inventory calls otherwise than they call themselves."""

from __future__ import annotations

import pytest

from pytest_swarmlab.errors import CommandError
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.services import Service
from tests.exercises import stack_on_nfs
from tests.exercises.exercise_2_1 import perform as managers
from tests.exercises.exercise_2_3 import perform as local
from tests.exercises.exercise_2_4 import perform as storage
from tests.exercises.exercise_2_6 import perform as secrets
from tests.unit.fakes import Lab


@pytest.fixture
def renamed(lab: Lab) -> Lab:
    """Each host is called otherwise, and its engine says which node it is."""
    for row in lab.settle().rows:
        row["Description"]["Hostname"] = f"{row['ID'].removeprefix('id-')}.example.org"
    lab.info = {node.name: {"Swarm": {"NodeID": f"id-{node.name}"}} for node in lab.swarm.nodes}
    return lab


def constraints(lab: Lab) -> list[str]:
    """The constraints of every service that was created or changed, in order."""
    options = ("--constraint", "--constraint-add", "--constraint-rm")
    return [
        words[place + 1]
        for words in lab.commands("docker")
        for place, word in enumerate(words)
        if word in options
    ]


def test_services_are_placed_by_the_hosts_own_names(renamed: Lab) -> None:
    swarm = renamed.swarm
    home, *_ = swarm.workers()
    secret = Secrets(swarm)
    here = "node.hostname==worker1.example.org"
    with (
        local.literal_service(swarm, home),
        local.db_local(swarm, secret, home) as moved,
        storage.web(swarm, "web", "type=volume,source=web", home),
        storage.database(swarm, secret, storage.PLUGIN, home),
        secrets.vault(swarm, home),
    ):
        local.remove_constraint(moved, home)
        assert constraints(renamed) == [here] * 6
    assert Service(swarm, "web").only(home) == here


def test_labels_are_read_and_set_by_node(renamed: Lab) -> None:
    swarm = renamed.swarm
    renamed.row("worker1")["Spec"]["Labels"] = {"storage": "nfs"}
    renamed.row("worker2")["Spec"]["Labels"] = {"storage": "theirs"}
    with stack_on_nfs.labelled(swarm, swarm.workers()):
        assert stack_on_nfs.labelled_nodes(swarm) == ["worker1"]
    update = ("manager1", "docker", "node", "update", "--label-add")
    assert [words for words in renamed.commands("docker") if words[2] == "node"] == [
        (*update, "storage=nfs", "worker1.example.org"),
        (*update, "storage=nfs", "worker2.example.org"),
        (*update, "storage=nfs", "worker1.example.org"),
        (*update, "storage=theirs", "worker2.example.org"),
    ]


def test_a_label_that_cannot_be_given_back_keeps_no_other_node_from_its_own(renamed: Lab) -> None:
    swarm = renamed.swarm

    def refuses(_: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        bad = "--label-rm" in argv and argv[-1] == "worker1.example.org"
        return (1, "", "no such node") if bad else (0, "", "")

    renamed.shell = refuses
    with (
        pytest.raises(CommandError, match="no such node"),
        stack_on_nfs.labelled(swarm, swarm.workers()),
    ):
        pass
    gone = [words[-1] for words in renamed.commands("docker") if "--label-rm" in words]
    assert gone == ["worker1.example.org", "worker2.example.org"]


def test_managers_are_promoted_by_the_name_that_managers_know(renamed: Lab) -> None:
    swarm = renamed.swarm
    swarm.look()
    managers.promote(swarm, swarm.node("worker1"))
    assert renamed.commands("docker")[-1][2:] == ("node", "promote", "worker1.example.org")
