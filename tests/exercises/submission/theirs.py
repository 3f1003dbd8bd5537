"""Their services in the place of the lab's: names, ports and numbers, off the survey."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from pytest_swarmlab.clients.ledger import not_acknowledged
from pytest_swarmlab.clients.serving import Serves
from pytest_swarmlab.errors import INFRASTRUCTURE, NotConverged
from pytest_swarmlab.evidence.events import Plays
from pytest_swarmlab.evidence.load import load, no_idle_time
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.submitted.work import Work
from pytest_swarmlab.survey import seen
from pytest_swarmlab.swarm.cluster import Output
from pytest_swarmlab.swarm.stacks import Service
from pytest_swarmlab.waiting.conditions import brief
from pytest_swarmlab.waiting.waiter import Waiter

from ..exercise_2_5.drill import Deployed, Drill
from ..exercise_2_9.drill import Healed
from ..exercise_2_9.perform import UPDATED_S, break_theirs
from ..exercise_2_9.setting import REPETITIONS

READY_S = 240
PATIENCE_S = 10.0

ASKED = {"test-service": "/", "web": "/", "proxy": "/", "wordpress": "/readme.html"}
"""Role → what clients ask for: of WordPress no page, of which each costs 0.4 s of a core.

Those first that need nobody else: behind a proxy there may be one task alone, which is lost with
the leader, and then every request fails though each replica of the proxy is well.
"""

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
    found = published_ports(player)
    if not found:
        pytest.skip(f"{player.name} publishes no port through the mesh: no client can ask for it")
    return found[0]


def published_ports(player: seen.Service) -> list[int]:
    """Where it is published through the mesh."""
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


def replicas(work: Work, role: str) -> int:
    """How many it has. Skips the test where that is no number."""
    player = player_of(work, role)
    if player.wanted is None:
        pytest.skip(f"{player.name} has a task on every node, and no number of replicas")
    return player.wanted


@contextmanager
def spread(mine: Published, wait: Waiter) -> Iterator[Callable[[], Published]]:
    """Within the block a call has one of its replicas run where the leader is, and all serve.

    The one there is to be lost. Where none is, there are as many as nodes until the block's end:
    Swarm places one on each that has none, as far as the definition lets it. So the next leader has
    one already.
    """
    service, there = mine.service, mine

    def at_the_leader() -> Published:
        nonlocal there
        tasks = wait(service.converged(replicas=there.replicas), within=READY_S)
        if service.swarm.leader().name not in {task.node for task in tasks}:
            there = replace(mine, replicas=max(mine.replicas, len(service.swarm.nodes)))
            service.scale(there.replicas)
            wait(service.converged(replicas=there.replicas), within=READY_S)
        serves = Serves(
            service.swarm, replicas=there.replicas, port=mine.port, path=mine.path,
            timeout=PATIENCE_S,
        )  # fmt: skip
        wait(serves, within=READY_S)
        return there

    try:
        yield at_the_leader
    finally:
        if there is not mine:
            service.scale(mine.replicas)


def healed(work: Work, role: str) -> Healed:
    """Their service with a health check, for the drill of exercise 2.9.

    Skips the test where nobody here knows how to make a task of it ill, or it has no check.
    """
    player = player_of(work, role)
    if player.health is None or player.health.none:
        pytest.skip(f"{player.name} has no health check: nothing detects an unhealthy task")
    if player.repository != "nginx":
        pytest.skip(f"{player.name} is no nginx: the drill can't make a task of it unhealthy")
    if (wanted := replicas(work, role)) < LEAST_REPLICAS:
        pytest.skip(f"{player.name} has {wanted} replicas: with one unhealthy none would answer")
    ports = published_ports(player)
    interval, timeout = player.health.interval_s or 30.0, player.health.timeout_s or 30.0
    found = (interval + timeout) * (player.health.retries or 3)
    return Healed(
        replicas=wanted,
        port=ports[0] if ports else 0,
        repetitions=max(LEAST_REPLICAS, min(wanted, REPETITIONS)),
        within=found + MORE_S,
        # Each waits for its own checks, 30 s of the lab's definition.
        at_once=min(2, wanted - 1),
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


def ill_update(service: Service) -> Output:
    """An update of theirs to a check that can't succeed, until their definition has taken it back.

    Waited for no longer than the lab's own.
    """
    return break_theirs(service, within=UPDATED_S)


@contextmanager
def taken_back_if_in_vain(service: Service) -> Iterator[None]:
    """What their definition did not take back is taken back by hand."""
    try:
        yield
    except NotConverged:
        service.rollback(title=f"{service.name} did not take it back, and is taken back")
        raise


def note_player(work: Work, role: str, evidence: Evidence) -> None:
    """Note who plays that role in the drill that follows."""
    note_plays(role, player_of(work, role).name, replicas(work, role), evidence)


def note_plays(role: str, service: str, replicas: int, evidence: Evidence) -> None:
    """Note that a service plays that role in the drill that follows, with so many replicas."""
    evidence.write(Plays(role, service, replicas))


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
        replicas=replicas(work, "wordpress"),
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


INSTALLED = "submission/installed"
"""That phase is nobody's: the checks of 2.5's are about the lab's own stack."""


def installed(work: Work, blog: Drill) -> str:
    """Install their WordPress, and write there; returns why it can't be done, or "".

    Skips the test where this machine had no time for it: then nothing was learned of theirs.
    """
    recorder = work.swarm.recorder
    with load(recorder, INSTALLED, lambda: 0), recorder.phase(INSTALLED):
        why = _install(blog)
    if why and (busy := no_idle_time(recorder.view(), INSTALLED)):
        pytest.skip(f"{busy}; {why}")
    return why


def _install(blog: Drill) -> str:
    try:
        blog.install({})
    except INFRASTRUCTURE:
        raise
    except NotConverged as error:
        return f"their WordPress could not be installed: {error}"
    except not_acknowledged() as error:
        return f"their WordPress could not be installed: {brief(error)}"
    return ""
