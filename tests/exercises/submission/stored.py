"""Their database on NFS: its server is lost under writes, and it is sent to another machine."""

import secrets
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from pytest_swarmlab.clients.ledger import Ledger, NewLedger
from pytest_swarmlab.errors import ProviderError, Unseen
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.marking.state.wordpress import fits
from pytest_swarmlab.submitted.work import Work
from pytest_swarmlab.survey.readings import POSTGRES, data_of, is_a
from pytest_swarmlab.swarm import guard
from pytest_swarmlab.swarm.cluster import Node
from pytest_swarmlab.swarm.guard import Guard, Undoes
from pytest_swarmlab.swarm.stacks import Service
from pytest_swarmlab.waiting.conditions.machines import Succeeds
from pytest_swarmlab.waiting.waiter import Waiter

from ..exercise_2_4 import events
from ..exercise_2_4.drill import BACK_S, ENTRIES, mount_of
from ..exercise_2_4.perform import WRITE_S, checksum, place, write_proof
from ..exercise_2_4.setting import AWAY_S, LEDGER
from . import served
from .theirs import READY_S, player_of

PROOF, PROOF_BYTES = "swarmlab-proof", 1 << 20

SERVER_UNITS = ("nfs-server", "nfs-kernel-server")
"""Under either of these names systemd knows it."""

MYSQL = (
    'MYSQL_PWD="${MYSQL_ROOT_PASSWORD:-${MARIADB_ROOT_PASSWORD:-$(cat'
    ' "${MYSQL_ROOT_PASSWORD_FILE:-$MARIADB_ROOT_PASSWORD_FILE}")}}"'
    ' exec "$(command -v mysql || command -v mariadb)" --user=root --batch --skip-column-names'
)
"""A client of the server in its own container; the password comes from where the server has it."""

PSQL = (
    'exec psql --username="${POSTGRES_USER:-$(cat "${POSTGRES_USER_FILE:-/dev/null}")}"'
    " --dbname=postgres -qAt -v ON_ERROR_STOP=1"
)


@dataclass(frozen=True)
class Dialect:
    """How rows are written there, in a place of the drill's own; statements end with a semicolon.

    `client`: a shell's line that reads statements on standard input.
    """

    client: str
    make: str
    write: str
    read: str
    drop: str


SERVERS = {
    "mysql": Dialect(
        MYSQL,
        "CREATE DATABASE swarmlab_drill; CREATE TABLE swarmlab_drill.entries"
        " (id int AUTO_INCREMENT PRIMARY KEY, number int NOT NULL);",
        "INSERT INTO swarmlab_drill.entries (number) VALUES ({}); SELECT LAST_INSERT_ID();",
        "SELECT CONCAT(id, '|', number) FROM swarmlab_drill.entries ORDER BY id;",
        "DROP DATABASE IF EXISTS swarmlab_drill;",
    ),
    "postgres": Dialect(
        PSQL,
        "CREATE SCHEMA swarmlab_drill; CREATE TABLE swarmlab_drill.entries"
        " (id serial PRIMARY KEY, number integer NOT NULL);",
        "INSERT INTO swarmlab_drill.entries (number) VALUES ({}) RETURNING id;",
        "SELECT id || '|' || number FROM swarmlab_drill.entries ORDER BY id;",
        "DROP SCHEMA IF EXISTS swarmlab_drill CASCADE;",
    ),
}


@dataclass(frozen=True)
class Rows:
    """The drill's own rows in their database, as it runs in a container of a node now."""

    dialect: Dialect
    node: Node
    container: str

    def say(self, statement: str, title: str | None = None) -> list[str]:
        """What the server answers, by lines. Raises CommandError when it refuses, or in vain."""
        done = self.node.run(
            "timeout", str(WRITE_S), "docker", "exec", "--interactive", self.container,
            "sh", "-c", self.dialect.client, stdin=statement.encode(), title=title,
        )  # fmt: skip
        return done.stdout.split()

    def answers(self) -> Succeeds:
        """Condition: the server lets its own client in."""
        asks = f"echo 'SELECT 1;' | ({self.dialect.client})"
        return self.node.succeeds("docker", "exec", self.container, "sh", "-c", asks)

    def write(self, number: int) -> str:
        """Insert a row; returns its id once the server has it on its disk."""
        (id_,) = self.say(self.dialect.write.format(number))
        return id_

    def read(self) -> list[tuple[str, int]]:
        """Id and number of every row."""
        rows = (row.partition("|") for row in self.say(self.dialect.read))
        return [(id_, int(number)) for id_, _, number in rows]


@dataclass(frozen=True)
class Moved:
    """Their database that is sent to another machine: `mount` is where its data are in it.

    `phase`: of exercise 2.4, by how they are kept; `fitting`: machines that its constraints allow.
    `server`: the machine that has its data; None where that is no node.
    """

    work: Work
    service: Service
    mount: str
    phase: str
    fitting: tuple[str, ...]
    dialect: Dialect
    server: Node | None


def database_on_nfs(work: Work) -> Moved:
    """Their database on NFS: the one outside of any stack, or the WordPress's.

    Skips the test where there is none, or nobody can tell where its data are.
    """
    alone = work.cast.service("nfs-database")
    player = alone or player_of(work, "wordpress-database")
    data = data_of(player)
    if data is None:
        pytest.skip(f"{player.name} mounts nothing where a database keeps its data")
    rows = work.nodes()
    try:
        fitting = [r.machine for r in rows if r.machine and fits(r, player.constraints)]
    except Unseen as error:
        pytest.skip(str(error))
    name = work.cast["nfs-server"].name
    known = [node for node in work.swarm.nodes if node.name == name]
    return Moved(
        work,
        Service(work.swarm, player.name),
        data.target,
        "nfs-bind" if data.kind == "bind" else "nfs-volume",
        tuple(fitting),
        SERVERS["postgres" if is_a(player, POSTGRES) else "mysql"],
        known[0] if known else None,
    )


def _spared(mine: Moved) -> str:
    """Why the NFS server is not taken away, and so no row is written; "" where it is."""
    if mine.server is None:
        return "the NFS server is no node here"
    if not mine.work.swarm.machines.foreign:
        return ""
    if not _unit(mine.server):
        return f"no unit of systemd is the NFS server of {mine.server}"
    return served.why_not(mine.work, mine.server)


def follow_the_database(
    mine: Moved, *, faults: Faults, wait: Waiter, ledger: NewLedger, evidence: Evidence
) -> None:
    """Write on its machine, lose the NFS server meanwhile, send it to another, and look there.

    As exercise 2.4 does it. What is written is a file beside the database's own, and rows in a
    place of the drill's own, which are gone at the end; then it may go where it may.
    """
    service, swarm = mine.service, mine.service.swarm
    (task,) = wait(service.converged(replicas=1), within=READY_S)
    home = swarm.node(task.node)
    proof = f"{mine.mount}/{PROOF}"
    directory = place(home, task.container, mine.mount)
    evidence.write(events.Place(home.name, directory, mount_of(home, directory)))
    gone = ("rm", "-f", "--", f"{directory}/{PROOF}")

    def remove() -> None:
        (task,) = wait(service.converged(replicas=1), within=READY_S)
        swarm.node(task.node).run("docker", "exec", task.container, "rm", "-f", proof)

    with Guard.undone_after([(home, [gone])], "proof", Undoes.DEPLOYMENT, undo=remove):
        write_proof(home, task.container, secrets.token_bytes(PROOF_BYTES), at=proof)
        _read(evidence, "written", home, task.container, proof)
        why = _spared(mine)
        if why or mine.server is None:
            evidence.write(events.Spared(home.name, why))
            _send(mine, home, wait, evidence, None)
            return
        with _rows(mine, home, task.container, wait) as rows:
            evidence.tasks(swarm, service.name)
            with ledger(LEDGER, rows.write) as written:
                wait(written.acknowledges(ENTRIES), within=READY_S)
                _lose_the_server(mine.server, service, faults, wait)
                wait(written.acknowledges(ENTRIES), within=BACK_S)
            evidence.tasks(swarm, service.name)
            _send(mine, home, wait, evidence, written)


@contextmanager
def _rows(mine: Moved, home: Node, container: str, wait: Waiter) -> Iterator[Rows]:
    """A place for the drill's rows in their database; it goes at the block's end, or by timers."""
    service, dialect = mine.service, mine.dialect
    named = f"label=com.docker.swarm.service.name={service.name}"
    drop = shlex.join(["echo", dialect.drop])
    there = f"docker exec --interactive $each sh -c {shlex.quote(dialect.client)}"
    # A timer doesn't know where the database will be.
    each = f"for each in $(docker ps --quiet --filter {shlex.quote(named)})"
    removing = ("sh", "-c", f"{each}; do {drop} | {there}; done")
    rows = Rows(dialect, home, container)
    nodes = [(service.swarm.node(name), [removing]) for name in mine.fitting]

    def make() -> None:
        rows.say(dialect.make, title=f"On {home}: a place for rows is made")

    def undo() -> None:
        (task,) = wait(service.converged(replicas=1), within=READY_S)
        left = Rows(dialect, service.swarm.node(task.node), task.container)
        wait(left.answers(), within=READY_S)
        left.say(dialect.drop)

    with Guard.undone_after(nodes, "rows", Undoes.DEPLOYMENT, make=make, undo=undo):
        yield rows


def _lose_the_server(server: Node, service: Service, faults: Faults, wait: Waiter) -> None:
    """Stop it for AWAY_S seconds. Raises ProviderError where a timer may have ended that."""
    began = time.monotonic()
    with faults.stop_units(server, _unit(server), undoes=guard.Undoes.OUTAGE):
        wait(service.watched(for_s=AWAY_S), within=READY_S)
        late = time.monotonic() - began >= guard.STARTED_AFTER_S
    if late and server.foreign:
        raise ProviderError(
            f"this machine was so busy that the timer on {server} may have started its NFS server"
            f" before the drill did: {guard.STARTED_AFTER_S} s had passed"
        )


def _send(
    mine: Moved, home: Node, wait: Waiter, evidence: Evidence, written: Ledger | None
) -> None:
    """Send it to another machine, and look there for what was written."""
    service, swarm = mine.service, mine.service.swarm
    others = [name for name in mine.fitting if name != home.name]
    if not others:
        evidence.write(events.Stuck(home.name, f"only {home} meets its constraints"))
        return
    other, proof = swarm.node(others[0]), f"{mine.mount}/{PROOF}"
    with Guard.undone_after(
        [(swarm.leader(), _back(service, other))], "moved", Undoes.DEPLOYMENT,
        undo=lambda: service.update("--constraint-rm", service.only(other)),
    ):  # fmt: skip
        service.move(to=other)
        (moved,) = wait(service.converged(replicas=1, on=other), within=READY_S)
        evidence.write(events.Moved(other.name))
        _read(evidence, "moved", other, moved.container, proof)
        if written:
            there = Rows(mine.dialect, other, moved.container)
            wait(there.answers(), within=READY_S)
            written.found(there.read())


def _unit(server: Node) -> str:
    """What the NFS server is called there."""
    return next((unit for unit in SERVER_UNITS if server.host.service(unit).is_running), "")


def _back(service: Service, other: Node) -> list[tuple[str, ...]]:
    words = ("--detach", "--constraint-rm", service.only(other), service.name)
    return [("docker", "service", "update", *words)]


def _read(evidence: Evidence, step: str, node: Node, container: str, proof: str) -> None:
    sha256 = checksum(node, container, at=proof)
    evidence.write(events.Proof(step, node.name, container, sha256))
