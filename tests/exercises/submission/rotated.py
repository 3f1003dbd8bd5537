"""A secret of theirs is replaced by their own procedure, while clients ask who needs it."""

import hashlib
import re
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import pytest

from pytest_swarmlab.clients.probe import Probe
from pytest_swarmlab.clients.serving import Serves
from pytest_swarmlab.errors import NotConverged, ProviderError
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.marking.declared import Rotation
from pytest_swarmlab.marking.roles import Cast
from pytest_swarmlab.model import Topology
from pytest_swarmlab.submitted import bringing
from pytest_swarmlab.submitted.work import Work
from pytest_swarmlab.survey.look import services
from pytest_swarmlab.survey.readings import MYSQL, POSTGRES, is_a
from pytest_swarmlab.survey.seen import Service as Defined
from pytest_swarmlab.swarm import lifecycle
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.stacks import Service
from pytest_swarmlab.text import line
from pytest_swarmlab.waiting.waiter import Waiter

from ..exercise_2_6 import events
from ..exercise_2_6.application import WARM_S
from ..exercise_2_6.search import look_around, look_for_the_plaintext
from ..exercise_2_6.somebodys import FILES, RATE, USER
from ..exercise_2_6.verify import exercise
from .elsewhere import ThrowAway, perform_on_new_machines
from .installed import NotShown
from .theirs import PATIENCE_S, READY_S, note_plays, published_ports

PLACES = ("/root", "/home", "/tmp", "/var/tmp", "/opt", "/etc", "/run/user")
"""Where a script, or somebody at a terminal, may have left what a secret was made of."""

ASK_S = 20.0

NO_FILE = "No such file or directory"
"""How `cat` says that there is none."""

PHASE = "rotation"

PASSWORD = re.compile(r"(.*)PASSWORD_FILE")
"""The variable that names a password's file; those beside it say where and as whom it is used."""

LOGINS = {
    "postgres": 'read -r word; PGPASSWORD=$word psql --host="$1" --username="$2" --dbname="$3"'
    " --command='SELECT 1' --quiet",
    "mysql": 'read -r word; MYSQL_PWD=$word "$(command -v mysql || command -v mariadb)" --host="$1"'
    " --user=\"$2\" --execute='SELECT 1'",
}  # fmt: skip
"""Which server → a line that logs in there: address, user and database are its arguments."""


@dataclass(frozen=True)
class Account:
    """The database in which a secret is a password, and which files and words say whose.

    `user`: a file in the container of who uses it, or the name itself.
    """

    server: Defined
    kind: str
    user: str
    name: str


@dataclass(frozen=True)
class Used:
    """Who uses the secret that is to be replaced: a service of several replicas, best.

    `file`: where it reads it. `account`: None where it is the password of no database of theirs.
    """

    work: Work
    rotation: Rotation
    player: Defined
    port: int
    file: str
    account: Account | None
    values: dict[str, bytes] = field(default_factory=dict)

    @property
    def service(self) -> Service:
        """It as it can be asked for."""
        return Service(self.work.swarm, self.player.name)

    @property
    def replicas(self) -> int:
        """How many tasks it has."""
        return self.player.wanted or 0


def used(work: Work) -> Used:
    """Who uses it. Skips the test where swarmlab.yml names no rotation, or nobody can be asked."""
    try:
        return _used(work)
    except NotShown as why:
        pytest.skip(str(why))


def _used(work: Work) -> Used:
    said = work.said.rotation
    if said is None:
        raise NotShown("swarmlab.yml does not say how a secret is replaced, and which")
    users = [
        (each, given.target)
        for each in work.survey.services or ()
        for given in each.secrets
        if given.name == said.secret and published_ports(each) and each.wanted
    ]
    if not users:
        raise NotShown(f"no service with a published port uses the secret {said.secret}")
    player, target = users[0]
    file = str(PurePosixPath("/run/secrets", target))
    return Used(work, said, player, published_ports(player)[0], file, _account(work, player, file))


def _account(work: Work, player: Defined, file: str) -> Account | None:
    """Where the secret is a password, by the variables beside the one that names its file."""
    said = {variable.name: variable.value for variable in player.variables}
    for name, value in said.items():
        found = PASSWORD.fullmatch(name)
        host = said.get(f"{found[1]}HOST", "").partition(":")[0] if found else ""
        if not found or value != file or not host:
            continue
        for server in work.survey.services or ():
            if server.name not in {host, f"{player.stack}_{host}"}:
                continue
            kinds = {"postgres": POSTGRES, "mysql": MYSQL}
            kind = next((kind for kind, images in kinds.items() if is_a(server, images)), "")
            user = said.get(f"{found[1]}USER_FILE") or said.get(f"{found[1]}USER", "")
            if kind and user:
                return Account(server, kind, user, said.get(f"{found[1]}NAME", ""))
    return None


def rotate_on_new_machines(
    mine: Used, throw_away: ThrowAway, *, wait: Waiter, probe: Probe, evidence: Evidence
) -> None:
    """The same on a new swarm of ours, with the stack of who uses it as it was handed in.

    On somebody's own cluster it can't be taken back: the secret that the script removes would come
    back under another id, only the script knows what it has changed in the database, and no timer
    on a node may have the old value. Skips the test where there can be no such swarm.
    """

    def start(within: ExitStack) -> Swarm:
        new = within.enter_context(throw_away(Topology.of()))
        lifecycle.form(new)
        return new

    def perform(new: Swarm) -> None:
        there = _brought(mine, new, wait)
        evidence.milestone(f"a swarm of our own has {mine.player.stack} as it was handed in")
        rotate(there, wait=wait, probe=probe, evidence=evidence)

    perform_on_new_machines(exercise, PHASE, start, perform, evidence=evidence)


def _brought(mine: Used, new: Swarm, wait: Waiter) -> Used:
    """Who uses the secret there, when all of it runs.

    All scripts are run, and the one stack is deployed. Raises NotShown where it does not run: what
    it needs may be on its owner's machines alone.
    """
    work, stack = mine.work, mine.player.stack
    if work.handed_in is None or stack not in {step.name for step in work.said.steps}:
        raise NotShown(
            f"no step of swarmlab.yml deploys {line(stack or mine.player.name)}: it can't be tried"
            " on a swarm of our own"
        )
    bringing.bring(work.handed_in, tuple(s for s in work.said.steps if s.name in {"", stack}), new)
    defined = services(new)
    there = _used(Work(new, defined, Cast(defined), work.said, work.handed_in))
    try:
        wait(there.service.converged(replicas=there.replicas), within=READY_S)
    except NotConverged as error:
        raise NotShown(f"on a swarm of our own it does not run: {error}") from error
    return there


def rotate(mine: Used, *, wait: Waiter, probe: Probe, evidence: Evidence) -> None:
    """Their script replaces the secret while clients ask; logins before and after it."""
    note_plays(USER, mine.player.name, mine.replicas, evidence)
    work, service = mine.work, mine.service
    serves = Serves(
        work.swarm, replicas=mine.replicas, port=mine.port, path=mine.rotation.path,
        timeout=PATIENCE_S,
    )  # fmt: skip
    tasks = wait(service.converged(replicas=mine.replicas), within=READY_S)
    wait(serves, within=READY_S)
    mine.values["old"] = _known(work.swarm.node(tasks[0].node), tasks[0].container, mine)
    user = _user(mine, wait)
    _log_in(mine, "before", "old", user, wait, evidence)
    enough = len(work.swarm.nodes) + int(RATE * WARM_S) // 2
    with probe(
        via=work.swarm.nodes, port=mine.port, path=mine.rotation.path, rate=RATE,
        timeout=PATIENCE_S,
    ) as visitors:  # fmt: skip
        wait(visitors.asked_at_least(enough), within=READY_S)
        evidence.write(events.Begun())
        script, *words = mine.rotation.run
        done = work.run(work.swarm.leader(), script, *words)
        said = done.output.strip().rpartition("\n")[2]
        evidence.write(events.TheirRotation(done.code, done.why, said))
        wait(service.updated(), within=READY_S)
        wait(service.settled(), within=READY_S)
        evidence.write(events.Ended())
        wait(visitors.asked_at_least(visitors.asked + enough), within=READY_S)
    tasks = wait(service.converged(replicas=mine.replicas), within=READY_S)
    for task in tasks:
        node = work.swarm.node(task.node)
        value = mine.values["new"] = _read(node, task.container, mine)
        replica = events.Replica(
            node.name,
            container=task.container,
            digest=hashlib.sha256(value).hexdigest() if value else "",
            old=value == mine.values["old"],
        )
        evidence.write(replica)
    _log_in(mine, "after", "old", user, wait, evidence)
    _log_in(mine, "after", "new", _user(mine, wait), wait, evidence)
    listed = work.swarm.leader().look("docker", "secret", "ls", title="Is the old one gone?")
    evidence.write(events.Removed(mine.rotation.secret not in listed.stdout.split()))


def search(mine: Used, *, wait: Waiter, evidence: Evidence) -> None:
    """Look for what the secret is now where it must not be, and where one leaves it behind."""
    note_plays(USER, mine.player.name, mine.replicas, evidence)
    tasks = wait(mine.service.converged(replicas=mine.replicas), within=READY_S)
    node = mine.work.swarm.node(tasks[0].node)
    value = _known(node, tasks[0].container, mine)
    look = look_around if mine.work.swarm.machines.foreign else look_for_the_plaintext
    look(
        mine.work.swarm, tasks[0].container, node, value, evidence=evidence,
        besides={FILES: PLACES},
    )  # fmt: skip


def _read(node: Node, container: str, mine: Used) -> bytes:
    """What the secret is; empty where the container has no such file, as no secret is.

    Nobody but this process is told. Raises ProviderError when it could not be looked for.
    """
    words = ("docker", "exec", "--user", "0", container, "cat", mine.file)
    said = node.ask(*words, within=ASK_S)
    if said.code:
        if NO_FILE in said.stderr:
            return b""
        raise ProviderError(
            f"{mine.file} could not be read in {container} on {node}: {line(said.stderr, 200)}"
        )
    value = said.stdout.encode()
    mine.work.swarm.recorder.redactor.hide(mine.rotation.secret, value)
    return value


def _known(node: Node, container: str, mine: Used) -> bytes:
    """What the secret is now. Raises ProviderError where the container has none."""
    if value := _read(node, container, mine):
        return value
    raise ProviderError(f"{container} on {node} has no {mine.file}, which its service mounts")


def _user(mine: Used, wait: Waiter) -> str:
    """As whom it comes to its database now."""
    account = mine.account
    if account is None or not account.user.startswith("/"):
        return account.user if account else ""
    (task, *_) = wait(mine.service.converged(replicas=mine.replicas), within=READY_S)
    words = ("docker", "exec", "--user", "0", task.container, "cat", account.user)
    return mine.work.swarm.node(task.node).look(*words).stdout.strip()


def _log_in(mine: Used, when: str, which: str, user: str, wait: Waiter, evidence: Evidence) -> None:
    """Try a password at the database, over its network, where it lets nobody in without one."""
    if mine.account is None:
        return
    account, swarm = mine.account, mine.work.swarm
    (task,) = wait(Service(swarm, account.server.name).converged(replicas=1), within=READY_S)
    node = swarm.node(task.node)
    networks = node.engine.containers.get(task.container).attrs["NetworkSettings"]["Networks"]
    address = next(net["IPAddress"] for net in networks.values() if net["IPAddress"])
    said = node.run(
        "docker", "exec", "--interactive", task.container, "sh", "-c", LOGINS[account.kind],
        "sh", address, user, account.name, stdin=mine.values[which] + b"\n", check=False,
        title=f"{user} logs in {when} the rotation, with the {which} password",
    )  # fmt: skip
    words = "let in" if said.code == 0 else " ".join(said.stderr.split())[-200:]
    evidence.write(events.Login(when, role=user, password=which, said=words))
