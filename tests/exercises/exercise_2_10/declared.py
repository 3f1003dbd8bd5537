"""Exercise 2.10: its phases, and what their machines must be able to do."""

from __future__ import annotations

from pytest_swarmlab import Exercise
from pytest_swarmlab.model import Capability

DEPLOYED, VISITED, KILLED = ("deployed",), ("visited",), ("killed",)
REDIS, RABBITMQ, MOVED = ("redis-away",), ("rabbitmq-away",), ("database-moved",)
POWER, CUT, LEADER = ("power-off",), ("cut-off",), ("leader-lost",)
ROLLED, BAD_UPDATE = ("rolled",), ("bad-update",)
COUNTED, PERSISTENCE = ("counted",), ("persistence",)
SECURITY, BAD_INPUT = ("security",), ("bad-input",)
DISK = ("disk-full",)
LOAD, LITERAL = ("load",), ("literal",)
AWAY = REDIS + RABBITMQ
NODES = POWER + CUT + LEADER
UNDER_LOAD = KILLED + AWAY + MOVED + ROLLED + BAD_UPDATE + DISK + NODES

TITLES = {
    "deployed": "The whole shop is deployed, and processes a first order",
    "visited": "A visitor orders in a browser, through every node",
    "killed": "A task of every service is killed, one after the other",
    "redis-away": "Redis is away, and comes back",
    "rabbitmq-away": "RabbitMQ is away, and comes back",
    "database-moved": "PostgreSQL moves to another node",
    "rolled": "A rolling update of every service with replicas",
    "bad-update": "A failing update rolls back by itself",
    "disk-full": "The database's disk is full, then has free space again",
    "power-off": "A machine loses power",
    "cut-off": "A manager is cut off from the others",
    "leader-lost": "The leader's engine is killed",
    "security": "Secrets, ports, tokens and encryption",
    "bad-input": "Invalid orders and accounts",
    "load": "Load that grows step by step",
    "counted": "All orders of the run, as acknowledged and as stored",
    "persistence": "The stack is removed and deployed again",
    "literal": "The lab's own file, literally",
}

NEEDED = (
    Capability.CHANGE,
    Capability.NFS,
    Capability.IPVS,
    Capability.ENCRYPTED_OVERLAY,
    Capability.START_INTERVAL,
)

OWN_DISK = (Capability.LOOP, Capability.EXPENDABLE)
"""Needed to give the database a disk of its own, so that no other disk is filled."""

LITERALLY = (Capability.CHANGE, Capability.NFS, Capability.ENCRYPTED_OVERLAY)
"""The lab's own file has no start interval, and needs no IPVS: its services never serve."""

exercise = Exercise(
    "2.10",
    "Stack Production Complète",
    module=__name__,
    titles=TITLES,
    needs={
        **dict.fromkeys(TITLES, NEEDED),
        "literal": LITERALLY,
        "disk-full": (*NEEDED, *OWN_DISK),
        "power-off": (*NEEDED, Capability.POWER_OFF),
        "cut-off": (*NEEDED, Capability.PARTITION),
    },
)
