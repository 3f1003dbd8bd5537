"""The lab's own steps, with its errata mended.

The lab's command gives no password, so the database never starts; its volume lies at /data, where
PostgreSQL keeps nothing; and taking a constraint away moves nothing: another must send the task
elsewhere.
"""

from contextlib import AbstractContextManager

from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.services import Service

from ..postgres import DATA, IMAGE
from .setting import DATABASE, SERVICE, VOLUME

SECRET = "db-local-password"  # noqa: S105 - its name


def literal_service(swarm: Swarm, on: Node) -> AbstractContextManager[Service]:
    """The lab's command as it stands."""
    return Service.created(
        swarm, SERVICE,
        "--mount", f"type=volume,source={VOLUME},target=/data",
        "--constraint", swarm.only(on),
        IMAGE,
        title="The lab's command, literally",
    )  # fmt: skip


def db_local(swarm: Swarm, secret: Secrets, on: Node) -> AbstractContextManager[Service]:
    """The service with a password and its volume where the database keeps its data."""
    secret.create(SECRET)
    return Service.created(
        swarm, SERVICE,
        "--secret", SECRET,
        "--env", f"POSTGRES_PASSWORD_FILE=/run/secrets/{SECRET}",
        "--mount", f"type=volume,source={VOLUME},target={DATA}",
        "--constraint", swarm.only(on),
        IMAGE,
        title="The command as it must be",
    )  # fmt: skip


def create_database(node: Node, container: str) -> None:
    """`CREATE DATABASE testdb`, in the container, on the node where it runs."""
    node.run(
        "docker", "exec", container, "psql", "-U", "postgres", "-c", f"CREATE DATABASE {DATABASE}",
        title=f"On {node}: a database is created",
    )  # fmt: skip


def databases(node: Node, container: str, title: str) -> list[str]:
    """The names of the databases in that container."""
    shown = node.look(
        "docker", "exec", container,
        "psql", "-U", "postgres", "-At", "-c", "SELECT datname FROM pg_database",
        title=title,
    )  # fmt: skip
    return sorted(shown.stdout.split())


def remove_constraint(service: Service, node: Node) -> None:
    """The lab's step 3, which moves nothing."""
    service.update("--constraint-rm", service.only(node), title="The constraint is taken away")
