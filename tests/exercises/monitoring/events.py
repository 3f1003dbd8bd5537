"""The monitoring's own kinds of event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pytest_swarmlab.evidence.events import Seen

EXERCISE = "monitoring"

Labels = Annotated[Mapping[str, str], "name → value"]
Clock = Annotated[float, "seconds since 1970, by the clock of the receiver's node"]


# -- deployed --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Quiet(Seen, kind="quiet", of=EXERCISE):
    """No alert is pending or firing."""


@dataclass(frozen=True)
class Target:
    """A target that Prometheus scrapes."""

    job: str
    node: str
    up: bool


@dataclass(frozen=True)
class Targets(Seen, kind="targets", of=EXERCISE):
    """All targets that Prometheus scrapes."""

    targets: tuple[Target, ...]


@dataclass(frozen=True)
class Metrics(Seen, kind="metrics", of=EXERCISE):
    """All metrics that Prometheus knows."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Panel(Seen, kind="panel", of=EXERCISE):
    """How many series a query of a dashboard has, or why Prometheus refuses it."""

    dashboard: str
    panel: str
    expr: str
    series: int
    error: str | None


@dataclass(frozen=True)
class Rule:
    """An alert's rule as the running Prometheus has it."""

    for_: Annotated[float, "seconds"]
    health: str


@dataclass(frozen=True)
class Rules(Seen, kind="rules", of=EXERCISE):
    """The rules of all alerts."""

    rules: Annotated[Mapping[str, Rule], "by the alert's name"]


# -- provoked --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Deed(Seen):
    """A step that concerns an alert."""

    alert: str
    labels: Labels
    clock: Clock


class Provoked(Deed, kind="provoked", of=EXERCISE):
    """The next step causes the alert."""


class Mending(Deed, kind="mending", of=EXERCISE):
    """The next step begins to remove the alert's cause."""


class Mended(Deed, kind="mended", of=EXERCISE):
    """The alert's cause is removed."""


@dataclass(frozen=True)
class Heard(Seen, kind="heard", of=EXERCISE):
    """A notification, as the receiver wrote it down."""

    alert: str
    status: Annotated[str, "firing, resolved"]
    labels: Labels
    starts: Annotated[str, "ISO 8601"]
    ends: Annotated[str, "ISO 8601"]
    heard: Clock
    summary: str
    action: str

    @property
    def words(self) -> str:
        """The alert's name, and its node or service."""
        of = [self.labels[name] for name in ("node", "service") if name in self.labels]
        return f"{self.alert} ({', '.join(of)})" if of else self.alert


@dataclass(frozen=True)
class Active(Seen, kind="active", of=EXERCISE):
    """An alert that is pending or firing in Prometheus."""

    alert: str
    labels: Labels
    state: Annotated[str, "pending, firing"]
    since: Annotated[str, "ISO 8601"]
