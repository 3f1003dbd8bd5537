"""Secrets and configs: created through the leader, and removed at the test's end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.guard import Guard, Undoes


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
        leader = self._swarm.leader()
        remove = ("docker", self.kind, "rm", name)
        guard = Guard.arm([(leader, [remove])], self.kind, Undoes.USED)
        try:
            leader.run("docker", self.kind, "create", *words, name, "-", stdin=content, title=title)
        except BaseException:
            guard.disarm()  # Somebody else's of that name may be why.
            raise
        self._made.append(name)
        self._guards[name] = guard

    def _forget(self, names: Iterable[str]) -> None:
        """Take the timers of what is gone away."""
        names = list(names)
        self._made = [made for made in self._made if made not in names]
        for name in names:
            if guard := self._guards.pop(name, None):
                guard.disarm()
