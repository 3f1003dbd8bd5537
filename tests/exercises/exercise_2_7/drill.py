"""Drills of configs: mounted, shared, refused, one for each environment."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import requests
import yaml

from pytest_swarmlab.clients.probe import TIMEOUT_S, session
from pytest_swarmlab.clients.serving import await_serving
from pytest_swarmlab.errors import CommandError
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import Service, Stacks
from pytest_swarmlab.waiting.conditions import brief
from pytest_swarmlab.waiting.waiter import Waiter

from ..refused import answer
from . import events, perform
from .setting import (
    HIDDEN,
    KINDS,
    KINDS_AT,
    NAMES,
    OWNED,
    OWNED_AT,
    PLACED,
    PLAIN_AT,
    READERS,
    SIZES,
    TWICE_AT,
)

READY_S = 90
"""A service of small images runs after 3 to 6 s."""

UPDATED_S = 120
"""Two replicas, one after the other, took 20 s: each is taken out of the balancing before it is
stopped, the next is started, and must be healthy."""


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
        """Both services read the same bytes; then one gets another version."""
        self._note("shared")
        first = self.services[READERS[0]]
        first.update(
            "--update-monitor", "1s",
            "--config-rm", SHARED, "--config-add", f"source={OTHER},target={perform.READER_TARGET}",
            title=f"{first.name} alone is given {OTHER}",
        )  # fmt: skip
        self.wait(first.updated(), within=UPDATED_S)
        self._note("one-updated")

    def see_it_protected(self) -> None:
        """A config in use by one service, and by both, can't be removed."""
        try_to_remove(self.swarm, self.evidence, "in-use-by-one", SHARED)
        self.services[READERS[0]].update(
            "--config-rm", OTHER, "--config-add", f"source={SHARED},target={perform.READER_TARGET}",
            title=f"Both use {SHARED} again",
        )  # fmt: skip
        try_to_remove(self.swarm, self.evidence, "in-use-by-two", SHARED)

    def _note(self, step: str) -> None:
        for name, service in self.services.items():
            (task,) = self.wait(service.converged(replicas=1), within=READY_S)
            argv = ("docker", "exec", task.container, "sha256sum", perform.READER_TARGET)
            found = self.swarm.node(task.node).look(*argv).stdout.split()[0]
            self.evidence.write(events.Read(step, name, task.node, task.container, found))


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


def note_answer(evidence: Evidence, what: str, code: int, said: str) -> None:
    """The engine's answer to a command."""
    evidence.write(events.Answer(what, code, said.strip()))


def _try_to_create(configs: Configs, evidence: Evidence, what: str, name: str, raw: bytes) -> None:
    title = f"{what}: a config of {len(raw)} bytes is created"
    note_answer(evidence, what, *answer(lambda: configs.create(name, raw, title=title)))


def _try_to_change(swarm: Swarm, evidence: Evidence) -> None:
    """There is no `docker config update`: the engine's API is asked itself."""
    api = swarm.leader().engine.api
    config = api.inspect_config(SHARED)
    answer = api.post(
        f"{api.base_url}/v{api.api_version}/configs/{config['ID']}/update",
        params={"version": config["Version"]["Index"]},
        json={**config["Spec"], "Data": base64.b64encode(OTHER_RAW).decode()},
    )
    note_answer(evidence, "immutable", answer.status_code, answer.json().get("message", ""))


def try_to_remove(swarm: Swarm, evidence: Evidence, what: str, name: str) -> None:
    """Ask for a config's removal, and note the answer."""
    tried = swarm.leader().run(
        "docker", "config", "rm", name, check=False, title=f"{what}: {name} is to be removed"
    )
    note_answer(evidence, what, tried.code, tried.stderr)


def _try_a_service(swarm: Swarm, evidence: Evidence, what: str, *words: str) -> None:
    try:
        with Service.created(swarm, "refused", *words, perform.IMAGE, title=f"{what}: a service"):
            note_answer(evidence, what, 0, "")
    except CommandError as error:
        note_answer(evidence, what, error.code, error.stderr)


def _try_a_stack(stack: Stacks, evidence: Evidence, file: str) -> None:
    path = perform.BAD / f"{file}.yml"
    code, said = answer(lambda: stack.deploy(path, title=f"{file}.yml is deployed"))
    note_answer(evidence, file, code, said)
    if not code:
        stack.remove(file)


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
    """A deployment without an environment is refused."""
    before = len(swarm.leader().engine.api.services())
    file, title = perform.ENVIRONMENTS_FILE, "Without a config"
    code, said = answer(
        lambda: stack.deploy(file, name="nowhere", env={"PORT": "8083"}, title=title)
    )
    made = len(swarm.leader().engine.api.services()) - before
    evidence.write(events.Answer("no-environment", code, said.strip(), made))
