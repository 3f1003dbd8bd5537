"""Exercise 2.10's own kinds of event for the full disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pytest_swarmlab.evidence.events import Seen

from .events import EXERCISE


@dataclass(frozen=True)
class Room(Seen, kind="room", of=EXERCISE):
    """Free space on the database's disk, as the NFS server counts it."""

    when: Annotated[str, "before it was filled, full, freed"]
    free_kib: int


@dataclass(frozen=True)
class NoRoom(Seen, kind="no-room", of=EXERCISE):
    """How many lines of the database's log say that no space is left."""

    before: Annotated[int, "before the disk was filled"]
    after: Annotated[int, "after orders were refused"]
    said: Annotated[str, "the first of these lines"]


@dataclass(frozen=True)
class AskedFull(Seen, kind="asked-full", of=EXERCISE):
    """The answer to an order while the disk was full."""

    turn: Annotated[int, "how often all nodes were asked, including this time"]
    node: str
    key: str
    status: Annotated[int | None, "null: no answer"]
    error: Annotated[str, "the shop's error code, or why there is no answer"]
    clear: Annotated[bool, "whether the answer has a code and a sentence"]


@dataclass(frozen=True)
class AskedAgain(Seen, kind="asked-again", of=EXERCISE):
    """The same orders, sent again with the same keys and acknowledged."""

    rows: Annotated[Mapping[str, int], "key → stored orders"]
