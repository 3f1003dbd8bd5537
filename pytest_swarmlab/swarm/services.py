"""Services: creating, changing and removing them, and their conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from pytest_swarmlab.errors import NotConverged
from pytest_swarmlab.evidence import waits
from pytest_swarmlab.evidence.events import Notice, TaskSeen
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.guard import Undoes
from pytest_swarmlab.swarm.made import Made
from pytest_swarmlab.waiting.conditions import (
    Converged,
    Ended,
    Renewed,
    Replaced,
    RolledBack,
    Settled,
    TaskBlocked,
    TaskFailed,
    TasksAre,
    Updated,
    Watched,
)

GONE_S = 90.0
"""Longest wait until a removed service's containers, networks and addresses are gone."""

BACK_S = 240.0
"""Longest wait until all nodes are ready again, before a service is removed."""


@contextmanager
def removed_after(swarm: Swarm, remove: Callable[[], None]) -> Iterator[None]:
    """Call `remove` at the block's end, also when the block fails.

    Not called if the whole cluster is given up.
    """
    try:
        yield
    except KeyboardInterrupt:
        # A cluster that goes takes all of it along: nobody waits for that.
        if not swarm.goes_whole:
            remove()
        raise
    except BaseException:
        if not swarm.given_up:
            remove()
        raise
    remove()


class Service:
    """One service of the swarm, by its full name."""

    def __init__(self, swarm: Swarm, name: str) -> None:
        self.swarm = swarm
        self.name = name

    @classmethod
    @contextmanager
    def created(
        cls, swarm: Swarm, name: str, *words: str, title: str | None = None
    ) -> Iterator[Service]:
        """As `Services.create`; the service is removed at the block's end."""
        with Services.removed(swarm) as services:
            yield services.create(name, *words, title=title)

    def update(self, *words: str, title: str | None = None) -> None:
        """`docker service update` with these words; returns before it has converged.

        Raises CommandError with the engine's own words when it refuses.
        """
        self.swarm.leader().run(
            "docker", "service", "update", "--detach", "--no-resolve-image", *words, self.name,
            title=title,
        )  # fmt: skip

    def scale(self, replicas: int) -> None:
        """`docker service scale`; returns before it has converged."""
        self.swarm.leader().run(
            "docker", "service", "scale", "--detach", f"{self.name}={replicas}",
            title=f"{self.name} is scaled to {replicas}",
        )  # fmt: skip

    def rollback(self, *, title: str | None = None) -> None:
        """`docker service rollback`: back to the definition before; returns before it has
        converged.

        Raises CommandError with the engine's own words when it refuses.
        """
        self.swarm.leader().run("docker", "service", "rollback", "--detach", self.name, title=title)

    def move(self, *, to: Node, origin: Node | None = None) -> None:
        """Move its tasks to a node, by a constraint that only that node meets.

        `origin`: the node of an earlier such constraint, which is removed.
        """
        away = () if origin is None else ("--constraint-rm", self.only(origin))
        self.update(
            *away, "--constraint-add", self.only(to),
            title=f"{self.name} is sent to {to}",
        )  # fmt: skip

    def only(self, node: Node) -> str:
        """The constraint that this node alone meets."""
        return self.swarm.only(node)

    def remove(self, *, title: str | None = None) -> None:
        """`docker service rm`, and wait until its containers are gone."""

        def ask() -> None:
            self.swarm.leader().run("docker", "service", "rm", self.name, title=title)

        _remove(self.swarm, [self.name], ask)

    def tasks(self) -> list[TaskSeen]:
        """Its tasks, by slot; also ended ones, as far as the managers remember them."""
        return self.swarm.tasks(self.name)

    def converged(self, *, replicas: int, on: Node | None = None) -> Converged:
        """Condition: that many tasks run on nodes that are not down (or on that one)."""
        return self.swarm.converged(self.name, replicas=replicas, on=on)

    def task_failed(self, *, known: Sequence[str] = ()) -> TaskFailed:
        """Condition: one of its tasks has failed or was rejected; finds that task.

        `known`: ids of tasks that don't count, since they had failed before.
        """
        return TaskFailed(self.swarm, self.name, known)

    def task_blocked(self) -> TaskBlocked:
        """Condition: one of its tasks can be placed on no node; finds that task."""
        return TaskBlocked(self.swarm, self.name)

    def updated(self) -> Updated:
        """Condition: its latest update has replaced every task, and no new task has failed."""
        return Updated(self.swarm, self.name)

    def rolled_back(self) -> RolledBack:
        """Condition: its latest update was rolled back, automatically or by a command."""
        return RolledBack(self.swarm, self.name)

    def ended(self, *, at_least: int = 1, known: Sequence[str] = ()) -> Ended:
        """Condition: so many of its tasks have ended by themselves; finds those tasks."""
        return Ended(self.swarm, self.name, at_least, known)

    def tasks_are(self, state: str, count: int) -> TasksAre:
        """Condition: so many of the tasks that Swarm wants to run are in that state; finds them."""
        return TasksAre(self.swarm, self.name, state, count)

    def settled(self) -> Settled:
        """Condition: no task runs any more that Swarm wants to stop."""
        return Settled(self.swarm, self.name)

    def renewed(self, before: Sequence[TaskSeen]) -> Renewed:
        """Condition: it runs as many tasks as before, and none of those; finds them."""
        return Renewed(self.swarm, self.name, before)

    def replaced(self, task: TaskSeen) -> Replaced:
        """Condition: another task runs in that task's slot; finds it."""
        return Replaced(self.swarm, self.name, task)

    def watched(self, *, for_s: float) -> Watched:
        """Condition: its tasks stayed the same for so many seconds, or changed; finds the tasks."""
        return Watched(self.swarm, self.name, for_s)


class Services:
    """Several services that are removed together: that takes no longer than for one of them."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._made = Made("service", Undoes.DEPLOYMENT)
        self._leaving: list[str] = []

    @classmethod
    @contextmanager
    def removed(cls, swarm: Swarm) -> Iterator[Services]:
        """Services that are created within the block are removed at its end.

        No container of them is left on any node then, so that none disturbs the next test.
        """
        services = cls(swarm)
        with removed_after(swarm, services.remove_all):
            yield services

    def create(self, name: str, *words: str, title: str | None = None) -> Service:
        """`docker service create --name NAME` and these words.

        It returns before the service has converged: the client would wait for ever for a service
        that never does. Images are on the nodes already, so no registry is asked for digests.
        Raises CommandError with the engine's own words when it refuses.
        """
        leader = self._swarm.leader()
        with self._made.making(leader, name):
            leader.run(
                "docker", "service", "create", "--detach", "--no-resolve-image", "--name", name,
                *words, title=title,
            )  # fmt: skip
        return Service(self._swarm, name)

    def let_go(self, service: Service) -> None:
        """`docker service rm` of one of them; its end is awaited at the block's end.

        Create its successor before: a service that is created afterwards may get its address while
        some node still removes that.
        """
        self._swarm.leader().run("docker", "service", "rm", service.name)
        self._leaving.append(service.name)
        self._made.forget([service.name])

    def remove_all(self) -> None:
        """`docker service rm` of all of them, and wait until no container is left.

        Every one is tried; raises CommandError with the engine's words for those that stay.
        """
        made, leaving = self._made.names(), self._leaving

        def ask() -> None:
            if made:
                self._made.remove(self._swarm.leader(), made)

        if made or leaving:
            _remove(self._swarm, [*made, *leaving], ask)
        self._leaving = []


def _remove(swarm: Swarm, names: Sequence[str], ask: Callable[[], object]) -> None:
    """`ask` has the managers remove them; return when no container of them is left."""
    wait = waits.of_the_suite(swarm.recorder)
    try:
        # A container on a node that is away could not be seen to go.
        wait(swarm.all_nodes_ready(), within=BACK_S)
    except NotConverged as error:
        if not error.fatal:
            raise
        told = f"{error.last}: nobody waits for what is left there"
        swarm.recorder.write(Notice(told))
    finally:
        ask()  # Also where nobody waits until they are gone.
    for name in names:
        wait(swarm.no_task_of(name), within=GONE_S)
    await_free_addresses(swarm)


def await_free_addresses(swarm: Swarm) -> None:
    """Wait until every node has released the address of a removed service: the next may get it."""
    if not swarm.leader().engine.api.services():
        lost = swarm.places.lost
        on = [node for node in swarm.members() if node not in lost]
        waits.of_the_suite(swarm.recorder)(swarm.mesh_lists(0, on=on), within=GONE_S)
