"""Conditions of a service's tasks alone, as a manager lists them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from pytest_swarmlab.waiting.conditions.answers import brief, no_answer
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, done, pending

if TYPE_CHECKING:
    from pytest_swarmlab.evidence.events import TaskSeen
    from pytest_swarmlab.swarm.cluster import Swarm


T = TypeVar("T")


def _states(tasks: Iterable[TaskSeen], none: str = "no tasks") -> str:
    """Their states, for a person."""
    return ", ".join(sorted(task.state for task in tasks)) or none


class _OfTasks(ABC, Generic[T]):
    """A condition of a service's tasks alone, as a manager lists them."""

    node = None

    def __init__(self, swarm: Swarm, service: str) -> None:
        self._swarm = swarm
        self._service = service

    def __call__(self) -> Done[T] | Pending | Fatal:
        """Look once."""
        try:
            tasks = self._swarm.tasks(self._service)
        except no_answer() as error:
            return pending(brief(error))
        return self._judge(tasks)

    @abstractmethod
    def _judge(self, tasks: list[TaskSeen]) -> Done[T] | Pending | Fatal:
        """Judge what was listed."""


class TaskFailed(_OfTasks["TaskSeen"]):
    """A task of the service has failed or was rejected; finds it."""

    states = frozenset({"failed", "rejected"})
    verb = "has failed"

    def __init__(self, swarm: Swarm, service: str, known: Sequence[str] = ()) -> None:
        """`known`: ids of tasks that don't count, since they had failed before."""
        super().__init__(swarm, service)
        self._known = frozenset(known)
        self.name = f"a task of {service} {self.verb}"

    def _judge(self, tasks: list[TaskSeen]) -> Done[TaskSeen] | Pending | Fatal:
        found = [task for task in tasks if self._is_it(task)]
        seen = _states(tasks)
        return done(found[0], found[0].error or seen) if found else pending(seen)

    def _is_it(self, task: TaskSeen) -> bool:
        return task.state in self.states and task.id not in self._known


class TaskBlocked(TaskFailed):
    """A task of the service can be placed on no node, and the scheduler says why; finds it."""

    states = frozenset({"pending"})
    verb = "finds no node"

    def _is_it(self, task: TaskSeen) -> bool:
        return super()._is_it(task) and bool(task.error)


class Ended(_OfTasks["list[TaskSeen]"]):
    """A number of the service's tasks have ended by themselves; finds them.

    Their state is complete, failed or rejected; a task that an update or a removal stopped is in
    the state shutdown. By default the managers remember five tasks of a slot.
    """

    states = frozenset({"complete", "failed", "rejected"})

    def __init__(
        self, swarm: Swarm, service: str, at_least: int, known: Sequence[str] = ()
    ) -> None:
        """`known`: ids of tasks that don't count, since they had ended before."""
        super().__init__(swarm, service)
        self._at_least = at_least
        self._known = frozenset(known)
        self.name = f"{at_least} tasks of {service} have ended"

    def _judge(self, tasks: list[TaskSeen]) -> Done[list[TaskSeen]] | Pending | Fatal:
        found = [t for t in tasks if t.state in self.states and t.id not in self._known]
        seen = _states(tasks)
        return done(found, seen) if len(found) >= self._at_least else pending(seen)


class TasksAre(_OfTasks["list[TaskSeen]"]):
    """A number of the tasks that Swarm wants to run are in a state; finds them."""

    def __init__(self, swarm: Swarm, service: str, state: str, count: int) -> None:
        super().__init__(swarm, service)
        self._state = state
        self._count = count
        self.name = f"{count} tasks of {service} are {state}"

    def _judge(self, tasks: list[TaskSeen]) -> Done[list[TaskSeen]] | Pending | Fatal:
        wanted = [task for task in tasks if task.desired == "running"]
        found = [task for task in wanted if task.state == self._state]
        seen = _states(wanted)
        return done(found, seen) if len(found) == self._count else pending(seen)


class Settled(_OfTasks[None]):
    """No task of the service runs any more that Swarm wants to stop.

    With the update order start-first an update is complete before the old tasks have stopped.
    """

    def __init__(self, swarm: Swarm, service: str) -> None:
        super().__init__(swarm, service)
        self.name = f"what {service} no longer needs has stopped"

    def _judge(self, tasks: list[TaskSeen]) -> Done[None] | Pending | Fatal:
        stopping = [t for t in tasks if t.state == "running" and t.desired != "running"]
        seen = ", ".join(f"{t.id[:8]} on {t.node}" for t in stopping) or "none"
        return pending(seen) if stopping else done(None, seen)


class Renewed(_OfTasks["list[TaskSeen]"]):
    """Every task of the service is another one than before, and runs; finds them.

    An update that replaces one after the other has done so then, and goes on watching the last.
    """

    def __init__(self, swarm: Swarm, service: str, before: Sequence[TaskSeen]) -> None:
        """`before`: the tasks of before, as `Converged` finds them."""
        super().__init__(swarm, service)
        self._before = frozenset(task.id for task in before)
        self.name = f"every task of {service} is another one"

    def _judge(self, tasks: list[TaskSeen]) -> Done[list[TaskSeen]] | Pending | Fatal:
        wanted = [task for task in tasks if task.desired == "running"]
        new = [task for task in wanted if task.running and task.id not in self._before]
        seen = f"{len(new)} of {len(self._before)} are"
        return done(new, seen) if len(new) == len(wanted) == len(self._before) else pending(seen)


class Replaced(_OfTasks["TaskSeen"]):
    """Another task runs in the slot of the given one; finds it.

    A global service has no slots: each node is one.
    """

    def __init__(self, swarm: Swarm, service: str, task: TaskSeen) -> None:
        """`task`: its row, as `Converged` finds it."""
        super().__init__(swarm, service)
        self._task = task
        place = task.slot or f"on {task.node}"
        self.name = f"task {place} of {service} is replaced"

    def _judge(self, tasks: list[TaskSeen]) -> Done[TaskSeen] | Pending | Fatal:
        old = self._task
        mine = [
            task
            for task in tasks
            if (task.slot == old.slot if old.slot else task.node_id == old.node_id)
        ]
        seen = _states(mine, "no task in its slot")
        # Known by its id: the old one counts as running until its engine has reported.
        others = [task for task in mine if task.id != old.id]
        running = [task for task in others if task.running]
        return done(running[0], seen) if running else pending(seen)
