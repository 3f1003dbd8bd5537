"""Whether the managers agree on a change: without a quorum they can't."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from pytest_swarmlab.waiting.conditions.answers import brief, no_answer
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, done, pending

if TYPE_CHECKING:
    from pytest_swarmlab.swarm.cluster import Node, Swarm

TRIED = "org.swarmlab.tried"
"""On every config that is only made to see whether a change is accepted."""


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
