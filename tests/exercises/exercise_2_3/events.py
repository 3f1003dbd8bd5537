"""Exercise 2.3's own kinds of event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pytest_swarmlab.evidence.events import Seen

EXERCISE = "2.3"


@dataclass(frozen=True)
class LiteralEnded(Seen, kind="container", of=EXERCISE):
    """A task of the lab's literal command has failed."""

    said: Annotated[str, "its log"]
    exit_code: int | None
    error: str


@dataclass(frozen=True)
class Databases(Seen, kind="databases", of=EXERCISE):
    """The databases that the service's container lists."""

    step: Annotated[str, "written, moved, back"]
    node: str
    container: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Volume(Seen, kind="volume", of=EXERCISE):
    """The volume on the first node, after the service has moved."""

    node: str
    listed: Annotated[str, "what `docker volume ls` prints"]
    holds_data: Annotated[bool, "whether a database's files are in it"]
