"""How drills are done on somebody's own services, where that is more than the exercise's drill."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_swarmlab.clients.serving import Serves
from pytest_swarmlab.errors import NotConverged
from pytest_swarmlab.swarm.services import Service
from pytest_swarmlab.waiting.conditions import Converged
from tests.exercises.exercise_2_5 import drill as wordpress
from tests.exercises.exercise_2_9 import drill as healing
from tests.exercises.submission import restored, theirs
from tests.unit.fakes import Lab

SCALED = ("docker", "service", "scale", "--detach")


class Placed:
    """Waits for nothing: a service has a task on each of these machines."""

    def __init__(self, *machines: str) -> None:
        self.machines = machines
        self.conditions: list[Any] = []

    def __call__(self, condition: Any, *, within: float) -> Any:
        del within
        self.conditions.append(condition)
        seen = [type("Task", (), {"node": name}) for name in self.machines]
        return seen if isinstance(condition, Converged) else None


def site(lab: Lab, replicas: int = 3) -> theirs.Published:
    return theirs.Published(Service(lab.swarm, "web"), replicas, 8080, "/")


def scaled(lab: Lab) -> list[str]:
    return [act[-1] for act in lab.commands("docker") if act[1:5] == SCALED]


def test_a_service_that_runs_where_the_leader_is_stays_as_it_is(lab: Lab) -> None:
    wait: Any = Placed("manager1", "worker1", "worker2")
    with theirs.spread(site(lab), wait) as at_the_leader:
        assert at_the_leader().replicas == 3
    assert scaled(lab) == []


def test_it_is_spread_once_for_one_leader_after_the_other_and_then_as_it_was(lab: Lab) -> None:
    wait: Any = Placed("worker1", "worker2", "manager2")
    with theirs.spread(site(lab), wait) as at_the_leader:
        assert at_the_leader().replicas == 5
        assert scaled(lab) == ["web=5"]
        lab.settle(leader="manager2")
        assert at_the_leader().replicas == 5
        assert scaled(lab) == ["web=5"]
    assert scaled(lab) == ["web=5", "web=3"]
    assert wait.conditions[-2].name == "web runs 5 tasks", (
        "the next leader's drill begins with all of them"
    )


def test_more_replicas_than_nodes_stay_as_many(lab: Lab) -> None:
    wait: Any = Placed("worker1", "worker2")
    with theirs.spread(site(lab, replicas=7), wait) as at_the_leader:
        assert at_the_leader().replicas == 7


def test_a_service_that_never_runs_is_left_as_it_was(lab: Lab) -> None:
    def never(condition: Any, *, within: float) -> Any:
        raise NotConverged(condition.name, node=None, elapsed=within, last="0/3 running")

    wait: Any = never
    with theirs.spread(site(lab), wait) as at_the_leader, pytest.raises(NotConverged):
        at_the_leader()
    assert scaled(lab) == []


def work(lab: Lab, *machines: str, secrets: tuple[str, ...] = ("salt",)) -> Any:
    """Work with these secrets, on a cluster on which these machines take tasks."""
    service = SimpleNamespace(secrets=[SimpleNamespace(name=name) for name in secrets])
    rows = [SimpleNamespace(machine=name) for name in machines]
    return SimpleNamespace(
        swarm=lab.swarm, survey=SimpleNamespace(services=[service]), nodes=lambda: rows
    )


@pytest.mark.parametrize(
    ("machines", "where"),
    [
        (("manager2", "worker1"), ["node.hostname==manager2"]),
        # No task may be on a manager that is drained: then it is wherever one may.
        (("worker1", "worker2"), []),
    ],
)
def test_a_secret_is_read_where_the_swarm_is_restored_if_tasks_may_be_there(
    lab: Lab, machines: tuple[str, ...], where: list[str]
) -> None:
    assert restored._reader(work(lab, *machines), lab["manager2"])
    (made,) = [act for act in lab.commands("docker") if act[1:4] == ("docker", "service", "create")]
    assert [made[n + 1] for n, word in enumerate(made) if word == "--constraint"] == where
    assert "source=salt,target=swarmlab-reader" in made


def test_without_a_secret_of_theirs_nothing_is_made_that_could_read_one(lab: Lab) -> None:
    assert restored._reader(work(lab, "manager2", secrets=()), lab["manager2"]) is None
    assert lab.commands("docker") == []


class Site:
    """A WordPress that has one file, or has none."""

    port, host = 8080, "192.168.56.10:8080"

    def __init__(self, status: int) -> None:
        self.status = status

    def ask(self, node: Any, path: str) -> Any:
        del node, path
        return SimpleNamespace(status=self.status)


@pytest.mark.parametrize(
    ("status", "asked"),
    [
        (200, [("/readme.html", 5), ("/", 2)]),
        (404, [("/", 5)]),
    ],
)
def test_a_page_that_costs_much_is_not_asked_for_through_every_node_where_a_file_shows_as_much(
    lab: Lab, status: int, asked: list[tuple[str, int]]
) -> None:
    wait: Any = Placed("worker1")
    evidence: Any = SimpleNamespace(tasks=lambda *_: None)
    site: Any = Site(status)
    none: Any = None
    blog = wordpress.Drill(
        lab.swarm, site, none, none, wait, none, none, none, evidence,
        wordpress.Deployed(alone=False),
    )  # fmt: skip
    blog.light = blog._light(lab["manager1"])
    blog._whole(3)
    serving = [each for each in wait.conditions if isinstance(each, Serves)]
    assert [(each._where.rpartition("8080")[2], len(each._via)) for each in serving] == asked
    assert {each._turns for each in serving} == {6}


# -- tasks that are made ill ----------------------------------------------------------------------


@contextmanager
def nothing(*_: Any) -> Iterator[None]:
    yield


class Slots:
    """Waits for nothing, and lists a task in each slot; notes what was done and waited for."""

    def __init__(self, replicas: int) -> None:
        self.tasks = [SimpleNamespace(slot=slot, id=f"{slot}") for slot in range(1, replicas + 1)]
        self.did: list[str] = []

    def __call__(self, condition: Any, *, within: float) -> Any:
        del within
        if isinstance(condition, Converged):
            return self.tasks
        self.did.append(condition.name.replace(" of web", ""))
        return SimpleNamespace(slot=0, id="successor")


ONE = ["1 is ill", "1 tasks have ended"]
PAIR = ["1 is ill", "2 is ill", "2 tasks have ended", "task 1 is replaced"]


@pytest.mark.parametrize(
    ("replicas", "repetitions", "at_once", "did"),
    [
        # The lab's own: the next is made ill while the successor of the one before starts.
        (3, 3, 1, [*ONE, "2 is ill", "2 tasks have ended", "task 1 is replaced", "3 is ill",
                   "3 tasks have ended"]),
        (3, 3, 2, [*PAIR, "3 is ill", "3 tasks have ended"]),
        (2, 2, 1, [*ONE, "2 is ill", "2 tasks have ended"]),
        (5, 4, 2, ["1 is ill", "2 is ill", "2 tasks have ended", "3 is ill", "4 is ill",
                   "4 tasks have ended"]),
    ],
)  # fmt: skip
def test_tasks_are_made_ill_as_far_as_a_healthy_one_is_left(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, replicas: int, repetitions: int, at_once: int,
    did: list[str],
) -> None:  # fmt: skip
    wait: Any = Slots(replicas)
    evidence: Any = SimpleNamespace(containers_of=nothing, tasks=lambda *_: None)
    none: Any = None
    healed = healing.Healed(replicas, 0, repetitions, at_once=at_once, alone=False)
    drill = healing.Drill(lab.swarm, wait, none, evidence, healed)
    ill: Any = lambda _, number, task: wait.did.append(f"{number} is ill")  # noqa: E731, ARG005
    monkeypatch.setattr(healing.Drill, "break_one", ill)
    monkeypatch.setattr(healing.Drill, "define", nothing)
    noted: list[Any] = []
    note: Any = lambda _, task: noted.append(task)  # noqa: E731
    monkeypatch.setattr(healing.Drill, "_note_checks", note)
    drill.heal(Service(lab.swarm, "web"))
    assert wait.did == did
    assert len(noted) == repetitions
