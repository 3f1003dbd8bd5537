"""Whether the managers agree on a change: without a quorum they can't."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, done, pending

if TYPE_CHECKING:
    from pytest_swarmlab.swarm.cluster import Node, Swarm


class Writes:
    """The swarm accepts a change through one node, or refuses it; every try is recorded."""

    def __init__(self, swarm: Swarm, via: Node, *, accepted: bool) -> None:
        self._swarm = swarm
        self._via = via
        self._accepted = accepted
        self.node = via.name
        self.name = "a change is accepted" if accepted else "a change is refused"

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Try one change."""
        error = self._swarm.try_change(self._via)
        if (error is None) is self._accepted:
            return done(None, error or "accepted")
        return pending(error or "accepted")
