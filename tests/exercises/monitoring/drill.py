"""Causes each alert, waits for its notification, removes the cause, and waits for its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.services import Service, Services
from pytest_swarmlab.swarm.stacks import Stack
from pytest_swarmlab.waiting.waiter import Waiter

from . import events, prepare
from .declared import EXPECTED, LOOP, NOWHERE, RESOLVED_S
from .prepare import READY_S
from .setting import REPLICAS
from .watcher import Watcher

FILL, HOLD = "/var/lib/swarmlab-fill", "/run/swarmlab-hold"
DISK_LEFT, MEMORY_LEFT = 0.07, 0.085
"""Free shares of the disk and of memory: below the rules' 0.10, and enough for the engine."""

HEARD_S = 180.0
"""Longest wait for a notification, seconds; the checks have the alert's own bound."""

BACK_S = 180
CLOCK_S = 10.0
PLACE = "node.labels.nowhere==true"
OLD_BACKUP = "20260101T023000Z"
LASTING, ENDING = "2160h0m0s", "1h0m0s"
"""A certificate's lifetime: Swarm's default, and the shortest that Swarm accepts."""

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Deed:
    """One step: the alerts that it causes, and its repair."""

    alerts: Mapping[str, Labels]
    do: Callable[[], object]
    mend: Callable[[], object]


@dataclass
class Drill:
    """One deployment of the monitoring, on `home`, and a worker for the faults."""

    swarm: Swarm
    home: Node
    struck: Node
    faults: Faults
    wait: Waiter
    evidence: Evidence

    # -- deployed ----------------------------------------------------------------------------------

    def begin(self, stack: Stack) -> Watcher:
        """Wait until all of it runs, scrapes every target and has no alert."""
        self.run_all(stack, REPLICAS)
        prometheus, recorder = (
            self.wait(stack.service(name).tasks_are("running", 1), within=READY_S)[0].container
            for name in ("prometheus", "recorder")
        )
        watcher = Watcher(self.home, prometheus, recorder, self.evidence)
        nodes = len(self.swarm.nodes)
        for expr in (
            f'count(up{{job="engine"}} == 1) == {nodes}',
            f'count(up{{job="node"}} == 1) == {nodes}',
            f"count(swarm_certificate_end_timestamp_seconds) == {nodes}",
            "sum(swarm_manager_leader) == 1",
            "swarm_api_up == 1",
            "min(up) == 1",
        ):
            self.wait(watcher.shows(expr), within=READY_S)
        self.wait(watcher.quiet(), within=RESOLVED_S)
        self.evidence.write(events.Quiet())
        watcher.note_rules()
        watcher.note_targets()
        names = sorted(watcher.ask("label/__name__/values"))
        self.evidence.write(events.Metrics(tuple(names)))
        return watcher

    def run_all(self, stack: Stack, replicas: Mapping[str, int]) -> None:
        """Wait until each of these services runs all its replicas; record its tasks."""
        for name, count in replicas.items():
            service = stack.service(name)
            self.wait(service.converged(replicas=count), within=READY_S)
            self.evidence.tasks(self.swarm, service.name)

    # -- resources that run low, and services that fail -------------------------------------------

    def let_things_slip(self, watcher: Watcher) -> None:
        """A worker's disk, memory and facts, two services that can't run, and an old backup."""
        node = self.struck
        on = {"node": node.name}
        with Services.removed(self.swarm) as services:
            backup = f"{prepare.BACKUPS}/swarm-{OLD_BACKUP}-{self.home.name}"
            fresh = self.backup
            deeds = (
                Deed({"NodeMemoryLow": on}, self._fill_memory, self._free_memory),
                Deed({"NodeDiskFull": on}, self._fill_disk, lambda: node.run("rm", "-f", FILL)),
                Deed(
                    {"ServiceReplicasMissing": {"service": NOWHERE}},
                    lambda: self._create_nowhere(services),
                    lambda: Service(self.swarm, NOWHERE).update("--constraint-rm", PLACE),
                ),
                Deed(
                    {"ServiceRestartLoop": {"service": LOOP}},
                    lambda: self._create_loop(services),
                    lambda: Service(self.swarm, LOOP).update("--args", "sleep 3600"),
                ),
                Deed(
                    {"SwarmBackupTooOld": {}},
                    lambda: self._renamed(fresh, backup),
                    lambda: self._renamed(backup, fresh),
                ),
                Deed(
                    {"NodeFactsStale": on},
                    lambda: self._stop_facts(node),
                    lambda: node.run("systemctl", "start", prepare.TIMER),
                ),
            )
            self.provoke(watcher, deeds)

    @property
    def backup(self) -> str:
        """Path of the newest backup."""
        return self._backup

    def keep_a_backup(self) -> None:
        """Make the first backup; its name has the node's present time."""
        when = self.home.look("date", "-u", "+%Y%m%dT%H%M%SZ").stdout.strip()
        self._backup = prepare.back_up(self.home, when)

    def drop_backups(self) -> None:
        """Remove all backups."""
        self.home.run("rm", "-rf", prepare.BACKUPS)

    def _renamed(self, old: str, new: str) -> None:
        self.home.run("mv", old, new)
        prepare.write_facts(self.home)

    def _fill_disk(self) -> None:
        said = self.struck.look("stat", "-f", "-c", "%S %b %a", "/").stdout
        block, blocks, free = (int(word) for word in said.split())
        self.struck.run("fallocate", "-l", str(block * (free - int(DISK_LEFT * blocks))), FILL)

    def _fill_memory(self) -> None:
        """By a file in a tmpfs of its own: no other file is touched."""
        found = dict(
            line.split(":") for line in self.struck.look("cat", "/proc/meminfo").stdout.splitlines()
        )
        total, available = (int(found[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
        kib = available - int(MEMORY_LEFT * total)
        self.struck.run("mkdir", "-p", HOLD)
        self.struck.run("mount", "-t", "tmpfs", "-o", f"size={kib + 1024}k", "tmpfs", HOLD)
        self.struck.run("dd", "if=/dev/zero", f"of={HOLD}/held", "bs=1M", f"count={kib // 1024}")

    def _free_memory(self) -> None:
        self.struck.run("umount", HOLD)
        self.struck.run("rmdir", HOLD)

    def _create_nowhere(self, services: Services) -> None:
        services.create(
            NOWHERE, "--constraint", PLACE, "--stop-grace-period", "1s",
            "nginx:alpine", "sleep", "3600", title="A service that has no place to run",
        )  # fmt: skip

    def _create_loop(self, services: Services) -> None:
        services.create(
            LOOP, "--restart-condition", "any", "--restart-delay", "2s",
            "--constraint", self.swarm.only(self.home), "--stop-grace-period", "1s",
            "nginx:alpine", "false", title="A service whose task ends with an error each time",
        )  # fmt: skip

    def _stop_facts(self, node: Node) -> None:
        node.run("systemctl", "stop", prepare.TIMER)
        node.run("touch", "-d", "1 hour ago", f"{prepare.WRITTEN}/swarm.prom")

    # -- machines and managers ---------------------------------------------------------------------

    def lose_a_worker(self, watcher: Watcher) -> None:
        """A worker loses power, and boots again."""
        on = {"node": self.struck.name}
        fault = self.faults.power_off(self.struck)

        def mend() -> None:
            fault.heal()
            self.wait(self.swarm.all_nodes_ready(), within=BACK_S)

        self.provoke(watcher, [Deed({"NodeDown": on, "EngineDown": on}, fault.inject, mend)])

    def come_to_the_edge(self, watcher: Watcher) -> None:
        """One of three managers is lost."""
        lost = self._followers()[0]
        on = {"node": lost.name}
        alerts = {
            "SwarmQuorumAtEdge": {},
            "EngineDown": on,
            "NodeDown": on,
            "ManagerPortClosed": on,
        }
        fault = self.faults.kill_engine(lost)

        def mend() -> None:
            fault.heal()
            self.wait(self.swarm.all_nodes_ready(), within=BACK_S)

        self.provoke(watcher, [Deed(alerts, fault.inject, mend)])

    def lose_the_quorum(self, watcher: Watcher) -> None:
        """Two of three managers are lost at once; the one that is left is the leader."""
        faults = [self.faults.kill_engine(node) for node in self._followers()]
        alerts: dict[str, Labels] = {name: {} for name in EXPECTED["quorum-lost"]}

        def do() -> None:
            for fault in faults:
                fault.inject()

        def mend() -> None:
            for fault in faults:
                fault.heal()
            self.wait(self.swarm.has_leader(), within=BACK_S)
            self.wait(self.swarm.all_nodes_ready(), within=BACK_S)

        self.provoke(watcher, [Deed(alerts, do, mend)])

    def _followers(self) -> list[Node]:
        leader = self.swarm.leader()
        self.evidence.state(self.swarm)
        return [node for node in self.swarm.managers() if node is not leader]

    def let_certificates_end(self, watcher: Watcher) -> None:
        """A new CA issues certificates for an hour; then another one issues usual ones."""
        on = {"node": self.struck.name}
        self.provoke(
            watcher,
            [
                Deed(
                    {"SwarmCertificateEndsSoon": on},
                    lambda: self._rotate(ENDING),
                    lambda: self._rotate(LASTING),
                )
            ],
        )

    def _rotate(self, lasting: str) -> None:
        self.swarm.leader().run(
            "docker", "swarm", "ca", "--rotate", "--quiet", "--cert-expiry", lasting,
            title=f"Every node gets a certificate of {lasting}",
        )  # fmt: skip
        prepare.write_facts(*self.swarm.nodes)

    # -- from a deed to the end of its alerts ------------------------------------------------------

    def provoke(self, watcher: Watcher, deeds: Sequence[Deed]) -> None:
        """Do all deeds, wait for each alert, undo the deeds, wait until each alert is resolved."""
        watcher.note_rules()
        watcher.listen()
        expected = [(alert, labels) for deed in deeds for alert, labels in deed.alerts.items()]
        before = {
            status: [watcher.times(alert, status, labels) for alert, labels in expected]
            for status in ("firing", "resolved")
        }
        with ExitStack() as mended:
            for deed in deeds:
                self._note(events.Provoked, deed)
                # Half a deed is undone, too.
                mended.callback(self._mend, deed)
                deed.do()
            for (alert, labels), known in zip(expected, before["firing"], strict=True):
                self.wait(watcher.hears(alert, "firing", labels, more_than=known), within=HEARD_S)
            watcher.note_pending()
        for (alert, labels), known in zip(expected, before["resolved"], strict=True):
            self.wait(watcher.hears(alert, "resolved", labels, more_than=known), within=RESOLVED_S)
        self.wait(watcher.quiet(), within=RESOLVED_S)
        watcher.listen()
        self.evidence.write(events.Quiet())

    def _mend(self, deed: Deed) -> None:
        self._note(events.Mending, deed)
        deed.mend()
        self._note(events.Mended, deed)

    def _note(self, kind: type[events.Deed], deed: Deed) -> None:
        """With the time of the receiver's node, to compare it with notifications."""
        clock = float(self.home.ask("date", "+%s.%N", within=CLOCK_S).stdout)
        for alert, labels in deed.alerts.items():
            self.evidence.write(kind(alert, labels, round(clock, 3)))
