"""What can be waited for. Each look returns done, pending with a reason, or fatal with a reason."""

from __future__ import annotations

import functools
import shlex
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, done, fatal, pending

if TYPE_CHECKING:
    from pytest_swarmlab.swarm.cluster import Node, Swarm


T = TypeVar("T")

TRIED = "org.swarmlab.tried"
"""On every config that is only made to see whether a change is accepted."""

INGRESS = "/run/docker/netns/ingress_sbox"
"""Network namespace of the routing mesh on every node that is a member of a swarm."""


@functools.cache
def no_answer() -> tuple[type[Exception], ...]:
    """What asking an engine, or the managers together, raises when there is no good answer."""
    import docker.errors
    import requests

    return (docker.errors.DockerException, requests.RequestException, OSError, ProviderError)


def brief(error: Exception) -> str:
    """An engine's error in one line: its own explanation where it gave one."""
    text = getattr(error, "explanation", None) or str(error) or type(error).__name__
    if "Read timed out" in str(text):
        return "no answer in time"
    return " ".join(str(text).split())[:300]


class HasLeader:
    """Some manager names a leader, another than the given node; finds that node."""

    def __init__(self, swarm: Swarm, other_than: Node | None, seen_by: Node | None = None) -> None:
        self._swarm = swarm
        self._other_than = other_than
        self._asked = [seen_by] if seen_by else [n for n in swarm.nodes if n is not other_than]
        self.node = seen_by.name if seen_by else None
        self.name = f"a leader other than {other_than}" if other_than else "a leader"

    def __call__(self) -> Done[Node] | Pending | Fatal:
        """Look once."""
        said = []
        for node in self._asked:
            try:
                rows = self._swarm.node_rows(node.engine)
            except no_answer() as error:
                said.append(f"{node.name}: {brief(error)}")
                continue
            leaders = [row for row in rows if row["leader"]]
            seen = f"{node.name} says {leaders[0]['name'] if leaders else 'none'}"
            if leaders and not (
                self._other_than and self._swarm.node_of(leaders[0]) is self._other_than
            ):
                return done(self._swarm.leading(leaders[0]), seen)
            said.append(seen)
        return pending("; ".join(said))


class NodesReady:
    """Every member is ready, every manager reachable, and one leads; finds the members' rows.

    A manager that others reach is one once its own engine lists the nodes, too: an engine that was
    promoted answers as a worker for a moment. The dead row of a machine that is there under another
    id is no member: it is named. Never, once a machine has another one's identity, or was removed
    without knowing it.
    """

    name = "every node ready and every manager reachable"
    node = None

    def __init__(self, swarm: Swarm, *, members: int | None = None) -> None:
        """`members`: how many nodes must be in the list; as many as there are, by default."""
        self._swarm = swarm
        self._members = members

    def __call__(self) -> Done[list[dict[str, Any]]] | Pending | Fatal:
        """Look once."""
        try:
            seen_from, rows = self._swarm.look()
        except ProviderError as error:
            return pending(str(error))
        self._swarm.places.look(rows)
        if lost := self._swarm.places.lost:
            return fatal("; ".join(lost.values()))
        dead = self._swarm.leftovers(rows)
        rows = [row for row in rows if row not in dead]
        seen = f"{seen_from} sees " + ", ".join(in_words(row) for row in rows)
        for row in dead:
            seen += f"; {row['name']} has an old row: remove it with `docker node rm {row['id']}`"
        ready = all(
            row["state"] == "ready" and row["reachability"] in {"reachable", ""} for row in rows
        )
        led = any(row["leader"] for row in rows)
        count = self._members in (None, len(rows))
        if not (ready and led and count):
            return pending(seen)
        if silent := _silent(self._swarm, rows):
            return pending(f"{seen}; {silent}")
        return done(rows, seen)


class NodeIs:
    """The managers see one node in a certain way; finds its row.

    One that must be a reachable manager must say so itself, too. Never, once it has lost its
    identity, or was in the swarm and is so no longer.
    """

    def __init__(self, swarm: Swarm, node: Node, wanted: dict[str, str]) -> None:
        self._swarm = swarm
        self._node = node
        self._wanted = wanted
        self.node = node.name
        self.name = " and ".join(f"{key} {value}" for key, value in wanted.items())

    def __call__(self) -> Done[dict[str, Any]] | Pending | Fatal:
        """Look once."""
        try:
            seen_from, rows = self._swarm.look()
        except ProviderError as error:
            return pending(str(error))
        mine = [row for row in rows if self._swarm.node_of(row) is self._node]
        seen = ", ".join(map(in_words, mine)) or "no such node"
        for row in mine:
            if all(row[key] == value for key, value in self._wanted.items()):
                silent = _silent(self._swarm, [row]) if "reachability" in self._wanted else ""
                if not silent:
                    return done(row, in_words(row))
                seen += f"; {silent}"
        self._swarm.places.look(rows)
        if why := (self._swarm.places.left | self._swarm.places.lost).get(self._node):
            return fatal(why)
        return pending(f"{seen_from} sees {seen}")


class Converged:
    """A service runs as many tasks as wanted, none of them counted on a node that is down.

    Finds those tasks. A task that the manager believes to run on a dead node is
    not a running task, whatever its last report said.
    """

    node = None

    def __init__(self, swarm: Swarm, service: str, replicas: int, on: Node | None = None) -> None:
        """`on`: the node where all of them must run; any by default."""
        self._swarm = swarm
        self._service = service
        self._replicas = replicas
        self._on = on
        self.name = f"{service} runs {replicas} tasks" + (f" on {on}" if on else "")

    def __call__(self) -> Done[list[dict[str, Any]]] | Pending | Fatal:
        """Look once."""
        try:
            seen_from, nodes = self._swarm.look()
            tasks = self._swarm.task_rows(seen_from.engine, self._service)
        except no_answer() as error:
            return pending(brief(error))
        up = {
            row["id"]
            for row in nodes
            if row["state"] == "ready" and self._on in (None, self._swarm.node_of(row))
        }
        wanted = [task for task in tasks if task["desired"] == "running"]
        running = [t for t in wanted if t["state"] == "running" and t["node_id"] in up]
        seen = f"{len(running)}/{self._replicas} running"
        others = sorted({t["state"] for t in wanted if t not in running})
        if others:
            seen += f" (others: {', '.join(others)})"
        if failed := [t for t in tasks if t["error"]]:
            seen += f"; last task error: {max(failed, key=itemgetter('at'))['error']}"
        if len(running) == self._replicas == len(wanted):
            return done(running, seen)
        return pending(seen)


class _OfTasks(ABC, Generic[T]):
    """What is judged on a service's tasks alone, as a manager lists them."""

    node = None

    def __init__(self, swarm: Swarm, service: str) -> None:
        self._swarm = swarm
        self._service = service

    def __call__(self) -> Done[T] | Pending | Fatal:
        """Look once."""
        try:
            seen_from, _ = self._swarm.look()
            tasks = self._swarm.task_rows(seen_from.engine, self._service)
        except no_answer() as error:
            return pending(brief(error))
        return self._judge(tasks)

    @abstractmethod
    def _judge(self, tasks: list[dict[str, Any]]) -> Done[T] | Pending | Fatal:
        """Judge what was listed."""


class TaskFailed(_OfTasks[dict[str, Any]]):
    """A task of the service has failed or was rejected; finds it."""

    states = frozenset({"failed", "rejected"})
    verb = "has failed"

    def __init__(self, swarm: Swarm, service: str, known: Sequence[str] = ()) -> None:
        """`known`: ids of tasks that don't count, since they had failed before."""
        super().__init__(swarm, service)
        self._known = frozenset(known)
        self.name = f"a task of {service} {self.verb}"

    def _judge(self, tasks: list[dict[str, Any]]) -> Done[dict[str, Any]] | Pending | Fatal:
        found = [task for task in tasks if self._is_it(task)]
        seen = ", ".join(sorted(task["state"] for task in tasks)) or "no tasks"
        return done(found[0], found[0]["error"] or seen) if found else pending(seen)

    def _is_it(self, task: dict[str, Any]) -> bool:
        return task["state"] in self.states and task["id"] not in self._known


class TaskBlocked(TaskFailed):
    """A task of the service can be placed on no node, and the scheduler says why; finds it."""

    states = frozenset({"pending"})
    verb = "finds no node"

    def _is_it(self, task: dict[str, Any]) -> bool:
        return super()._is_it(task) and bool(task["error"])


class Updated:
    """The latest update of the service is complete: Swarm has replaced every task it had to.

    Never, once it is paused or rolled back. Before the first update there is nothing to wait for,
    and that is pending: it may be about to begin.
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
        except no_answer() as error:
            return pending(brief(error))
        status = service.get("UpdateStatus") or {}
        state = status.get("State", "not begun")
        seen = f"{state}: {status['Message']}" if status.get("Message") else state
        if state == self.wanted:
            return done(None, seen)
        return pending(seen) if state in self.on_the_way else fatal(seen)


class RolledBack(Updated):
    """The latest update of the service was taken back, by itself or by order.

    Never, once it is complete or paused.
    """

    wanted = "rollback_completed"
    on_the_way = Updated.on_the_way | {"rollback_started"}
    verb = "is rolled back"


class Ended(_OfTasks[list[dict[str, Any]]]):
    """So many tasks of the service have ended by themselves; finds them.

    Complete, failed or rejected: a task that was told to stop, by an update or a removal, has
    been shut down. The managers remember five tasks of a slot, at first.
    """

    states = frozenset({"complete", "failed", "rejected"})

    def __init__(self, swarm: Swarm, service: str, at_least: int) -> None:
        super().__init__(swarm, service)
        self._at_least = at_least
        self.name = f"{at_least} tasks of {service} have ended"

    def _judge(self, tasks: list[dict[str, Any]]) -> Done[list[dict[str, Any]]] | Pending | Fatal:
        found = [task for task in tasks if task["state"] in self.states]
        seen = ", ".join(sorted(task["state"] for task in tasks)) or "no tasks"
        return done(found, seen) if len(found) >= self._at_least else pending(seen)


class TasksAre(_OfTasks[list[dict[str, Any]]]):
    """So many of the tasks that Swarm wants to run are in a state; finds them."""

    def __init__(self, swarm: Swarm, service: str, state: str, count: int) -> None:
        super().__init__(swarm, service)
        self._state = state
        self._count = count
        self.name = f"{count} tasks of {service} are {state}"

    def _judge(self, tasks: list[dict[str, Any]]) -> Done[list[dict[str, Any]]] | Pending | Fatal:
        wanted = [task for task in tasks if task["desired"] == "running"]
        found = [task for task in wanted if task["state"] == self._state]
        seen = ", ".join(sorted(task["state"] for task in wanted)) or "no tasks"
        return done(found, seen) if len(found) == self._count else pending(seen)


class Settled(_OfTasks[None]):
    """No task of the service runs any more that Swarm wants to stop.

    Where the next is started first, an update is complete before the one before it has stopped.
    """

    def __init__(self, swarm: Swarm, service: str) -> None:
        super().__init__(swarm, service)
        self.name = f"what {service} no longer needs has stopped"

    def _judge(self, tasks: list[dict[str, Any]]) -> Done[None] | Pending | Fatal:
        stopping = [t for t in tasks if t["state"] == "running" and t["desired"] != "running"]
        seen = ", ".join(f"{t['id'][:8]} on {t['node']}" for t in stopping) or "none"
        return pending(seen) if stopping else done(None, seen)


class Replaced(_OfTasks[dict[str, Any]]):
    """Another task runs in the slot of the given one; finds it.

    A global service has no slots: each node is one.
    """

    def __init__(self, swarm: Swarm, service: str, task: dict[str, Any]) -> None:
        """`task`: its row, as `Converged` finds it."""
        super().__init__(swarm, service)
        self._task = task
        place = task["slot"] or f"on {task['node']}"
        self.name = f"task {place} of {service} is replaced"

    def _judge(self, tasks: list[dict[str, Any]]) -> Done[dict[str, Any]] | Pending | Fatal:
        place = "slot" if self._task["slot"] else "node_id"
        mine = [task for task in tasks if task[place] == self._task[place]]
        seen = ", ".join(sorted(task["state"] for task in mine)) or "no task in its slot"
        # Known by its id: the old one counts as running until its engine has reported.
        others = [task for task in mine if task["id"] != self._task["id"]]
        running = [task for task in others if task["state"] == task["desired"] == "running"]
        return done(running[0], seen) if running else pending(seen)


class Watched:
    """The service's tasks were watched for a while, or until they changed; finds the tasks."""

    node = None

    def __init__(self, swarm: Swarm, service: str, for_s: float) -> None:
        """`for_s`: seconds without a change."""
        self._swarm = swarm
        self._service = service
        self._for_s = for_s
        self._began: float | None = None
        self._tasks: list[tuple[str, str]] = []
        self.name = f"{service} was watched for {for_s:.0f} s"

    def __call__(self) -> Done[list[dict[str, Any]]] | Pending | Fatal:
        """Look once."""
        now = self._swarm.recorder.now()
        try:
            seen_from, _ = self._swarm.look()
            tasks = self._swarm.task_rows(seen_from.engine, self._service)
        except no_answer() as error:
            return pending(brief(error))
        there = sorted((t["id"], t["node"]) for t in tasks if t["desired"] == "running")
        if self._began is None:
            self._began, self._tasks = now, there
        if there != self._tasks:
            return done(tasks, f"they changed after {now - self._began:.1f} s")
        watched = now - self._began
        seen = f"unchanged for {watched:.1f} s"
        return done(tasks, seen) if watched >= self._for_s else pending(seen)


class NoTaskOf:
    """Nothing of a removed service's tasks is left in any node's engine."""

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
            except no_answer() as error:
                return pending(f"{node.name}: {brief(error)}")
            left += [f"one on {node.name}, {container['Status']}" for container in found]
        return pending("; ".join(left)) if left else done(None, "none")


class Succeeds:
    """A command on a node that changes nothing ends with exit code 0; finds what it printed."""

    def __init__(self, node: Node, argv: Sequence[str]) -> None:
        self._node = node
        self._argv = tuple(argv)
        self.node = node.name
        self.name = f"`{shlex.join(self._argv)}` succeeds"

    def __call__(self) -> Done[str] | Pending | Fatal:
        """Look once."""
        try:
            output = self._node.look(*self._argv, check=False)
        except ProviderError as error:
            return pending(str(error))
        said = " ".join((output.stderr.strip() or output.stdout.strip()).split())[-200:]
        if output.code == 0:
            return done(output.stdout, said)
        return pending(f"exit code {output.code}: {said}")


class MeshLists:
    """The routing mesh of every given node balances over so many replicas, no more and no fewer.

    A service that has converged is not yet one that every node balances: gossip
    follows later. And where a service was removed just before, its address may be
    given to the next one while nodes still take the old one down; a node that does
    both at once keeps an incomplete table for a minute or more (seen on the
    embedded cluster as `Failed add IP alias … file exists` in the engine's log).

    The table is IPVS's own, in the namespace where Swarm keeps the mesh of published ports.
    """

    node = None

    def __init__(self, nodes: Sequence[Node], replicas: int) -> None:
        self._nodes = nodes
        self._replicas = replicas
        self.name = f"the routing mesh of every node lists {replicas} replicas"

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Look once."""
        seen: list[str] = []
        for node in self._nodes:
            try:
                count = self._listed(node)
            except ProviderError as error:
                return pending(str(error))
            seen.append(f"{node.name} {count}")
            # The others need not be asked: to look costs a node more than it may seem.
            if count != self._replicas:
                return pending(", ".join(seen))
        return done(None, ", ".join(seen) or "no mesh here")

    @staticmethod
    def _listed(node: Node) -> int:
        table = node.look("nsenter", f"--net={INGRESS}", "cat", "/proc/net/ip_vs", check=False)
        # A heading and every real server have an arrow; before the first service there is none.
        return sum(
            "->" in line and "RemoteAddress" not in line for line in table.stdout.split("\n")
        )


class Writes:
    """The swarm accepts a change through one node, or refuses it; every try is recorded.

    The change is a config, created and removed again: the smallest thing that the
    managers must agree on.
    """

    def __init__(self, swarm: Swarm, via: Node, *, accepted: bool) -> None:
        self._swarm = swarm
        self._via = via
        self._accepted = accepted
        self.node = via.name
        self.name = "a change is accepted" if accepted else "a change is refused"

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Try one change."""
        recorder = self._swarm.recorder
        began = recorder.now()
        error = None
        try:
            api = self._via.engine.api
            api.create_config(f"swarmlab-{uuid.uuid4().hex[:12]}", b"a change", {TRIED: ""})
            # Also those that were agreed on after all, when nobody waited for it any more.
            for left in api.configs(filters={"label": TRIED}):
                api.remove_config(left["ID"])
        except no_answer() as problem:
            error = brief(problem)
        seconds = round(recorder.now() - began, 4)
        recorder.record("write", node=self.node, error=error, seconds=seconds)
        if (error is None) is self._accepted:
            return done(None, error or "accepted")
        return pending(error or "accepted")


class EngineIs:
    """One node's engine answers, or doesn't."""

    def __init__(self, node: Node, *, up: bool) -> None:
        self._node = node
        self._up = up
        self.node = node.name
        self.name = "the engine answers" if up else "the engine is gone"

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Look once."""
        try:
            self._node.engine.ping()
            seen, up = "it answers", True
        except no_answer() as error:
            self._node.forget_connections()
            seen, up = brief(error), False
        return done(None, seen) if up is self._up else pending(seen)


def _silent(swarm: Swarm, rows: Sequence[dict[str, Any]]) -> str:
    """Which of the reachable managers do not list the nodes themselves, and what they say."""
    said = []
    for row in rows:
        node = swarm.node_of(row)
        if node is not None and row["reachability"] == "reachable":
            try:
                node.engine.api.nodes()
            except no_answer() as error:
                said.append(f"{node.name} itself: {brief(error)}")
    return "; ".join(said)


def in_words(row: dict[str, Any]) -> str:
    """One row of the node list for a person: ``manager1 ready, leader``."""
    role = "leader" if row["leader"] else row["reachability"] or row["role"]
    return f"{row['name']} {row['state']}, {role}"
