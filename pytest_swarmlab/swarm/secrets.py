"""Creates Swarm secrets. No output of the run shows their values."""

from __future__ import annotations

import secrets

from pytest_swarmlab.evidence.events import Notice
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.evidence.redactor import SHORTEST
from pytest_swarmlab.swarm.objects import SwarmObjects

RANDOM_BYTES = 18
"""Bytes of a generated value: 24 characters of Base64, which need no quoting."""


def hide(recorder: Recorder, name: str, value: bytes) -> None:
    """Hide a secret's value from now on, or report that it is too short to be hidden."""
    if not recorder.redactor.hide(name, value):
        recorder.write(
            Notice(
                f"the secret {name} has fewer than {SHORTEST} characters and can't be hidden:"
                " give it a longer value"
            )
        )


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
        hide(self._swarm.recorder, name, raw)
        self._create(name, raw, title=title)
        return raw
