"""One run: its directory, its record, its provider, and the cluster that serves its tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_swarmlab.config import LabConfig
from pytest_swarmlab.errors import INFRASTRUCTURE, HostError, NotConverged, SwarmlabError, Unfit
from pytest_swarmlab.evidence import collectors, waits
from pytest_swarmlab.evidence.events import ClusterKept, Notice, Problem
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.evidence.time_spent import COLLECTING_LOGS, REMOVING_CLUSTER
from pytest_swarmlab.judging.exercise import Exercise
from pytest_swarmlab.model import Capability, Membership, Topology
from pytest_swarmlab.run import slots
from pytest_swarmlab.run.identity import Identity
from pytest_swarmlab.swarm import lifecycle, starting_state
from pytest_swarmlab.waiting.conditions import NodesReady, brief, no_answer, understood

if TYPE_CHECKING:
    from pytest_swarmlab.providers.base import Provider
    from pytest_swarmlab.run.sharing import Shared
    from pytest_swarmlab.swarm.cluster import Swarm

BASELINE_S = 60.0
"""How long a used cluster may take to be ready again before the next test, seconds."""


class Run:
    """Everything between the first swarm test of a pytest session and its end.

    With pytest-xdist each worker has a run of its own, with cluster, consoles and record. The
    controller's run has no cluster; its record is the one in which the workers' records are merged.
    """

    def __init__(
        self, config: LabConfig, *, version: str, identity: Identity | None = None
    ) -> None:
        """Create the run's directory and begin its record. Raises HostError when it can't."""
        self.config = config
        self.identity = identity or Identity()
        self.id, self.worker = self.identity.id, self.identity.worker
        self.directory = self.identity.directory(config)
        path = self.directory / "events.jsonl"
        if self.worker:
            path = self.identity.parts(config) / f"{self.worker}.jsonl"
        try:
            path.parent.mkdir(parents=True, exist_ok=identity is not None)
            self.recorder = Recorder(path, worker=self.worker, started=self.identity.started)
        except OSError as error:
            raise HostError(
                f"reports can't be written to {config.reports} ({error.strerror}):"
                " name another directory with --swarmlab-reports"
            ) from error
        self.exercises: list[Exercise] = []
        if not self.worker:
            self.identity.begin(self.recorder, provider=config.provider, version=version)
        self.wait = waits.of_tests(self.recorder)
        self.collect: Callable[[Swarm, Path], Any] | None = None
        self.finished = False
        self.last_test = False
        self.interrupted = False
        self.shared: list[Shared] = []
        """The blocks that share the cluster now; the first is the outermost."""
        self._swarm: Swarm | None = None
        self._spent: str | None = None
        self._clusters = 0
        self._slot: int | None = None

    def select(self, exercises: Mapping[Exercise, Collection[str] | None]) -> None:
        """Note, before anything happens, which exercises this run is to judge, and their checks.

        `exercises`: each with the phases that are performed; None: all of them. Raises ConfigError
        for a phase that it does not have.
        """
        for exercise, phases in exercises.items():
            if exercise in self.exercises:
                continue
            self.exercises.append(exercise)
            self.recorder.write(exercise.selected(phases))

    def needs(self) -> set[Capability]:
        """What the cluster must be able to do for all checks of the run to be provable."""
        return {need for e in self.exercises for check in e.checks for need in check.needs}

    def failed(self, where: str, error: BaseException, *, judged: bool) -> bool:
        """Note why a test failed. Returns True if only the lab itself failed.

        `judged`: the error is a verdict, which the record has already as `check` events.
        """
        infrastructure = isinstance(error, INFRASTRUCTURE)
        if not judged:
            message = f"{type(error).__name__}: {error}"
            self.recorder.write(Problem(where, message, infrastructure))
        return infrastructure

    def beside(self) -> int:
        """How many other clusters of this user are under test on this machine now."""
        return slots.taken(self.config) - (self._slot is not None)

    def swarm(self, topology: Topology, make_provider: Callable[[], Provider]) -> Swarm:
        """A cluster in that topology's starting state: the present one if it is in that state, else
        a new one.

        Raises HostError or ProviderError when there can be none.
        """
        if self._swarm and (why := self._spent or self._unfit(self._swarm, topology)):
            self.recorder.write(Notice(f"a new cluster is needed: {why}"))
            self.end_cluster()
        if not self._swarm:
            if self._slot is None:
                self._slot = slots.take(self.config)
            provider = make_provider()
            if self.config.reuse is not None or not provider.owns:
                self._clusters += 1
                self._swarm = self._attached(provider, topology)
            else:
                provider.reap()
                self._clusters += 1
                self._swarm = lifecycle.provision(
                    provider,
                    topology,
                    recorder=self.recorder,
                    consoles=self.logs(),
                )
                self._swarm.goes_at_end = not self._keeps
        roles = [(node.name, node.membership) for node in topology.nodes]
        had = [(node.name, node.membership) for node in self._swarm.topology.nodes]
        if had != roles and not self._swarm.machines.foreign:
            # What one exercise has made of its starting state is another one's starting state.
            self._swarm.topology = topology
            collectors.describe_again(self._swarm)
        return self._swarm

    def replace_cluster(self, why: str) -> None:
        """Give the next test a new cluster, whatever this one's state; `why` is reported then."""
        if self._swarm and not self._swarm.machines.foreign and self.config.reuse is None:
            self._spent = why

    def share(self, topology: Topology, make_provider: Callable[[], Provider]) -> Swarm:
        """A cluster for a block that shares it with several tests, or with a block around it."""
        if self.shared:
            return self.shared[0].lend("a fixture", topology)
        return self.swarm(topology, make_provider)

    def clean(self, remove: Callable[[], None]) -> None:
        """Remove a test's services, secrets and the like, unless the machines are removed next.

        After the last test they are, if they are not kept and nothing outlives them: waiting for
        each container first would take ten seconds more. When a machine is lost for good, the next
        test gets a new cluster.
        """
        if self._swarm and self.last_test and self._swarm.goes_whole:
            return
        self.mend(remove)

    def mend(self, undo: Callable[[], None]) -> None:
        """Undo what a test did to the cluster, unless that goes as it is.

        It does when a machine is lost for good, and when Ctrl-C ends the run and the machines go
        with it. Nobody sees what a fixture raises after Ctrl-C: what could not be undone on a
        cluster that stays is told in a sentence.
        """
        if self._swarm and (self._swarm.given_up or (self.interrupted and self._swarm.goes_whole)):
            return
        try:
            undo()
        except SwarmlabError as error:
            self._not_undone(error)
        except no_answer() as error:
            self._not_undone(error)

    def _not_undone(self, error: Exception) -> None:
        if not self.interrupted:
            raise error
        message = f"not undone: {brief(error)}"
        self.recorder.write(Problem("clean-up", message, infrastructure=True))
        self.recorder.write(Notice(message))

    def interrupt(self) -> None:
        """Note that Ctrl-C ends the run: no other test comes."""
        self.last_test = self.interrupted = True
        if self._swarm:
            goes = "goes as it is" if self._swarm.goes_whole else "is tidied up"
            self.recorder.write(Notice(f"interrupted: the cluster {goes}, in a moment"))

    @property
    def _keeps(self) -> bool:
        """Whether the cluster stays after the run: kept by `--swarmlab-keep`, or reused."""
        return self.config.keep or self.config.reuse is not None

    def logs(self) -> Path:
        """Where consoles and engine logs of the present cluster go."""
        return self.directory / "nodes" / self.worker / f"cluster{self._clusters}"

    def end_cluster(self) -> None:
        """Collect the cluster's logs, then remove the cluster, or leave it if it is kept."""
        swarm, self._swarm, self._spent = self._swarm, None, None
        if swarm is None:
            return
        try:
            with lifecycle.stage(self.recorder, COLLECTING_LOGS):
                if self.collect:
                    self.collect(swarm, self.logs())
                for name, why in collectors.fetch_logs(swarm, self.logs()).items():
                    self.recorder.write(Notice(f"no engine log of {name}: {why}"))
        finally:
            for member in swarm.nodes:
                member.forget_connections()
            try:
                if swarm.machines.foreign:
                    swarm.machines.stop()
                elif self._keeps:
                    swarm.machines.keep()
                    self.recorder.write(reach(swarm))
                else:
                    with lifecycle.stage(self.recorder, REMOVING_CLUSTER):
                        lifecycle.stop(swarm.machines)
            finally:
                # What a machine's console or a plugin's collector wrote was written by others.
                for file in self.logs().rglob("*"):
                    if file.is_file():
                        self.recorder.redactor.file(file)

    def finish(self, exit_status: int) -> None:
        """End the cluster, then the record."""
        self.finished = True
        try:
            self.end_cluster()
        except (SwarmlabError, OSError) as error:
            self.recorder.write(Problem("clean-up", str(error), infrastructure=True))
        finally:
            if self._slot is not None:
                os.close(self._slot)
            if not self.worker:
                self.identity.finish(self.recorder, exit_status=exit_status)

    def _attached(self, provider: Provider, topology: Topology) -> Swarm:
        from pytest_swarmlab.swarm.cluster import Swarm

        machines = provider.attach(self.config.reuse or "", logs=self.logs())
        swarm = Swarm(machines, self.recorder)
        if why := self._unfit(swarm, topology):
            for node in swarm.nodes:
                node.forget_connections()
            machines.keep()
            if machines.foreign:
                raise Unfit(f"the cluster {machines.id} can't serve this test: {why}")
            raise HostError(
                f"the kept cluster {machines.id} can't serve this test: {why}."
                " Run without --swarmlab-reuse, or remove it with `swarmlab gc --kept`"
            )
        collectors.describe(swarm, provider, seconds=0)
        return swarm

    def _unfit(self, swarm: Swarm, topology: Topology) -> str | None:
        """Why that cluster is not in that topology's starting state; None if it is."""
        return self.lacks(swarm, topology) or self._holds(swarm)

    def lacks(self, swarm: Swarm, topology: Topology) -> str | None:
        """What it lacks of that topology: a machine, a role, a node that is ready; or None."""
        wanted = {n.name: n.membership for n in topology.nodes}
        if swarm.machines.foreign:
            # Its names are its own; what it is to be is what its inventory says.
            wanted = {n.name: n.membership for n in swarm.topology.nodes}
            for role in Membership:
                there, asked = (
                    sum(node.membership is role for node in either.nodes)
                    for either in (swarm.topology, topology)
                )
                if there != asked:
                    return f"it has {there} nodes with the role {role}, the test needs {asked}"
        elif {n.name for n in swarm.nodes} != set(wanted):
            return f"it has {len(swarm.nodes)} machines, {topology.name} has {len(wanted)}"
        try:
            rows = waits.of_the_suite(self.recorder)(NodesReady(swarm), within=BASELINE_S)
        except NotConverged as error:
            return str(error)
        except no_answer() as error:
            return brief(error)
        seen = {row.name: row.role for row in rows}
        if len(seen) != len(rows):
            return "a node is listed twice"
        for name, membership in wanted.items():
            expected = None if membership is Membership.OUTSIDE else str(membership)
            if seen.get(name) != expected:
                told = f"; it lists {', '.join(sorted(seen))}" if swarm.machines.foreign else ""
                return f"{name} is {seen.get(name, 'outside')}, not {membership}{told}"
        return None

    def _holds(self, swarm: Swarm) -> str | None:
        """What a used cluster has that no new one does: a service, a used volume plugin."""
        try:
            engine = swarm.leader().engine
            with understood("what the leader says of services and plugins"):
                plugins = _volume_plugins(engine)
                services = [service["Spec"]["Name"] for service in engine.api.services()]
        except NotConverged as error:
            return str(error)
        except no_answer() as error:
            return brief(error)
        if plugins and not swarm.machines.foreign:
            return (
                f"its engines look for the volume plugin {', '.join(plugins)} that they once used"
            )
        if services and Capability.CHANGE in swarm.machines.controls:
            return f"it still runs {', '.join(services)}"
        try:
            if swarm.machines.foreign:
                # What else is there is its owner's.
                changed = list(starting_state.availability(swarm.look()[1]))
            else:
                with understood("what an engine says of the swarm"):
                    changed = starting_state.changes(swarm, volumes=self.config.reuse is None)
        except no_answer() as error:
            return brief(error)
        return "; ".join(changed) or None


def _volume_plugins(engine: Any) -> list[str]:
    """Volume plugins besides the engine's own that any node has told the managers of."""
    known = {
        plugin["Name"]
        for node in engine.api.nodes()
        for plugin in node["Description"].get("Engine", {}).get("Plugins") or []
        if plugin["Type"] == "Volume"
    }
    return sorted(known - {"local"})


def reach(swarm: Swarm) -> ClusterKept:
    """How to get at a kept cluster."""
    first = swarm.nodes[0]
    return ClusterKept(
        cluster=swarm.machines.id,
        shell=swarm.machines.reach(first.name),
        engine=f"DOCKER_HOST=unix://{swarm.machines.engine_socket(first.name)}",
        nodes=tuple(node.name for node in swarm.nodes),
    )
