"""Secrets and configs: created through the leader, and removed at the test's end."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from pytest_swarmlab.errors import CommandError, ProviderError
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.guard import Undoes
from pytest_swarmlab.swarm.made import Made


class SwarmObjects:
    """Swarm objects of one kind that a test creates."""

    kind: ClassVar[str]
    """The kind's name in the client: `docker KIND create`."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._made = Made(self.kind, Undoes.USED)

    def remove(self, name: str, *, title: str | None = None) -> None:
        """`docker KIND rm`. Raises CommandError with the engine's words while it is in use."""
        self._swarm.leader().run("docker", self.kind, "rm", name, title=title)
        self._made.forget([name])

    def remove_all(self) -> None:
        """Remove what was created and is still there.

        Every one is tried; raises ProviderError naming those that could not be removed. Another
        call tries these again.
        """
        if names := self._made.names():
            try:
                self._made.remove(self._swarm.leader(), names)
            except CommandError as error:
                said = error.stderr.strip()
                raise ProviderError(f"{self.kind}s could not be removed: {said}") from error

    def _create(self, name: str, content: bytes, *words: str, title: str | None) -> None:
        create = ("docker", self.kind, "create", *words, name, "-")
        self.make(name, lambda leader: leader.run(*create, stdin=content, title=title))

    def make(self, name: str, create: Callable[[Node], object]) -> None:
        """Have `create` make one of that name on the leader, and remove it at the end.

        Also where `create` is interrupted. A timer does so if this process dies, unless there is
        one already: that is somebody else's, and why `create` raises CommandError.
        """
        leader = self._swarm.leader()
        with self._made.making(leader, name):
            create(leader)
