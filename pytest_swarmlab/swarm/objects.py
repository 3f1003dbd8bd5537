"""Secrets and configs: created through the leader, and removed at the test's end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.guard import Guard, Undoes, is_theirs


class SwarmObjects:
    """Swarm objects of one kind that a test creates."""

    kind: ClassVar[str]
    """The kind's name in the client: `docker KIND create`."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._made: list[str] = []
        self._guards: dict[str, Guard] = {}

    def remove(self, name: str, *, title: str | None = None) -> None:
        """`docker KIND rm`. Raises CommandError with the engine's words while it is in use."""
        self._swarm.leader().run("docker", self.kind, "rm", name, title=title)
        self._forget([name])

    def remove_all(self) -> None:
        """Remove what was created and is still there.

        Every one is tried; raises ProviderError naming those that could not be removed.
        """
        made, self._made = self._made[::-1], []
        if not made:
            return
        removed = self._swarm.leader().run("docker", self.kind, "rm", *made, check=False)
        if removed.code:
            raise ProviderError(f"{self.kind}s could not be removed: {removed.stderr.strip()}")
        self._forget(made)

    def _create(self, name: str, content: bytes, *words: str, title: str | None) -> None:
        create = ("docker", self.kind, "create", *words, name, "-")
        self.make(name, lambda leader: leader.run(*create, stdin=content, title=title))

    def make(self, name: str, create: Callable[[Node], object]) -> None:
        """Have `create` make one of that name on the leader, and remove it at the end.

        A timer does so if this process dies, unless there is one already: that is somebody else's,
        and why `create` raises CommandError.
        """
        leader = self._swarm.leader()
        guard = Guard(())
        if not is_theirs(leader, self.kind, name):
            remove = ("docker", self.kind, "rm", name)
            guard = Guard.arm([(leader, [remove])], self.kind, Undoes.USED)
        with guard.unless_refused():
            create(leader)
        self._made.append(name)
        self._guards[name] = guard

    def _forget(self, names: Iterable[str]) -> None:
        """Take the timers of what is gone away."""
        names = list(names)
        self._made = [made for made in self._made if made not in names]
        for name in names:
            if guard := self._guards.pop(name, None):
                guard.disarm()
