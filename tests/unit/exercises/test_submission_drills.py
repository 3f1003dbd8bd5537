"""How drills are done on somebody's own services, where that is more than the exercise's drill."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_swarmlab.clients.serving import Serves
from pytest_swarmlab.errors import CommandError, NotConverged
from pytest_swarmlab.model import Capability
from pytest_swarmlab.swarm.services import Service
from pytest_swarmlab.waiting.conditions import Converged
from tests.exercises.exercise_2_5 import drill as wordpress
from tests.exercises.exercise_2_5.verify import exercise as exercise_2_5
from tests.exercises.exercise_2_6 import search
from tests.exercises.exercise_2_6.events import Search
from tests.exercises.exercise_2_9 import drill as healing
from tests.exercises.submission import restored, test_submission, theirs
from tests.unit.fakes import Lab, task

SCALED = ("docker", "service", "scale", "--detach")


class Placed:
    """Waits for nothing: a service has a task on each of these machines."""

    def __init__(self, *machines: str) -> None:
        self.machines = machines
        self.conditions: list[Any] = []

    def __call__(self, condition: Any, *, within: float) -> Any:
        del within
        self.conditions.append(condition)
        seen = [type("Task", (), {"node": name, "container": "c0ffee"}) for name in self.machines]
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
    assert [(each._where.removeprefix(":8080"), len(each._via)) for each in serving] == asked
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


# -- on somebody's own cluster: what is changed is put back ----------------------------------------


@pytest.fixture
def owners(lab: Lab) -> Lab:
    """Somebody's own, and changes are permitted."""
    lab.machines.foreign = True
    return lab


def acts(lab: Lab) -> list[str]:
    """What was done, in a few words."""
    told = {"systemd-run": "timer", "systemctl": "no timer", "docker": "scaled"}
    return [f"{told[act[1]]} {act[-1]}" for act in lab.commands(*told)]


def test_their_database_s_container_goes_and_comes_back_and_its_service_stays(owners: Lab) -> None:
    wait: Any = Placed("worker1")
    theirs.renew(Service(owners.swarm, "wp_db"), wait)
    timer, away, back, stopped = acts(owners)
    assert timer == "timer docker service scale --detach wp_db=1"
    assert [away, back] == ["scaled wp_db=0", "scaled wp_db=1"]
    assert stopped.startswith("no timer swarmlab-mend-scaled-")
    gone = wait.conditions[1]
    assert gone.node == "worker1"
    assert wait.conditions[0].name == "wp_db runs 1 tasks"
    gone()
    assert owners.commands("sh")[-1][3:] == (theirs.NO_CONTAINER, "sh", "c0ffee")
    (set_,) = owners.commands("systemd-run")
    assert "--on-active=600" in set_, "an owner waits no longer for his database"


@pytest.mark.parametrize(
    ("says", "gone"), [("exit 0", True), ("echo c0ffee", False), ("exit 1", False)]
)
def test_a_container_is_gone_only_where_the_engine_says_so(
    tmp_path: Path, says: str, gone: bool
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\n{says}\n", encoding="utf-8")
    docker.chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", theirs.NO_CONTAINER, "sh", "c0ffee"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=False,
    )  # fmt: skip
    assert (done.returncode == 0) is gone


def test_a_container_that_does_not_go_is_no_reason_to_leave_their_database_away(
    owners: Lab,
) -> None:
    def never(condition: Any, *, within: float) -> Any:
        if isinstance(condition, Converged):
            return Placed("worker1")(condition, within=within)
        raise NotConverged(condition.name, node=None, elapsed=within, last="one on worker1")

    wait: Any = never
    with pytest.raises(NotConverged):
        theirs.renew(Service(owners.swarm, "wp_db"), wait)
    assert acts(owners)[2] == "scaled wp_db=1"


def test_a_timer_stays_where_their_service_could_not_be_scaled_back(owners: Lab) -> None:
    owners.shell = lambda _, argv: (1, "", "no leader") if argv[-1] == "wp_db=1" else (0, "", "")
    wait: Any = Placed("worker1")
    with pytest.raises(CommandError, match="no leader"):
        theirs.renew(Service(owners.swarm, "wp_db"), wait)
    assert owners.commands("systemctl") == []


def test_their_wordpress_is_scaled_to_five_and_back_also_if_that_is_in_vain(owners: Lab) -> None:
    def five() -> None:
        service.scale(5)
        raise NotConverged("five", node=None, elapsed=1.0, last="4/5 running")

    service = Service(owners.swarm, "wp_wordpress")
    blog: Any = SimpleNamespace(wordpress=service, deployed=SimpleNamespace(replicas=3), scale=five)
    with pytest.raises(NotConverged):
        theirs.scaled(blog)
    assert [act.rpartition(" ")[2] for act in acts(owners)][:3] == [
        "wp_wordpress=3", "wp_wordpress=5", "wp_wordpress=3",
    ]  # fmt: skip


def test_what_is_spread_has_a_timer_until_it_is_as_it_was(owners: Lab) -> None:
    wait: Any = Placed("worker1", "worker2", "manager2")
    with theirs.spread(site(owners), wait) as at_the_leader:
        at_the_leader()
        owners.settle(leader="manager2")
        at_the_leader()
    assert [act.partition(" swarmlab")[0] for act in acts(owners)] == [
        "timer docker service scale --detach web=3", "scaled web=5", "scaled web=3", "no timer",
    ]  # fmt: skip


def player(name: str, wanted: int | None = 1) -> Any:
    return SimpleNamespace(name=name, stack="wp", wanted=wanted)


def their_work(lab: Lab, *, tasks: int = 1, server: str = "manager1") -> Any:
    """A WordPress of three replicas with its database, on that cluster."""
    players = {
        "wordpress": player("wp_wordpress", 3), "wordpress-database": player("wp_db", tasks),
    }  # fmt: skip

    class Cast(dict[str, Any]):
        def service(self, role: str) -> Any:
            return players.get(role)

    cast = Cast({"nfs-server": SimpleNamespace(name=server)})
    return SimpleNamespace(swarm=lab.swarm, cast=cast, deploys=lambda _: False, said=None)


def test_on_an_owner_s_cluster_no_service_is_removed(owners: Lab) -> None:
    wait: Any = Placed("worker1")
    deployed = theirs.wordpress(their_work(owners), wait)
    assert deployed.again is None
    assert deployed.renewed is not None
    deployed.renewed()
    assert not any("rm" in act for act in owners.commands("docker"))


def test_a_database_of_several_tasks_is_not_drilled_there(owners: Lab) -> None:
    wait: Any = Placed()
    with pytest.raises(pytest.skip.Exception, match="wp_db has 2 replicas"):
        theirs.wordpress(their_work(owners, tasks=2), wait)


def test_nor_is_one_beside_a_machine_through_which_nobody_gets_there(owners: Lab) -> None:
    owners.rows = [row for row in owners.rows if row["ID"] != "id-worker2"]
    wait: Any = Placed()
    with pytest.raises(pytest.skip.Exception, match="worker2 is no member"):
        theirs.wordpress(their_work(owners), wait)


@pytest.mark.parametrize(("server", "lost"), [("worker1", False), ("manager1", True)])
def test_the_nfs_server_of_an_owner_does_not_lose_power(
    owners: Lab, server: str, lost: bool
) -> None:
    owners.tasks = [task(1, "worker1")]
    did: list[str] = []
    blog: Any = SimpleNamespace(
        database=Service(owners.swarm, "wp_db"), lose_the_node=lambda: did.append("lost")
    )
    if lost:
        theirs.lose_the_node(their_work(owners, server=server), blog)
    else:
        with pytest.raises(pytest.skip.Exception, match="wp_db runs on worker1, the NFS server"):
            theirs.lose_the_node(their_work(owners, server=server), blog)
    assert did == (["lost"] if lost else [])


class Judges:
    """Evidence that judges every phase so."""

    def __init__(self, **verdicts: str) -> None:
        self.verdicts = verdicts
        self.judged_phases: list[str] = []

    @contextmanager
    def judged(self, exercise: Any, phase: str) -> Iterator[None]:
        yield
        self.judge(exercise, phase)
        outcome = self.verdicts.get(phase)
        if outcome == "fail":
            pytest.fail(f"{phase} failed")
        if outcome == "skip":
            pytest.skip(f"{phase} can't be proven")

    def judge(self, exercise: Any, phase: str) -> None:
        del exercise
        self.judged_phases.append(phase)

    def say_unproven(self) -> None:
        """Nothing is."""


def test_what_can_t_be_proven_hides_neither_a_failure_nor_a_later_drill() -> None:
    evidence: Any = Judges(one="fail", two="skip")
    drills = dict.fromkeys(("one", "two", "three"), lambda: None)
    with pytest.raises(pytest.fail.Exception, match="one failed"):
        test_submission.each_judged(evidence, exercise_2_5, drills)
    assert evidence.judged_phases == ["one", "two", "three"]


def test_what_can_t_be_proven_is_said_at_the_end() -> None:
    evidence: Any = Judges(two="skip")
    drills = dict.fromkeys(("one", "two", "three"), lambda: None)
    with pytest.raises(pytest.skip.Exception, match="two can't be proven"):
        test_submission.each_judged(evidence, exercise_2_5, drills)
    assert evidence.judged_phases == ["one", "two", "three"]


@pytest.mark.parametrize("may", [True, False])
def test_without_leave_each_phase_is_judged_and_none_is_begun(owners: Lab, may: bool) -> None:
    if not may:
        owners.swarm.capabilities -= {Capability.CHANGE}
    evidence: Any = Judges()
    work: Any = SimpleNamespace(swarm=owners.swarm)
    theirs.without_leave(work, exercise_2_5, ("one", "two"), evidence)
    assert evidence.judged_phases == ([] if may else ["one", "two"])


SECRET = b"the-value-of-their-secret"
THERE = {"swarm": "-----BEGIN CERTIFICATE-----", "/etc": "root:x:0:0:", "/var/log": "_BOOT_ID="}


def looked_around(owners: Lab, *, found: str = "", code: int = 0, said: str = "") -> list[Any]:
    """The events of a search on an owner's cluster, on which each search prints this as well."""

    def shell(node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        if argv[:2] == ("docker", "inspect"):
            return 0, ("c0ffee" if argv[3] == "{{.Id}}" else "/layer"), ""
        if "grep" not in argv:
            return 0, "tmpfs", ""
        if "--count" in argv:
            return 0, "1", ""
        words = " ".join(argv)
        control = next((text for place, text in THERE.items() if place in words), "")
        # What was put into the layer, and the container's own id.
        control = control or "\n".join(re.findall("control-[0-9a-f]{24}", fed(owners)))
        return code, f"{control}\nc0ffee\n{found if node == 'worker1' else ''}", said

    owners.shell = shell
    owners.info = {n.name: {"DockerRootDir": "/var/lib/docker"} for n in owners.swarm.nodes}
    noted: list[Any] = []
    evidence: Any = SimpleNamespace(write=noted.append)
    search.look_around(
        owners.swarm, "c0ffee", owners["worker1"], SECRET, evidence=evidence,
        besides={"files": ("/root", "/etc")},
    )  # fmt: skip
    return [each for each in noted if isinstance(each, Search)]


def fed(lab: Lab) -> str:
    return b"\n".join(lab.fed).decode()


def test_an_owner_s_nodes_are_searched_and_nothing_is_put_there(owners: Lab) -> None:
    searches = looked_around(owners)
    assert {(each.what, each.found, each.control > 0) for each in searches} == {
        ("swarm directory", 0, True), ("files", 0, True), ("logs", 0, True),
        ("container's layer", 0, True), ("container's files and log", 0, True),
        ("what the run wrote", 0, True),
    }  # fmt: skip
    assert len(searches) == 5 * 3 + 3
    changed = [e.data["what"].split() for e in owners.recorder.view().of("change")]
    assert {(words[0], words[-2] if words[0] == "docker" else "") for words in changed} == {
        ("systemd-run", ""), ("docker", "tee"), ("docker", "-f"), ("systemctl", ""),
    }  # fmt: skip
    assert SECRET.decode() not in " ".join(" ".join(act) for act in owners.commands())


def test_a_value_that_stands_there_is_found(owners: Lab) -> None:
    seen = {each.what for each in looked_around(owners, found=SECRET.decode()) if each.found}
    assert seen >= {"swarm directory", "files", "logs"}


@pytest.mark.parametrize(("code", "said"), [(124, ""), (2, "grep: memory exhausted")])
def test_a_search_that_takes_too_much_of_an_owner_s_node_is_none(
    owners: Lab, code: int, said: str
) -> None:
    searches = looked_around(owners, code=code, said=said)
    assert {each.what for each in searches} == {"what the run wrote"}
    bounds = [act[1:6] for act in owners.commands("prlimit")]
    assert set(bounds) == {("prlimit", "--as=536870912", "timeout", "120", "nice")}
