"""Whose services a drill was about: the lab's own, or those that play their roles elsewhere.

A drill on somebody's work notes it; where nothing is noted they are the lab's.
"""

from pytest_swarmlab.evidence.record import Record

PLAYS = "plays"
"""The event: `role`, the `service` that plays it, and its `replicas`."""


def named(record: Record, role: str, labs: str) -> str:
    """The service that plays the role; `labs`: the lab's own."""
    seen = record.last(PLAYS, role=role)
    return str(seen.data["service"]) if seen else labs


def replicas(record: Record, role: str, labs: int) -> int:
    """How many replicas it has."""
    seen = record.last(PLAYS, role=role)
    return int(seen.data["replicas"]) if seen else labs


def is_somebodys(record: Record, role: str) -> bool:
    """Whether somebody's own service plays it."""
    return record.last(PLAYS, role=role) is not None
