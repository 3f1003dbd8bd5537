"""Makes Swarm secrets whose values nothing that the run writes will show."""

from __future__ import annotations

import secrets

from pytest_swarmlab.swarm_objects import SwarmObjects

RANDOM_BYTES = 18
"""Of a value that nobody chose: 24 characters that need no quoting anywhere."""


class Secrets(SwarmObjects):
    """The `secret` fixture: creates secrets and removes them at the end."""

    kind = "secret"

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
        self._create(name, raw, title=title)
        return raw
