"""Exercise 2.9's own kinds of event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pytest_swarmlab.evidence.events import Seen

EXERCISE = "2.9"


@dataclass(frozen=True)
class Served(Seen, kind="served", of=EXERCISE):
    """The requests that each task has answered so far, by the containers' logs."""

    when: Annotated[str, "how many replicas are healthy: none, one, both"]
    served: Annotated[Mapping[str, int], "task's id → requests"]
    states: Annotated[Mapping[str, str], "task's id → its state"]


@dataclass(frozen=True)
class Broken(Seen, kind="broken", of=EXERCISE):
    """A task was made unhealthy."""

    number: Annotated[int, "number of the repetition"]
    began: Annotated[float, "start of the fault, seconds since the run began"]
    id: str
    slot: int | None
    node: str
    container: str


@dataclass(frozen=True)
class Checks(Seen, kind="checks", of=EXERCISE):
    """The last health checks of an ended container, by its engine."""

    container: str
    seconds: tuple[float, ...]
    exit_codes: tuple[int, ...]


@dataclass(frozen=True)
class Definition(Seen, kind="definition", of=EXERCISE):
    """A service's health check and restart policy in its definition."""

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
    """`docker service update` has ended."""

    code: int | None
    said: str


@dataclass(frozen=True)
class RolledBack(Seen, kind="rolled-back", of=EXERCISE):
    """The update's state at its end, as the managers tell it."""

    state: str
    message: str


@dataclass(frozen=True)
class StartPeriod(Seen, kind="start-period", of=EXERCISE):
    """A service and its start period; a list of its tasks follows."""

    name: Annotated[str, "none, short, long"]
    service: str


@dataclass(frozen=True)
class Ending(Seen, kind="ending", of=EXERCISE):
    """The end of an unhealthy task."""

    program: str
    state: str
    exit_code: int | None
    error: str
    checks: Annotated[tuple[int, ...] | None, "exit codes of its last health checks"]


@dataclass(frozen=True)
class Watched(Seen, kind="watched", of=EXERCISE):
    """A service's tasks did not change for a time; a list of them follows."""

    seconds: float


@dataclass(frozen=True)
class Frozen(Seen, kind="frozen", of=EXERCISE):
    """The database was made to hang."""

    task: str
    container: str


@dataclass(frozen=True)
class Rows(Seen, kind="rows", of=EXERCISE):
    """The row that the replaced database reads."""

    task: str
    found: tuple[str, ...]


@dataclass(frozen=True)
class OutageMoment(Seen, kind="outage", of=EXERCISE):
    """A moment of Redis's outage."""

    what: Annotated[str, "began, all down, over, all back"]


@dataclass(frozen=True)
class Readiness(Seen, kind="readiness", of=EXERCISE):
    """The API's readiness page while Redis is away."""

    status: str
    checks: Annotated[Mapping[str, str], "dependency → ok, or an error"]
