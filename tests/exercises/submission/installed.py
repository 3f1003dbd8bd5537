"""What takes backups on somebody's own cluster, and how one is taken there without harm.

The unit is started that their timer starts, on a manager that does not lead. It may stop the
engine: so only where the others have a quorum, and with a timer that starts the engine again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from pytest_swarmlab.errors import NotConverged, ProviderError, SwarmlabError
from pytest_swarmlab.evidence.events import NodeSeen, Notice
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.faults.process import ENGINE_BACK_S, UNITS
from pytest_swarmlab.marking.players import backup_units
from pytest_swarmlab.model import Membership, NodeSpec, Topology, quorum
from pytest_swarmlab.submitted.work import Work
from pytest_swarmlab.survey.machine import Engine
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.guard import Guard, Undoes
from pytest_swarmlab.text import line
from pytest_swarmlab.waiting.conditions import EngineIs
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, Waiter, done, pending

from .restored import VOLUME

ROOT = "/var/lib/docker"
"""The engine's directory of embedded machines, and of the lab's text."""

BACKUP_S = 300.0
"""Longest that their backup is waited for; then it is stopped."""

ASK_S = 20.0

UNIT = re.compile(r"[A-Za-z0-9:_.@\\-]{1,200}\.service")

START = ("systemctl", "start", *UNITS)


class NotShown(SwarmlabError):
    """It can't be shown on that cluster, or not from here."""


@dataclass(frozen=True)
class Plan:
    """The manager whose backup is taken, the unit that takes it, and the machines that stand for
    the owner's; `named`: that manager's host name, which is the new machine's name.
    """

    home: Node
    unit: str
    named: str
    topology: Topology


# -- may it be done? ----------------------------------------------------------------------------


def planned(work: Work) -> Plan:
    """Where and by what a backup can be taken without harm. Raises NotShown with the reason."""
    if work.handed_in is None or not work.said.backup:
        raise NotShown(
            "nobody says where backups are and how one is restored: hand in a submission whose"
            " swarmlab.yml has `backup` and `restore`"
        )
    if work.survey.settings is None or work.survey.settings.autolock:
        raise NotShown(
            "the swarm's settings were not seen"
            if work.survey.settings is None
            else "the managers are autolocked: an engine that a backup stops comes back locked, and"
            " the key is not asked for"
        )
    try:
        _, rows = work.swarm.look()
    except ProviderError as error:
        raise NotShown(str(error)) from error
    old = work.swarm.leftovers(rows)
    rows = [row for row in rows if row not in old]
    _refuse_unwell(work.swarm, rows)
    managers = [row for row in rows if row.role == "manager"]
    if len(managers) - 1 < quorum(len(managers)):
        raise NotShown(
            f"a backup stops the engine of a manager, and without one of {len(managers)} there is"
            " no quorum"
        )
    home, unit = _installed(work, managers)
    root = engine_of(work, home).root.rstrip("/")
    if root != ROOT:
        raise NotShown(
            f"the engine of {home} has its data in {line(root, 80)!r}, and that of a new machine in"
            f" {ROOT}"
        )
    by_node = {work.swarm.node_of(row): row for row in rows}
    ordered = sorted(by_node.items(), key=lambda each: each[1].role != "manager")
    topology = Topology(
        "throw-away",
        tuple(
            NodeSpec(_called(row), node.address, Membership(row.role))
            for node, row in ordered
            if node is not None
        ),
    )
    return Plan(home, unit, _called(by_node[home]), topology)


def engine_of(work: Work, node: Node) -> Engine:
    """What its engine said when the cluster was looked at."""
    machine = work.survey.machine(node.name)
    return (machine and machine.engine) or Engine()


def _called(row: NodeSeen) -> str:
    return row.host_name or row.name


def _refuse_unwell(swarm: Swarm, rows: Sequence[NodeSeen]) -> None:
    """What is not whole already bears no stopped engine; what is unknown can't be made again."""
    strangers = [line(row.name) for row in rows if swarm.node_of(row) is None]
    unwell = [
        line(row.name)
        for row in rows
        if row.state != "ready"
        or row.role not in {"manager", "worker"}
        or (row.role == "manager" and row.reachability != "reachable")
    ]
    if strangers:
        raise NotShown(f"no machine of the inventory is {', '.join(strangers)} of the node list")
    if unwell:
        raise NotShown(f"the swarm is not whole: {', '.join(unwell)}")


def _installed(work: Work, managers: Sequence[NodeSeen]) -> tuple[Node, str]:
    """A manager that does not lead and whose timer takes backups, and the unit that it starts."""
    part = work.cast["backup-timer"]
    if not part.name:
        raise NotShown(str(part))
    if not part.name.endswith(".timer"):
        raise NotShown(
            f"backups are taken by {line(part.name)}: only a unit of systemd can be started as its"
            " timer does"
        )
    at_work = {
        machine.name: started.name
        for machine in work.survey.machines
        for timer, started in (backup_units(machine.system) if machine.system else ())
        if timer.name == part.name and timer.on and UNIT.fullmatch(started.name)
    }
    leading = next((row.name for row in managers if row.leader), None)
    fit = [row for row in managers if row.name in at_work and row.name != leading]
    if leading is None or not fit:
        raise NotShown(
            f"{line(part.name)} is at work on no manager but the leader"
            if leading in at_work
            else f"{line(part.name)} is at work on no manager"
        )
    return work.swarm.node(fit[0].name), at_work[fit[0].name]


# -- their unit ---------------------------------------------------------------------------------

ENDED = ("inactive", "failed")
"""States of a unit that does not run (systemctl(1)); a program that has ended is not "active"."""

SHOWN = ("ActiveState", "Result", "ExecMainStatus", "ExecMainExitTimestampMonotonic")


@dataclass(frozen=True)
class Told:
    """What systemd tells of a unit; `exited`: when its program last ended, on its own clock."""

    state: str
    result: str
    status: str
    exited: str

    @property
    def well(self) -> bool:
        """Whether systemd takes it for a success."""
        return self.result == "success"

    @property
    def code(self) -> int | None:
        """The program's exit code; None where it has none."""
        by_itself = self.result in {"success", "exit-code"} and self.status.isdecimal()
        return int(self.status) if by_itself else None

    @property
    def why(self) -> str:
        """Why it has none; "" where it has one."""
        return "" if self.code is not None else f"it ended by {self.result or 'nothing known'}"


def told_of(node: Node, unit: str) -> Told:
    """Ask systemd. Raises ProviderError when there is no answer."""
    words = (f"--property={name}" for name in SHOWN)
    said = node.ask("systemctl", "show", *words, unit, within=ASK_S).stdout
    found = dict(row.split("=", 1) for row in said.splitlines() if "=" in row)
    return Told(*(line(found.get(name, ""), 40) for name in SHOWN))


class UnitEnded:
    """A unit that was started has ended; finds what systemd tells of it then."""

    def __init__(self, node: Node, unit: str, before: Told) -> None:
        self._node = node
        self._unit = unit
        self._before = before
        self.node = node.name
        self.name = f"{unit} has ended"

    def __call__(self) -> Done[Told] | Pending | Fatal:
        """Look once."""
        try:
            now = told_of(self._node, self._unit)
        except ProviderError as error:
            return pending(str(error))
        if now.state not in ENDED or now.exited == self._before.exited:
            return pending(f"it is {now.state or 'unknown'}")
        return done(now, now.why or f"exit code {now.code}")


def have_it_taken(home: Node, unit: str, recorder: Recorder, wait: Waiter) -> Told:
    """Start their unit on that manager, and return what is told of it when it has ended.

    The engine runs again then, whoever started it; if this process dies, a timer starts it. Raises
    NotShown where the unit is at work already, or does not end.
    """
    before = told_of(home, unit)
    if before.state not in ENDED:
        raise NotShown(f"{unit} is {before.state or 'in no known state'} on {home} already")
    ended: Told | None = None
    begin = ("systemctl", "start", "--no-block", unit)

    def undo() -> None:
        try:
            if ended is None:  # Otherwise their script copies a directory that the engine changes.
                home.run("systemctl", "stop", unit)
        finally:
            _bring_back(home, unit, recorder, wait)

    with (
        Guard.undone_after(
            [(home, [_left(unit, before)])], "backup",
            make=lambda: home.run(*begin, title=f"On {home}: the backup"), undo=undo,
        ),
        suppress(NotConverged),
    ):  # fmt: skip
        ended = wait(UnitEnded(home, unit, before), within=BACKUP_S)
    if ended is None:
        raise NotShown(f"{unit} had not ended after {BACKUP_S:.0f} s, and was stopped")
    return ended


AS_BEFORE = (
    'shown() { systemctl show --property="$1" --value "$unit"; }; unit=$1; exited=$2; shift 2;'
    ' test "$(shown ExecMainExitTimestampMonotonic)" != "$exited" || systemctl stop "$unit";'
    ' case "$(shown ActiveState)" in activating|active|deactivating) ;; *) exec "$@" ;; esac'
)
"""A line that stops a unit that has not ended since, and starts the engine. What the owner's timer
has started meanwhile is left alone: it would lose its backup, or find the engine running."""


def _left(unit: str, before: Told) -> tuple[str, ...]:
    """What puts an end to the backup of a run that has died."""
    return ("sh", "-c", AS_BEFORE, "sh", unit, before.exited, *START)


def _bring_back(home: Node, unit: str, recorder: Recorder, wait: Waiter) -> None:
    seen = home.look("systemctl", "is-active", "docker.service", check=False).stdout
    if seen.strip() in ENDED:
        recorder.write(Notice(f"{unit} has left the engine of {home} stopped: it is started again"))
    home.run(*START)
    home.forget_connections()
    wait(EngineIs(home, up=True), within=ENGINE_BACK_S)


@contextmanager
def numbered_volume(home: Node) -> Iterator[str]:
    """A volume on their manager, gone at the block's end; yields the path of a file in it.

    Raises NotShown where there is one of that name.
    """
    if home.look("docker", "volume", "inspect", VOLUME, check=False).code == 0:
        raise NotShown(f"{home} has a volume {VOLUME} already")
    remove = ("docker", "volume", "rm", "--force", VOLUME)
    with Guard.undone_after(
        [(home, [remove])], "volume", Undoes.DEPLOYMENT, undo=lambda: home.run(*remove)
    ):
        home.run("docker", "volume", "create", VOLUME)
        yield f"{ROOT}/volumes/{VOLUME}/_data/numbers"
