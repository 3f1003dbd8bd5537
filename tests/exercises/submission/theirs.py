"""Their services in the place of the lab's: names, ports and numbers, off the survey."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import pytest

from pytest_swarmlab.clients.ledger import not_acknowledged
from pytest_swarmlab.clients.serving import Serves
from pytest_swarmlab.errors import INFRASTRUCTURE, NotConverged
from pytest_swarmlab.evidence.events import Plays
from pytest_swarmlab.evidence.load import load, no_idle_time
from pytest_swarmlab.judging.exercise import Exercise
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.model import Capability
from pytest_swarmlab.submitted.work import Work
from pytest_swarmlab.survey import seen
from pytest_swarmlab.swarm.cluster import Output
from pytest_swarmlab.swarm.guard import Guard, Undoes
from pytest_swarmlab.swarm.stacks import Service
from pytest_swarmlab.waiting.conditions import brief
from pytest_swarmlab.waiting.waiter import Waiter

from ..exercise_2_5.drill import Deployed, Drill
from ..exercise_2_9 import drill as healing
from ..exercise_2_9.drill import Healed
from ..exercise_2_9.perform import MISSING, UPDATED_S, break_theirs
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
    scaled = ExitStack()

    def at_the_leader() -> Published:
        nonlocal there
        tasks = wait(service.converged(replicas=there.replicas), within=READY_S)
        if service.swarm.leader().name not in {task.node for task in tasks}:
            if there is mine:
                scaled.enter_context(as_many_again(service, mine.replicas))
            there = replace(mine, replicas=max(mine.replicas, len(service.swarm.nodes)))
            service.scale(there.replicas)
            wait(service.converged(replicas=there.replicas), within=READY_S)
        serves = Serves(
            service.swarm, replicas=there.replicas, port=mine.port, path=mine.path,
            timeout=PATIENCE_S,
        )  # fmt: skip
        wait(serves, within=READY_S)
        return there

    with scaled:
        yield at_the_leader


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
def renewed_if_in_vain(service: Service, drill: healing.Drill) -> Iterator[None]:
    """Where an ill task was not replaced, all are: a page that is gone would stay so.

    `drill`: makes them ill within the block. If this process dies, a timer on somebody's own node
    replaces them.
    """
    renew = ("docker", "service", "update", "--detach", "--no-resolve-image", "--force")
    commands = [(*renew, service.name)]
    timer = Guard.arm([(service.swarm.leader(), commands)], "ill-tasks", Undoes.DEPLOYMENT)
    try:
        yield
    except BaseException:
        if drill.struck:
            service.update("--force", title=f"{service.name} has its tasks replaced")
        timer.disarm()
        raise
    timer.disarm()


def ill_update(service: Service) -> Output:
    """An update of theirs to a check that can't succeed, until their definition has taken it back.

    Waited for no longer than the lab's own.
    """
    return break_theirs(service, within=UPDATED_S)


TAKE_BACK = (
    'docker service inspect --format "{{json .Spec.TaskTemplate.ContainerSpec.Healthcheck}}" "$1"'
    ' | grep -qF "$2" && docker service rollback --detach "$1"'
)
"""A line that takes back no update but that one: the one before it is the owner's."""


@contextmanager
def taken_back_if_in_vain(service: Service) -> Iterator[None]:
    """What their definition did not take back is taken back by hand.

    If this process dies, a timer on somebody's own node does so.
    """
    line = ("sh", "-c", TAKE_BACK, "sh", service.name, MISSING)
    timer = Guard.arm([(service.swarm.leader(), [line])], "ill-update")
    try:
        yield
    except BaseException:
        if MISSING in _health_check(service):
            service.rollback(title=f"{service.name} did not take it back, and is taken back")
        timer.disarm()
        raise
    timer.disarm()


def _health_check(service: Service) -> str:
    spec = service.swarm.leader().engine.api.inspect_service(service.name)["Spec"]
    return str(spec["TaskTemplate"]["ContainerSpec"].get("Healthcheck"))


def note_player(work: Work, role: str, evidence: Evidence) -> None:
    """Note who plays that role in the drill that follows."""
    note_plays(role, player_of(work, role).name, replicas(work, role), evidence)


def note_plays(role: str, service: str, replicas: int, evidence: Evidence) -> None:
    """Note that a service plays that role in the drill that follows, with so many replicas."""
    evidence.write(Plays(role, service, replicas))


def without_leave(
    work: Work, exercise: Exercise, phases: Iterable[str], evidence: Evidence
) -> None:
    """Where nothing may be changed, judge these phases as they are: not provable."""
    if Capability.CHANGE not in work.swarm.capabilities:
        for phase in phases:
            evidence.judge(exercise, phase)
        evidence.say_unproven()


def wordpress(work: Work, wait: Waiter) -> Deployed:
    """Their WordPress with its database, for the drills of exercise 2.5.

    On somebody's own cluster no service is removed: only its definition knows how to make it again,
    and no timer on a node could do so.
    """
    site, database = player_of(work, "wordpress"), player_of(work, "wordpress-database")
    if work.swarm.machines.foreign:
        if (tasks := replicas(work, "wordpress-database")) != 1:
            pytest.skip(f"{database.name} has {tasks} replicas: the drill removes one container")
        _refuse_strangers(work)
        return Deployed(
            stack=site.stack,
            database=database.name,
            wordpress=site.name,
            replicas=replicas(work, "wordpress"),
            renewed=lambda: renew(Service(work.swarm, database.name), wait),
            alone=False,
        )
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


def _refuse_strangers(work: Work) -> None:
    """Skip the test where a machine is no member: clients ask for the site at each of them."""
    members = work.swarm.members()
    if strangers := [node.name for node in work.swarm.nodes if node not in members]:
        pytest.skip(f"{', '.join(strangers)} is no member of the swarm, and clients ask at each")


NO_CONTAINER = 'left=$(docker ps --all --quiet --filter "id=$1") && test -z "$left"'
"""A line that succeeds where the engine answers and has no container of that id."""


def renew(service: Service, wait: Waiter) -> None:
    """Have its only container removed, and another one made by the same definition.

    The service stays: it has no task for a while. Containers of tasks that ended earlier stay too,
    as Swarm keeps some.
    """
    (task,) = wait(service.converged(replicas=1), within=READY_S)
    with as_many_again(service, 1, undoes=Undoes.FAULT):
        service.scale(0)
        gone = ("sh", "-c", NO_CONTAINER, "sh", task.container)
        wait(service.swarm.node(task.node).succeeds(*gone), within=READY_S)


def lose_the_node(work: Work, blog: Drill) -> None:
    """The machine that runs their database loses power.

    Skips the test where it is the NFS server of somebody's own cluster: others may use that.
    """
    server, database = work.cast["nfs-server"].name, blog.database
    if work.swarm.machines.foreign and server in {t.node for t in database.tasks() if t.running}:
        pytest.skip(f"{database.name} runs on {server}, the NFS server, which others may use, too")
    blog.lose_the_node()


def note_wordpress(work: Work, evidence: Evidence) -> None:
    """Note who plays in them."""
    for role in ("wordpress", "wordpress-database"):
        note_player(work, role, evidence)


def scaled(blog: Drill) -> None:
    """Scaled to five, and back to as many as they were."""
    with as_many_again(blog.wordpress, blog.deployed.replicas):
        blog.scale()


@contextmanager
def as_many_again(
    service: Service, replicas: int, *, undoes: Undoes = Undoes.DEPLOYMENT
) -> Iterator[None]:
    """At the block's end it is scaled to so many.

    `undoes`: says when a timer on somebody's own node does so if this process can't.
    """
    back = ("docker", "service", "scale", "--detach", f"{service.name}={replicas}")
    leader = service.swarm.leader()
    with Guard.undone_after(
        [(leader, [back])], "scaled", undoes, undo=lambda: service.scale(replicas)
    ):
        yield


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


def installed(work: Work, blog: Drill, begin: Callable[[], None]) -> str:
    """Install their WordPress, and write there; returns why it can't be done, or "".

    `begin`: does so. Skips the test where this machine had no time for it, and where the owner's
    own site took nothing of a guest: then nothing was learned of theirs.
    """
    recorder = work.swarm.recorder
    with load(recorder, INSTALLED, lambda: 0), recorder.phase(INSTALLED):
        why = _why_not_begun(begin)
    if why and (busy := no_idle_time(recorder.view(), INSTALLED)):
        pytest.skip(f"{busy}; {why}")
    if why and blog.site.guest is not None:
        pytest.skip(f"nothing could be written by a guest: {why}")
    return why and f"their WordPress could not be installed: {why}"


def _why_not_begun(begin: Callable[[], None]) -> str:
    try:
        begin()
    except INFRASTRUCTURE:
        raise
    except NotConverged as error:
        return str(error)
    except not_acknowledged() as error:
        return brief(error)
    return ""
