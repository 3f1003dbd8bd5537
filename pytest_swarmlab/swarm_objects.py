"""Secrets and configs alike: made through the leader by a test, and removed at its end."""

from __future__ import annotations

from typing import ClassVar

from pytest_swarmlab.cluster import Swarm
from pytest_swarmlab.errors import ProviderError


class SwarmObjects:
    """Swarm objects of one kind that a test creates."""

    kind: ClassVar[str]
    """As the client calls it: `docker KIND create`."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._made: list[str] = []

    def remove(self, name: str, *, title: str | None = None) -> None:
        """`docker KIND rm`. Raises CommandError with the engine's words while it is in use."""
        self._swarm.leader().run("docker", self.kind, "rm", name, title=title)
        self._made.remove(name)

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

    def _create(self, name: str, content: bytes, *words: str, title: str | None) -> None:
        self._swarm.leader().run(
            "docker", self.kind, "create", *words, name, "-", stdin=content, title=title
        )
        self._made.append(name)
