"""Makes Swarm secrets whose values nothing that the run writes will show."""

from __future__ import annotations

import secrets

from pytest_swarmlab.cluster import Swarm
from pytest_swarmlab.errors import ProviderError

RANDOM_BYTES = 18
"""Of a value that nobody chose: 24 characters that need no quoting anywhere."""


class Secrets:
    """The `secret` fixture: creates secrets and removes them at the end."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._made: list[str] = []

    def create(
        self, name: str, value: str | bytes | None = None, *, title: str | None = None
    ) -> bytes:
        """`docker secret create NAME -` on the leader; returns the value.

        `value`: exactly what the secret holds, without a newline that `echo` would add; by
        default a new random text. `title`: as for `Node.run`. Raises CommandError with the
        engine's own words when it refuses.
        """
        if value is None:
            value = secrets.token_urlsafe(RANDOM_BYTES)
        raw = value.encode() if isinstance(value, str) else value
        self._swarm.recorder.redactor.hide(name, raw)
        leader = self._swarm.leader()
        leader.run("docker", "secret", "create", name, "-", stdin=raw, title=title)
        self._made.append(name)
        return raw

    def remove(self, name: str) -> None:
        """`docker secret rm`. Raises CommandError with the engine's words while it is in use."""
        self._swarm.leader().run("docker", "secret", "rm", name)
        self._made.remove(name)

    def remove_all(self) -> None:
        """Remove what was created and is still there.

        Every one is tried; raises ProviderError naming those that could not be removed.
        """
        made, self._made = self._made[::-1], []
        if not made:
            return
        removed = self._swarm.leader().run("docker", "secret", "rm", *made, check=False)
        if removed.code:
            raise ProviderError(f"secrets could not be removed: {removed.stderr.strip()}")
