"""The lab's own steps."""

from collections.abc import Iterator
from contextlib import contextmanager

from pytest_swarmlab.cluster import Swarm
from pytest_swarmlab.stacks import Service

SERVICE = "test-ha"
REPLICAS = 5
PORT = 8080


@contextmanager
def test_ha(swarm: Swarm) -> Iterator[Service]:
    """`docker service create --name test-ha --replicas 5 nginx:alpine`, published; removed after.

    `--no-resolve-image` and `--detach` because a node without a registry has the image already.
    """
    swarm.leader().run(
        "docker", "service", "create", "--detach", "--no-resolve-image",
        "--name", SERVICE, "--replicas", str(REPLICAS),
        "--publish", f"{PORT}:80", "nginx:alpine",
        title="The service under test",
    )  # fmt: skip
    try:
        yield Service(swarm, SERVICE)
    finally:
        swarm.leader().run("docker", "service", "rm", SERVICE)


test_ha.__test__ = False  # type: ignore[attr-defined]  # the lab's name, not a test
