"""PostgreSQL as a service of one task, as the exercises about storage use it."""

from __future__ import annotations

from pytest_swarmlab.swarm.cluster import Node
from pytest_swarmlab.swarm.services import Service
from pytest_swarmlab.waiting.waiter import Waiter

IMAGE = "postgres:15-alpine"
DATA = "/var/lib/postgresql/data"

READY_S = 120
"""A new database is initialised first: about 10 s on an embedded node, 20 s on NFS."""


def running(service: Service, node: Node, wait: Waiter) -> str:
    """The container's id, once the service runs on that node and the database answers."""
    (task,) = wait(service.converged(replicas=1, on=node), within=READY_S)
    container: str = task.container
    # Over TCP: while it initialises itself, the database listens at a Unix socket only.
    wait(
        node.succeeds("docker", "exec", container, "pg_isready", "-h", "127.0.0.1"), within=READY_S
    )
    return container
