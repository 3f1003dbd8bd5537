"""A cluster on which the reference solution is deployed, as somebody who hands it in would do it.

What the shop of exercise 2.10 is made of is in no registry, so its images are stand-ins here:
nginx under their names. A survey sees definitions and whether tasks run, not what they answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.lifecycle import in_parallel
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import Stacks
from pytest_swarmlab.waiting.conditions import brief, no_answer
from pytest_swarmlab.waiting.waiter import Done, Pending, Waiter, done, pending
from tests.exercises import nfs
from tests.exercises.exercise_2_5 import perform as blog
from tests.exercises.exercise_2_6 import perform as tiers
from tests.exercises.exercise_2_8 import perform as backup
from tests.exercises.exercise_2_9 import application as health
from tests.marking.assemble import REFERENCE

STACKS = REFERENCE / "stacks"

NAMES = {
    "wordpress-stack.yml": "wp",
    "health-stack.yml": "health",
    "proxy-stack.yml": "proxy",
    "multitier-stack.yml": "multitier",
    "ecommerce-stack.yml": "ecommerce",
}
"""Stack file → the stack's name."""

SHOP_IMAGES = (
    "rabbitmq:3-management-alpine",
    *(
        f"ecommerce/{name}:{tag}"
        for name in ("frontend", "products", "orders", "users")
        for tag in ("1.0", "latest")
    ),
)
SHOP_SECRETS = (
    "db_url", "shop_db_user", "shop_db_password", "jwt_secret", "redis_password", "rabbitmq_url",
    "rabbitmq_conf",
)  # fmt: skip
DIRECTORIES = ("mysql", "wordpress", "postgres", "rabbitmq")
CONFIGS = {
    "nginx_config": "nginx.conf",
    "nginx_config_v2": "nginx-v2.conf",
    "backend_config": "backend.conf",
}
READY_S = 300.0

WELL = "printf '#!/bin/sh\\nexit 0\\n' > /usr/local/bin/{0} && chmod 755 /usr/local/bin/{0}"
"""A health check's program that finds a stand-in well."""


@contextmanager
def furnished(
    swarm: Swarm, stack: Stacks, secret: Secrets, configs: Configs, wait: Waiter, directory: Path
) -> Iterator[Swarm]:
    """The whole of it; at the block's end the cluster is as it was."""
    server, workers = nfs.server_of(swarm), swarm.workers()
    with ExitStack() as there:
        backup.install(*swarm.managers())
        for manager in swarm.managers():
            there.enter_context(timer_on(manager))
        taker = next(m for m in swarm.managers() if m not in (swarm.leader(), swarm.nodes[0]))
        backup.backup(taker, "--no-volumes")
        there.callback(taker.run, "rm", "-rf", "--", backup.PLACE)
        wait(swarm.all_nodes_ready(), within=READY_S)
        there.enter_context(nfs.exported(server))
        for name in DIRECTORIES:
            there.enter_context(nfs.directory(server, f"{nfs.SHARE}/{name}"))
        there.enter_context(nfs.mounted(server, swarm.nodes_except(server)))
        there.enter_context(blog.labelled(swarm, workers))
        there.enter_context(stood_in(swarm.nodes))
        for name in (*blog.PASSWORDS, *(f"wordpress_{key}" for key in blog.KEYS), *SHOP_SECRETS):
            secret.create(name)
        secret.create(health.SECRET)
        for name, file in CONFIGS.items():
            configs.create(name, (STACKS / "configs" / file).read_bytes())
        certificates = tiers.Certificates([node.address for node in swarm.nodes], directory)
        for name in (tiers.ADMIN, "db_password_v1", tiers.KEY):
            secret.create(name)
        tiers.create_pair(secret, certificates, "v1")
        # One replica first: each would unpack WordPress's files into the same directory.
        deploy(stack, STACKS, "wordpress-stack.yml", WORDPRESS_REPLICAS="1")
        wait(swarm.converged("wp_wordpress", replicas=1), within=READY_S)
        for file in NAMES:
            deploy(stack, STACKS, file)
        wait(Settled(swarm), within=READY_S)
        yield swarm


def deploy(stack: Stacks, place: Path, file: str, **env: str) -> None:
    """`docker stack deploy` of one of the submission's stack files."""
    stack.deploy(place / file, name=NAMES[file], env=env, keep_volumes=False)


@contextmanager
def timer_on(manager: Node) -> Iterator[None]:
    """The timer of backups is on, as the README of the scripts says."""
    manager.run("systemctl", "enable", "--now", backup.TIMER)
    try:
        yield
    finally:
        manager.run("systemctl", "disable", "--now", backup.TIMER)


@contextmanager
def stood_in(nodes: Sequence[Node]) -> Iterator[None]:
    """Each node has something under the names of the shop's images."""
    programs = " && ".join(WELL.format(name) for name in ("curl", "rabbitmq-diagnostics"))
    first, *others = SHOP_IMAGES

    def make(node: Node) -> None:
        node.run("docker", "run", "--name", "standin", "nginx:alpine", "sh", "-c", programs)
        node.run("docker", "commit", "--change", 'CMD ["nginx", "-g", "daemon off;"]', "standin",
                 first)  # fmt: skip
        node.run("docker", "rm", "standin")
        for name in others:
            node.run("docker", "tag", first, name)

    in_parallel(make, nodes)
    try:
        yield
    finally:
        in_parallel(lambda node: node.run("docker", "rmi", "--force", *SHOP_IMAGES), nodes)


@dataclass(frozen=True)
class Settled:
    """Condition: every service's tasks are what its definition says, and all that it asks for."""

    swarm: Swarm
    node: None = None
    name: str = "every service is what its definition says"

    def __call__(self) -> Done[None] | Pending:
        """Look once."""
        try:
            seen_from, _ = self.swarm.look()
            api = seen_from.engine.api
            services, tasks = api.services(), api.tasks(filters={"desired-state": "running"})
        except no_answer() as error:
            return pending(brief(error))
        open_ones = [each["Spec"]["Name"] for each in services if not settled(each, tasks)]
        return pending(f"not yet: {', '.join(open_ones)}") if open_ones else done(None, "all are")


def settled(service: dict[str, Any], tasks: Sequence[dict[str, Any]]) -> bool:
    """Whether no update of it is under way, and all its tasks run by its present definition."""
    state = (service.get("UpdateStatus") or {}).get("State", "")
    meant = service["Spec"]["TaskTemplate"]["ContainerSpec"]
    running = [
        task
        for task in tasks
        if task["ServiceID"] == service["ID"] and task["Status"]["State"] == "running"
    ]
    wanted = service["Spec"]["Mode"].get("Replicated", {}).get("Replicas")
    return (
        state not in {"updating", "rollback_started"}
        and len(running) == wanted
        and all(task["Spec"]["ContainerSpec"] == meant for task in running)
    )
