"""Exercise 2.8: its phases, and what their machines must be able to do."""

from __future__ import annotations

from pytest_swarmlab import Exercise
from pytest_swarmlab.model import Capability

from .. import identities

BREAKING = (Capability.CHANGE, Capability.EXPENDABLE)
"""Scripts and units are installed, an engine's own configuration is broken, nodes leave."""
REPLACING = (*BREAKING, Capability.REPLACE)
REFUSALS, TROUBLE, UPDATE, DISASTER = ("refusals",), ("trouble",), ("update",), ("disaster",)
FORCED, AUTOLOCK, HOT = ("quorum-lost",), ("autolock",), ("hot",)

exercise = Exercise(
    "2.8",
    "Backup et restore du swarm",
    module=f"{__package__}.verify",
    titles={
        "refusals": "Broken backups are given to a working manager",
        "trouble": "Backups that must not begin, or that fail",
        "update": "A backup while a service is updated",
        "disaster": "Every machine is destroyed; the swarm comes back",
        "quorum-lost": "Two of three managers are destroyed, and the survivor forms the swarm"
        " again",
        "autolock": "An autolocked swarm is destroyed and restored",
        "hot": "A hot backup is restored",
    },
    needs={
        **dict.fromkeys(REFUSALS + TROUBLE + UPDATE, BREAKING),
        **dict.fromkeys(DISASTER + FORCED + AUTOLOCK + HOT, REPLACING),
    },
)


identities.declare(exercise, FORCED)
