"""Their services in the place of the lab's: names, ports and numbers, off the survey."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from pytest_swarmlab.clients.ledger import not_acknowledged
from pytest_swarmlab.clients.serving import Serves
from pytest_swarmlab.errors import INFRASTRUCTURE, NotConverged, Unseen
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.marking.state.wordpress import fits
from pytest_swarmlab.submitted.work import Work
from pytest_swarmlab.survey import seen
from pytest_swarmlab.survey.readings import data_of
from pytest_swarmlab.swarm import guard
from pytest_swarmlab.swarm.cluster import Node
from pytest_swarmlab.swarm.stacks import Service
from pytest_swarmlab.waiting.conditions import brief
from pytest_swarmlab.waiting.waiter import Waiter

from .. import whose
from ..exercise_2_4.drill import mount_of
from ..exercise_2_4.perform import checksum, place, write_proof
from ..exercise_2_5.drill import Deployed, Drill
from ..exercise_2_9.drill import REPETITIONS, Healed

READY_S = 240
PATIENCE_S = 10.0

ASKED = {"test-service": "/", "proxy": "/", "web": "/", "wordpress": "/readme.html"}
"""Role → what clients ask for: of WordPress no page, of which each costs 0.4 s of a core."""

PROOF, PROOF_BYTES = "swarmlab-proof", 1 << 20

LEAST_REPLICAS = 2
MORE_S = 60.0
"""From unhealthy until a successor is healthy, besides what the definition says."""


@dataclass(frozen=True)
class Published:
    """A service of theirs that clients can ask; for `path`, which costs it little."""

    service: Service
    replicas: int
    port: int
    path: str


def player_of(work: Work, role: str) -> seen.Service:
    """The service that plays the role. Skips the test where nobody does, with the reason."""
    player = work.cast.service(role)
    if player is None:
        pytest.skip(str(work.cast[role]))
    return player


def port(work: Work, role: str) -> int:
    """Where it is published through the mesh. Skips the test where it is not."""
    player = player_of(work, role)
    found = _published(player)
    if not found:
        pytest.skip(f"{player.name} publishes no port through the mesh: no client can ask for it")
    return found[0]


def _published(player: seen.Service) -> list[int]:
    return [p.published for p in player.ports if p.mode == "ingress" and p.protocol == "tcp"]


def asked(work: Work) -> Published:
    """The service of theirs that clients ask while the leader is away.

    It is the lab's service of several replicas, or another that answers a plain request. Skips the
    test where there is none.
    """
    for role in ASKED:
        player = work.cast.service(role)
        if player and player.wanted and any(p.mode == "ingress" for p in player.ports):
            service = Service(work.swarm, player.name)
            return Published(service, player.wanted, port(work, role), ASKED[role])
    pytest.skip(f"nobody plays one of {', '.join(ASKED)}, with replicas and a published port")


def _replicas(work: Work, role: str) -> int:
    player = player_of(work, role)
    if player.wanted is None:
        pytest.skip(f"{player.name} has a task on every node, and no number of replicas")
    return player.wanted


def spread(mine: Published, wait: Waiter) -> None:
    """All its replicas serve, and one of them runs where the leader is: that one is to be lost.

    After a loss the replicas stay where they went; a forced update spreads them anew.
    """
    swarm = mine.service.swarm
    leader = swarm.leader()
    tasks = wait(mine.service.converged(replicas=mine.replicas), within=READY_S)
    if leader.name not in {task["node"] for task in tasks}:
        mine.service.update("--force", title=f"{mine.service.name} is spread over the nodes anew")
        wait(mine.service.updated(), within=READY_S)
        wait(mine.service.converged(replicas=mine.replicas), within=READY_S)
    serves = Serves(
        swarm, replicas=mine.replicas, port=mine.port, path=mine.path, timeout=PATIENCE_S
    )
    wait(serves, within=READY_S)


def healed(work: Work, role: str) -> Healed:
    """Their service with a health check, for the drill of exercise 2.9.

    Skips the test where nobody here knows how to make a task of it ill, or it has no check.
    """
    player = player_of(work, role)
    if player.health is None or player.health.none:
        pytest.skip(f"{player.name} has no health check: nothing finds an ill task")
    if player.repository != "nginx":
        pytest.skip(f"{player.name} is no nginx: how a task of it is made ill is not known here")
    if (wanted := _replicas(work, role)) < LEAST_REPLICAS:
        pytest.skip(f"{player.name} has {wanted} replicas: with one ill nobody would answer")
    ports = _published(player)
    interval, timeout = player.health.interval_s or 30.0, player.health.timeout_s or 30.0
    found = (interval + timeout) * (player.health.retries or 3)
    return Healed(
        replicas=wanted,
        port=ports[0] if ports else 0,
        repetitions=max(LEAST_REPLICAS, min(wanted, REPETITIONS)),
        within=found + MORE_S,
        alone=False,
    )


@contextmanager
def renewed_if_in_vain(service: Service) -> Iterator[None]:
    """Where an ill task was not replaced, all are: a page that is gone would stay so."""
    try:
        yield
    except NotConverged:
        service.update("--force", title=f"{service.name} has its tasks replaced")
        raise


def note_player(work: Work, role: str, evidence: Evidence) -> None:
    """Note who plays that role in the drill that follows."""
    evidence.note(
        whose.PLAYS, role=role, service=player_of(work, role).name, replicas=_replicas(work, role)
    )


def wordpress(work: Work) -> Deployed:
    """Their WordPress with its database, for the drills of exercise 2.5."""
    site, database = player_of(work, "wordpress"), player_of(work, "wordpress-database")
    if work.swarm.machines.foreign:
        pytest.skip("on somebody's own cluster nothing is written, and no service removed")
    if not work.deploys(database.stack):
        pytest.skip(f"no step deploys {database.name}: once removed, it would not come back")
    return Deployed(
        stack=site.stack,
        database=database.name,
        wordpress=site.name,
        replicas=_replicas(work, "wordpress"),
        again=lambda: work.deploy_again(database.stack),
        alone=False,
    )


def note_wordpress(work: Work, evidence: Evidence) -> None:
    """Note who plays in them."""
    for role in ("wordpress", "wordpress-database"):
        note_player(work, role, evidence)


def scaled(blog: Drill) -> None:
    """Scaled to five, and back to as many as they were."""
    try:
        blog.scale()
    finally:
        blog.wordpress.scale(blog.deployed.replicas)


@contextmanager
def read_at_the_end(blog: Drill) -> Iterator[None]:
    """Also where a wait was in vain, it is looked what is left of what was written."""
    try:
        yield
    except NotConverged:
        blog.read_everywhere()
        raise


def installed(work: Work, blog: Drill) -> str:
    """Install their WordPress, and write there; returns why it can't be done, or "".

    That phase is nobody's: the checks of 2.5's are about the lab's own stack.
    """
    with work.swarm.recorder.phase("submission/installed"):
        try:
            blog.install({})
        except INFRASTRUCTURE:
            raise
        except NotConverged as error:
            return f"their WordPress could not be installed: {error}"
        except not_acknowledged() as error:
            return f"their WordPress could not be installed: {brief(error)}"
    return ""


@dataclass(frozen=True)
class Moved:
    """Their database that is sent to another machine: `mount` is where its data are in it.

    `phase`: of exercise 2.4, by how they are kept; `fitting`: machines that its constraints allow.
    """

    service: Service
    mount: str
    phase: str
    fitting: tuple[str, ...]


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
    phase = "nfs-bind" if data.kind == "bind" else "nfs-volume"
    return Moved(Service(work.swarm, player.name), data.target, phase, tuple(fitting))


def move_the_database(mine: Moved, wait: Waiter, evidence: Evidence) -> None:
    """Write on its machine, send it to another, look there; at the end it may go where it may.

    What is written is a file beside the database's own: its rows are those of exercise 2.5.
    """
    service, swarm = mine.service, mine.service.swarm
    (task,) = wait(service.converged(replicas=1), within=READY_S)
    home = swarm.node(task["node"])
    others = [name for name in mine.fitting if name != home.name]
    proof = f"{mine.mount}/{PROOF}"
    directory = place(home, task["container"], mine.mount)
    evidence.note("place", node=home.name, path=directory, mount=mount_of(home, directory))
    gone = ("rm", "-f", "--", f"{directory}/{PROOF}")
    with guard.abandoned(home, gone, kind="proof"):
        write_proof(home, task["container"], secrets.token_bytes(PROOF_BYTES), at=proof)
        _read(evidence, "written", home, task["container"], proof)
        try:
            if not others:
                evidence.note("stuck", node=home.name, why=f"only {home} meets its constraints")
                return
            other = swarm.node(others[0])
            with guard.abandoned(swarm.leader(), *_back(service, other), kind="moved"):
                service.move(to=other)
                try:
                    (moved,) = wait(service.converged(replicas=1, on=other), within=READY_S)
                    evidence.note("moved", node=other.name)
                    _read(evidence, "moved", other, moved["container"], proof)
                finally:
                    service.update("--constraint-rm", service.only(other))
        finally:
            (task,) = wait(service.converged(replicas=1), within=READY_S)
            node = swarm.node(task["node"])
            node.run("docker", "exec", task["container"], "rm", "-f", proof, check=False)


def _back(service: Service, other: Node) -> list[tuple[str, ...]]:
    words = ("--detach", "--constraint-rm", service.only(other), service.name)
    return [("docker", "service", "update", *words)]


def _read(evidence: Evidence, step: str, node: Node, container: str, proof: str) -> None:
    sha256 = checksum(node, container, at=proof)
    evidence.note("proof", step=step, node=node.name, container=container, sha256=sha256)
