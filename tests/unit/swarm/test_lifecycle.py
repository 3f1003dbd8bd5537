"""A swarm is formed from machines, or nothing of it is left."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.model import Membership, Topology
from pytest_swarmlab.swarm import lifecycle
from pytest_swarmlab.swarm.lifecycle import create, in_parallel, join, provision, stage
from pytest_swarmlab.swarm.node import Node
from tests.unit.fakes import Engine, Lab, listed

PATIENCE_S = 20.0


class Joining(Engine):
    """An engine that can create and join a swarm, which then lists its node."""

    def init_swarm(self, **how: Any) -> None:
        self._answer(None)
        self._lab.did.append((self.node, "init", how["advertise_addr"], how["listen_addr"]))
        self._lab.rows.append(listed(self.node, leader=True))

    def inspect_swarm(self) -> Any:
        return {"JoinTokens": {"Manager": "token-m", "Worker": "token-w"}}

    def join_swarm(self, **how: Any) -> None:
        self._answer(None)
        token, (through,) = how["join_token"], how["remote_addrs"]
        self._lab.did.append((self.node, "join", token, through, how["advertise_addr"]))
        role = {"token-m": "manager", "token-w": "worker"}[token]
        self._lab.rows.append(listed(self.node, role=role))


class Provider:
    """Hands out the lab's machines."""

    name = "pretended"

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def images(self) -> list[dict[str, Any]]:
        return [{"reference": "nginx:alpine", "origin": "stand-in", "detail": "nginx 1"}]

    def start(self, topology: Topology, **_: object) -> Any:
        assert topology is self._lab.topology
        return self._lab.machines

    attach = find = reap = None


@pytest.fixture
def forming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Returns a lab of a topology whose machines are not a swarm yet, and provisions it."""
    labs: list[Lab] = []

    def make(topology: Topology) -> tuple[Lab, Any]:
        lab = Lab(tmp_path, topology)
        labs.append(lab)
        for name in (node.name for node in topology.nodes):
            lab.info[name] = {"ServerVersion": "26.1.5", "KernelVersion": "6.12"}
        lab.make_engine = Joining
        monkeypatch.setattr(lifecycle, "Swarm", lambda *_: lab.swarm)
        provider: Any = Provider(lab)
        return lab, lambda: provision(
            provider, topology, recorder=lab.recorder, consoles=tmp_path / "consoles"
        )

    yield make
    for lab in labs:
        lab.recorder.close()


def steps(lab: Lab, what: str) -> list[tuple[str, ...]]:
    return [act for act in lab.did if act[1] == what]


def test_the_first_manager_creates_the_swarm_and_the_others_join_it_in_their_roles(
    forming: Any,
) -> None:
    lab, go = forming(Topology.of(3, 2))
    assert go() is lab.swarm
    assert steps(lab, "init") == [("manager1", "init", "192.168.56.10", "0.0.0.0:2377")]
    assert {(act[0], act[2]) for act in steps(lab, "join")} == {
        ("manager2", "token-m"),
        ("manager3", "token-m"),
        ("worker1", "token-w"),
        ("worker2", "token-w"),
    }
    assert {act[3] for act in steps(lab, "join")} == {"192.168.56.10:2377"}
    assert all(lab[act[0]].address == act[4] for act in steps(lab, "join"))
    assert ("machines", "stop", "") not in lab.did


def test_nodes_outside_the_swarm_are_booted_and_do_not_join(forming: Any) -> None:
    lab, go = forming(Topology.lab1())
    go()
    assert {act[0] for act in steps(lab, "join")} == {"worker1", "worker2"}
    assert {act[2] for act in steps(lab, "await_access")} == {n.name for n in lab.topology.nodes}


def booted(lab: Lab, tmp_path: Path) -> Any:
    provider: Any = Provider(lab)
    return lifecycle.boot(provider, lab.topology, recorder=lab.recorder, consoles=tmp_path)


def test_machines_that_are_only_booted_are_in_no_swarm_whatever_they_are_to_be(
    forming: Any, tmp_path: Path
) -> None:
    lab, _ = forming(Topology.of(3, 2))
    assert booted(lab, tmp_path) is lab.swarm
    assert steps(lab, "init") == steps(lab, "join") == []
    assert {act[2] for act in steps(lab, "await_access")} == {n.name for n in lab.topology.nodes}
    (ready,) = lab.recorder.view().of("cluster.ready")
    roles = [node["membership"] for node in ready.data["nodes"]]
    assert roles == ["manager"] * 3 + ["worker"] * 2
    assert ("machines", "stop", "") not in lab.did


def test_machines_that_were_booted_form_their_swarm_without_being_waited_for_again(
    forming: Any, tmp_path: Path
) -> None:
    lab, _ = forming(Topology.of(3, 2))
    lifecycle.form(booted(lab, tmp_path))
    names = sorted(node.name for node in lab.topology.nodes)
    assert len(steps(lab, "join")) == 4
    assert sorted(act[2] for act in steps(lab, "await_access")) == names
    assert sorted(event.data["node"] for event in lab.recorder.view().of("node.up")) == names
    stages = [e.data["name"] for e in lab.recorder.view().of("stage.done")]
    assert stages == ["starting 5 machines", "booting", "joining", "every node ready"]


def test_of_machines_that_do_not_boot_nothing_is_left(forming: Any, tmp_path: Path) -> None:
    lab, _ = forming(Topology.of(3, 2))
    lab.machines.refuses["await_access"] = "the engine doesn't answer"
    with pytest.raises(ProviderError, match="doesn't answer"):
        booted(lab, tmp_path)
    assert lab.did[-1] == ("machines", "stop", "")


def test_what_the_cluster_is_made_of_is_recorded_when_it_is_ready(forming: Any) -> None:
    lab, go = forming(Topology.of(3, 2))
    go()
    (ready,) = lab.recorder.view().of("cluster.ready")
    assert ready.data["provider"] == "pretended"
    assert ready.data["topology"] == {"name": "3+2", "managers": 3, "workers": 2}
    assert (ready.data["engine_version"], ready.data["kernel"]) == ("26.1.5", "6.12")
    assert ready.data["images"][0]["origin"] == "stand-in"
    stages = [e.data["name"] for e in lab.recorder.view().of("stage.done")]
    assert stages == ["starting 5 machines", "booting and joining", "every node ready"]


def test_an_even_number_of_managers_runs_with_a_warning(forming: Any) -> None:
    lab, go = forming(Topology.of(2, 1))
    go()
    (notice,) = lab.recorder.view().of("notice")
    assert "2 managers tolerate 0 failures" in notice.data["message"]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("manager1", "manager1 could not create a swarm: 500 no raft"),
        ("worker2", "worker2 could not join the swarm: 500 no raft"),
    ],
)
def test_when_a_node_cannot_join_nothing_is_left(forming: Any, broken: str, said: str) -> None:
    lab, go = forming(Topology.of(3, 2))
    lab.silent = {broken: "500 no raft"}
    with pytest.raises(ProviderError, match=said):
        go()
    assert lab.did[-1] == ("machines", "stop", "")
    (failed,) = lab.recorder.view().of("stage.failed")
    assert said in failed.data["error"]


SLOW = (
    "500 Server Error: Timeout was reached before node joined. The attempt to join the swarm will"
    " continue in the background."
)


def test_a_join_that_takes_longer_than_the_engine_s_answer_goes_on(forming: Any) -> None:
    lab, _ = forming(Topology.of(3, 2))
    lab.silent = {"manager2": SLOW}
    lifecycle.join(lab["manager2"], lab["manager1"], "token-m")


def test_when_a_node_does_not_boot_nothing_is_left(forming: Any) -> None:
    lab, go = forming(Topology.of(1, 1))
    lab.machines.refuses = {"await_access": "worker1 was not up after 180.0 s"}
    with pytest.raises(ProviderError, match="was not up after"):
        go()
    assert lab.did[-1] == ("machines", "stop", "")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_when_anything_else_ends_the_set_up_nothing_is_left(
    forming: Any, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    lab, go = forming(Topology.of(3, 2))

    def interrupted(*_: object) -> None:
        raise error

    monkeypatch.setattr(lifecycle, "_form", interrupted)
    with pytest.raises(error):
        go()
    assert lab.did[-1] == ("machines", "stop", "")


def test_nobody_waits_for_machines_to_boot_when_ctrl_c_ends_the_set_up(forming: Any) -> None:
    lab, go = forming(Topology.of(1, 1))
    gone, main = threading.Event(), threading.get_ident()
    both = threading.Barrier(2)
    stopped: list[bool] = []

    def stop() -> None:
        stopped.append(True)
        gone.set()

    def boots(node: str, timeout: float) -> None:
        del timeout
        both.wait(PATIENCE_S)
        if node == "manager1":
            time.sleep(0.1)  # By then they are waited for.
            signal.pthread_kill(main, signal.SIGINT)
        assert gone.wait(PATIENCE_S), "its machine was not removed"
        raise ProviderError(f"{node} is gone")

    lab.machines.await_access = boots
    lab.machines.stop = stop
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            go()
    finally:
        signal.signal(signal.SIGINT, before)
    assert stopped == [True], "once"


def test_the_tokens_are_those_of_each_role(lab: Lab) -> None:
    lab.make_engine = Joining
    node = lab["manager1"]
    assert create(node) == {Membership.MANAGER: "token-m", Membership.WORKER: "token-w"}
    join(lab["worker1"], node, "token-w")
    assert lab.did[-1][:4] == ("worker1", "join", "token-w", "192.168.56.10:2377")


def test_a_stage_is_recorded_with_its_end_however_it_ends(lab: Lab) -> None:
    with stage(lab.recorder, "a"):
        pass
    with pytest.raises(KeyError), stage(lab.recorder, "b"):
        raise KeyError("gone")
    kinds = [(e.kind, e.data["name"]) for e in lab.recorder.view()]
    assert kinds == [
        ("stage.started", "a"),
        ("stage.done", "a"),
        ("stage.started", "b"),
        ("stage.failed", "b"),
    ]


def test_nodes_that_are_handled_at_once_all_end_before_an_error_is_raised(lab: Lab) -> None:
    ended: list[str] = []

    def handle(node: Node) -> str:
        if node.name == "manager1":
            raise ProviderError("manager1 is ill")
        ended.append(node.name)
        return node.name

    with pytest.raises(ProviderError, match="manager1 is ill"):
        in_parallel(handle, lab.swarm.nodes)
    assert len(ended) == 4
    assert in_parallel(handle, lab.swarm.nodes[1:]) == [n.name for n in lab.swarm.nodes[1:]]
