"""What exercise 2.10 notes while the database's disk is full: kinds of event of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pytest_swarmlab.evidence.events import Seen

from .events import EXERCISE


@dataclass(frozen=True)
class Room(Seen, kind="room", of=EXERCISE):
    """How much room there is on the database's disk, by the NFS server."""

    when: Annotated[str, "before it was filled, full, freed"]
    free_kib: int


@dataclass(frozen=True)
class NoRoom(Seen, kind="no-room", of=EXERCISE):
    """What the database's log says of it: how often that no space is left."""

    before: Annotated[int, "before it was filled"]
    after: Annotated[int, "when orders were refused"]
    said: Annotated[str, "the first of these lines"]


@dataclass(frozen=True)
class AskedFull(Seen, kind="asked-full", of=EXERCISE):
    """How an order was answered while the disk was full."""

    turn: Annotated[int, "how often all nodes have been asked, this time included"]
    node: str
    key: str
    status: Annotated[int | None, "null: no answer"]
    error: Annotated[str, "the code that the shop gave, or why there is no answer"]
    clear: Annotated[bool, "whether it came with a code and a sentence"]


@dataclass(frozen=True)
class AskedAgain(Seen, kind="asked-again", of=EXERCISE):
    """The same orders were sent again with the same keys, and acknowledged."""

    rows: Annotated[Mapping[str, int], "key → orders with it"]
