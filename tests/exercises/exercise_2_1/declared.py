"""Exercise 2.1: its phases, and what their machines must be able to do."""

from __future__ import annotations

from pytest_swarmlab import Exercise
from pytest_swarmlab.model import Capability

from .. import identities

exercise = Exercise(
    "2.1",
    "Promotion de workers en managers",
    module=f"{__package__}.verify",
    titles={
        "one-manager": "One manager",
        "two-managers": "Two managers",
        "three-managers": "Three managers",
        "target-picture": "The lab's target picture",
        "five-managers": "Five managers",
        "as-found": "The cluster at the start",
    },
    needs={"five-managers": (Capability.CHANGE, Capability.POWER_OFF), "as-found": ()},
)

MANAGERS = {
    "one-manager": 1,
    "two-managers": 2,
    "three-managers": 3,
    "target-picture": 3,
    "five-managers": 5,
    "as-found": 3,
}
"""Phase → managers."""

CHANGED = tuple(name for name in MANAGERS if name != "as-found")
"""Phases in which the leader may change."""

identities.declare(exercise, CHANGED)

QUORUM_LOST = ("one-manager", "two-managers", "three-managers")
