"""The lab's own steps."""

from collections.abc import Iterator
from contextlib import contextmanager

from pytest_swarmlab.clients.serving import await_serving
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.services import Service
from pytest_swarmlab.waiting.waiter import Waiter

from .setting import PORT, REPLICAS, SERVICE

READY_S = 90


@contextmanager
def test_ha(swarm: Swarm, wait: Waiter) -> Iterator[Service]:
    """`docker service create --name test-ha --replicas 5 nginx:alpine`, published; removed after.

    It is handed over when all five replicas serve through every node: what a drill measures
    must not be the start of its service.
    """
    with Service.created(
        swarm, SERVICE, "--replicas", str(REPLICAS), "--publish", f"{PORT}:80", "nginx:alpine",
        title="The service under test",
    ) as service:  # fmt: skip
        await_serving(wait, service, replicas=REPLICAS, port=PORT, within=READY_S)
        yield service


test_ha.__test__ = False  # type: ignore[attr-defined]  # the lab's name, not a test
