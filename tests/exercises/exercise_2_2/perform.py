"""The lab's own steps."""

from collections.abc import Iterator
from contextlib import contextmanager

from pytest_swarmlab.cluster import Swarm
from pytest_swarmlab.stacks import Service
from pytest_swarmlab.waits import Waiter

SERVICE = "test-ha"
REPLICAS = 5
PORT = 8080
READY_S = 90


@contextmanager
def test_ha(swarm: Swarm, wait: Waiter) -> Iterator[Service]:
    """`docker service create --name test-ha --replicas 5 nginx:alpine`, published; removed after.

    It is handed over when every node's routing mesh has all five replicas, and is gone when none
    has any: what a drill measures must not be the start of its service or the end of another.
    `--no-resolve-image` and `--detach` because a node without a registry has the image already.
    """
    swarm.leader().run(
        "docker", "service", "create", "--detach", "--no-resolve-image",
        "--name", SERVICE, "--replicas", str(REPLICAS),
        "--publish", f"{PORT}:80", "nginx:alpine",
        title="The service under test",
    )  # fmt: skip
    service = Service(swarm, SERVICE)
    try:
        wait(service.converged(replicas=REPLICAS), within=READY_S)
        wait(swarm.mesh_lists(REPLICAS), within=READY_S)
        yield service
    except KeyboardInterrupt:
        raise  # The cluster goes, and its service with it: nobody waits for that.
    except BaseException:
        remove(swarm, wait)
        raise
    remove(swarm, wait)


def remove(swarm: Swarm, wait: Waiter) -> None:
    """`docker service rm test-ha`, and until every node has let go of its address."""
    wait(swarm.all_nodes_ready(), within=READY_S)
    swarm.leader().run("docker", "service", "rm", SERVICE)
    wait(swarm.mesh_lists(0), within=READY_S)


test_ha.__test__ = False  # type: ignore[attr-defined]  # the lab's name, not a test
