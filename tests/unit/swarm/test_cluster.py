"""A node runs what it is told to and the record has it; a swarm answers from its managers' word."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_swarmlab.errors import CommandError, ProviderError
from pytest_swarmlab.evidence.events import NodesSample, each
from pytest_swarmlab.swarm.node import MOST_ASKED, Node
from pytest_swarmlab.swarm.services import Service
from pytest_swarmlab.waiting.waiter import Pending
from tests.unit.fakes import Lab


def test_a_command_is_run_as_its_arguments_and_recorded_as_it_ended(lab: Lab) -> None:
    lab.shell = lambda *_: (0, "out\n", "err\n")
    output = lab["worker1"].run("echo", "two words", "$HOME; rm -rf *", title="A screenshot")
    assert lab.did == [("worker1", "echo", "two words", "$HOME; rm -rf *")]
    assert (output.code, output.stdout, output.stderr) == (0, "out\n", "err\n")
    (event,) = lab.recorder.view().of("command")
    assert event.data["argv"] == ["echo", "two words", "$HOME; rm -rf *"]
    assert (event.data["node"], event.data["title"]) == ("worker1", "A screenshot")


def test_what_a_command_reads_is_not_recorded(lab: Lab) -> None:
    lab.shell = lambda *_: (0, "id\n", "")
    assert lab["worker1"].run("cat", stdin=b"hidden").stdout == "id\n"
    assert lab.fed == [b"hidden"]
    (event,) = lab.recorder.view().of("command")
    assert "hidden" not in str(event.data)
    lab.shell = lambda *_: (1, "", "no room\n")
    with pytest.raises(CommandError, match="no room"):
        lab["worker1"].run("cat", stdin=b"hidden")


def test_a_command_that_fails_says_where_what_and_why_and_is_recorded(lab: Lab) -> None:
    lab.shell = lambda *_: (125, "", "no such image\n")
    with pytest.raises(CommandError) as failure:
        lab["worker1"].run("docker", "run", "a b")
    assert str(failure.value) == "on worker1, `docker run 'a b'` ended with 125: no such image"
    assert lab.recorder.view().of("command", code=125)
    assert lab["worker1"].run("false", check=False).code == 125


def test_a_machine_that_cannot_be_reached_is_no_failed_command(lab: Lab) -> None:
    def cut_off(*_: object) -> tuple[int, str, str]:
        raise RuntimeError("worker1 has no SSH connection")

    lab.shell = cut_off
    with pytest.raises(ProviderError, match=r"worker1 can't be reached: .*no SSH"):
        lab["worker1"].run("true")


def test_what_is_only_asked_is_recorded_by_nobody(lab: Lab) -> None:
    lab.shell = lambda node, argv: (3, f"{node} {argv[0]}", "hunter2")
    told = lab["manager1"].ask("cat", "/etc/fstab", within=5)
    assert (told.code, told.stdout, told.stderr) == (3, "manager1 cat", "hunter2")
    assert lab.recorder.view().events == ()


def test_a_question_has_an_end(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(lab.topology.nodes[0], lab.machines, lab.recorder)
    monkeypatch.setattr(lab.machines, "command", lambda *_: ["sleep", "60"])
    with pytest.raises(ProviderError, match="manager1 gave no answer in 0 s"):
        node.ask("true", within=0.05)


def test_a_node_that_is_not_there_is_named_with_those_that_are(lab: Lab) -> None:
    with pytest.raises(ProviderError, match=r"no node 'worker9': there are manager1, .*worker2"):
        lab.swarm.node("worker9")


def test_who_leads_is_the_first_answering_manager_s_word(lab: Lab) -> None:
    lab.settle(leader="manager2").silent = {"manager1": "gone"}
    assert lab.swarm.leader() is lab["manager2"]


def test_a_swarm_without_a_leader_says_that_its_quorum_is_lost(lab: Lab) -> None:
    lab.settle(leader="nobody")
    with pytest.raises(ProviderError, match="lost its quorum"):
        lab.swarm.leader()


def test_when_no_manager_answers_each_one_s_answer_is_quoted(lab: Lab) -> None:
    lab.silent = {node.name: f"{node.name} is off" for node in lab.swarm.nodes}
    with pytest.raises(ProviderError, match=r"manager1: manager1 is off; .*worker2 is off"):
        lab.swarm.look()


def test_members_are_those_listed_and_managers_those_that_say_so(lab: Lab) -> None:
    lab.rows = [row for row in lab.rows if row["ID"] != "id-manager3"]
    lab.info = {name: {"Swarm": {"ControlAvailable": True}} for name in ("manager1", "manager2")}
    lab.silent = {"manager2": "off"}
    assert lab["manager3"] not in lab.swarm.members()
    assert lab.swarm.managers() == [lab["manager1"]]


def test_the_node_list_is_recorded_with_who_told_it(lab: Lab) -> None:
    rows = lab.swarm.rows(lab["manager2"])
    (sample,) = each(lab.recorder.view(), NodesSample, seen_from="manager2")
    assert sample.nodes == tuple(rows)
    assert [row.name for row in rows if row.leader] == ["manager1"]


ODD_NODES: list[Any] = [
    None, {}, "", {"message": "no"}, ["x"], [{}], [{"ID": 7}], [{"ID": "n", "Spec": 1}],
    [{"ID": "n", "Description": {"Hostname": ["x"]}}],
]  # fmt: skip


@pytest.mark.parametrize("listed", ODD_NODES, ids=repr)
def test_a_node_list_of_another_form_is_no_answer(lab: Lab, listed: Any) -> None:
    lab.rows = listed
    with pytest.raises(
        ProviderError, match="the engine's node list has another form than expected"
    ):
        lab.swarm.look()
    assert isinstance(lab.swarm.all_nodes_ready()(), Pending)
    assert isinstance(lab.swarm.has_leader()(), Pending)


@pytest.mark.parametrize("listed", [None, {}, [{}], [{"ID": "t", "Slot": "1"}]], ids=repr)
def test_a_task_list_of_another_form_is_no_answer_and_nothing_is_settled(
    lab: Lab, listed: Any
) -> None:
    lab.tasks = listed
    web = Service(lab.swarm, "web")
    for condition in (web.settled(), web.converged(replicas=0), web.renewed([])):
        assert isinstance(condition(), Pending)


def test_what_is_null_or_left_out_is_nothing(lab: Lab) -> None:
    lab.rows = [{"ID": "n", "Description": None, "Spec": {"Role": "worker"}, "Status": None}]
    (row,) = lab.swarm.look()[1]
    assert (row.id, row.name, row.role, row.state, row.leader) == ("n", "", "worker", "", False)


@pytest.mark.parametrize("info", [None, [], {"Swarm": 7}, {"Swarm": {"NodeID": ["x"]}}], ids=repr)
def test_an_engine_that_says_nothing_that_is_understood_of_itself_is_nobody(
    lab: Lab, info: Any
) -> None:
    lab.info = {node.name: info for node in lab.swarm.nodes}
    lab.swarm.identify()
    assert lab.swarm.managers() == []


def test_a_change_that_another_one_came_before_is_asked_for_again(lab: Lab) -> None:
    late = (1, "", "Error response from daemon: rpc error: update out of sequence\n")
    answers = iter((late, late, (0, "done\n", "")))
    lab.shell = lambda *_: next(answers)
    assert lab["manager1"].run("docker", "node", "promote", "manager2").stdout == "done\n"
    assert [e.data["code"] for e in lab.recorder.view().of("command")] == [1, 1, 0]


def test_a_change_that_others_always_come_before_fails_with_the_manager_s_words(lab: Lab) -> None:
    lab.shell = lambda *_: (1, "", "update out of sequence\n")
    with pytest.raises(CommandError, match="update out of sequence"):
        lab["manager1"].run("docker", "node", "promote", "manager2")
    assert len(lab.recorder.view().of("command")) == MOST_ASKED
    refused = lab["manager1"].run("docker", "node", "promote", "manager2", check=False)
    assert refused.code == 1
