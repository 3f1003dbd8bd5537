"""The lab's own steps, with its errata mended.

The lab's commands give no password, and hand the share's root to the database, which makes it
private and breaks what exercise 2.5 wants to put beside it: each database gets a subdirectory.
The server and the clients of NFS are set up in `nfs`, beside the exercises.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from pytest_swarmlab.errors import CommandError, ProviderError
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.services import Service

from .. import nfs, volumes
from ..postgres import DATA, IMAGE

SECRET = "db-password"  # noqa: S105 - its name
PROOF = f"{DATA}/proof"

NO_FILE = "No such file"
"""How `sha256sum` says that there is no such file; an engine says something else."""

WRITE_S = 30
"""Longest that one write may wait for its acknowledgement: more than the server is away."""


@dataclass(frozen=True)
class Storage:
    """A way to keep a service's data: the mount of the service.

    `travels`: whether the data are to follow the service to any node.
    """

    service: str
    mount: str
    travels: bool = True


@contextmanager
def local(swarm: Swarm) -> Iterator[Storage]:
    """A volume of the node's own, as in exercise 2.3: the contrast. It needs no server."""
    with nfs.exported(nfs.server_of(swarm)), volumes.named("db-local", swarm.nodes):
        yield Storage("db-local", "type=volume,source=db-local", travels=False)


@contextmanager
def nfs_bind(swarm: Swarm) -> Iterator[Storage]:
    """The lab's option A: a directory of the mounted share."""
    server = nfs.server_of(swarm)
    with (
        nfs.exported(server),
        nfs.mounted(server, swarm.workers()),
        nfs.directory(server, f"{nfs.SHARE}/db-nfs"),
    ):
        yield Storage("db-nfs", f"type=bind,source={nfs.MOUNT}/db-nfs")


@contextmanager
def nfs_volume(swarm: Swarm) -> Iterator[Storage]:
    """A volume that the engine itself mounts from the share, on whichever node needs it."""
    with nfs.exported(nfs.server_of(swarm)), volume_in(swarm, nfs.SHARE) as storage:
        yield storage


@contextmanager
def volume_in(swarm: Swarm, export: str) -> Iterator[Storage]:
    """As `share`, in an export of another name."""
    server = nfs.server_of(swarm)
    with (
        nfs.directory(server, f"{export}/db-volume") as path,
        volumes.named("db-volume", swarm.nodes),
    ):
        yield Storage("db-volume", f"{nfs.volume(server, path)},source=db-volume")


STORAGES: dict[str, Callable[[Swarm], AbstractContextManager[Storage]]] = {
    "local": local,
    "nfs-bind": nfs_bind,
    "nfs-volume": nfs_volume,
}
"""Phase → how the data are kept in it."""

PLUGIN = Storage("db-rexray", "source=shared-data")
"""The lab's option B, by its own commands: its mount does not even name the driver."""


@contextmanager
def database(swarm: Swarm, secret: Secrets, storage: Storage, on: Node) -> Iterator[Service]:
    """`docker service create` of PostgreSQL with that storage."""
    secret.create(SECRET)
    with Service.created(
        swarm, storage.service,
        "--secret", SECRET,
        "--env", f"POSTGRES_PASSWORD_FILE=/run/secrets/{SECRET}",
        "--mount", f"{storage.mount},target={DATA}",
        "--constraint", swarm.only(on),
        IMAGE,
        title="A database with its data there",
    ) as service:  # fmt: skip
        yield service
    secret.remove(SECRET)


def ask(node: Node, container: str, statement: str, *, title: str | None = None) -> list[str]:
    """The rows that an SQL statement gives. Raises CommandError when it fails or takes too long."""
    argv = ("psql", "-U", "postgres", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", statement)
    done = node.run("timeout", str(WRITE_S), "docker", "exec", container, *argv, title=title)
    return done.stdout.split()


def create_tables(node: Node, container: str) -> None:
    """A table for the ledger."""
    ask(
        node, container,
        "CREATE TABLE entries (id serial PRIMARY KEY, number integer NOT NULL)",
        title=f"On {node}: a table is made",
    )  # fmt: skip


def write_entry(node: Node, container: str, number: int) -> str:
    """Insert a row; returns its id once the database has it on its disk."""
    statement = f"INSERT INTO entries (number) VALUES ({number:d}) RETURNING id"  # noqa: S608 - a number
    (id_,) = ask(node, container, statement)
    return id_


def read_entries(node: Node, container: str) -> list[tuple[str, int]]:
    """Id and number of every row; none where there is no such table."""
    tables = ask(node, container, "SELECT tablename FROM pg_tables WHERE tablename = 'entries'")
    if not tables:
        return []
    rows = ask(node, container, "SELECT id, number FROM entries ORDER BY id")
    return [(id_, int(number)) for id_, _, number in (row.partition("|") for row in rows)]


def write_proof(node: Node, container: str, content: bytes, *, at: str = PROOF) -> None:
    """A file beside the service's own, written in the container."""
    node.run("docker", "exec", "--interactive", container, "dd", f"of={at}", stdin=content)


def checksum(node: Node, container: str, *, at: str = PROOF) -> str | None:
    """SHA-256 of that file as the container reads it; None where it says that there is none.

    Raises CommandError where it could not be asked, or the file could not be read.
    """
    argv = ("docker", "exec", container, "sha256sum", at)
    done = node.look(*argv, check=False, title=f"On {node}: the checksum")
    if done.code and NO_FILE not in done.stderr:
        raise CommandError(node.name, argv, done.code, done.stdout, done.stderr)
    return None if done.code else done.stdout.split()[0]


def place(node: Node, container: str, at: str = DATA) -> str:
    """Path of the container's data on its node; `at`: path in the container."""
    mounts = node.engine.containers.get(container).attrs["Mounts"]
    mount = next(mount for mount in mounts if mount["Destination"] == at)
    # Of a plugin's volume the engine does not say it there.
    return str(mount["Source"] or node.engine.volumes.get(mount["Name"]).attrs["Mountpoint"])


def time_writes(node: Node, directory: str, *how: str) -> float:
    """Seconds that `dd` needs to write zeros there; the file is removed again."""
    file = f"{directory}/swarmlab-speed"
    done = node.run("dd", "if=/dev/zero", f"of={file}", *how)
    node.run("rm", file)
    found = re.search(r"copied, ([0-9.]+) s", done.stderr)
    if found is None:
        raise ProviderError(f"`dd` on {node} did not say how long it took: {done.stderr[-200:]}")
    return float(found[1])


def web(
    swarm: Swarm, name: str, mount: str, on: Node | None = None
) -> AbstractContextManager[Service]:
    """A small service with a mount, on that node or any: it starts at once, or its mount fails."""
    where = () if on is None else ("--constraint", swarm.only(on))
    return Service.created(
        swarm, name, "--mount", f"{mount},target=/data", *where, "nginx:alpine",
        title=f"A service with the mount of {name}",
    )  # fmt: skip
