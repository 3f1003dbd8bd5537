"""The stages of one healing in a record: found unhealthy, ended, replaced by a healthy task.

Pure functions of the record; times are seconds since the run began.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_swarmlab.evidence.events import EngineTold, each, first
from pytest_swarmlab.evidence.record import Record

from .events import Broken, Checks, Definition

SLACK_S = 1.5
"""For delays that no definition tells: events on their way, and a busy machine."""

GOSSIP_S = 2.0
"""An engine that stops a task takes it out of the mesh first and leaves the others that long to
hear of it (swarmkit, `agent/exec`: defaultGossipConvergeDelay)."""

UP_S = 8.0
"""Longest until the managers know of the end, a node is chosen and its engine has made and started
a container, besides the restart delay; on embedded nodes it took 3 to 5 s."""


@dataclass(frozen=True)
class Healing:
    """One repetition, as far as the record shows it."""

    number: int
    slot: int | None
    container: str
    began: float
    broken: float
    unhealthy: float | None
    died: float | None
    exit_code: str | None
    started: float | None
    healthy: float | None

    @property
    def detection_s(self) -> float | None:
        """From the fault until the engine calls the container unhealthy."""
        return _between(self.broken, self.unhealthy)

    @property
    def stop_s(self) -> float | None:
        """From then until it has ended."""
        return _between(self.unhealthy, self.died)

    @property
    def restart_s(self) -> float | None:
        """From its end until its successor's container is started."""
        return _between(self.died, self.started)

    @property
    def start_s(self) -> float | None:
        """From there until that one is healthy."""
        return _between(self.started, self.healthy)

    @property
    def replacement_s(self) -> float | None:
        """From unhealthy until the successor is healthy."""
        return _between(self.unhealthy, self.healthy)


def healings(record: Record) -> list[Healing]:
    """Every repetition in its order."""
    return [_healing(record, broken) for broken in each(record, Broken)]


def _healing(record: Record, broken: Broken) -> Healing:
    engine = [e for e in each(record, EngineTold) if e.t >= broken.began]
    mine = [e for e in engine if e.container == broken.container]
    unhealthy = _first(mine, "health_status: unhealthy")
    died = _first(mine, "die")
    later = [
        e
        for e in engine
        if e.slot == broken.slot and e.container != broken.container and died and e.t >= died.t
    ]
    started = _first(later, "start")
    successor = started.container if started else None
    healthy = _first([e for e in later if e.container == successor], "health_status: healthy")
    return Healing(
        broken.number,
        broken.slot,
        broken.container,
        broken.began,
        broken.t,
        unhealthy.t if unhealthy else None,
        died.t if died else None,
        died.exit_code if died else None,
        started.t if started else None,
        healthy.t if healthy else None,
    )


def unhealthy_containers(record: Record) -> set[str]:
    """Every container that an engine called unhealthy."""
    return {e.container for e in _whats(record, "health_status: unhealthy")}


def ends(record: Record, service: str) -> int:
    """The number of a service's ended containers."""
    return sum(e.service == service for e in _whats(record, "die"))


def check_s(record: Record) -> float | None:
    """The longest that one of the broken tasks' checks took, as its engine noted it."""
    noted = [s for checks in each(record, Checks) for s in checks.seconds]
    return max(noted, default=None)


def predicted_detection(record: Record) -> tuple[float, float] | None:
    """Seconds from a fault to unhealthy: the least and the most that the definition allows.

    An engine waits for the interval after each check. A fault that comes just before a check costs
    one interval less; one that comes while a check has its answer already, one check more.
    """
    defined = first(record, Definition)
    if defined is None:
        return None
    interval, retries = defined.interval_s, defined.retries
    # The last checks of each: as many as failed, and the one before.
    spent = [sum(checks.seconds[-retries - 1 :]) for checks in each(record, Checks)]
    if not _checked(record):
        return None
    return (retries - 1) * interval, retries * interval + max(spent) + SLACK_S


def predicted_replacement(record: Record) -> tuple[float, float] | None:
    """Seconds from unhealthy until another task is healthy, least and most.

    The engine leaves the mesh `GOSSIP_S` to let go of the task and stops it; then the restart
    delay runs; then the new one is healthy after its first check, at the earliest. An older engine
    may not wait for the mesh: the least does without.
    """
    defined, check = first(record, Definition), check_s(record)
    if defined is None or check is None or not _checked(record):
        return None
    first_check = defined.start_interval_s or defined.interval_s
    least = defined.restart_delay_s + first_check
    return least, least + GOSSIP_S + check + UP_S + SLACK_S


def _checked(record: Record) -> bool:
    """Whether it was noted of each broken container how long its checks took."""
    broken = {e.container for e in each(record, Broken)}
    return bool(broken) and broken <= {e.container for e in each(record, Checks)}


def _whats(record: Record, what: str) -> Iterator[EngineTold]:
    return (e for e in each(record, EngineTold) if e.what == what)


def _first(told: list[EngineTold], what: str) -> EngineTold | None:
    return next((e for e in told if e.what == what), None)


def _between(began: float | None, ended: float | None) -> float | None:
    return None if began is None or ended is None else round(ended - began, 2)
