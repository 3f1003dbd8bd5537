"""The findings' own kinds of event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pytest_swarmlab.evidence.events import Seen

FINDINGS = "findings"


@dataclass(frozen=True)
class Unsettled(Seen, kind="unsettled", of=FINDINGS):
    """The swarm does not settle after a drill; the next repetition gets a new cluster."""

    why: str
    lost: Annotated[bool, "whether it can't settle any more: a node has lost its identity"]


@dataclass(frozen=True)
class NotSeen(Seen, kind="unseen", of=FINDINGS):
    """Nobody saw what became of the nodes' identities: the repetition is no trial."""

    why: str


@dataclass(frozen=True)
class Joined(Seen, kind="joined", of=FINDINGS):
    """A machine has joined a network, and the network's first container runs there."""

    node: str
    service: str
    seconds: Annotated[float, "from the network's creation there to the container's start, s"]
