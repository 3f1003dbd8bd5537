"""Conditions of a service: it converges, is updated, is removed."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from pytest_swarmlab.waiting.conditions.answers import brief, no_answer, understood
from pytest_swarmlab.waiting.conditions.tasks import Ended
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, done, fatal, pending

if TYPE_CHECKING:
    from pytest_swarmlab.evidence.events import TaskSeen
    from pytest_swarmlab.swarm.cluster import Node, Swarm


class Converged:
    """A service runs as many tasks as wanted, none of them counted on a node that is down.

    Finds those tasks. A task on a dead node is not a running task, whatever its last report said.
    """

    node = None

    def __init__(self, swarm: Swarm, service: str, replicas: int, on: Node | None = None) -> None:
        """`on`: the node where all of them must run; any by default."""
        self._swarm = swarm
        self._service = service
        self._replicas = replicas
        self._on = on
        self.name = f"{service} runs {replicas} tasks" + (f" on {on}" if on else "")

    def __call__(self) -> Done[list[TaskSeen]] | Pending | Fatal:
        """Look once."""
        try:
            seen_from, nodes = self._swarm.look()
            tasks = self._swarm.task_rows(seen_from.engine, self._service)
        except no_answer() as error:
            return pending(brief(error))
        up = {
            row.id
            for row in nodes
            if row.state == "ready" and self._on in (None, self._swarm.node_of(row))
        }
        wanted = [task for task in tasks if task.desired == "running"]
        running = [t for t in wanted if t.state == "running" and t.node_id in up]
        seen = f"{len(running)}/{self._replicas} running"
        others = sorted({t.state for t in wanted if t not in running})
        if others:
            seen += f" (others: {', '.join(others)})"
        if failed := [t for t in tasks if t.error]:
            seen += f"; last task error: {max(failed, key=attrgetter('at')).error}"
        if len(running) == self._replicas == len(wanted):
            return done(running, seen)
        return pending(seen)


class Updated:
    """The latest update of the service is complete: Swarm has replaced every task it had to.

    Fatal once the update is paused or rolled back. Before an update begins the condition is
    pending: it may be about to begin.
    """

    node = None
    wanted = "completed"
    on_the_way = frozenset({"updating", "not begun"})
    verb = "is complete"

    def __init__(self, swarm: Swarm, service: str) -> None:
        self._swarm = swarm
        self._service = service
        self.name = f"the update of {service} {self.verb}"

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Look once."""
        try:
            seen_from, _ = self._swarm.look()
            service = seen_from.engine.api.inspect_service(self._service)
            with understood(f"what the engine says of {self._service}"):
                status = service.get("UpdateStatus") or {}
                state = str(status.get("State") or "not begun")
        except no_answer() as error:
            return pending(brief(error))
        seen = f"{state}: {status['Message']}" if status.get("Message") else state
        if state == self.wanted:
            return done(None, seen)
        return pending(seen) if state in self.on_the_way else fatal(seen)


class RolledBack(Updated):
    """The latest update of the service was rolled back, automatically or by a command.

    Fatal once the update is complete or paused.
    """

    wanted = "rollback_completed"
    on_the_way = Updated.on_the_way | {"rollback_started"}
    verb = "is rolled back"


class Watched:
    """The service's tasks stayed the same for a while, or changed; finds the tasks."""

    node = None

    def __init__(self, swarm: Swarm, service: str, for_s: float) -> None:
        """`for_s`: seconds without a change."""
        self._swarm = swarm
        self._service = service
        self._for_s = for_s
        self._began: float | None = None
        self._tasks: list[tuple[str, str]] = []
        self.name = f"{service} was watched for {for_s:.0f} s"

    def __call__(self) -> Done[list[TaskSeen]] | Pending | Fatal:
        """Look once."""
        now = self._swarm.recorder.now()
        try:
            tasks = self._swarm.tasks(self._service)
        except no_answer() as error:
            return pending(brief(error))
        # One that has ended is still wanted for a moment, until its orchestrator has heard of it.
        wanted = [t for t in tasks if t.desired == "running" and t.state not in Ended.states]
        there = sorted((t.id, t.node) for t in wanted)
        if self._began is None:
            self._began, self._tasks = now, there
        if there != self._tasks:
            return done(tasks, f"they changed after {now - self._began:.1f} s")
        watched = now - self._began
        seen = f"unchanged for {watched:.1f} s"
        return done(tasks, seen) if watched >= self._for_s else pending(seen)


class NoTaskOf:
    """No engine has a container of a removed service any more."""

    node = None

    def __init__(self, swarm: Swarm, service: str) -> None:
        self._swarm = swarm
        self._service = service
        self.name = f"no container of {service} is left"

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Look once."""
        label = f"com.docker.swarm.service.name={self._service}"
        left = []
        # What is left on a machine that is lost, nobody takes away.
        for node in self._swarm.nodes_except(*self._swarm.places.lost):
            try:
                found = node.engine.api.containers(all=True, filters={"label": label})
                with understood("the engine's container list"):
                    left += [f"one on {node.name}, {container['Status']}" for container in found]
            except no_answer() as error:
                return pending(f"{node.name}: {brief(error)}")
        return pending("; ".join(left)) if left else done(None, "none")
