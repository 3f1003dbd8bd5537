"""Faults of the site, while and after which its author and its visitors send requests."""

import functools
import hashlib
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pytest_swarmlab.clients.ledger import Ledger, NewLedger, not_acknowledged
from pytest_swarmlab.clients.probe import Probe
from pytest_swarmlab.clients.serving import Serves
from pytest_swarmlab.errors import NotConverged
from pytest_swarmlab.evidence.observer import Observe
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.stacks import Service, Stack, Stacks, of_stack
from pytest_swarmlab.waiting.conditions import TaskFailed, brief
from pytest_swarmlab.waiting.waiter import Waiter

from ..refused import answer
from ..stack_on_nfs import environments, labelled_nodes, listing
from . import events, perform
from .setting import DATABASE, LEDGER, MORE_REPLICAS, NAME, REPLICAS, WORDPRESS
from .site import INSTALLER, Answers, ReadBack, Site, png

RATE, PATIENCE_S = 1.0, 10.0
"""A front page costs up to 0.4 s of a core that the nodes need themselves; without a database it
holds one of a replica's ten workers for seconds, and its health check needs one too."""

FRONT, LIGHT = "/", "/readme.html"
"""The front page, and a file of WordPress's own that no program and no database is needed for."""

WARM, ENOUGH = 4, 4
"""Writes acknowledged before anything is broken, and after it is whole again."""

SUCCESS = "Success!"

FIRST_START_S = 240
"""MySQL was ready 37 s after the stack was deployed, its data on NFS, while three replicas unpacked
WordPress."""

RESUMED_S = 300
"""After a node's loss writes were back after 40 s with the lease that the NFS set-up gives, and
after about 100 s with the default one of 90 s."""

SHARED_S = 75
"""Longest until each replica finds what another has taken: an NFS client believes for 60 s what it
has known of a directory (`acdirmax`, nfs(5)), and 15 s are for the requests."""

DOWN_S = 90
READY_S = 240
ROLLED_S = 240
READ_S = 60
LOG_LINES = 2000

BAD = Path(__file__).parent / "bad"
AT_ONCE = ("syntax-error", "missing-secret", "port-clash")
"""Files that the engine refuses when they are deployed."""
LATER: dict[str, Callable[[Service], TaskFailed]] = {
    "unknown-driver": Service.task_blocked,
    "silent-nfs": Service.task_failed,
}
"""Files that it takes, and what becomes of the task."""
BAD_SERVICE = "web"
BLOCKED_S = 240


@dataclass(frozen=True)
class Deployed:
    """The stack that is drilled: its name, its two services', and the number of WordPress replicas.

    `again`: deploys it once more; by default the lab's own. `renewed`: has the database's container
    removed and made again where its service may not be removed. `alone`: whether nothing else is
    published, so that every node's mesh shows the number of its replicas alone.
    """

    stack: str = NAME
    database: str = DATABASE
    wordpress: str = WORDPRESS
    replicas: int = REPLICAS
    again: Callable[[], object] | None = None
    renewed: Callable[[], object] | None = None
    alone: bool = True


LABS = Deployed()


@dataclass
class Drill:
    """One deployment of the site, and what was written there at the beginning."""

    swarm: Swarm
    site: Site
    stack: Stacks
    faults: Faults
    wait: Waiter
    probe: Probe
    ledger: NewLedger
    observe: Observe
    evidence: Evidence
    deployed: Deployed = LABS
    post: int = 0
    title: str = ""
    path: str = ""
    picture: bytes = b""
    light: str = FRONT
    """What is asked for through every node: `LIGHT`, where the site has it."""

    @property
    def database(self) -> Service:
        """The database's service."""
        return Service(self.swarm, self.deployed.database)

    @property
    def wordpress(self) -> Service:
        """WordPress's service."""
        return Service(self.swarm, self.deployed.wordpress)

    def install(self, values: dict[str, bytes]) -> None:
        """Install WordPress, log in, write a post, upload a picture; read them everywhere."""
        first = self._await_site()
        answer = self.site.install(first)
        words = " ".join(re.sub(r"<[^>]{1,500}>", " ", answer.text).split())
        start = max(0, words.find(SUCCESS))
        self.evidence.write(
            events.Installed(answer.status, SUCCESS in words, words[start : start + 200])
        )
        self._begin_as_author(first)
        for found in environments(self.swarm, values):
            self.evidence.write(events.Environment(**found))
        self._listing("Installed")

    def visit(self) -> None:
        """As `install`, where WordPress is installed and knows its author."""
        self._begin_as_author(self._await_site())

    def _await_site(self) -> Node:
        """Wait until the site answers; returns the node through which it was asked."""
        first = self.swarm.nodes[0]
        self.wait(Answers(self.site, first, INSTALLER), within=FIRST_START_S)
        self.light = self._light(first)
        self._whole(self.deployed.replicas)
        return first

    def _begin_as_author(self, first: Node) -> None:
        self.site.log_in(first)
        self.site.get_nonce(first)
        self.title = f"A post of {secrets.token_hex(4)}"
        self.post = self.site.write_post(first, self.title)
        self.picture = png()
        self.path = self.site.upload(first, f"{secrets.token_hex(4)}.png", self.picture)
        with suppress(NotConverged):  # What is read then tells it.
            self.wait(self._serves(self.deployed.replicas, self.path), within=SHARED_S)
        self.read_everywhere()

    def recreate_the_database(self) -> None:
        """`docker service rm wp_db`, then the stack is deployed again, and scaled again."""
        with self._under_load("db-recreated", self.swarm.nodes) as entries:
            if self.deployed.renewed:
                self._begin("the database's container is removed")
                self.deployed.renewed()
            else:
                self._begin("the database's service is removed")
                self.database.remove(title="The database's service is removed")
                if self.deployed.again:
                    self.deployed.again()
                else:
                    perform.deploy(self.stack)
                self.wordpress.scale(self.deployed.replicas)
            self.wait(entries.acknowledges(ENOUGH), within=RESUMED_S)
            self._whole(self.deployed.replicas)
        self.read_everywhere()
        self._listing("The database was removed and made again")

    def lose_the_node(self) -> None:
        """The machine on which the database runs loses power, and comes back much later."""
        self.evidence.tasks(self.swarm, self.database.name)
        self.evidence.write(events.Labelled(tuple(labelled_nodes(self.swarm))))
        (task,) = self.wait(self.database.converged(replicas=1), within=READY_S)
        lost = self.swarm.node(task.node)
        with (
            self.observe(self.swarm.managers(), service=self.database.name),
            self._under_load("node-lost", self.swarm.nodes_except(lost)) as entries,
        ):
            with self.faults.power_off(lost):
                self.wait(self.swarm.node_is(lost, state="down"), within=DOWN_S)
                # Not before: a machine that boots again gives the lock on the data back itself.
                self.wait(entries.acknowledges(ENOUGH), within=RESUMED_S)
                self.wait(self.database.converged(replicas=1), within=READY_S)
                replicas = self.deployed.replicas
                self.wait(self.wordpress.converged(replicas=replicas), within=READY_S)
                self._listing(f"{lost} is lost")
            self.wait(self.swarm.all_nodes_ready(), within=READY_S)
            self._whole(self.deployed.replicas)
        self.read_everywhere()

    def roll(self) -> None:
        """Every replica of WordPress is replaced, one after the other."""
        self.evidence.tasks(self.swarm, self.wordpress.name)
        with self._under_load("rolled", self.swarm.nodes) as entries:
            self._begin("every replica of WordPress is replaced")
            perform.roll(self.wordpress)
            self.wait(self.wordpress.updated(), within=ROLLED_S)
            self.wait(entries.acknowledges(ENOUGH), within=RESUMED_S)
            self._whole(self.deployed.replicas)
        self.read_everywhere()

    def scale(self) -> None:
        """WordPress is scaled to five, and each of them answers."""
        with self._under_load("scaled", self.swarm.nodes) as entries:
            self._begin("WordPress is scaled to five")
            self.wordpress.scale(MORE_REPLICAS)
            self._whole(MORE_REPLICAS)
            self.wait(entries.acknowledges(ENOUGH), within=RESUMED_S)
        self.read_everywhere()
        self._let_each_serve(MORE_REPLICAS)
        self._listing("Scaled to five")

    def replay_cookies(self) -> None:
        """A login's cookies on fresh connections, with the stack's salts and without them."""
        self._replay("shared", MORE_REPLICAS)
        perform.forget_shared_salts(self.wordpress)
        self.wait(self.wordpress.updated(), within=ROLLED_S)
        self._whole(REPLICAS)
        self.site.log_in(self.swarm.nodes[0])
        self._replay("own", REPLICAS)

    @contextmanager
    def _under_load(self, phase: str, via: Sequence[Node]) -> Iterator[Ledger]:
        """The author goes on writing and visitors go on reading; what was written is read back."""
        token = f"{phase} {secrets.token_hex(4)}"

        def write(number: int) -> str:
            node, words = via[number % len(via)], f"{token} {number}"
            if number % 2:
                return f"post {self.site.write_post(node, words)}"
            return f"comment {self.site.write_comment(node, self.post, words)}"

        with (
            self.ledger(LEDGER, write) as entries,
            self.probe(
                via=via,
                port=self.site.port,
                rate=RATE,
                timeout=PATIENCE_S,
                host=self.site.host,
            ),
        ):
            self.wait(entries.acknowledges(WARM), within=READY_S)
            yield entries
        entries.found(self.wait(ReadBack(self.site, self.swarm.nodes[0], token), within=READ_S))

    def _listing(self, when: str) -> None:
        if self.deployed.stack:  # Services of somebody's may be of none.
            listing(self.swarm, when, self.deployed.stack)

    def _begin(self, what: str) -> None:
        """Note the moment from which the phase is measured; of a fault, its own record says it."""
        self.evidence.write(events.Begun(what))

    def _whole(self, replicas: int) -> None:
        """Everything runs, and all replicas serve through every node; noted as it is then."""
        self.wait(self.database.converged(replicas=1), within=READY_S)
        self.wait(self.wordpress.converged(replicas=replicas), within=READY_S)
        if self.deployed.alone:
            self.wait(self.swarm.mesh_lists(replicas), within=READY_S)
        # That every replica is reached through every node, a file shows, and that it reaches its
        # database, the front page does, through whichever node.
        self.wait(self._serves(replicas, self.light), within=READY_S)
        if self.light != FRONT:
            few = [self.swarm.nodes[0], self.swarm.nodes[-1]]
            self.wait(self._serves(replicas, FRONT, via=few), within=READY_S)
        for service in (self.database, self.wordpress):
            self.evidence.tasks(self.swarm, service.name)

    def _serves(self, replicas: int, path: str, via: Sequence[Node] | None = None) -> Serves:
        return Serves(
            self.swarm,
            via=via,
            replicas=replicas,
            port=self.site.port,
            path=path,
            host=self.site.host,
            timeout=PATIENCE_S,
        )

    def _light(self, node: Node) -> str:
        with suppress(*not_acknowledged()):
            if self.site.ask(node, LIGHT).status == 200:
                return LIGHT
        return FRONT

    def read_everywhere(self) -> None:
        """Post, picture and login, through every node."""
        self.evidence.state(self.swarm)
        mark = secrets.token_hex(8)
        wanted = {"post": self.title, "picture": _digest(self.picture), "login": "known"}
        for node in self.swarm.nodes:
            for what, expected in wanted.items():
                found, error = None, None
                try:
                    found = self._seen(what, node, mark)
                except not_acknowledged() as problem:
                    error = brief(problem)
                self.evidence.write(events.ReadBack(node.name, what, expected, found, error))

    def _seen(self, what: str, node: Node, mark: str) -> str:
        if what == "post":
            return self.site.title_of(node, self.post)
        if what == "picture":
            return _digest(self.site.picture(node, self.path))
        return self._login(node, mark)

    def _login(self, node: Node, mark: str) -> str:
        return "known" if self.site.knows_its_author(node, mark) else "a stranger"

    def _let_each_serve(self, replicas: int) -> None:
        """One request for each replica through each node, since ingress balances round robin."""
        mark = secrets.token_hex(8)
        for node in [*self.swarm.nodes] * replicas:
            with suppress(*not_acknowledged()):
                self._login(node, mark)
        self._served(mark)

    def _replay(self, salts: str, replicas: int) -> None:
        """Once for each replica through each node, since ingress balances round robin."""
        mark = secrets.token_hex(8)
        tries: list[events.Try] = []
        for node in [*self.swarm.nodes] * replicas:
            try:
                tries.append(events.Try(node.name, self._login(node, mark)))
            except not_acknowledged() as problem:
                tries.append(events.Try(node.name, None, brief(problem)))
        self.evidence.write(events.Replayed(salts, tuple(tries)))
        self._served(mark)

    def _served(self, mark: str) -> None:
        """Note how many requests with that mark each replica has in its log."""
        served = []
        for task in self.wordpress.tasks():
            if task.running:
                container = self.swarm.node(task.node).engine.containers.get(task.container)
                lines = container.logs(tail=LOG_LINES).decode(errors="replace").splitlines()
                count = sum(mark in line for line in lines)
                served.append(events.Replica(task.id, task.node, count))
        self.evidence.write(events.Served(tuple(served)))


def see_bad_files_refused(swarm: Swarm, stack: Stacks, *, wait: Waiter, evidence: Evidence) -> None:
    """Deploy each file that can't work, note the engine's own words, check that nothing stays."""
    for name in AT_ONCE:
        code, said = answer(functools.partial(_deploy_bad, stack, name))
        if not code:
            stack.remove(name)
        evidence.write(events.Refused(name, "docker stack deploy", said.strip(), code))
    services = {name: _deploy_bad(stack, name).service(BAD_SERVICE) for name in LATER}
    for name, ends in LATER.items():
        task = wait(ends(services[name]), within=BLOCKED_S)
        evidence.write(events.Refused(name, f"a task, {task.state}", task.error))
    for name in LATER:
        stack.remove(name)
    for name in (*AT_ONCE, *LATER):
        evidence.write(_left(swarm, name))


def _deploy_bad(stack: Stacks, name: str) -> Stack:
    file = BAD / f"{name}.yml"
    return stack.deploy(file, keep_volumes=False, title=f"{name}.yml is deployed")


def _left(swarm: Swarm, name: str) -> events.Left:
    """What there is of a stack: how many services, networks and containers; on which nodes."""
    label = of_stack(name)
    api = swarm.leader().engine.api
    engines = [node.engine.api for node in swarm.nodes]
    return events.Left(
        name,
        services=len(api.services(label)),
        networks=len(api.networks(filters=label)),
        containers=sum(len(engine.containers(all=True, filters=label)) for engine in engines),
        nodes=tuple(node.name for node in swarm.nodes),
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
