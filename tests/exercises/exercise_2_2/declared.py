"""Exercise 2.2: its phases, and what their machines must be able to do."""

from __future__ import annotations

from pytest_swarmlab import Exercise
from pytest_swarmlab.model import Capability

from .. import identities

FAILURES = ("graceful-stop", "kill-9", "power-off")
DEMOTION = ("demotion",)

exercise = Exercise(
    "2.2",
    "Test de failover manager",
    module=f"{__package__}.verify",
    titles={
        "graceful-stop": "The leader's engine is stopped",
        "kill-9": "The leader's engine is killed (kill -9)",
        "power-off": "The leader's machine loses power",
        "demotion": "The leader is demoted, for comparison",
    },
    needs={"power-off": (Capability.CHANGE, Capability.POWER_OFF)},
)

identities.declare(exercise, FAILURES + DEMOTION)
