"""Exercise 2.5's own kinds of event."""

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
    said: Annotated[str, "text of the answer"]


@dataclass(frozen=True)
class NotInstalled(Seen, kind="not-installed", of=EXERCISE):
    """A drill could not begin, since the site could not be installed."""

    why: str


@dataclass(frozen=True)
class Gone(Seen, kind="gone", of=EXERCISE):
    """A guest of somebody's own site was removed, with all that he wrote there."""

    user: str
    left: Annotated[int | None, "rows and tables of his that are left"]


@dataclass(frozen=True)
class Environment(Seen, kind="environment", of=EXERCISE):
    """A service's environment in its definition."""

    service: str
    env: tuple[str, ...]
    shows: Annotated[tuple[str, ...], "secrets whose values it has"]


@dataclass(frozen=True)
class Begun(Seen, kind="begun", of=EXERCISE):
    """The change begins from which the phase is measured; a fault has events of its own."""

    what: str


@dataclass(frozen=True)
class Labelled(Seen, kind="labelled", of=EXERCISE):
    """The nodes with the label storage=nfs."""

    nodes: tuple[str, ...]


@dataclass(frozen=True)
class ReadBack(Seen, kind="read", of=EXERCISE):
    """An early post, picture or login, read through a node."""

    node: str
    what: Annotated[str, "post, picture, login"]
    expected: str
    found: str | None
    error: str | None


@dataclass(frozen=True)
class Try:
    """One fresh connection with the cookies of a login."""

    node: str
    found: Annotated[str | None, "known, a stranger; null: no answer"]
    error: str | None = None


@dataclass(frozen=True)
class Replayed(Seen, kind="replayed", of=EXERCISE):
    """A login was tried on fresh connections; the replicas' logs follow."""

    salts: Annotated[str, "shared, own"]
    tries: tuple[Try, ...]


@dataclass(frozen=True)
class Replica:
    """A replica's own log."""

    task: str
    node: str
    requests: Annotated[int, "number of marked requests"]


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
    code: Annotated[int | None, "exit code of docker stack deploy"] = None


@dataclass(frozen=True)
class Left(Seen, kind="left", of=EXERCISE):
    """What is left of such a stack on all nodes after its removal."""

    file: str
    services: int | None
    networks: int | None
    containers: int | None
    nodes: Annotated[tuple[str, ...], "whose engines were asked"]
