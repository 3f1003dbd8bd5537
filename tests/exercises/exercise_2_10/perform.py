"""The lab's own steps, with its errata corrected; the stack file lists them.

Every worker gets the label, so that the database has somewhere to go; the secrets have no newline
at their end and belong together; the directories on NFS are there before the stack is deployed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from pytest_swarmlab.lab import STACKS
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import Service, Stack, Stacks
from pytest_swarmlab.waiting.waiter import Waiter

from .. import nfs, own_disk
from ..stack_on_nfs import labelled, removed_at_end
from . import books
from .declared import OWN_DISK
from .setting import NAME

FILE, PARTS = STACKS / "ecommerce-stack.yml", STACKS / "ecommerce"
CONFIGS = {
    "shop_frontend_v1": PARTS / "frontend" / "nginx.conf",
    "shop_gateway_v1": PARTS / "gateway" / "nginx.conf",
}
"""The stack's configs, and their content."""

DIRECTORIES = ("postgres", "rabbitmq")
DATABASE_FILES = f"{nfs.SHARE}/postgres"
"""Where the database's files lie on the NFS server."""
NFS_SERVER = "192.168.56.10"
"""The stack file's default address of the NFS server: the lab's."""
BROKER_USER = "shop"
RANDOM_BYTES = 18


@dataclass(frozen=True)
class Deployment:
    """The deployed stack: its secrets' values, and how to deploy it again."""

    secrets: dict[str, bytes]
    deploy: Callable[[], Stack]


def values() -> dict[str, bytes]:
    """The secrets; where two have the same password, it is equal."""
    database, broker = (secrets.token_urlsafe(RANDOM_BYTES) for _ in range(2))
    given = {
        "db_user": books.USER,
        "db_password": database,
        "db_url": f"postgresql://{books.USER}:{database}@postgres:5432/{books.NAME}",
        "jwt_secret": secrets.token_urlsafe(2 * RANDOM_BYTES),
        "redis_password": secrets.token_urlsafe(RANDOM_BYTES),
        "rabbitmq_url": f"amqp://{BROKER_USER}:{broker}@rabbitmq:5672/",
        "rabbitmq_conf": f"default_user = {BROKER_USER}\ndefault_pass = {broker}\n",
    }
    return {name: value.encode() for name, value in given.items()}


@contextmanager
def deployed(
    swarm: Swarm, stack: Stacks, secret: Secrets, configs: Configs, wait: Waiter
) -> Iterator[Deployment]:
    """The stack on NFS; nothing is left of it at the block's end. Not waited for at its beginning.

    The directories, labels, secrets and configs are the lab's "préparation". Where it can be had,
    the database has a disk of its own, which can be filled.
    """
    server = nfs.server_of(swarm)
    subnet = nfs.subnet_of(server)
    with ExitStack() as prepared:
        prepared.enter_context(nfs.exported(server, subnet=subnet))
        for name in DIRECTORIES:
            prepared.enter_context(nfs.directory(server, f"{nfs.SHARE}/{name}"))
        if swarm.capabilities.issuperset(OWN_DISK):
            prepared.enter_context(own_disk.exported(server, DATABASE_FILES, subnet=subnet))
        prepared.enter_context(labelled(swarm, swarm.workers()))
        given = values()
        for name, value in given.items():
            secret.create(name, value, title=f"The secret {name}")
        for name, path in CONFIGS.items():
            configs.create(name, path.read_bytes(), title=f"The config {name}")

        env = {} if server.address == NFS_SERVER else {"NFS_SERVER": server.address}

        def deploy() -> Stack:
            return stack.deploy(FILE, name=NAME, env=env, title="The stack is deployed")

        with removed_at_end(stack, NAME, swarm, wait):
            deploy()
            yield Deployment(given, deploy)


def service(swarm: Swarm, name: str) -> Service:
    """One of the shop's services, by its name in the stack file."""
    return Stack(swarm, NAME).service(name)


def kill(swarm: Swarm, node: str, container: str, name: str) -> None:
    """`docker kill`: the program gets no signal that it could handle."""
    swarm.node(node).run(
        "docker", "kill", container, title=f"On {node}: a task of {name} is killed"
    )


def roll(swarm: Swarm, name: str) -> None:
    """`docker service update --force`: every task is replaced, in the stack's own order."""
    service(swarm, name).update("--force", title=f"{name} is rolled")


def break_update(swarm: Swarm, name: str) -> None:
    """Update to a version that ends at once; the stack's update policy rolls it back."""
    service(swarm, name).update(
        "--entrypoint", "false", title=f"{name} is updated to a version that ends at once"
    )


def order_of(number: int, products: Sequence[int]) -> list[dict[str, int]]:
    """The items of the order with that number: one to three products, one to five of each."""
    return [
        {"product_id": products[(number + place) % len(products)], "quantity": 1 + number % 5}
        for place in range(1 + number % 3)
    ]
