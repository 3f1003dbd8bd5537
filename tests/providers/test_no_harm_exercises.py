"""After an exercise, and after one that was killed, somebody's own cluster is as it was before."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_swarmlab.errors import NotConverged, ProviderError
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.model import Topology
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.waiting.conditions import no_answer
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, Waiter, done, fatal, pending
from tests.exercises.exercise_2_8 import perform
from tests.marking.assemble import REFERENCE
from tests.providers.conftest import inventory_of
from tests.providers.test_marking_drilled import standing
from tests.providers.test_no_harm import AsBefore, differences, seen, state, warmed

PROJECT = Path(__file__).parents[2]

MENDED_S = 300.0
"""Longest until the timers of `tests.providers.hurried` have undone all of a killed run."""

BEGUN_S = 300.0
"""Longest until an exercise is in its middle: a cluster is looked at, services are deployed."""

BACK_S = 240.0
"""Longest until a manager that lost power is a manager again (exercise 2.2)."""

ENDED_S = 1500.0
"""Longest that an exercise of those here takes."""


@dataclass(frozen=True)
class Case:
    """An exercise, or what a selection (`-k`) leaves of it.

    `middle`: the event after whose first it is killed: it has deployed things, and broken some.
    `reboots`: whether machines lose their power.
    """

    exercise: str
    middle: str
    only: str = ""
    reboots: bool = False

    def __str__(self) -> str:
        return f"{self.exercise} {self.only}".strip()


CHEAP = Case("exercise_2_3", "databases")
"""That of `make test`, where it is not killed."""

LONG = (
    Case("exercise_2_2", "fault.injected", reboots=True),
    Case("exercise_2_4", "entry"),
    Case("exercise_2_5", "entry", reboots=True),
    Case("exercise_2_6", "content"),
    Case("exercise_2_7", "mounted", only="as_it_was_given or environment"),
    Case("exercise_2_7", "request"),
    Case("exercise_2_9", "request"),
)
"""The others: `make no-harm`. Of 2.1 and 2.8 nothing that changes anything is permitted there: the
one begins elsewhere, the other breaks what belongs to the machines. Of 2.8 the owner's own backup
is taken where his work is marked."""

OFF = Case("exercise_2_2", "fault.injected", only="power", reboots=True)
"""Killed while a machine is off, which no timer of its own can turn on."""

THEIR_BACKUP = Case("submission", "change", only="their_backup")
BEGINS = "systemctl start --no-block swarm-backup.service"
"""The change by which their backup begins, as it is announced."""

STOPPED = "/run/swarm-backup.stopped"
"""There as long as their backup has the engine stopped."""

FILLER_MIB = 96
"""Of a volume that their backup has to compress: it takes some seconds longer for it."""

OF_THEIR_BACKUP = re.compile(
    r"/var/backups/swarm\b|swarm-backup\.service |-o docker_gwbridge .*--src-type LOCAL "
)
"""What their unit has left by itself: a backup; that it failed, where its run was ended. And a rule
that an engine sets when it makes its bridge, and not when the backup has it started again."""

LONG_ONES = [pytest.param(case, marks=pytest.mark.long) for case in LONG]


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An inventory of the lab's five machines, which another process has started."""
    with inventory_of(Topology.of(3, 2), tmp_path_factory.mktemp("five")) as path:
        yield path


@pytest.fixture(scope="module")
def theirs(inventory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    """Their cluster, once its engines have been restarted and have had networks and a mesh."""
    directory = tmp_path_factory.mktemp("seen")
    with seen(inventory, directory) as swarm:
        warmed(swarm, directory)
        yield swarm


@pytest.fixture(scope="module")
def rebooted(theirs: Swarm) -> None:
    """Every machine of it has lost its power once: a boot leaves traces of its own."""
    wait, faults = Waiter(), Faults(theirs)
    for node in theirs.nodes:
        with faults.power_off(node):
            pass
        wait(theirs.all_nodes_ready(), within=BACK_S)


class Run:
    """A run of an exercise against the inventory, in a process of its own."""

    def __init__(self, case: Case, inventory: Path, directory: Path, *options: str) -> None:
        self._reports = directory / "reports"
        self._log = directory / "log"
        selected = ("-k", case.only) if case.only else ()
        argv = [
            sys.executable, "-m", "pytest", f"tests/exercises/{case.exercise}", *selected,
            f"--swarmlab-inventory={inventory}", f"--swarmlab-reports={self._reports}",
            "-p", "no:cacheprovider", *options,
        ]  # fmt: skip
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                argv,
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONPATH": str(PROJECT)},
            )

    def said(self) -> str:
        """What it printed last."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-6000:]

    def events(self, kind: str) -> list[dict[str, object]]:
        """Its events of that kind so far; a line that is being written comes later."""
        return [
            event
            for path in self._reports.glob("20*/events.jsonl")
            for line in path.read_bytes().splitlines()[:-1]
            if (event := json.loads(line))["kind"] == kind
        ]

    def outcomes(self) -> set[object]:
        """How its tests ended."""
        ended = self.events("test.finished")
        return {event["data"]["outcome"] for event in ended}  # type: ignore[index]


class InTheMiddle:
    """A run has recorded an event of that kind."""

    node = None

    def __init__(self, run: Run, kind: str, what: str = "") -> None:
        """`what`: how the event says what is done, if it says so."""
        self._run = run
        self._kind = kind
        self._what = what
        self.name = f"the run has a {kind} {what}".strip()

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Look once."""
        events = self._run.events(self._kind)
        if any(not self._what or event["data"]["what"] == self._what for event in events):  # type: ignore[index]
            return done(None)
        if self._run.process.poll() is not None:
            return fatal(self._run.said())
        return pending("not yet")


@pytest.mark.parametrize("case", [CHEAP, *LONG_ONES], ids=str)
def test_an_exercise_leaves_nothing(
    request: pytest.FixtureRequest, theirs: Swarm, inventory: Path, case: Case, tmp_path: Path
) -> None:
    if case.reboots:
        request.getfixturevalue("rebooted")
    before = state(theirs)
    run = Run(case, inventory, tmp_path, "--swarmlab-allow-destructive")
    code = run.process.wait(ENDED_S)
    assert code == 0, run.said()
    assert run.events("change"), "it has changed nothing, which shows nothing"
    Waiter(every=1)(AsBefore(theirs, before), within=60)


@pytest.mark.long
@pytest.mark.parametrize("case", [CHEAP, *LONG, OFF], ids=str)
def test_an_exercise_that_is_killed_leaves_nothing(
    request: pytest.FixtureRequest, theirs: Swarm, inventory: Path, case: Case, tmp_path: Path
) -> None:
    if case.reboots:
        request.getfixturevalue("rebooted")
    before = state(theirs)
    options = ("--swarmlab-allow-destructive", "-p", "tests.providers.hurried")
    run = Run(case, inventory, tmp_path, *options)
    try:
        Waiter(every=0.2)(InTheMiddle(run, case.middle), within=BEGUN_S)
    finally:
        run.process.kill()
        run.process.wait()
    assert differs(theirs, before)
    Waiter(every=3)(AsBefore(theirs, before), within=MENDED_S)


@pytest.fixture
def backing_up(theirs: Swarm) -> Iterator[Node]:
    """A manager that does not lead, on which the owner has the lab's backup and its timer."""
    leader = theirs.leader()
    # The engine of the first node has not been restarted yet.
    home = next(node for node in theirs.managers()[1:] if node is not leader)
    perform.install(home)
    filler = perform.fill_a_volume(home, mib=FILLER_MIB)
    home.run("systemctl", "enable", "--now", perform.TIMER)
    yield home
    home.run("systemctl", "disable", "--now", perform.TIMER)
    home.run("systemctl", "reset-failed", "swarm-backup.service", check=False)
    home.run("rm", "-f", perform.BACKUP, perform.RESTORE)
    home.run("sh", "-c", "rm -f /etc/systemd/system/swarm-backup* /root/swarm-*")
    home.run("rm", "-rf", perform.PLACE)
    home.run("systemctl", "daemon-reload")
    home.run("docker", "volume", "rm", filler)


def but_backups(swarm: Swarm) -> dict[str, set[str]]:
    """What the cluster holds beside what their own backup leaves."""
    return {
        what: {line for line in lines if not OF_THEIR_BACKUP.search(line)}
        for what, lines in state(swarm).items()
    }


@pytest.mark.long
@pytest.mark.parametrize("hangs", [False, True], ids=["it goes on", "it hangs"])
def test_a_run_that_is_killed_amid_their_backup_leaves_their_engine_running(
    theirs: Swarm, inventory: Path, backing_up: Node, tmp_path: Path, hangs: bool
) -> None:
    """`hangs`: their unit never ends by itself, with the engine stopped: the timer ends it."""
    before, clusters = but_backups(theirs), standing()
    options = ("--swarmlab-allow-destructive", f"--swarmlab-submission={REFERENCE}")
    run = Run(THEIR_BACKUP, inventory, tmp_path, *options, "-p", "tests.providers.hurried")
    try:
        # Five machines of ours have to boot before, beside the owner's five.
        Waiter(every=0.2)(InTheMiddle(run, THEIR_BACKUP.middle, BEGINS), within=2 * BEGUN_S)
        Waiter(every=0.2)(backing_up.succeeds("test", "-e", STOPPED), within=BACK_S)
        if hangs:
            backing_up.run("systemctl", "kill", "--signal=STOP", "swarm-backup.service")
    finally:
        run.process.kill()
        run.process.wait()
    assert backing_up.look("test", "-e", STOPPED, check=False).code == 0, "it was over already"
    Waiter(every=3)(AsBefore(theirs, before, but_backups), within=MENDED_S)
    # The machines on which it was to be restored are gone, too.
    assert standing() == clusters


def differs(swarm: Swarm, before: dict[str, set[str]]) -> bool:
    """Whether a cluster is not as it was; a machine that is off is a difference too."""
    try:
        return bool(differences(before, state(swarm)))
    except (ProviderError, NotConverged):
        return True
    except no_answer():
        return True


@pytest.mark.long
def test_what_only_looks_changes_nothing(theirs: Swarm, inventory: Path, tmp_path: Path) -> None:
    before = state(theirs)
    run = Run(Case("", ""), inventory, tmp_path)
    assert run.process.wait(ENDED_S) == 0, run.said()
    assert run.events("change") == []
    assert run.outcomes() == {"passed", "skipped"}
    assert differences(before, state(theirs)) == []
