"""Waits until a published service answers; being listed as running is not enough."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import requests
import urllib3

from pytest_swarmlab.clients.probe import TIMEOUT_S, reason, session
from pytest_swarmlab.evidence.events import TaskSeen
from pytest_swarmlab.model import Capability
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.mesh import record_mesh
from pytest_swarmlab.swarm.services import Service
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, Waiter, done, pending

TURNS = 2
"""Requests through each node to each replica: the mesh takes the replicas that it lists in turn."""

LONG_S = 15.0
"""Who has waited so long has the machines' tables of the mesh recorded, and again after as long. It
took 85 s once in exercise 2.10, with nothing to explain it, and at most 10.6 s in other runs."""


def await_serving(
    wait: Waiter,
    service: Service,
    *,
    replicas: int,
    port: int = 8080,
    listed: int | None = None,
    within: float,
) -> list[TaskSeen]:
    """Wait until a service has converged and answers through every node; finds its tasks.

    `listed`: the replicas of all published services together, if there are others: a node balances
    all of them by one table. `within`: seconds for each of the three waits.
    """
    swarm = service.swarm
    tasks = wait(service.converged(replicas=replicas), within=within)
    wait(swarm.mesh_lists(replicas if listed is None else listed), within=within)
    wait(Serves(swarm, replicas=replicas, port=port), within=within)
    return tasks


class Serves:
    """Each replica answers through each node, with a status below 400.

    Managers list a task as running, and nodes list it in their mesh, before containers on other
    nodes can reach it: gossip brings a service's address, its name and each replica's machine one
    by one. So a listed replica may still lack the database that it needs (seen in exercise 2.6:
    status 503 through two of five nodes, 40 ms after every node's mesh had listed it). These
    requests are not recorded: no client is served yet.
    """

    node = None

    def __init__(
        self,
        swarm: Swarm,
        *,
        via: Sequence[Node] | None = None,
        replicas: int,
        port: int = 8080,
        path: str = "/",
        host: str | None = None,
        ca: Path | None = None,
        timeout: float = TIMEOUT_S,
    ) -> None:
        """`replicas`: of the service at that port; `host`, `ca`, `timeout`: as for a probe.

        `via`: all nodes, unless some are named; none where no kernel can balance.
        """
        balances = Capability.IPVS in swarm.capabilities
        self._recorder = swarm.recorder
        self._via = tuple(swarm.nodes if via is None else via) if balances else ()
        self._turns = TURNS * replicas
        self._scheme = "https" if ca else "http"
        self._where = f":{port}{path}"
        self._host = host
        self._ca = ca
        self._timeout = timeout
        self._looked_at = time.monotonic()
        self.name = f"each of {replicas} replicas serves port {port} through {len(self._via)} nodes"

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Send requests through one node after the other, up to the first bad answer."""
        with session(self._via, ca=self._ca) as visitor:
            if self._host:
                visitor.headers["Host"] = self._host
            for node in self._via:
                for turn in range(1, self._turns + 1):
                    if trouble := self._ask(visitor, node):
                        self._look_at_the_mesh()
                        return pending(f"{node.name}: {trouble}, request {turn} of {self._turns}")
        return done(None, f"{self._turns} good answers through each node")

    def _look_at_the_mesh(self) -> None:
        if time.monotonic() - self._looked_at >= LONG_S:
            record_mesh(self._via, self._recorder)
            self._looked_at = time.monotonic()

    def _ask(self, visitor: requests.Session, node: Node) -> str | None:
        """One request; what is wrong with its answer, or None."""
        url = f"{self._scheme}://{node.name}{self._where}"
        try:
            answer = visitor.get(url, timeout=self._timeout, allow_redirects=False)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as problem:
            return reason(problem)
        return f"status {answer.status_code}" if answer.status_code >= 400 else None
