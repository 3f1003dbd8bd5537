"""What exercise 2.9 notes: its own kinds of event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pytest_swarmlab.evidence.events import Seen

EXERCISE = "2.9"


@dataclass(frozen=True)
class Served(Seen, kind="served", of=EXERCISE):
    """Who had answered the requests so far, as the containers' logs say."""

    when: Annotated[str, "how many replicas are healthy: none, one, both"]
    served: Annotated[Mapping[str, int], "task's id → requests"]
    states: Annotated[Mapping[str, str], "task's id → its state"]


@dataclass(frozen=True)
class Broken(Seen, kind="broken", of=EXERCISE):
    """A task was made ill."""

    number: Annotated[int, "which repetition"]
    began: Annotated[float, "seconds since the run began, when that was begun"]
    id: str
    slot: int | None
    node: str
    container: str


@dataclass(frozen=True)
class Checks(Seen, kind="checks", of=EXERCISE):
    """How the last health checks of an ended container went, as its engine noted them."""

    container: str
    seconds: tuple[float, ...]
    exit_codes: tuple[int, ...]


@dataclass(frozen=True)
class Definition(Seen, kind="definition", of=EXERCISE):
    """What a service's definition says of health checks and restarts."""

    when: Annotated[str, "before, after"]
    service: str
    image: str
    test: tuple[str, ...] | None
    interval_s: float
    timeout_s: float
    retries: int
    start_interval_s: float
    restart_condition: str | None
    restart_delay_s: float
    grace_s: float


@dataclass(frozen=True)
class Updated(Seen, kind="update", of=EXERCISE):
    """The client that updates the service has come to its end."""

    code: int | None
    said: str


@dataclass(frozen=True)
class RolledBack(Seen, kind="rolled-back", of=EXERCISE):
    """What the managers say of the update at its end."""

    state: str
    message: str


@dataclass(frozen=True)
class StartPeriod(Seen, kind="start-period", of=EXERCISE):
    """Which service has which start period; a list of its tasks follows."""

    name: Annotated[str, "none, short, long"]
    service: str


@dataclass(frozen=True)
class Ending(Seen, kind="ending", of=EXERCISE):
    """How a task ended that had become unhealthy."""

    program: str
    state: str
    exit_code: int | None
    error: str
    checks: Annotated[tuple[int, ...] | None, "exit codes of its last health checks"]


@dataclass(frozen=True)
class Watched(Seen, kind="watched", of=EXERCISE):
    """A service was watched, and nothing moved; a list of its tasks follows."""

    seconds: float


@dataclass(frozen=True)
class Frozen(Seen, kind="frozen", of=EXERCISE):
    """The database was made to hang."""

    task: str
    container: str


@dataclass(frozen=True)
class Rows(Seen, kind="rows", of=EXERCISE):
    """What the next database reads."""

    task: str
    found: tuple[str, ...]


@dataclass(frozen=True)
class OutageMoment(Seen, kind="outage", of=EXERCISE):
    """A moment of Redis's outage."""

    what: Annotated[str, "began, all down, over, all back"]


@dataclass(frozen=True)
class Readiness(Seen, kind="readiness", of=EXERCISE):
    """What the API says of its readiness while Redis is away."""

    status: str
    checks: Annotated[Mapping[str, str], "what it needs → ok, or an error"]
