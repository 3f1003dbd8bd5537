"""A service serves when each node has led to each replica and had a good answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_swarmlab.clients import serving
from pytest_swarmlab.clients.serving import Serves, await_serving
from pytest_swarmlab.evidence import waits
from pytest_swarmlab.evidence.events import Waited, each
from pytest_swarmlab.swarm.services import Service
from pytest_swarmlab.waiting.waiter import Done, Pending
from tests.unit.clients.test_probe import Web
from tests.unit.fakes import Lab, task


@pytest.fixture
def web(lab: Lab) -> Iterator[Web]:
    with Web() as server, lab.published(server):
        yield server


def test_each_node_is_asked_twice_for_each_replica(lab: Lab, web: Web) -> None:
    serves = Serves(lab.swarm, replicas=2, path="/ready")
    assert serves.name == "each of 2 replicas serves port 8080 through 5 nodes"
    seen = serves()
    assert isinstance(seen, Done)
    assert seen.seen == "4 good answers through each node"
    assert [host for _, host, _ in web.asked] == [
        f"{node.name}:8080" for node in lab.swarm.nodes for _ in range(4)
    ]
    assert {path for _, _, path in web.asked} == {"/ready"}


@pytest.mark.parametrize("status", [404, 503])
def test_an_answer_that_is_an_error_is_told_with_its_node(lab: Lab, web: Web, status: int) -> None:
    web.status = status
    seen = Serves(lab.swarm, replicas=2)()
    assert isinstance(seen, Pending)
    assert seen.seen == f"manager1: status {status}, request 1 of 4"
    assert len(web.asked) == 1


def test_a_node_that_refuses_is_told(lab: Lab, web: Web) -> None:
    lab.machines.listens["worker1"] = ("127.0.0.1", 1)
    seen = Serves(lab.swarm, replicas=1)()
    assert isinstance(seen, Pending)
    assert seen.seen.startswith("worker1: refused")
    assert "worker1" not in {host.partition(":")[0] for _, host, _ in web.asked}


def test_a_site_is_asked_by_its_own_name_and_through_the_nodes_that_are_given(
    lab: Lab, web: Web
) -> None:
    assert isinstance(Serves(lab.swarm, via=[lab["worker2"]], replicas=1, host="shop.lab")(), Done)
    assert [host for _, host, _ in web.asked] == ["shop.lab", "shop.lab"]


def test_a_path_may_have_any_letters(lab: Lab, web: Web) -> None:
    assert isinstance(Serves(lab.swarm, replicas=1, path="/{}/{a.b}.png")(), Done)
    assert {path for _, _, path in web.asked} == {"/%7B%7D/%7Ba.b%7D.png"}


def test_nothing_it_asks_is_in_the_record(lab: Lab, web: Web) -> None:
    web.status = 500
    Serves(lab.swarm, replicas=2)()
    assert not lab.recorder.view().of("request")


def test_who_waits_for_long_has_the_mesh_of_each_node_recorded(
    lab: Lab, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.status = 503
    looked: list[str] = []
    monkeypatch.setattr(
        serving, "record_mesh", lambda nodes, _: looked.extend(node.name for node in nodes)
    )
    serves = Serves(lab.swarm, replicas=2)
    serves()
    assert not looked
    monkeypatch.setattr(serving, "LONG_S", 0.0)
    serves()
    assert looked == [node.name for node in lab.swarm.nodes]


def test_where_no_kernel_balances_there_is_nothing_to_wait_for(lab: Lab, web: Web) -> None:
    lab.swarm.capabilities = frozenset()
    assert isinstance(Serves(lab.swarm, replicas=2)(), Done)
    assert not web.asked


def test_a_service_is_waited_for_until_it_runs_is_listed_and_serves(lab: Lab, web: Web) -> None:
    lab.tasks = [task(1, "worker1"), task(2, "worker2")]
    lab.shell = lambda *_: (0, 2 * "  -> 0A000005:0000      Masq    1\n", "")
    wait = waits.of_tests(lab.recorder)
    tasks = await_serving(wait, Service(lab.swarm, "web"), replicas=2, within=5)
    assert [row.node for row in tasks] == ["worker1", "worker2"]
    assert [over.condition for over in each(lab.recorder.view(), Waited)] == [
        "web runs 2 tasks",
        "the routing mesh of every node lists 2 replicas",
        "each of 2 replicas serves port 8080 through 5 nodes",
    ]
    assert web.asked
