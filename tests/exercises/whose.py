"""Whose services a drill was about: the lab's own, or those that play their roles elsewhere.

A drill on somebody's work records them; without such a record they are the lab's.
"""

from pytest_swarmlab.evidence.events import Plays, last
from pytest_swarmlab.evidence.record import Record


def named(record: Record, role: str, labs: str) -> str:
    """The service that plays the role; `labs`: the lab's own."""
    seen = last(record, Plays, role=role)
    return seen.service if seen else labs


def replicas(record: Record, role: str, labs: int) -> int:
    """How many replicas it has."""
    seen = last(record, Plays, role=role)
    return seen.replicas if seen else labs


def is_somebodys(record: Record, role: str) -> bool:
    """Whether somebody's own service plays it."""
    return last(record, Plays, role=role) is not None
