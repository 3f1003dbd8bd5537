"""What a condition says of a swarm: met, not yet with the reason, never an error of its own."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_swarmlab.model import Capability
from pytest_swarmlab.swarm.rows import rows_of_tasks
from pytest_swarmlab.swarm.services import Service
from pytest_swarmlab.waiting.conditions import Converged, EngineIs, NodeIs, NodesReady, brief
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending
from tests.unit.fakes import Engine, Lab, PretendedNode, listed, task

FIVE = ("manager1", "manager2", "manager3", "worker1", "worker2")

NO_SERVICE_YET = "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler\n"
TWO_REPLICAS = (
    "IP Virtual Server version 1.2.1 (size=4096)\n"
    "Prot LocalAddress:Port Scheduler Flags\n"
    "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"
    "FWM  00000100 rr \n"
    "  -> 0A000005:0000      Masq    1      0          0         \n"
    "  -> 0A000006:0000      Masq    1      0          0         \n"
)


def seen(outcome: Any) -> str:
    assert isinstance(outcome, Pending), outcome
    return outcome.seen


def test_a_leader_is_whom_a_manager_names(lab: Lab) -> None:
    outcome = lab.swarm.has_leader()()
    assert isinstance(outcome, Done)
    assert outcome.value is lab["manager1"]


def test_the_old_leader_does_not_count_as_another(lab: Lab) -> None:
    condition = lab.swarm.has_leader(other_than=lab["manager1"])
    assert "manager2 says manager1" in seen(condition())
    lab.settle(leader="manager3")
    outcome = condition()
    assert isinstance(outcome, Done)
    assert outcome.value is lab["manager3"]


def test_the_old_leader_is_not_asked_about_its_successor(lab: Lab) -> None:
    lab.settle(leader="manager3")
    lab.silent = {name: "no route" for name in FIVE if name != "manager1"}
    assert "manager1" not in seen(lab.swarm.has_leader(other_than=lab["manager1"])())


def test_who_knows_no_leader_is_quoted(lab: Lab) -> None:
    lab.settle(leader="nobody")
    lab.silent = {"manager2": "connection refused"}
    said = seen(lab.swarm.has_leader()())
    assert "manager1 says none" in said
    assert "manager2: connection refused" in said


def test_a_swarm_is_ready_when_every_member_is(lab: Lab) -> None:
    outcome = lab.swarm.all_nodes_ready()()
    assert isinstance(outcome, Done)
    assert [row.name for row in outcome.value] == list(FIVE)


@pytest.mark.parametrize(
    ("name", "part", "value", "said"),
    [
        ("worker2", "Status", {"State": "down"}, "worker2 down, worker"),
        ("manager3", "ManagerStatus", {"Reachability": "unreachable"}, "manager3 ready, unreach"),
        ("manager1", "ManagerStatus", {"Reachability": "reachable"}, "manager1 ready, reachable"),
    ],
    ids=["a node down", "a manager unreachable", "nobody leads"],
)
def test_a_swarm_that_is_not_whole_is_not_ready(
    lab: Lab, name: str, part: str, value: dict[str, str], said: str
) -> None:
    lab.row(name)[part] = value
    assert said in seen(lab.swarm.all_nodes_ready()())


def test_the_manager_that_listed_the_nodes_is_not_asked_for_them_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    nodes = Engine.nodes

    def counted(engine: Engine) -> Any:
        asked.append(engine.node)
        return nodes(engine)

    monkeypatch.setattr(Engine, "nodes", counted)
    assert isinstance(lab.swarm.all_nodes_ready()(), Done)
    assert sorted(asked) == ["manager1", "manager2", "manager3"]


def test_a_manager_that_says_itself_that_it_is_none_is_not_ready(lab: Lab) -> None:
    lab.silent = {"manager3": "This node is not a swarm manager."}
    for condition in (
        lab.swarm.all_nodes_ready(),
        lab.swarm.node_is(lab["manager3"], reachability="reachable"),
    ):
        assert "manager3 itself: This node is not a swarm manager." in seen(condition())
    assert isinstance(lab.swarm.node_is(lab["manager3"], state="ready")(), Done)
    lab.silent = {}
    assert isinstance(lab.swarm.all_nodes_ready()(), Done)
    assert isinstance(lab.swarm.node_is(lab["manager3"], reachability="reachable")(), Done)


def test_a_swarm_that_misses_a_member_is_not_ready(lab: Lab) -> None:
    lab.rows.pop()
    assert isinstance(NodesReady(lab.swarm, members=5)(), Pending)
    assert isinstance(NodesReady(lab.swarm, members=4)(), Done)


def test_a_node_is_as_the_managers_see_it(lab: Lab) -> None:
    condition = lab.swarm.node_is(lab["manager2"], state="down", reachability="unreachable")
    assert condition.name == "state down and reachability unreachable"
    assert seen(condition()) == "manager1 sees manager2 ready, reachable"
    lab.rows[1] = listed("manager2", state="down", reach="unreachable")
    assert isinstance(condition(), Done)


def test_a_node_that_nobody_lists_is_said_to_be_missing(lab: Lab) -> None:
    lab.rows = [row for row in lab.rows if row["ID"] != "id-worker2"]
    assert seen(NodeIs(lab.swarm, lab["worker2"], {"state": "down"})()).endswith("no such node")


def test_a_service_has_converged_when_its_tasks_run_and_no_others_are_wanted(lab: Lab) -> None:
    lab.tasks = [task(slot, node) for slot, node in enumerate(FIVE, 1)]
    lab.tasks.append(task(1, "worker1", "shutdown", desired="shutdown"))
    outcome = lab.swarm.converged("web", replicas=5)()
    assert isinstance(outcome, Done)
    assert outcome.seen == "5/5 running"
    assert {t.node for t in outcome.value} == set(FIVE)


@pytest.mark.parametrize("state", ["down", "unknown", "disconnected"])
def test_a_task_on_a_node_that_is_not_ready_does_not_count_as_running(lab: Lab, state: str) -> None:
    lab.tasks = [task(slot, node) for slot, node in enumerate(FIVE, 1)]
    lab.row("manager1")["Status"] = {"State": state}
    assert seen(lab.swarm.converged("web", replicas=5)()).startswith("4/5 running")


def test_a_service_with_more_tasks_than_wanted_has_not_converged(lab: Lab) -> None:
    lab.tasks = [task(slot, node) for slot, node in enumerate(FIVE, 1)]
    assert seen(lab.swarm.converged("web", replicas=4)()) == "5/4 running"


def test_what_hinders_a_service_is_quoted(lab: Lab) -> None:
    lab.tasks = [
        task(1, "worker1"),
        task(2, "", "pending"),
        task(2, "worker2", "failed", desired="shutdown", error="no space left on device"),
    ]
    assert seen(lab.swarm.converged("web", replicas=2)()) == (
        "1/2 running (others: pending); last task error: no space left on device"
    )


def test_the_mesh_is_what_every_node_balances_over(lab: Lab) -> None:
    lab.shell = lambda *_: (0, TWO_REPLICAS, "")
    assert isinstance(lab.swarm.mesh_lists(2)(), Done)
    # One that differs says that it is too early, and the others are not asked.
    assert seen(lab.swarm.mesh_lists(3)()) == "manager1 2"


def test_one_node_that_balances_over_others_is_enough_to_wait(lab: Lab) -> None:
    lab.shell = lambda node, _: (0, NO_SERVICE_YET if node == "worker2" else TWO_REPLICAS, "")
    assert seen(lab.swarm.mesh_lists(2)()).endswith("worker2 0")
    but_that = lab.swarm.nodes_except(lab["worker2"])
    assert isinstance(lab.swarm.mesh_lists(2, on=but_that)(), Done)


def test_a_node_without_a_mesh_lists_nothing(lab: Lab) -> None:
    lab.shell = lambda *_: (1, "", "nsenter: cannot open /run/docker/netns/ingress_sbox")
    assert isinstance(lab.swarm.mesh_lists(0)(), Done)


def test_where_kernels_have_no_ipvs_no_mesh_is_waited_for(lab: Lab) -> None:
    lab.swarm.capabilities -= {Capability.IPVS}
    found = lab.swarm.mesh_lists(5)()
    assert isinstance(found, Done)
    assert found.seen == "no mesh here"


def test_a_mesh_that_cannot_be_seen_is_not_taken_for_an_empty_one(lab: Lab) -> None:
    def cut_off(node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        raise RuntimeError(f"ssh to {node} failed, {argv[0]} was not run")

    lab.shell = cut_off
    assert "manager1 can't be reached" in seen(lab.swarm.mesh_lists(0)())
    lab.shell = lambda *_: (127, "", "sh: 1: nsenter: not found")
    assert "ended with 127: sh: 1: nsenter: not found" in seen(lab.swarm.mesh_lists(0)())


def test_a_change_that_was_tried_is_recorded_and_leaves_nothing(lab: Lab) -> None:
    assert isinstance(lab.swarm.accepts_changes(lab["manager2"])(), Done)
    assert seen(lab.swarm.refuses_changes(lab["manager2"])()) == "accepted"
    assert lab.configs == []
    assert [e.data["error"] for e in lab.recorder.view().of("write", node="manager2")] == [None] * 2


def test_a_change_that_was_refused_is_recorded_with_the_reason(lab: Lab) -> None:
    lab.silent = {"manager2": "The swarm does not have a leader"}
    assert seen(lab.swarm.accepts_changes(lab["manager2"])()) == "The swarm does not have a leader"
    assert isinstance(lab.swarm.refuses_changes(lab["manager2"])(), Done)
    assert {e.data["error"] for e in lab.recorder.view().of("write")} == {
        "The swarm does not have a leader"
    }


def test_an_engine_that_is_gone_is_asked_on_a_new_connection_next_time(lab: Lab) -> None:
    node = lab["worker1"]
    assert isinstance(node, PretendedNode)
    lab.silent = {"worker1": "connection reset"}
    assert seen(EngineIs(node, up=True)()) == "connection reset"
    assert isinstance(EngineIs(node, up=False)(), Done)
    assert node.forgotten == 2
    lab.silent = {}
    assert isinstance(EngineIs(node, up=True)(), Done)


def test_when_nobody_answers_no_condition_is_met_and_each_says_why(lab: Lab) -> None:
    lab.silent = dict.fromkeys(FIVE, "i/o timeout")
    swarm, node = lab.swarm, lab["manager1"]
    for condition in (
        swarm.has_leader(),
        swarm.all_nodes_ready(),
        swarm.node_is(node, state="ready"),
        Converged(swarm, "web", 0),
        swarm.accepts_changes(node),
        EngineIs(node, up=True),
    ):
        assert "i/o timeout" in seen(condition())


def test_an_engine_s_own_explanation_is_preferred_and_fits_a_line() -> None:
    class Refusal(Exception):
        explanation = "rpc error:\n  the swarm\n  has no leader"

    assert brief(Refusal("400 Client Error")) == "rpc error: the swarm has no leader"
    assert brief(TimeoutError()) == "TimeoutError"
    assert len(brief(OSError("x" * 5000))) == 300


def test_a_task_that_failed_is_found_and_says_why(lab: Lab) -> None:
    failed = Service(lab.swarm, "web").task_failed()
    lab.tasks = [task(1, "worker1")]
    assert seen(failed()) == "running"
    lab.tasks = [task(1, "worker1", "failed", desired="shutdown", error="non-zero exit (1)")]
    found = failed()
    assert isinstance(found, Done)
    assert (found.value.node, found.seen) == ("worker1", "non-zero exit (1)")


def test_a_task_that_had_failed_before_does_not_count(lab: Lab) -> None:
    lab.tasks = [task(1, "worker1", "failed", error="long ago")]
    failed = Service(lab.swarm, "web").task_failed(known=["task-1-worker1"])
    assert seen(failed()) == "failed"
    lab.tasks.append(task(2, "worker1", "failed", error="now"))
    found = failed()
    assert isinstance(found, Done)
    assert found.seen == "now"


def test_a_task_that_no_node_can_take_is_found_with_the_scheduler_s_reason(lab: Lab) -> None:
    service = Service(lab.swarm, "db")
    lab.tasks = [task(1, "", "pending")]
    assert isinstance(service.task_blocked()(), Pending)
    lab.tasks = [task(1, "", "pending", error="no suitable node (missing plugin on 5 nodes)")]
    outcome = service.task_blocked()()
    assert isinstance(outcome, Done)
    assert outcome.seen == "no suitable node (missing plugin on 5 nodes)"
    assert isinstance(service.task_failed()(), Pending)


def test_an_update_is_over_when_it_is_complete(lab: Lab) -> None:
    updated = Service(lab.swarm, "web").updated()
    assert seen(updated()) == "not begun"
    lab.update = {"State": "updating", "Message": "update in progress"}
    assert seen(updated()) == "updating: update in progress"
    lab.update = {"State": "completed", "Message": "update completed"}
    assert isinstance(updated(), Done)


@pytest.mark.parametrize("state", ["paused", "rollback_started", "rollback_completed"])
def test_an_update_that_was_given_up_is_never_complete(lab: Lab, state: str) -> None:
    lab.update = {"State": state, "Message": "task 1 failed"}
    outcome = Service(lab.swarm, "web").updated()()
    assert isinstance(outcome, Fatal)
    assert outcome.seen == f"{state}: task 1 failed"


def test_an_update_is_waited_for_until_it_is_taken_back(lab: Lab) -> None:
    taken_back = Service(lab.swarm, "web").rolled_back()
    assert seen(taken_back()) == "not begun"
    for state in ("updating", "rollback_started"):
        lab.update = {"State": state, "Message": "task 1 failed"}
        assert seen(taken_back()) == f"{state}: task 1 failed"
    lab.update = {"State": "rollback_completed", "Message": "rollback completed"}
    assert isinstance(taken_back(), Done)


@pytest.mark.parametrize("state", ["completed", "paused", "rollback_paused"])
def test_an_update_that_went_through_or_stands_still_is_never_taken_back(
    lab: Lab, state: str
) -> None:
    lab.update = {"State": state, "Message": "so it ended"}
    assert isinstance(Service(lab.swarm, "web").rolled_back()(), Fatal)


def test_nobody_can_tell_of_an_update_when_no_manager_answers(lab: Lab) -> None:
    lab.silent = dict.fromkeys(FIVE, "i/o timeout")
    assert "i/o timeout" in seen(Service(lab.swarm, "web").updated()())


def test_an_update_that_takes_itself_back_is_waited_for(lab: Lab) -> None:
    rolled_back = Service(lab.swarm, "web").rolled_back()
    lab.update = {"State": "updating", "Message": "update in progress"}
    assert seen(rolled_back()) == "updating: update in progress"
    lab.update = {"State": "rollback_started", "Message": "update rolled back due to failure"}
    assert seen(rolled_back()).startswith("rollback_started")
    lab.update = {"State": "rollback_completed", "Message": "rollback completed"}
    assert isinstance(rolled_back(), Done)


@pytest.mark.parametrize("state", ["completed", "paused", "rollback_paused"])
def test_an_update_that_went_another_way_is_never_taken_back(lab: Lab, state: str) -> None:
    lab.update = {"State": state}
    assert isinstance(Service(lab.swarm, "web").rolled_back()(), Fatal)


def test_tasks_that_were_told_to_stop_have_not_ended_by_themselves(lab: Lab) -> None:
    lab.tasks = [
        task(1, "worker1", "shutdown", desired="shutdown"),
        task(2, "worker1", "complete", desired="shutdown"),
        task(2, "worker2"),
    ]
    web = Service(lab.swarm, "web")
    found = web.ended()()
    assert isinstance(found, Done)
    assert [t.state for t in found.value] == ["complete"]
    assert seen(web.ended(at_least=2)()) == "complete, running, shutdown"
    known = [found.value[0].id]
    assert seen(web.ended(known=known)()) == "complete, running, shutdown"


def test_tasks_are_counted_in_a_state_if_they_are_wanted(lab: Lab) -> None:
    lab.tasks = [task(1, "worker1", "starting"), task(2, "worker1", "starting", desired="shutdown")]
    web = Service(lab.swarm, "web")
    found = web.tasks_are("starting", 1)()
    assert isinstance(found, Done)
    assert [t.slot for t in found.value] == [1]
    assert isinstance(web.tasks_are("running", 0)(), Done)
    assert seen(web.tasks_are("running", 1)()) == "starting"


def test_a_task_is_replaced_when_another_one_runs_in_its_slot(lab: Lab) -> None:
    old, other = task(1, "worker1"), task(2, "worker2")
    lab.tasks = [old, other]
    replaced = Service(lab.swarm, "web").replaced(*rows_of_tasks([old]))
    assert seen(replaced()) == "running"
    lab.tasks = [
        task(1, "worker1", "complete", desired="shutdown"),
        task(1, "manager1", "starting"),
    ]
    assert seen(replaced()) == "complete, starting"
    lab.tasks = [task(1, "worker1", "complete", desired="shutdown"), task(1, "manager1")]
    found = replaced()
    assert isinstance(found, Done)
    assert found.value.id == "task-1-manager1"


def test_a_change_that_was_agreed_on_after_all_is_undone_with_the_next_one(lab: Lab) -> None:
    lab.configs = ["swarmlab-late"]
    assert isinstance(lab.swarm.accepts_changes(lab["manager1"])(), Done)
    assert lab.configs == []


def test_a_task_of_a_global_service_is_replaced_when_another_one_runs_on_its_node(
    lab: Lab,
) -> None:
    def on(node: str, number: int, state: str = "running", **how: str) -> dict[str, Any]:
        there = {**task(0, node, state, **how), "ID": f"{node}-{number}"}
        del there["Slot"]
        return there

    lab.tasks = [on("worker1", 1), on("worker2", 1)]
    old, _ = lab.swarm.task_rows(lab.swarm.look()[0].engine, "web")
    replaced = Service(lab.swarm, "web").replaced(old)
    assert replaced.name == "task on worker1 of web is replaced"
    assert seen(replaced()) == "running"
    lab.tasks = [on("worker1", 1, "failed", desired="shutdown"), on("worker1", 2),
                 on("worker2", 1)]  # fmt: skip
    found = replaced()
    assert isinstance(found, Done)
    assert found.value.id == "worker1-2"


def test_nobody_can_tell_of_tasks_when_no_manager_answers(lab: Lab) -> None:
    lab.silent = dict.fromkeys(FIVE, "i/o timeout")
    web = Service(lab.swarm, "web")
    for condition in (
        web.ended(),
        web.tasks_are("running", 1),
        web.replaced(*rows_of_tasks([task(1, "worker1")])),
    ):
        assert "i/o timeout" in seen(condition())


def test_a_watch_ends_as_soon_as_something_moves(lab: Lab) -> None:
    watched = Service(lab.swarm, "web").watched(for_s=1000)
    lab.tasks = [task(1, "worker1")]
    assert seen(watched()).startswith("unchanged for")
    lab.tasks = [task(1, "worker1", "shutdown", desired="shutdown"), task(1, "worker2")]
    moved = watched()
    assert isinstance(moved, Done)
    assert moved.seen.startswith("they changed after")


def test_a_task_that_has_ended_moves_no_more_when_it_is_given_up(lab: Lab) -> None:
    watched = Service(lab.swarm, "web").watched(for_s=1000)
    lab.tasks = [task(1, "worker1", "complete"), task(2, "worker2")]
    assert seen(watched()).startswith("unchanged for")
    lab.tasks = [task(1, "worker1", "complete", desired="shutdown"), task(2, "worker2")]
    assert seen(watched()).startswith("unchanged for")


def test_a_watch_in_which_nothing_moves_ends_with_its_time(lab: Lab) -> None:
    lab.tasks = [task(1, "worker1")]
    watched = Service(lab.swarm, "web").watched(for_s=0)
    assert isinstance(watched(), Done)


def test_a_service_that_runs_elsewhere_has_not_converged_on_that_node(lab: Lab) -> None:
    lab.tasks = [task(1, "worker1")]
    web = Service(lab.swarm, "web")
    assert isinstance(web.converged(replicas=1, on=lab["worker1"])(), Done)
    assert seen(web.converged(replicas=1, on=lab["worker2"])()).startswith("0/1 running")


def test_a_command_is_tried_until_it_succeeds_and_what_it_said_is_told(lab: Lab) -> None:
    lab.shell = lambda *_: (2, "", "no\nresponse")
    ready = lab["worker1"].succeeds("pg_isready")
    assert seen(ready()) == "exit code 2: no response"
    lab.shell = lambda *_: (0, "accepting", "")
    found = ready()
    assert isinstance(found, Done)
    assert found.value == "accepting"


def test_a_container_that_is_left_anywhere_is_told(lab: Lab) -> None:
    gone = lab.swarm.no_task_of("db")
    lab.containers = {"worker2": [{"Id": "c1", "Status": "Exited (0) 9 seconds ago"}]}
    assert seen(gone()) == "one on worker2, Exited (0) 9 seconds ago"
    lab.containers = {}
    assert isinstance(gone(), Done)


def test_a_node_that_does_not_answer_is_not_taken_for_an_empty_one(lab: Lab) -> None:
    lab.silent = {"worker2": "no answer"}
    assert seen(lab.swarm.no_task_of("db")()).startswith("worker2: no answer")


def test_a_service_has_settled_when_what_is_to_stop_has_stopped(lab: Lab) -> None:
    settled = Service(lab.swarm, "web").settled()
    lab.tasks = [task(1, "worker1"), task(1, "worker2", desired="shutdown")]
    assert seen(settled()) == "task-1-w on worker2"
    lab.tasks = [task(1, "worker1"), task(1, "worker2", "shutdown", desired="shutdown")]
    assert isinstance(settled(), Done)


def test_a_service_is_renewed_when_as_many_others_run_and_none_of_before(lab: Lab) -> None:
    lab.tasks = [task(1, "worker1"), task(2, "worker2")]
    before = lab.swarm.task_rows(lab.swarm.leader().engine, "web")
    renewed = Service(lab.swarm, "web").renewed(before)
    assert seen(renewed()) == "0 of 2 are"
    lab.tasks = [task(1, "manager3"), task(2, "worker2")]
    assert seen(renewed()) == "1 of 2 are"
    # The next is started first, and the one before is wanted until it runs.
    lab.tasks = [task(1, "manager3"), task(2, "worker2"), task(2, "manager1", "starting")]
    assert seen(renewed()) == "1 of 2 are"
    lab.tasks = [task(1, "manager3"), task(2, "worker2", desired="shutdown"), task(2, "manager1")]
    found = renewed()
    assert isinstance(found, Done)
    assert {row.node for row in found.value} == {"manager3", "manager1"}
    lab.tasks = []
    assert seen(renewed()) == "0 of 2 are"
