"""What the drills of the monitoring note: their own kinds of event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pytest_swarmlab.evidence.events import Seen

EXERCISE = "monitoring"

Labels = Annotated[Mapping[str, str], "name → value"]
Clock = Annotated[float, "seconds since 1970, by the clock of the node that hears"]


# -- deployed --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Quiet(Seen, kind="quiet", of=EXERCISE):
    """No alert is pending or firing."""


@dataclass(frozen=True)
class Target:
    """What Prometheus asks."""

    job: str
    node: str
    up: bool


@dataclass(frozen=True)
class Targets(Seen, kind="targets", of=EXERCISE):
    """All that Prometheus asks."""

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
    """Something that is done, and of which an alert tells."""

    alert: str
    labels: Labels
    clock: Clock


class Provoked(Deed, kind="provoked", of=EXERCISE):
    """Something is done next that the alert is to tell of."""


class Mending(Deed, kind="mending", of=EXERCISE):
    """It is mended next."""


class Mended(Deed, kind="mended", of=EXERCISE):
    """It is mended."""


@dataclass(frozen=True)
class Heard(Seen, kind="heard", of=EXERCISE):
    """What the receiver of alerts wrote down."""

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
        """The alert, and of what it is."""
        of = [self.labels[name] for name in ("node", "service") if name in self.labels]
        return f"{self.alert} ({', '.join(of)})" if of else self.alert


@dataclass(frozen=True)
class Active(Seen, kind="active", of=EXERCISE):
    """An alert that Prometheus has now."""

    alert: str
    labels: Labels
    state: Annotated[str, "pending, firing"]
    since: Annotated[str, "ISO 8601"]
