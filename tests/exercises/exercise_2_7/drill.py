"""What is seen of configs: mounted, refused, shared, changed under load, versioned."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import requests
import yaml

from pytest_swarmlab.clients.probe import TIMEOUT_S, Traffic, session
from pytest_swarmlab.clients.serving import await_serving
from pytest_swarmlab.errors import CommandError
from pytest_swarmlab.evidence.events import TaskSeen
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import Service, Stack, Stacks
from pytest_swarmlab.waiting.conditions import brief
from pytest_swarmlab.waiting.waiter import Waiter

from . import events, perform
from .perform import NGINX, PORT, PROXY, V1, V2, V3

Probe = Callable[..., Traffic]
Observe = Callable[..., AbstractContextManager[Any]]

READY_S = 90
"""A service of small images runs after 3 to 6 s."""

UPDATED_S = 120
"""Two replicas, one after the other, took 20 s: each is taken out of the balancing before it is
stopped, the next is started, and must be healthy."""

RATE, ENOUGH = 20.0, 10
"""Each of five nodes is asked every 250 ms, and twice before and after each change."""

STAYS_S = 2
"""How long is watched that nothing moves."""

KINDS = {
    "crlf": b"a = 1\r\nb = 2\r\n",
    "utf8-bom": "\ufeffété = 1\n".encode(),
    "binary": bytes(range(256)),
    "no-newline": b"a = 1",
    "newline": b"a = 1\n",
}
"""Contents that a careless tool would change."""

KINDS_AT = "/etc/reader"
PLACED = {"plain": b"a = 2\n", "owned": b"a = 3\n", "twice": b"a = 4\n"}
"""One without a target, one with mode and owner, one at two places."""

PLAIN_AT, OWNED_AT, TWICE_AT = "/content-plain", "/etc/owned", ("/etc/once", "/etc/twice")
OWNED_MODE, OWNED_UID, OWNED_GID = "400", 33, 34
OWNED = f"uid={OWNED_UID},gid={OWNED_GID},mode=0{OWNED_MODE}"
HIDDEN = "content-secret"

SIZES = (0, 1, 1_023_999, 1_024_000)
LONGEST = 64
NAMES = {
    "name-64": "a" * LONGEST,
    "name-65": "a" * (LONGEST + 1),
    "name-space": "nginx config",
    "name-accent": "configuré",
    "name-slash": "nginx/config",
    "name-dot": ".nginx",
}


# -- mounted -----------------------------------------------------------------------------------


def see_what_is_mounted(
    swarm: Swarm, *, configs: Configs, secret: Secrets, wait: Waiter, evidence: Evidence
) -> None:
    """Every kind of content in one container, and what inspecting a config and a secret shows."""
    for kind, raw in {**KINDS, **PLACED}.items():
        perform.create(configs, f"content-{kind}", raw)
    secret.create(HIDDEN)
    words = [f"source=content-{kind},target={KINDS_AT}/{kind}" for kind in KINDS]
    words += ["content-plain", f"source=content-owned,target={OWNED_AT},{OWNED}"]
    words += [
        f"source=content-twice,target={TWICE_AT[0]}",
    ]
    words += [f"source=content-twice,target={TWICE_AT[1]},{OWNED}"]
    with Service.created(
        swarm, "reader", *_each("--config", words), "--secret", HIDDEN, perform.IMAGE,
        title="A service with configs of every kind",
    ) as service:  # fmt: skip
        (task,) = wait(service.converged(replicas=1), within=READY_S)
        node, container = swarm.node(task.node), task.container
        _note_mounted(evidence, node, container)
        targets = [*(f"{KINDS_AT}/{kind}" for kind in KINDS), PLAIN_AT, OWNED_AT, *TWICE_AT]
        _note_mounts(evidence, node, container, targets)
        _note_written(evidence, node, container, PLAIN_AT)
    _note_inspected(evidence, swarm, "config", "content-plain", PLACED["plain"])
    _note_inspected(evidence, swarm, "secret", HIDDEN, None)


def _each(option: str, values: list[str]) -> list[str]:
    return [word for value in values for word in (option, value)]


def _note_mounted(evidence: Evidence, node: Node, container: str) -> None:
    """Digest, mode, owner and size of each, two commands for all of them."""
    given = {f"{KINDS_AT}/{kind}": raw for kind, raw in KINDS.items()}
    given |= {PLAIN_AT: PLACED["plain"], OWNED_AT: PLACED["owned"]}
    given |= dict.fromkeys(TWICE_AT, PLACED["twice"])
    run = ("docker", "exec", container)
    digests = node.look(*run, "sha256sum", *given, title="What the container reads").stdout
    found = {path: digest for digest, path in map(str.split, digests.splitlines())}
    modes = node.look(
        *run, "stat", "-c", "%a %u %g %s %n", *given, title="Mode, owner, size"
    ).stdout
    for mode, uid, gid, size, path in map(str.split, modes.splitlines()):
        was = hashlib.sha256(given[path]).hexdigest()
        evidence.write(events.Mounted(path, was, found[path], mode, int(uid), int(gid), int(size)))


def _digest_in(node: Node, container: str, path: str) -> str:
    return node.look("docker", "exec", container, "sha256sum", path).stdout.split()[0]


def _note_mounts(evidence: Evidence, node: Node, container: str, targets: list[str]) -> None:
    table = node.look("docker", "exec", container, "cat", "/proc/self/mounts").stdout
    rows = {row[1]: row for row in map(str.split, table.splitlines()) if len(row) > 3}
    for target in targets:
        row = rows.get(target, ["", target, "", ""])
        evidence.write(events.Mount(target, row[2], tuple(row[3].split(","))))


def _note_written(evidence: Evidence, node: Node, container: str, target: str) -> None:
    tried = node.run(
        "docker", "exec", container, "sh", "-c", f"echo changed > {target}",
        check=False, title="Somebody in the container tries to change it",
    )  # fmt: skip
    evidence.write(events.Written(target, tried.code, tried.stderr.strip()))


def _note_inspected(
    evidence: Evidence, swarm: Swarm, what: str, name: str, given: bytes | None
) -> None:
    """Whether `docker config inspect`, or that of a secret, shows what it holds."""
    leader = swarm.leader()
    leader.look("docker", what, "inspect", name, title=f"docker {what} inspect {name}")
    shown = leader.look("docker", what, "inspect", "--format", "{{json .Spec}}", name).stdout
    data = yaml.safe_load(shown).get("Data")
    same = None if data is None else base64.b64decode(data) == given
    evidence.write(events.Inspected(what, shows=data is not None, same=same))


# -- shared and refused ------------------------------------------------------------------------


@dataclass
class Readers:
    """Two services that are given one config."""

    swarm: Swarm
    services: Mapping[str, Service]
    wait: Waiter
    evidence: Evidence

    def see_both_read_it(self) -> None:
        """The same bytes in both; then one of them gets another version."""
        self._note("shared")
        first = self.services[perform.READERS[0]]
        first.update(
            "--update-monitor", "1s",
            "--config-rm", SHARED, "--config-add", f"source={OTHER},target={perform.READER_TARGET}",
            title=f"{first.name} alone is given {OTHER}",
        )  # fmt: skip
        self.wait(first.updated(), within=UPDATED_S)
        self._note("one-updated")

    def see_it_protected(self) -> None:
        """What one of them uses can't be removed; nor what both use again."""
        _try_to_remove(self.swarm, self.evidence, "in-use-by-one", SHARED)
        self.services[perform.READERS[0]].update(
            "--config-rm", OTHER, "--config-add", f"source={SHARED},target={perform.READER_TARGET}",
            title=f"Both use {SHARED} again",
        )  # fmt: skip
        _try_to_remove(self.swarm, self.evidence, "in-use-by-two", SHARED)

    def _note(self, step: str) -> None:
        for name, service in self.services.items():
            (task,) = self.wait(service.converged(replicas=1), within=READY_S)
            node, container = self.swarm.node(task.node), task.container
            found = _digest_in(node, container, perform.READER_TARGET)
            self.evidence.write(events.Read(step, name, node.name, container, found))


SHARED, OTHER = "reader_config", "reader_config_v2"
SHARED_RAW, OTHER_RAW = b"version = 1\n", b"version = 2\n"


def create_shared(configs: Configs, evidence: Evidence) -> None:
    """Two versions of what the readers read."""
    for name, raw in ((SHARED, SHARED_RAW), (OTHER, OTHER_RAW)):
        perform.create(configs, name, raw)
        evidence.write(events.Given(config=name, digest=hashlib.sha256(raw).hexdigest()))


def see_bad_ones_refused(swarm: Swarm, stack: Stacks, configs: Configs, evidence: Evidence) -> None:
    """Ask for everything that must be refused, and for what just may be; note every answer."""
    evidence.write(events.Engine(swarm.leader().engine.version()["Version"]))
    for size in SIZES:
        _try_to_create(configs, evidence, f"size-{size}", f"size-{size}", b"x" * size)
    for what, name in NAMES.items():
        _try_to_create(configs, evidence, what, name, b"x")
    _try_to_create(configs, evidence, "duplicate", SHARED, OTHER_RAW)
    _try_to_change(swarm, evidence)
    one = f"source={SHARED},target=/etc/same"
    two = f"source={OTHER},target=/etc/same"
    _try_a_service(swarm, evidence, "same-target", "--config", one, "--config", two)
    _try_a_service(swarm, evidence, "unknown", "--config", "never_created")
    for file in ("missing-config", "undefined-config"):
        _try_a_stack(stack, evidence, file)


def _note_answer(evidence: Evidence, what: str, code: int, said: str) -> None:
    evidence.write(events.Answer(what, code, said.strip()))


def _try_to_create(configs: Configs, evidence: Evidence, what: str, name: str, raw: bytes) -> None:
    try:
        configs.create(name, raw, title=f"{what}: a config of {len(raw)} bytes is created")
    except CommandError as error:
        _note_answer(evidence, what, error.code, error.stderr)
    else:
        _note_answer(evidence, what, 0, "")


def _try_to_change(swarm: Swarm, evidence: Evidence) -> None:
    """There is no `docker config update`: the engine's API is asked itself."""
    api = swarm.leader().engine.api
    config = api.inspect_config(SHARED)
    answer = api.post(
        f"{api.base_url}/v{api.api_version}/configs/{config['ID']}/update",
        params={"version": config["Version"]["Index"]},
        json={**config["Spec"], "Data": base64.b64encode(OTHER_RAW).decode()},
    )
    _note_answer(evidence, "immutable", answer.status_code, answer.json().get("message", ""))


def _try_to_remove(swarm: Swarm, evidence: Evidence, what: str, name: str) -> None:
    tried = swarm.leader().run(
        "docker", "config", "rm", name, check=False, title=f"{what}: {name} is to be removed"
    )
    _note_answer(evidence, what, tried.code, tried.stderr)


def _try_a_service(swarm: Swarm, evidence: Evidence, what: str, *words: str) -> None:
    try:
        with Service.created(swarm, "refused", *words, perform.IMAGE, title=f"{what}: a service"):
            _note_answer(evidence, what, 0, "")
    except CommandError as error:
        _note_answer(evidence, what, error.code, error.stderr)


def _try_a_stack(stack: Stacks, evidence: Evidence, file: str) -> None:
    try:
        stack.deploy(perform.BAD / f"{file}.yml", title=f"{file}.yml is deployed")
    except CommandError as error:
        _note_answer(evidence, file, error.code, error.stderr)
    else:
        _note_answer(evidence, file, 0, "")
        stack.remove(file)


# -- the proxy ---------------------------------------------------------------------------------


@dataclass
class Proxy:
    """The lab's reverse proxy, from its file as it stands to versions named by their content."""

    swarm: Swarm
    stack: Stacks
    configs: Configs
    wait: Waiter
    probe: Probe
    observe: Observe
    evidence: Evidence

    @property
    def nginx(self) -> Service:
        """The proxy's service."""
        return Stack(self.swarm, PROXY).service(NGINX)

    def start_without_a_backend(self) -> None:
        """The lab's file never works; the corrected one brings the backend, and it does."""
        perform.create_for_the_proxy(self.configs)
        nginx = perform.deploy_literally(self.stack)
        # It may take nginx some seconds to give up looking for the name.
        perform.create_later_ones(self.configs)
        perform.show(self.swarm, V1, V2, V3)
        tried = self.swarm.leader().run(
            "docker", "service", "update", "--detach", "--config-rm", V1,
            "--config-add", f"source={V2},target={perform.TARGET}", NGINX,
            check=False, title="The lab's name for the service",
        )  # fmt: skip
        _note_answer(self.evidence, "lab-name", tried.code, tried.stderr)
        self._note_failed(self.wait(nginx.task_failed(), within=READY_S))
        perform.listing(nginx, "Nobody is called backend")
        # Not as an update of what never worked: nginx starts sooner than the backend, ends at once,
        # and the update would take itself back, to the lab's file.
        self.stack.remove(PROXY)
        perform.deploy(self.stack, title="The corrected file, with a backend")
        self._whole()
        self._note_echo(V1)
        (task, *_) = self.wait(self.nginx.converged(replicas=2), within=READY_S)
        perform.ask(self.swarm.node(task.node), task.container)

    def switch(self) -> None:
        """The lab's update, from version 1 to 2, two replicas one after the other.

        In the order that Swarm has without being asked, as the lab's own file would.
        """
        self.under_load(
            "switch", lambda: perform.switch(self.nginx, V1, V2, "--update-order", "stop-first")
        )
        self._note_echo(V2)

    def roll_back(self) -> None:
        """`docker service rollback`: back to version 1."""
        self.under_load(
            "rollback", lambda: self.nginx.rollback(title="Back to the version before"), back=True
        )

    def try_a_bad_one(self) -> None:
        """A configuration that nginx refuses: the update is taken back by itself."""
        known = self.task_ids()
        self.under_load("bad", lambda: perform.switch(self.nginx, V1, V3), back=True)
        self._note_failed(self.wait(self.nginx.task_failed(known=known), within=READY_S))

    def task_ids(self) -> list[str]:
        """Every task that the service has or had, those that failed long ago among them."""
        rows = self.swarm.task_rows(self.swarm.leader().engine, self.nginx.name)
        return [task.id for task in rows]

    def leave_one(self) -> None:
        """One replica; the other has left the balancing, if not yet its node."""
        self.nginx.scale(1)
        self.wait(self.nginx.converged(replicas=1), within=READY_S)

    def switch_one(self) -> None:
        """The same update; the one replica is stopped before the next is started."""
        order = "stop-first"
        self.under_load(
            order,
            lambda: perform.switch(self.nginx, V1, V2, "--update-order", order),
            replicas=1,
        )

    def under_load(
        self, what: str, act: Callable[[], None], *, back: bool = False, replicas: int = 2
    ) -> None:
        """Do it while visitors come through every node; note when it began, was over, and settled.

        Started first, the next replica makes an update complete; the one before it is told to stop
        then, and goes on answering until every node knows.
        """
        nginx, leader = self.nginx, self.swarm.leader()
        via = self.swarm.members()
        with (
            self.observe([leader], service=nginx.name),
            self.probe(via=via, port=PORT, rate=RATE, header=perform.VERSION_HEADER) as traffic,
        ):
            self.wait(traffic.asked_at_least(ENOUGH), within=READY_S)
            self.evidence.write(events.Begun(what))
            act()
            self.wait(nginx.rolled_back() if back else nginx.updated(), within=UPDATED_S)
            status = leader.engine.api.inspect_service(nginx.name)["UpdateStatus"]
            self.evidence.write(events.Over(what, status["State"], status["Message"]))
            self.wait(nginx.settled(), within=READY_S)
            # A node that has not heard of the next one yet turns visitors away.
            self.wait(self.swarm.mesh_lists(replicas), within=READY_S)
            self.evidence.write(events.Settled(what))
            self.wait(traffic.asked_at_least(traffic.asked + ENOUGH), within=READY_S)
        perform.listing(nginx, what)

    def _whole(self) -> None:
        """Both replicas and the backend run, and both serve through every node."""
        self.wait(Stack(self.swarm, PROXY).service("backend").converged(replicas=1), within=READY_S)
        await_serving(self.wait, self.nginx, replicas=2, port=PORT, within=READY_S)
        self.evidence.tasks(self.swarm, self.nginx.name)

    def _note_failed(self, task: TaskSeen) -> None:
        said = self.swarm.node(task.node).log_of(task.container)
        self.evidence.write(events.Failed(said, task.exit_code, task.error))

    def _note_echo(self, config: str) -> None:
        """What the backend says that the proxy told it, asked through every node."""
        members = self.swarm.members()
        with session(members) as client:
            for node in members:
                said, error = None, None
                try:
                    said = client.get(f"http://{node.name}:{PORT}/", timeout=TIMEOUT_S).text
                except (requests.RequestException, OSError) as problem:
                    error = brief(problem)
                self.evidence.write(events.Echo(config, node.name, said, error))


# -- versions ----------------------------------------------------------------------------------

VERSIONED = "nginx"


@dataclass
class Versions:
    """The proxy's stack, deployed with configs that are named by their content."""

    proxy: Proxy
    names: dict[str, str] = field(default_factory=dict)
    """Step → the name of the version that was deployed in it."""

    first = perform.content("nginx.conf")
    second = perform.content("nginx-v2.conf")
    third = second.replace(b"X-Config v2", b"X-Config v3")

    def begin(self) -> None:
        """The first, served by one replica: the next is started before the last is stopped."""
        self.proxy.under_load("start-first", lambda: self._deploy("first", self.first), replicas=1)

    def go_on(self) -> None:
        """The same again, another, a third; unused ones removed; back; and no way back."""
        self._see("first")
        self._deploy("first-again", self.first)
        self._see("first-again", changed=False)
        self._deploy("second", self.second)
        self._see("second")
        self._deploy("third", self.third)
        self._see("third")
        removed = self.proxy.configs.prune(VERSIONED, title="Versions that nothing needs go")
        self._note("pruned", removed=tuple(removed))
        self._try_to_remove("current", self.names["third"])
        self._roll_back("rolled-back")
        self._lose_the_way_back(self.names["third"])

    def _deploy(self, step: str, raw: bytes) -> None:
        proxy = self.proxy
        name = proxy.configs.version(VERSIONED, raw, title=f"Version of {VERSIONED}: {step}")
        self.names[step] = name
        perform.deploy(proxy.stack, title=f"Deployed: {step}", NGINX_CONFIG=name, REPLICAS="1")

    def _see(self, step: str, *, changed: bool = True) -> None:
        nginx = self.proxy.nginx
        if changed:
            self.proxy.wait(nginx.updated(), within=UPDATED_S)
        else:
            self.proxy.wait(nginx.watched(for_s=STAYS_S), within=READY_S)
        self._note(step, deployed=self.names[step], serving=changed)

    def _roll_back(self, step: str) -> None:
        self.proxy.nginx.rollback(title="Back to the version before")
        self.proxy.wait(self.proxy.nginx.rolled_back(), within=UPDATED_S)
        self._note(step, serving=True)
        # A task that is still stopping keeps its node in possession of its config.
        self.proxy.wait(self.proxy.nginx.settled(), within=READY_S)

    def _try_to_remove(self, what: str, name: str) -> None:
        tried = self.proxy.swarm.leader().run(
            "docker", "config", "rm", name,
            check=False, title=f"The {what} version is to be removed",
        )  # fmt: skip
        _note_answer(self.proxy.evidence, what, tried.code, tried.stderr)

    def _lose_the_way_back(self, name: str) -> None:
        """What only a rollback needs can be removed by hand, and is rolled back to all the same."""
        proxy = self.proxy
        code, said = 0, ""
        try:
            proxy.configs.remove(name, title="The version before is removed by hand")
        except CommandError as error:
            code, said = error.code, error.stderr
        _note_answer(proxy.evidence, "previous", code, said)
        known = proxy.task_ids()
        proxy.nginx.rollback(title="Back to a version that was removed")
        task = proxy.wait(proxy.nginx.task_failed(known=known), within=READY_S)
        proxy.evidence.write(events.Lost(task.error))
        perform.listing(proxy.nginx, "The way back is lost")

    def _note(
        self,
        step: str,
        *,
        serving: bool = False,
        deployed: str | None = None,
        removed: tuple[str, ...] | None = None,
    ) -> None:
        """`serving`: also ask the container which version it serves."""
        proxy = self.proxy
        leader = proxy.swarm.leader()
        service = leader.engine.api.inspect_service(proxy.nginx.name)
        (task,) = proxy.wait(proxy.nginx.converged(replicas=1), within=READY_S)
        version = events.Version(
            step,
            listed=tuple(proxy.configs.versions(VERSIONED)),
            current=_config_of(service["Spec"]),
            previous=_config_of(service.get("PreviousSpec")),
            task=task.id,
            served=_served(proxy.swarm.node(task.node), task.container) if serving else None,
            deployed=deployed,
            removed=removed,
        )
        proxy.evidence.write(version)


def _config_of(spec: dict[str, Any] | None) -> str | None:
    """The name of the one config in a service's definition."""
    if not spec:
        return None
    (config,) = spec["TaskTemplate"]["ContainerSpec"]["Configs"]
    name: str = config["ConfigName"]
    return name


def _served(node: Node, container: str) -> str:
    """Which version the container's nginx says that it has."""
    return node.look(
        "docker", "exec", container, "curl", "-sS", "-o", "/dev/null", "-w",
        f"%header{{{perform.VERSION_HEADER}}}", "http://127.0.0.1/healthy",
    ).stdout  # fmt: skip


# -- environments ------------------------------------------------------------------------------


def ask_each_environment(
    swarm: Swarm, stack: Stacks, *, configs: Configs, wait: Waiter, evidence: Evidence
) -> None:
    """Two environments side by side; each is asked through every node, more often than once."""
    perform.create(configs, perform.CODE, perform.content("app.py"))
    services = {
        name: perform.deploy_environment(stack, configs, name) for name in perform.ENVIRONMENTS
    }
    for name in perform.ENVIRONMENTS:
        settings = yaml.safe_load(perform.content(f"app-{name}.yml"))
        evidence.write(events.Given(environment=name, settings=settings))
    listed = sum(replicas for _, replicas in perform.ENVIRONMENTS.values())
    for name, (port, replicas) in perform.ENVIRONMENTS.items():
        await_serving(
            wait, services[name], replicas=replicas, port=port, listed=listed, within=READY_S
        )
    members = swarm.members()
    with session(members) as client:
        for name, (port, replicas) in perform.ENVIRONMENTS.items():
            for node in members * replicas:
                _note_settings(evidence, client, name, node, port)
    _try_without_variables(swarm, stack, evidence)


def _note_settings(
    evidence: Evidence, client: requests.Session, name: str, node: Node, port: int
) -> None:
    found, error = None, None
    try:
        found = client.get(f"http://{node.name}:{port}/", timeout=TIMEOUT_S).json()
    except (requests.RequestException, OSError) as problem:
        error = brief(problem)
    evidence.write(events.Settings(name, node.name, found, error))


def _try_without_variables(swarm: Swarm, stack: Stacks, evidence: Evidence) -> None:
    """Nobody deploys an environment without saying which."""
    before = len(swarm.leader().engine.api.services())
    code, said = 0, ""
    try:
        stack.deploy(
            perform.ENVIRONMENTS_FILE,
            name="nowhere",
            env={"PORT": "8083"},
            title="Without a config",
        )
    except CommandError as error:
        code, said = error.code, error.stderr.strip()
    made = len(swarm.leader().engine.api.services()) - before
    evidence.write(events.Answer("no-environment", code, said, made))
