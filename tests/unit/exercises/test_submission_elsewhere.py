"""Their backup is taken where it is installed, without harm, and compared elsewhere."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from secrets import token_hex
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_swarmlab.errors import CommandError, HostError, NotConverged, ProviderError
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.marking.declared import Declared
from pytest_swarmlab.marking.roles import Cast
from pytest_swarmlab.model import Capability, Membership, Topology
from pytest_swarmlab.submitted.work import Work
from pytest_swarmlab.survey.machine import Engine, Machine, Script, System, Unit
from pytest_swarmlab.survey.seen import Given, Service, Settings, Survey
from pytest_swarmlab.swarm import changes
from tests.exercises.exercise_2_8 import events, perform
from tests.exercises.submission import elsewhere, installed, restored
from tests.exercises.submission.installed import NotShown
from tests.unit.fakes import Lab

SAID = Declared(
    backup="/var/backups/swarm/swarm-*",
    restore=("scripts/restore.sh", "--yes", "{}"),
)
SCRIPT = "/usr/local/sbin/swarm-backup"
TIMER = Unit("swarm-backup.timer", "loaded", "active", "enabled", starts="swarm-backup.service")
SERVICE = Unit("swarm-backup.service", "loaded", "inactive", "static", runs=SCRIPT)
HANDED_IN: Any = SimpleNamespace()


def system(*units: Unit) -> System:
    return System(units=units, scripts=(Script(SCRIPT, True, True, True),))


def machine(name: str, *units: Unit, engine: Engine | None = None) -> Machine:
    said = engine or Engine(name=name, version="26.1.5", root="/var/lib/docker")
    return Machine(name, engine=said, system=system(*units))


def survey(*machines: Machine, autolock: bool = False) -> Survey:
    """All three managers have the timer, unless others are given."""
    usual = tuple(machine(f"manager{n}", TIMER, SERVICE) for n in (1, 2, 3))
    return Survey(machines=machines or usual, settings=Settings("s", autolock=autolock))


def work(lab: Lab, seen: Survey | None = None, *, said: Declared = SAID) -> Work:
    found = seen or survey()
    return Work(lab.swarm, found, Cast(found), said, None, HANDED_IN)


@pytest.fixture
def theirs(lab: Lab) -> Lab:
    """Somebody's own, and changes are permitted."""
    lab.machines.foreign = True
    return lab


# -- may it be done? ------------------------------------------------------------------------------


def test_the_backup_is_taken_on_a_manager_that_does_not_lead(theirs: Lab) -> None:
    plan = installed.planned(work(theirs))
    assert (plan.home.name, plan.unit) == ("manager2", "swarm-backup.service")
    theirs.settle(leader="manager2")
    assert installed.planned(work(theirs)).home.name == "manager1"


def test_new_machines_have_the_owners_host_names_addresses_and_present_roles(theirs: Lab) -> None:
    for row in theirs.rows:
        row["Description"]["Hostname"] = f"{row['ID'].removeprefix('id-')}.example.org"
    # An inventory may be wrong about a role; what counts is the node list.
    theirs.row("worker2")["Spec"]["Role"] = "manager"
    theirs.row("worker2")["ManagerStatus"] = {"Reachability": "reachable"}
    theirs.info = {
        node.name: {"Swarm": {"NodeID": f"id-{node.name}"}} for node in theirs.swarm.nodes
    }
    plan = installed.planned(work(theirs))
    assert plan.named == "manager2.example.org"
    places = [(node.name, node.address, node.membership) for node in plan.topology.nodes]
    assert places[0] == ("manager1.example.org", "192.168.56.10", Membership.MANAGER)
    assert places[-1] == ("worker1.example.org", "192.168.56.11", Membership.WORKER)
    assert ("worker2.example.org", "192.168.56.12", Membership.MANAGER) in places


def other_engine(name: str, root: str) -> Survey:
    engine = Engine(name=name, root=root)
    return survey(*(machine(f"manager{n}", TIMER, SERVICE, engine=engine) for n in (1, 2, 3)))


CRON = replace(
    survey(),
    machines=tuple(
        replace(each, system=System(scripts=(Script("/etc/cron.daily/backup", True, True, True),)))
        for each in survey().machines
    ),
)


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (survey(autolock=True), "comes back locked"),
        (replace(survey(), settings=None), "settings were not seen"),
        (survey(machine("manager2")), "nothing looks like the timer that takes backups"),
        (CRON, "backups are taken by /etc/cron.daily/backup: only a unit of systemd"),
        (survey(machine("manager1", TIMER, SERVICE)), "at work on no manager but the leader"),
        (survey(machine("worker1", TIMER, SERVICE)), "at work on no manager$"),
        (
            survey(machine("manager2", replace(TIMER, active="inactive"), SERVICE)),
            "at work on no manager$",
        ),
        (other_engine("manager2", "/srv/docker"), "has its data in '/srv/docker'"),
    ],
)
def test_why_no_backup_is_taken_there_is_said(theirs: Lab, seen: Survey, why: str) -> None:
    with pytest.raises(NotShown, match=why):
        installed.planned(work(theirs, seen))
    assert theirs.recorder.view().of("change") == ()


def test_without_a_submission_nobody_says_how_one_is_restored(theirs: Lab) -> None:
    for told in (replace(work(theirs), handed_in=None), work(theirs, said=Declared())):
        with pytest.raises(NotShown, match="nobody says where backups are"):
            installed.planned(told)


def down(lab: Lab) -> None:
    lab.row("worker1")["Status"]["State"] = "down"


def unreachable(lab: Lab) -> None:
    lab.row("manager3")["ManagerStatus"]["Reachability"] = "unreachable"


def of_no_role(lab: Lab) -> None:
    lab.row("worker2")["Spec"]["Role"] = "king"


def stranger(lab: Lab) -> None:
    lab.rows.append({**lab.row("worker1"), "ID": "another", "Description": {"Hostname": "other"}})


def two_managers(lab: Lab) -> None:
    lab.row("manager3")["Spec"]["Role"] = "worker"
    del lab.row("manager3")["ManagerStatus"]


def one_manager(lab: Lab) -> None:
    two_managers(lab)
    lab.row("manager2")["Spec"]["Role"] = "worker"
    del lab.row("manager2")["ManagerStatus"]


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (down, "the swarm is not whole: worker1"),
        (unreachable, "the swarm is not whole: manager3"),
        (of_no_role, "the swarm is not whole: worker2"),
        (stranger, "no machine of the inventory is other"),
        (two_managers, "without one of 2 there is no quorum"),
        (one_manager, "without one of 1 there is no quorum"),
    ],
)
def test_no_engine_is_stopped_where_the_swarm_would_not_bear_it(
    theirs: Lab, edit: Callable[[Lab], None], why: str
) -> None:
    edit(theirs)
    with pytest.raises(NotShown, match=why):
        installed.planned(work(theirs))


def test_only_an_owner_who_permits_changes_has_a_backup_taken(theirs: Lab) -> None:
    assert elsewhere.is_meant(work(theirs))
    theirs.machines.controls -= {Capability.CHANGE}
    assert not elsewhere.is_meant(work(theirs))
    theirs.machines.foreign, theirs.machines.controls = False, frozenset({Capability.CHANGE})
    assert not elsewhere.is_meant(work(theirs))


def never(topology: Topology) -> Any:
    raise AssertionError(f"no machine of {topology} is started")


def test_what_can_not_be_shown_is_not_provable_and_starts_nothing(theirs: Lab) -> None:
    wait: Any = None
    with pytest.raises(pytest.skip.Exception, match="comes back locked"):
        elsewhere.restore_on_new_machines(
            work(theirs, survey(autolock=True)), never, wait=wait,
            evidence=Evidence(theirs.recorder),
        )  # fmt: skip
    checks = theirs.recorder.view().of("check")
    assert {check.data["verdict"] for check in checks} == {"not_provable"}
    assert "2.8.disaster.restored" in {check.data["id"] for check in checks}


def test_where_no_machine_can_be_started_no_backup_is_taken(theirs: Lab) -> None:
    @contextmanager
    def refused(_: Topology) -> Iterator[Any]:
        raise HostError("no node disk is here")
        yield

    wait: Any = None
    with pytest.raises(pytest.skip.Exception, match="no node disk is here"):
        elsewhere.restore_on_new_machines(
            work(theirs), refused, wait=wait, evidence=Evidence(theirs.recorder)
        )
    assert theirs.recorder.view().of("change") == ()
    assert theirs.commands("systemctl") == []


# -- the backup -----------------------------------------------------------------------------------


class Systemd:
    """What a machine says while a unit of theirs runs: so many looks, then it has ended."""

    def __init__(self, *, result: str = "success", status: str = "0", looks: int = 2) -> None:
        self.result, self.status, self.looks = result, status, looks
        self.state, self.exited = "inactive", 7
        self.engine = "active"

    def __call__(self, node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        del node
        match argv:
            case ("systemctl", "start", "--no-block", _):
                self.state = "activating"
            case ("systemctl", "show", *_):
                self.looks -= self.state == "activating"
                if self.looks <= 0:
                    self.state, self.exited = "inactive", 8
                said = (
                    f"ActiveState={self.state}\nResult={self.result}\n"
                    f"ExecMainStatus={self.status}\nExecMainExitTimestampMonotonic={self.exited}\n"
                )
                return 0, said, ""
            case ("systemctl", "is-active", _):
                return 3, f"{self.engine}\n", ""
        return 0, "", ""


class Waits:
    """Looks as often as is permitted, without a pause."""

    def __init__(self, looks: int = 10) -> None:
        self.looks = looks

    def __call__(self, condition: Any, *, within: float) -> Any:
        for _ in range(self.looks):
            if hasattr(found := condition(), "value"):
                return found.value
        raise NotConverged(condition.name, node=None, elapsed=within, last="never")


def taken(lab: Lab, systemd: Systemd, wait: Any = None) -> installed.Told:
    lab.shell = systemd
    waiter: Any = wait or Waits()
    return installed.have_it_taken(lab["manager2"], "swarm-backup.service", lab.recorder, waiter)


def did(lab: Lab) -> list[str]:
    """What was changed on nodes; names of timers are drawn."""
    changes = [event.data["what"] for event in lab.recorder.view().of("change")]
    return [
        "a timer" if each.startswith("systemd-run") else
        "no timer" if "swarmlab-mend" in each else each
        for each in changes
    ]  # fmt: skip


BACK = "systemctl start docker.socket docker.service"
BEGIN = "systemctl start --no-block swarm-backup.service"


def test_a_timer_is_set_before_their_unit_is_started_and_the_engine_runs_afterwards(
    theirs: Lab,
) -> None:
    told = taken(theirs, Systemd())
    assert (told.code, told.why, told.well) == (0, "", True)
    assert did(theirs) == ["a timer", BEGIN, BACK, "no timer"]
    (timer,) = [act for act in theirs.commands() if act[1] == "systemd-run"]
    # By when their program ended last it knows whether another run of it is under way.
    assert shlex.split(timer[-1])[3:] == ["sh", "swarm-backup.service", "7", *BACK.split()]
    # systemd.unit(5), specifiers; systemd.service(5), environment in command lines.
    assert not re.search(r"%|\$[{$]", installed.AS_BEFORE)
    assert theirs.recorder.view().of("notice") == ()


@pytest.mark.parametrize(
    ("systemd", "code", "why"),
    [
        (Systemd(result="exit-code", status="8"), 8, ""),
        (Systemd(result="timeout", status="15"), None, "it ended by timeout"),
        (Systemd(result="signal", status="9"), None, "it ended by signal"),
        (Systemd(result="", status=""), None, "it ended by nothing known"),
    ],
)
def test_a_unit_that_fails_is_told_with_its_end(
    theirs: Lab, systemd: Systemd, code: int | None, why: str
) -> None:
    told = taken(theirs, systemd)
    assert (told.code, told.why, told.well) == (code, why, False)
    assert did(theirs)[-2:] == [BACK, "no timer"]


def test_an_engine_that_their_script_leaves_stopped_is_started_and_that_is_told(
    theirs: Lab,
) -> None:
    systemd = Systemd()
    systemd.engine = "failed"
    taken(theirs, systemd)
    (notice,) = theirs.recorder.view().of("notice")
    assert "has left the engine of manager2 stopped" in notice.data["message"]
    assert BACK in did(theirs)


def test_a_unit_that_does_not_end_is_stopped_and_the_engine_started(theirs: Lab) -> None:
    with pytest.raises(NotShown, match="had not ended after 300 s, and was stopped"):
        taken(theirs, Systemd(looks=99))
    stop = "systemctl stop swarm-backup.service"
    assert did(theirs) == ["a timer", BEGIN, stop, BACK, "no timer"]


def test_a_unit_that_cannot_be_stopped_keeps_its_timer(theirs: Lab) -> None:
    class Stubborn(Systemd):
        def __call__(self, node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
            refused = argv == ("systemctl", "stop", "swarm-backup.service")
            return (1, "", "no bus") if refused else super().__call__(node, argv)

    with pytest.raises(CommandError, match="no bus"):
        taken(theirs, Stubborn(looks=99))
    assert did(theirs)[-1] == BACK


def test_a_unit_that_is_at_work_already_is_left_alone(theirs: Lab) -> None:
    systemd = Systemd(looks=99)
    systemd.state = "activating"
    with pytest.raises(NotShown, match="is activating on manager2 already"):
        taken(theirs, systemd)
    assert did(theirs) == []


def test_where_the_engine_does_not_come_back_the_timer_stays(theirs: Lab) -> None:
    theirs.silent["manager2"] = "connection refused"
    with pytest.raises(NotConverged, match="the engine answers"):
        taken(theirs, Systemd())
    assert "no timer" not in did(theirs)


def test_an_interrupted_backup_is_ended_too(theirs: Lab) -> None:
    wait = Waits()

    def pressed(condition: Any, *, within: float) -> Any:
        if isinstance(condition, installed.UnitEnded):
            raise KeyboardInterrupt
        return wait(condition, within=within)

    with pytest.raises(KeyboardInterrupt):
        taken(theirs, Systemd(), pressed)
    stop = "systemctl stop swarm-backup.service"
    assert did(theirs) == ["a timer", BEGIN, stop, BACK, "no timer"]


def test_the_numbers_lie_in_a_volume_of_ours_that_goes_again(theirs: Lab) -> None:
    theirs.shell = lambda _, argv: (int("inspect" in argv), "", "")
    with installed.numbered_volume(theirs["manager2"]) as path:
        assert path == "/var/lib/docker/volumes/swarmlab-numbers/_data/numbers"
        assert did(theirs) == ["a timer", "docker volume create swarmlab-numbers"]
    assert did(theirs)[2:] == ["docker volume rm --force swarmlab-numbers", "no timer"]


def test_a_volume_of_that_name_is_the_owners(theirs: Lab) -> None:
    with (
        pytest.raises(NotShown, match="has a volume swarmlab-numbers already"),
        installed.numbered_volume(theirs["manager2"]),
    ):
        pass
    assert did(theirs) == []


@pytest.mark.parametrize(
    ("printed", "found"),
    [
        ("", None),
        ("1.5 /b/swarm-1\n2.5 /b/swarm-2\n", (2.5, "/b/swarm-2")),
        # A file's name has a line of its own, which is no file there.
        ("1.5 /b/swarm-1\n9999.5 /etc/shadow\n", (1.5, "/b/swarm-1")),
        ("1.5 /b/swarm-1\n9999.5 /b/../etc/swarm-2\n", (1.5, "/b/swarm-1")),
        ("nan /b/swarm-1\n1e999 /b/swarm-2\ninf /b/swarm-3\n", None),
        ("1.5 /b/other\n", None),
    ],
)
def test_the_newest_backup_is_one_of_the_pattern(
    lab: Lab, printed: str, found: tuple[float, str] | None
) -> None:
    lab.shell = lambda *_: (0, printed, "")
    assert restored.newest(lab["manager1"], "/b/swarm-*") == found


# -- what is compared -----------------------------------------------------------------------------

DIGEST = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"

IDENTITY = {
    "swarm": "s", "node": "id-manager2", "ca": "c", "tokens": {"Manager": "m", "Worker": "w"},
    "settings": {"Name": "default"}, "secrets": {"salt": "i"},
    "configs": {"page": ["i", "aHVudGVyMg=="]},
    "services": {"db": ["i", {"Env": ["PASSWORD=hunter2"]}]}, "networks": {"ingress": "i"},
}  # fmt: skip


def drill(lab: Lab, seen: Survey | None = None, new: Lab | None = None) -> elsewhere._Drill:
    plan = installed.Plan(lab["manager2"], "swarm-backup.service", "manager2", lab.topology)
    return elsewhere._Drill(
        work(lab, seen), plan, (new or lab).swarm, Waits(), Evidence(lab.recorder)  # type: ignore[arg-type]
    )  # fmt: skip


def test_of_an_owners_definitions_the_record_has_digests_that_nobody_else_can_make(
    theirs: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perform, "identity", lambda _: json.loads(json.dumps(IDENTITY)))
    one, other = drill(theirs), drill(theirs)
    told = one._identity(theirs["manager2"])
    assert told == one._identity(theirs["manager2"])
    again = other._identity(theirs["manager2"])
    for part in ("settings", "services", "configs", "tokens"):
        assert told[part] != again[part]
    assert not {"hunter2", "aHVudGVyMg==", "default"} & set(json.dumps(told).split('"'))
    assert told["node"] == "id-manager2"
    evidence = Evidence(theirs.recorder)
    evidence.write(events.Identity("before", **told))


def reads(lab: Lab, said: str, code: int = 0) -> elsewhere._Drill:
    """A drill on a cluster where a container of theirs says that of its secret."""
    service = Service("id-db", "db", secrets=(Given("salt", "salt"),))
    lab.tasks = [
        {
            "ID": "t", "Slot": 1, "NodeID": "id-worker1", "ServiceID": "id-db",
            "DesiredState": "running",
            "Status": {"State": "running", "ContainerStatus": {"ContainerID": "c" * 64}},
        }
    ]  # fmt: skip
    lab.shell = lambda _, argv: (code, said, "") if "sha256sum" in argv else (0, "", "")
    return drill(lab, replace(survey(), services=(service,)))


def test_a_secret_is_read_in_a_container_of_theirs_and_nobody_else_sees_its_digest(
    theirs: Lab,
) -> None:
    drilled = reads(theirs, f"{DIGEST}  /run/secrets/salt\n")
    assert drilled._read_theirs() == "salt"
    (act,) = theirs.commands("docker")
    assert shlex.join(act).endswith("sha256sum -- /run/secrets/salt")
    (seen,) = theirs.recorder.view().of(events.Secret.kind)
    assert seen.data["digest"] == drilled._sealed(DIGEST)
    assert DIGEST not in theirs.recorder.path.read_text("utf-8")
    assert theirs.recorder.view().of("change", "command") == ()


@pytest.mark.parametrize(
    ("said", "code"), [("", 126), (DIGEST, 1), ("x" * 64, 0), (DIGEST[:20], 0), ("\n", 0)]
)
def test_where_no_container_can_read_one_that_is_told(theirs: Lab, said: str, code: int) -> None:
    assert reads(theirs, said, code)._read_theirs() is None
    (seen,) = theirs.recorder.view().of(events.SecretUnread.kind)
    assert "no container there" in seen.data["why"]


@pytest.mark.parametrize(
    ("theirs_is", "ours_is", "differ"),
    [("26.1.5", "26.1.3", False), ("28.0.1", "26.1.5", True), ("", "26.1.5", True)],
)
def test_engines_of_another_release_are_told_apart(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, theirs_is: str, ours_is: str, differ: bool
) -> None:
    engine = Engine(version=theirs_is)
    seen = survey(*(machine(f"manager{n}", engine=engine) for n in (1, 2, 3)))
    drilled = drill(lab, seen)
    monkeypatch.setattr(type(lab["manager2"].engine), "version", lambda _: {"Version": ours_is})
    assert bool(drilled._versions()) is differ


def test_a_failure_on_another_release_says_nothing_of_their_backup(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del tmp_path
    ran = SimpleNamespace(code=1, why="", well=False)
    monkeypatch.setattr(Work, "carry_again", lambda _: None)
    monkeypatch.setattr(Work, "run", lambda *_: ran)
    drilled = drill(lab)
    monkeypatch.setattr(drilled, "_versions", lambda: "the backup is of Docker 28")
    with pytest.raises(NotShown, match=r"Docker 28: scripts/restore\.sh ended with 1"):
        drilled._restore("/b/swarm-1")
    assert lab.recorder.view().of(events.Restore.kind) == ()


def test_what_their_restore_prints_is_not_kept(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = SimpleNamespace(code=1, why="", well=False, output="SWMKEY-1-hunter2")
    run: list[Any] = []
    monkeypatch.setattr(Work, "carry_again", lambda _: None)

    def noted(*words: Any) -> Any:
        run.append(words[1:])
        return ran

    monkeypatch.setattr(Work, "run", noted)
    drilled = drill(lab)
    monkeypatch.setattr(drilled, "_versions", lambda: "")
    drilled._restore("/b/swarm-1")
    assert run == [(lab["manager2"], "scripts/restore.sh", "--yes", "/b/swarm-1")]
    (told,) = lab.recorder.view().of(events.Restore.kind)
    assert told.data["code"] == 1
    assert "hunter2" not in lab.recorder.path.read_text("utf-8")


# -- all of it ------------------------------------------------------------------------------------


class Elsewhere:
    """Somebody's cluster, and new machines that become it; both pretend, and both are recorded."""

    def __init__(self, theirs: Lab, new: Lab, patch: pytest.MonkeyPatch) -> None:
        self.theirs, self.new, self.systemd = theirs, new, Systemd()
        self.kept = [*range(1, 201)]
        self.identity = {theirs: IDENTITY, new: IDENTITY}
        self.carried: list[Any] = []
        theirs.shell = self._on_theirs
        new.shell = self._on_new
        for node in new.swarm.nodes:
            node._recorder = theirs.recorder
        new.recorder.close()
        new.recorder = new.swarm.recorder = theirs.recorder
        for row in new.rows:
            if row["ID"] != "id-manager2":
                row["ID"] = f"new-{row['Description']['Hostname']}"
        patch.setattr(perform, "identity", self._told)
        patch.setattr(perform, "hide_tokens", lambda _: None)
        patch.setattr(type(theirs["manager1"]), "pipe", lambda *a, **k: self._pipe(*a, **k))
        patch.setattr(Work, "carry_again", lambda _: None)
        patch.setattr(Work, "run", lambda *words: self._restore(*words))
        patch.setattr(elsewhere, "rejoin", self._rejoin)
        self.ran = SimpleNamespace(code=0, why="", well=True, output="")

    def _told(self, node: Any) -> Any:
        lab = self.new if node in self.new.swarm.nodes else self.theirs
        return json.loads(json.dumps(self.identity[lab]))

    def _on_theirs(self, node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        if "find" in argv:
            new = "2.5 /var/backups/swarm/swarm-2\n" if self.systemd.exited == 8 else ""
            return 0, f"1.5 /var/backups/swarm/swarm-1\n{new}", ""
        if "sha256sum" in argv:
            return 0, f"{DIGEST}  x\n", ""
        if argv[:3] == ("docker", "volume", "inspect"):
            return 1, "", ""
        return self.systemd(node, argv)

    def _on_new(self, _: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        if "sha256sum" in argv:
            return 0, f"{DIGEST}  x\n", ""
        if argv[0] == "head":
            return 0, "\n".join(map(str, self.kept)), ""
        return 0, "", ""

    def _pipe(self, node: Any, argv: Any, to: Any, into: Any, **limits: Any) -> int:
        self.carried.append((node.name, shlex.join(argv), to, shlex.join(into), limits["most"]))
        return 4711

    def _restore(self, work: Work, node: Any, *words: str) -> Any:
        assert work.swarm is self.new.swarm, "nothing of theirs runs on the owner's machines"
        assert work.submission is HANDED_IN
        assert node in self.new.swarm.nodes
        assert words == ("scripts/restore.sh", "--yes", "/var/backups/swarm/swarm-2")
        leads = {"LocalNodeState": "active", "ControlAvailable": True, "Nodes": 5, "Managers": 3}
        self.new.info["manager2"] = {"Swarm": leads}
        return self.ran

    def _rejoin(self, swarm: Any, home: Any, **_: Any) -> None:
        others = tuple(node.name for node in swarm.nodes if node is not home)
        self.theirs.recorder.write(events.CameBack(()))
        self.theirs.recorder.write(events.Joined(others, removed=("x",)))

    @contextmanager
    def started(self, topology: Topology) -> Iterator[Any]:
        assert [node.name for node in topology.nodes] == [n.name for n in self.new.topology.nodes]
        roles = [{"name": n.name, "membership": str(n.membership)} for n in topology.nodes]
        able = {str(each): True for each in Capability}
        self.theirs.recorder.record("cluster.ready", nodes=roles, capabilities=able)
        yield self.new.swarm
        self.theirs.recorder.record("cluster.ready", nodes=[], capabilities={})

    def drill(self) -> dict[str, str]:
        """Do it; check → its verdict."""
        service = Service("id-db", "db", secrets=(Given("salt", "salt"),))
        for lab in (self.theirs, self.new):
            running = {"State": "running", "ContainerStatus": {"ContainerID": "c" * 64}}
            lab.tasks = [
                {"ID": "t", "Slot": 1, "NodeID": "id-manager2", "ServiceID": "id-db",
                 "DesiredState": "running", "Status": running}
            ]  # fmt: skip
        wait: Any = Waits()
        with suppress(pytest.fail.Exception):
            elsewhere.restore_on_new_machines(
                work(self.theirs, replace(survey(), services=(service,))), self.started,
                wait=wait, evidence=Evidence(self.theirs.recorder),
            )  # fmt: skip
        checks = self.theirs.recorder.view().of("check")
        return {e.data["id"].rpartition(".")[2]: e.data["verdict"] for e in checks}


@pytest.fixture
def place(theirs: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    """Somebody's cluster, whose capabilities are known, and new machines."""
    directory = tmp_path / "new"
    directory.mkdir()
    # Pretended things take no time, and one moment is not after another then.
    moments = count(1)
    monkeypatch.setattr(theirs.recorder, "now", lambda: float(next(moments)))
    lacking = {str(each): each is Capability.CHANGE for each in Capability}
    theirs.recorder.record("cluster.ready", nodes=[], capabilities=lacking)
    return Elsewhere(theirs, Lab(directory).settle(leader="manager2"), monkeypatch)


FIRST_ONES = {"backup-complete", "backup-holds", "all-was-lost"}
"""What is about the lab's own script, or about machines that are destroyed."""


def test_a_good_backup_passes_and_the_owners_cluster_is_left_as_it_was(
    place: Elsewhere,
) -> None:
    found = place.drill()
    assert {claim for claim, verdict in found.items() if verdict != "pass"} == FIRST_ONES
    assert {found[claim] for claim in FIRST_ONES} == {"not_provable"}
    (carried,) = place.carried
    node, give, to, take, most = carried
    assert (node, to.name, most) == ("manager2", "manager2", restored.MOST_MIB << 20)
    assert to in place.new.swarm.nodes
    assert give == "tar --create --file=- --directory=/ -- var/backups/swarm/swarm-2"
    assert take == "tar --extract --file=- --directory=/"
    write = "tee --append -- /var/lib/docker/volumes/swarmlab-numbers/_data/numbers"
    assert did(place.theirs) == [
        "a timer", "docker volume create swarmlab-numbers", write,
        "a timer", BEGIN, BACK, "no timer", write,
        "docker volume rm --force swarmlab-numbers", "no timer",
    ]  # fmt: skip


def test_every_change_there_is_in_the_list_of_changes(place: Elsewhere) -> None:
    place.drill()
    made = [event.data for event in place.theirs.recorder.view().of("change")]
    assert {data["what"] for data in made if data["undone"] == changes.BY_TEST} == set()


@pytest.mark.parametrize(
    ("part", "claim"),
    [
        ("swarm", "same-swarm"),
        ("settings", "same-swarm"),
        ("node", "same-node"),
        ("secrets", "same-secrets-and-configs"),
        ("configs", "same-secrets-and-configs"),
        ("services", "same-services"),
        ("tokens", "same-tokens"),
    ],
)
def test_another_swarm_than_theirs_does_not_pass(place: Elsewhere, part: str, claim: str) -> None:
    other: Any = "another" if isinstance(IDENTITY[part], str) else {"another": "one"}
    place.identity[place.new] = {**IDENTITY, part: other}
    found = place.drill()
    assert found[claim] == "fail"
    assert found["restored"] == "pass"


def test_data_that_their_backup_lacks_are_missed(place: Elsewhere) -> None:
    place.kept = []
    assert place.drill()["data-complete"] == "fail"


def test_a_restore_that_fails_is_theirs(place: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere._Drill, "_versions", lambda _: "")
    place.ran = SimpleNamespace(code=4, why="", well=False, output="")
    assert place.drill()["restored"] == "fail"


def test_a_unit_that_fails_and_leaves_nothing_is_theirs(
    place: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.systemd.result, place.systemd.status = "exit-code", "8"
    monkeypatch.setattr(elsewhere, "newest", lambda *_: (1.5, "/var/backups/swarm/swarm-1"))
    found = place.drill()
    assert found["restored"] == "fail"
    assert place.carried == []


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (
            lambda _, patch: patch.setattr(elsewhere, "newest", lambda *_: None),
            "nothing new is at /var/backups/swarm/swarm-*",
        ),
        (
            lambda _, patch: patch.setattr(
                perform, "identity", lambda _: {**IDENTITY, "swarm": token_hex()}
            ),
            "somebody has changed the swarm",
        ),
        (
            lambda place, _: place.systemd.__dict__.update(looks=99),
            "had not ended after 300 s",
        ),
    ],
    ids=["no backup", "changed meanwhile", "never ends"],
)
def test_what_says_nothing_of_their_backup_is_not_provable(
    place: Elsewhere, monkeypatch: pytest.MonkeyPatch, edit: Any, why: str
) -> None:
    edit(place, monkeypatch)
    found = place.drill()
    assert set(found.values()) == {"not_provable"}
    (told,) = place.theirs.recorder.view().of("not-performed")
    assert why in told.data["why"]
    assert did(place.theirs)[-2:] == ["docker volume rm --force swarmlab-numbers", "no timer"]


def test_a_backup_that_is_too_large_to_carry_is_not_provable(
    place: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*_: Any, **__: Any) -> int:
        raise ProviderError("it has more than 128 MiB")

    monkeypatch.setattr(type(place.theirs["manager1"]), "pipe", too_large)
    assert set(place.drill().values()) == {"not_provable"}
    (told,) = place.theirs.recorder.view().of("not-performed")
    assert "could not be carried to a new machine: it has more than 128 MiB" in told.data["why"]


def test_of_secrets_and_definitions_nothing_is_in_the_record(place: Elsewhere) -> None:
    place.drill()
    written = place.theirs.recorder.path.read_text("utf-8")
    assert [word for word in ("hunter2", "aHVudGVyMg==", DIGEST) if word in written] == []
