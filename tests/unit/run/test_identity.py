"""A node is who its id says, whatever host name it is listed under, and however often."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.model import Event
from pytest_swarmlab.swarm.cluster import AGAIN_S
from pytest_swarmlab.swarm.services import Service
from pytest_swarmlab.waiting.conditions import Converged
from pytest_swarmlab.waiting.waiter import Done, Pending
from tests.unit.fakes import Lab, listed, task


def tells(lab: Lab, name: str, id_: str) -> None:
    """Have that machine's engine say which node it is."""
    lab.info[name] = {"Swarm": {"NodeID": id_}}


@pytest.fixture
def rejoined(lab: Lab) -> Lab:
    """worker1 has left the swarm and joined it again: it has two rows, one for ever down."""
    lab.row("worker1")["Status"]["State"] = "down"
    lab.rows.append({**listed("worker1", role="worker"), "ID": "id-new"})
    for node in lab.swarm.nodes:
        tells(lab, node.name, "id-new" if node.name == "worker1" else f"id-{node.name}")
    return lab


def test_the_dead_row_of_a_machine_that_is_there_is_named_and_not_waited_for(rejoined: Lab) -> None:
    outcome = rejoined.swarm.all_nodes_ready()()
    assert isinstance(outcome, Done)
    assert sorted(row.id for row in outcome.value if row.name == "worker1") == ["id-new"]
    assert outcome.seen.endswith(
        "worker1 has an old row: remove it with `docker node rm id-worker1`"
    )


def test_a_row_that_is_down_is_a_machine_s_own_where_no_other_is(lab: Lab) -> None:
    lab.row("worker1")["Status"]["State"] = "down"
    tells(lab, "worker1", "id-worker1")
    outcome = lab.swarm.all_nodes_ready()()
    assert isinstance(outcome, Pending)
    assert "worker1 down" in outcome.seen


def test_of_two_machines_with_one_host_name_the_one_that_is_down_is_missing(lab: Lab) -> None:
    row = lab.row("worker1")
    row["Description"]["Hostname"] = "worker2"
    row["Status"]["State"] = "down"
    for node in lab.swarm.nodes:
        tells(lab, node.name, f"id-{node.name}")
    outcome = lab.swarm.all_nodes_ready()()
    assert isinstance(outcome, Pending)
    assert "worker1 down" in outcome.seen


def test_a_node_is_looked_for_by_its_id(rejoined: Lab) -> None:
    assert isinstance(rejoined.swarm.node_is(rejoined["worker1"], state="ready")(), Done)
    assert rejoined.swarm.workers() == [rejoined["worker1"], rejoined["worker2"]]


def test_engines_are_asked_once_for_each_set_of_strangers(
    rejoined: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    identify = rejoined.swarm.identify

    def noted() -> None:
        asked.append(len(asked))
        identify()

    monkeypatch.setattr(rejoined.swarm, "identify", noted)
    for _ in range(5):
        rejoined.swarm.look()
    assert len(asked) <= 2


def test_an_engine_that_gave_no_answer_is_asked_again_later(
    rejoined: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    rejoined.silent = {"worker1": "no route"}
    condition = rejoined.swarm.node_is(rejoined["worker1"], state="ready")
    assert isinstance(condition(), Pending)
    rejoined.silent = {}
    now = rejoined.recorder.now()
    monkeypatch.setattr(rejoined.recorder, "now", lambda: now + AGAIN_S + 1)
    assert isinstance(condition(), Done)


def test_a_task_of_a_dead_row_does_not_count_as_running_on_the_living_one(rejoined: Lab) -> None:
    rejoined.tasks = [task(1, "worker1")]
    assert isinstance(Converged(rejoined.swarm, "web", 1)(), Pending)
    rejoined.tasks[0]["NodeID"] = "id-new"
    outcome = Converged(rejoined.swarm, "web", 1)()
    assert isinstance(outcome, Done)
    assert outcome.value[0].node == "worker1"


def test_a_name_that_two_rows_have_is_no_word_for_the_client(rejoined: Lab) -> None:
    rejoined.swarm.look()
    Service(rejoined.swarm, "db").move(to=rejoined["worker1"], origin=rejoined["worker2"])
    assert rejoined.commands("docker")[-1][6:] == (
        "--constraint-rm", "node.hostname==worker2", "--constraint-add", "node.id==id-new", "db",
    )  # fmt: skip
    Faults(rejoined.swarm).demote(rejoined["worker1"], via=rejoined["manager1"]).inject()
    assert rejoined.commands("docker")[-1][1:] == ("docker", "node", "demote", "id-new")


def test_a_machine_is_the_node_that_its_engine_says_whatever_its_host_name(lab: Lab) -> None:
    for node in lab.swarm.nodes:
        tells(lab, node.name, f"id-{node.name}")
        lab.row(node.name)["Description"]["Hostname"] = f"{node.name.title()}.example.org"
    assert lab.swarm.leader() is lab["manager1"]
    assert lab.swarm.members() == lab.swarm.nodes
    _, rows = lab.swarm.look()
    assert [row.name for row in rows] == [node.name for node in lab.swarm.nodes]
    assert rows[0].host_name == "Manager1.example.org"
    lab.tasks = [task(1, "worker1")]
    assert lab.swarm.task_rows(lab["manager1"].engine, "web")[0].node == "worker1"
    assert lab.swarm.known_as(lab["worker1"]) == "Worker1.example.org"


def test_a_leader_that_nobody_here_is_is_told_with_its_name_and_id(lab: Lab) -> None:
    lab.row("manager1")["Description"]["Hostname"] = "theirs"
    with pytest.raises(
        ProviderError, match=r"the leader is theirs \(id-manager1\), which is no known machine"
    ):
        lab.swarm.leader()


def test_one_id_under_two_names_stays_one_node_and_is_told_once(lab: Lab) -> None:
    lab.swarm.look()
    for name in ("worker1", "manager1", "worker1"):
        lab.row("manager1")["Description"]["Hostname"] = name
        assert lab.swarm.leader() is lab["manager1"]
    notices = [event.data["message"] for event in lab.recorder.view().of("notice")]
    assert notices == [
        "the managers list the node id-manager1 as worker1 now, as manager1 before: one identity"
        " under two names"
    ]


def test_two_machines_with_one_identity_are_told(lab: Lab) -> None:
    for node in lab.swarm.nodes:
        tells(lab, node.name, "id-manager1" if node.name == "worker1" else f"id-{node.name}")
    lab.swarm.identify()
    (notice,) = lab.recorder.view().of("notice")
    assert (
        "manager1 and worker1 say that they are the same node, id-manager1"
        in (notice.data["message"])
    )


def sample(t: float, leader: str, name: str) -> Event:
    rows: list[dict[str, Any]] = [
        {"id": leader, "name": name, "leader": True, "reachability": "reachable"}
    ]
    return Event(0, t, "", "nodes", "p", {"seen_from": "m2", "seconds": 0.1, "nodes": rows})


def test_a_leader_under_changing_names_was_elected_once() -> None:
    names = ("manager1", "worker1", "manager1", "worker1")
    seen = Record(tuple(sample(t, "n1", name) for t, name in enumerate(names)))
    assert len(readings.leader_changes(seen)) == 1
    assert [span.value for span in readings.leader_spans(seen)] == ["manager1"]
    fault = Event(0, 1.5, "", "fault.injected", "p", {"fault": "x", "nodes": ["y"], "seconds": 0})
    later = Record((*seen.events[:2], fault, *seen.events[2:]))
    assert readings.leader_elected_s(later) is None


def test_another_leader_under_the_same_name_is_another_one() -> None:
    seen = Record((sample(1, "n1", "manager1"), sample(2, "n2", "manager1")))
    assert [change.identity for change in readings.leader_changes(seen)] == ["n1", "n2"]
