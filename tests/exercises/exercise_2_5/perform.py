"""The lab's own steps, with its errata mended; the corrected stack file says which.

Every worker gets the label, so that the database has somewhere to go; the secrets have no newline
at their end; WordPress is scaled to three when the first one is healthy.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from pytest_swarmlab.lab import STACKS
from pytest_swarmlab.swarm import guard
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import Service, Stack, Stacks
from pytest_swarmlab.waiting.waiter import Waiter

from .. import nfs

FILE = STACKS / "wordpress-stack.yml"
NAME = "wp"
DATABASE, WORDPRESS = "db", "wordpress"
REPLICAS = 3
LABEL, VALUE = "storage", "nfs"
PASSWORDS = ("db_root_password", "db_password")
KEYS = tuple(
    f"{use}_{kind}"
    for kind in ("key", "salt")
    for use in ("auth", "secure_auth", "logged_in", "nonce")
)
"""WordPress's keys and salts, as its settings name them."""

READY_S = 240
BACK_S = 240


@contextmanager
def deployed(
    swarm: Swarm, stack: Stacks, secret: Secrets, wait: Waiter
) -> Iterator[dict[str, bytes]]:
    """The stack on NFS, three replicas of WordPress; nothing is left of it at the block's end.

    Hands over the secrets: name → value.
    """
    server, workers = nfs.server_of(swarm), swarm.workers()
    with ExitStack() as prepared:
        prepared.enter_context(nfs.exported(server))
        prepared.enter_context(nfs.directory(server, f"{nfs.SHARE}/mysql"))
        prepared.enter_context(nfs.directory(server, f"{nfs.SHARE}/wordpress"))
        prepared.enter_context(labelled(swarm, workers))
        names = (*PASSWORDS, *(f"wordpress_{key}" for key in KEYS))
        values = {name: secret.create(name) for name in names}
        try:
            wordpress = deploy(stack).service(WORDPRESS)
            wait(wordpress.converged(replicas=1), within=READY_S)
            wordpress.scale(REPLICAS)
            yield values
        except KeyboardInterrupt:
            if swarm.goes_at_end:  # And all of it with it: nobody waits for that.
                prepared.pop_all()
            else:
                remove(swarm, stack, wait)
            raise
        except BaseException:
            remove(swarm, stack, wait)
            raise
        remove(swarm, stack, wait)


def deploy(stack: Stacks) -> Stack:
    """`docker stack deploy -c wordpress-stack.yml wp`."""
    return stack.deploy(FILE, name=NAME, title="The stack is deployed")


def listing(swarm: Swarm, when: str, stack: str = NAME) -> None:
    """`docker stack services` and `docker stack ps`, kept as the lab's screenshots."""
    leader = swarm.leader()
    for what in ("services", "ps"):
        leader.look("docker", "stack", what, stack, title=f"{when}: docker stack {what} {stack}")


def roll(service: Service) -> None:
    """`docker service update --force`: every container is replaced, one after the other."""
    service.update("--force", title=f"{service.name} is rolled")


def forget_shared_salts(service: Service) -> None:
    """Take keys and salts away: each container makes up its own. All of them at once, for time."""
    words = ["--replicas", str(REPLICAS), "--update-order", "stop-first"]
    words += ["--update-parallelism", "0", "--update-delay", "0s"]
    for key in KEYS:
        words += ["--env-rm", f"WORDPRESS_{key.upper()}_FILE", "--secret-rm", f"wordpress_{key}"]
    service.update(*words, title="Without shared keys and salts")


@contextmanager
def labelled(swarm: Swarm, nodes: Sequence[Node]) -> Iterator[None]:
    """`docker node update --label-add storage=nfs`; the labels are as they were at the end."""
    before = {
        node["Description"]["Hostname"]: node["Spec"].get("Labels", {}).get(LABEL)
        for node in swarm.leader().engine.api.nodes()
    }

    def as_before(node: Node) -> tuple[str, ...]:
        had = before[node.name]
        words = ("--label-rm", LABEL) if had is None else ("--label-add", f"{LABEL}={had}")
        return ("docker", "node", "update", *words, node.name)

    with guard.abandoned(swarm.leader(), *map(as_before, nodes), kind="labels"):
        for node in nodes:
            words = ("--label-add", f"{LABEL}={VALUE}", node.name)
            swarm.leader().run("docker", "node", "update", *words)
        try:
            yield
        finally:
            for node in nodes:
                swarm.leader().run(*as_before(node))


def labelled_nodes(swarm: Swarm) -> list[str]:
    """Which nodes have that label now, as the managers tell."""
    return [
        node["Description"]["Hostname"]
        for node in swarm.leader().engine.api.nodes()
        if node["Spec"].get("Labels", {}).get(LABEL) == VALUE
    ]


def remove(swarm: Swarm, stack: Stacks, wait: Waiter) -> None:
    """`docker stack rm`, and the volumes that it leaves on each node: they'd keep their options."""
    # What runs on a node that is away could not be seen to go.
    wait(swarm.all_nodes_ready(), within=BACK_S)
    stack.remove(NAME)
    stack.remove_volumes(NAME)


def environments(swarm: Swarm, values: dict[str, bytes]) -> list[dict[str, object]]:
    """What every service's definition says: its variables, and which secret's value is in it."""
    return [
        {
            "service": service["Spec"]["Name"],
            "env": service["Spec"]["TaskTemplate"]["ContainerSpec"].get("Env", []),
            "shows": [k for k, v in values.items() if v.decode() in json.dumps(service)],
        }
        for service in swarm.leader().engine.api.services()
    ]
