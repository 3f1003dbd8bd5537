"""The lab's own steps, with its errata mended; the corrected stack file says which.

Every worker gets the label, so that the database has somewhere to go; the secrets have no newline
at their end; WordPress is scaled to three when the first one is healthy.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pytest_swarmlab.lab import STACKS
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import Service, Stack, Stacks
from pytest_swarmlab.waiting.waiter import Waiter

from .. import nfs
from ..stack_on_nfs import labelled, removed_at_end
from .setting import NAME, REPLICAS

FILE = STACKS / "wordpress-stack.yml"
PASSWORDS = ("db_root_password", "db_password")
KEYS = tuple(
    f"{use}_{kind}"
    for kind in ("key", "salt")
    for use in ("auth", "secure_auth", "logged_in", "nonce")
)
"""WordPress's keys and salts, as its settings name them."""

READY_S = 240


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
        with removed_at_end(stack, NAME, swarm, wait):
            wordpress = deploy(stack).service("wordpress")
            wait(wordpress.converged(replicas=1), within=READY_S)
            wordpress.scale(REPLICAS)
            yield values


def deploy(stack: Stacks) -> Stack:
    """`docker stack deploy -c wordpress-stack.yml wp`."""
    return stack.deploy(FILE, name=NAME, title="The stack is deployed")


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
