"""Exercise 2.9: its phases, and what their machines must be able to do."""

from __future__ import annotations

from pytest_swarmlab import Exercise
from pytest_swarmlab.model import Capability

TITLES = {
    "starting": "Requests before and after a task is healthy",
    "heal": "One of three replicas becomes unhealthy, five times",
    "bad-update": "A failing update rolls back by itself",
    "exit-0": "The lab's on-failure with a server that exits with 0",
    "endings": "How unhealthy tasks end, and a limit of attempts",
    "slow-start": "A slow start, with a start period and without",
    "database": "The database hangs",
    "cascade": "Redis is away: the lab's healthcheck and another",
}

MESH = (Capability.IPVS,)
NEEDED = (Capability.CHANGE, Capability.START_INTERVAL)

exercise = Exercise(
    "2.9",
    "Healthchecks et auto-healing",
    module=f"{__package__}.verify",
    titles=TITLES,
    # The API finds Redis at its service's address, which IPVS leads to the task.
    needs=dict.fromkeys(TITLES, NEEDED) | {"cascade": (*NEEDED, *MESH)},
)

STARTING, HEAL, BAD_UPDATE = ("starting",), ("heal",), ("bad-update",)
TRAP, ENDINGS, SLOW = ("exit-0",), ("endings",), ("slow-start",)
DATABASE, CASCADE = ("database",), ("cascade",)
LEAST_WATCHED_S = 5.0
"""Five times the restart delay that is set."""

PAUSE_S = 3.0
"""Longest pause through one node, of clients that come to it once a second or twice."""

ILL = "dockerexec: unhealthy container"
KILLED = "task: non-zero exit (137): dockerexec: unhealthy container"

ENDED = frozenset({"complete", "failed", "rejected", "shutdown"})
