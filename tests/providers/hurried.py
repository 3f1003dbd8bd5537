"""A pytest plugin for runs that are going to be killed: what timers undo, they undo soon."""

from __future__ import annotations

from pytest_swarmlab.swarm import guard

FAULTS_S = 60
"""Until a fault is mended: longer than the drills up to the moment at which they are killed."""

DEPLOYED_S = 90
"""Until what was deployed is removed."""

guard.MENDED_AFTER_S = FAULTS_S
guard.ABANDONED_AFTER_S = DEPLOYED_S
guard.LASTS_S = 60
guard.APART_S = 30
