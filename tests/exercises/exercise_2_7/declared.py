"""Exercise 2.7: its phases, and what their machines must be able to do."""

from __future__ import annotations

from pytest_swarmlab import Exercise
from pytest_swarmlab.model import Capability

STACKS = (
    "no-backend", "switch", "rollback", "bad-config", "one-stop-first", "one-start-first",
    "versioning", "environments",
)  # fmt: skip
"""Phases on a service of a stack file."""

exercise = Exercise(
    "2.7",
    "Configurations dynamiques",
    module=f"{__package__}.verify",
    titles={
        "mount": "A config in its container",
        "shared": "One config in two services",
        "refusals": "Limits, and what the engine refuses",
        "no-backend": "The lab's proxy, without a backend",
        "switch": "Version 1 to version 2, two replicas",
        "rollback": "Back to version 1, two replicas",
        "bad-config": "A version 3 that nginx refuses, two replicas",
        "one-stop-first": "One replica, order stop-first",
        "one-start-first": "One replica, order start-first",
        "versioning": "Configs named by a digest of their content",
        "environments": "One application, two environments",
    },
    # Both stack files have health checks with a start interval.
    needs=dict.fromkeys(STACKS, (Capability.CHANGE, Capability.START_INTERVAL)),
)

MOUNT, SHARED, REFUSALS = ("mount",), ("shared",), ("refusals",)
NO_BACKEND, BAD, VERSIONING = ("no-backend",), ("bad-config",), ("versioning",)
MESH = (Capability.IPVS,)
DAEMON = "Error response from daemon: "
RPC = f"{DAEMON}rpc error: code = "
INVALID = f"{RPC}InvalidArgument desc = "
