"""What exercise 2.5 notes: its own kinds of event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pytest_swarmlab.evidence.events import Seen

EXERCISE = "2.5"


@dataclass(frozen=True)
class Installed(Seen, kind="installed", of=EXERCISE):
    """WordPress was installed over HTTP."""

    status: int | None
    success: bool
    said: Annotated[str, "the answer's words"]


@dataclass(frozen=True)
class NotInstalled(Seen, kind="not-installed", of=EXERCISE):
    """A drill could not begin, since the site could not be installed."""

    why: str


@dataclass(frozen=True)
class Environment(Seen, kind="environment", of=EXERCISE):
    """What a service's definition says."""

    service: str
    env: tuple[str, ...]
    shows: Annotated[tuple[str, ...], "the secrets whose values stand in it"]


@dataclass(frozen=True)
class Begun(Seen, kind="begun", of=EXERCISE):
    """The change begins from which the phase is measured; of a fault its own events tell."""

    what: str


@dataclass(frozen=True)
class Labelled(Seen, kind="labelled", of=EXERCISE):
    """The nodes with the label storage=nfs."""

    nodes: tuple[str, ...]


@dataclass(frozen=True)
class ReadBack(Seen, kind="read", of=EXERCISE):
    """What a visitor reads through a node of what was written in the beginning."""

    node: str
    what: Annotated[str, "post, picture, login"]
    expected: str
    found: str | None
    error: str | None


@dataclass(frozen=True)
class Try:
    """One fresh connection with the cookies of a login."""

    node: str
    found: Annotated[str | None, "known, a stranger; none without an answer"]
    error: str | None = None


@dataclass(frozen=True)
class Replayed(Seen, kind="replayed", of=EXERCISE):
    """A login was tried on fresh connections; what the replicas have in their logs follows."""

    salts: Annotated[str, "shared, own"]
    tries: tuple[Try, ...]


@dataclass(frozen=True)
class Replica:
    """A replica's own log."""

    task: str
    node: str
    requests: Annotated[int, "how many of the marked ones"]


@dataclass(frozen=True)
class Served(Seen, kind="served", of=EXERCISE):
    """Which replicas answered the marked requests."""

    replicas: tuple[Replica, ...]

    @property
    def by_task(self) -> dict[str, int]:
        """How many of the marked requests each replica's log has: task → number."""
        return {replica.task: replica.requests for replica in self.replicas}


@dataclass(frozen=True)
class Refused(Seen, kind="refused", of=EXERCISE):
    """A stack file that can't work was deployed."""

    file: str
    by: Annotated[str, "docker stack deploy, or a task and its state"]
    said: str
    code: Annotated[int | None, "of docker stack deploy"] = None


@dataclass(frozen=True)
class Left(Seen, kind="left", of=EXERCISE):
    """What there is of such a stack on any node, after it was removed."""

    file: str
    services: int | None
    networks: int | None
    containers: int | None
    nodes: Annotated[tuple[str, ...], "whose engines were asked"]
