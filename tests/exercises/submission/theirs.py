"""Their services in the place of the lab's: names, ports and numbers, off the survey."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from pytest_swarmlab.clients.ledger import not_acknowledged
from pytest_swarmlab.clients.serving import Serves
from pytest_swarmlab.errors import INFRASTRUCTURE, NotConverged
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.submitted.work import Work
from pytest_swarmlab.swarm.stacks import Service
from pytest_swarmlab.waiting.conditions import brief
from pytest_swarmlab.waiting.waiter import Waiter

from .. import whose
from ..exercise_2_5.drill import Deployed, Drill

READY_S = 240
PATIENCE_S = 10.0


@dataclass(frozen=True)
class Published:
    """A service of theirs that clients can ask."""

    service: Service
    replicas: int
    port: int


def port(work: Work, role: str) -> int:
    """Where it is published through the mesh. Skips the test where it is not."""
    player = work.player(role)
    found = [p.published for p in player.ports if p.mode == "ingress" and p.protocol == "tcp"]
    if not found:
        pytest.skip(f"{player.name} publishes no port through the mesh: no client can ask for it")
    return found[0]


def published(work: Work, role: str) -> Published:
    """Who plays that role, for clients."""
    player = work.player(role)
    return Published(Service(work.swarm, player.name), _replicas(work, role), port(work, role))


def _replicas(work: Work, role: str) -> int:
    player = work.player(role)
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
    serves = Serves(swarm, replicas=mine.replicas, port=mine.port, timeout=PATIENCE_S)
    wait(serves, within=READY_S)


def note(evidence: Evidence, role: str, mine: Published) -> None:
    """Note whom the drill is about."""
    evidence.note(whose.PLAYS, role=role, service=mine.service.name, replicas=mine.replicas)


def wordpress(work: Work) -> Deployed:
    """Their WordPress with its database, for the drills of exercise 2.5."""
    site, database = work.player("wordpress"), work.player("wordpress-database")
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
        evidence.note(
            whose.PLAYS, role=role, service=work.player(role).name, replicas=_replicas(work, role)
        )


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
