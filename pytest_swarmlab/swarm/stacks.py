"""Deploys what lies in stacks/ and takes it away again."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pytest_swarmlab.errors import (
    CommandError,
    ConfigError,
    NotConverged,
    ProviderError,
    SwarmlabError,
)
from pytest_swarmlab.evidence import waits
from pytest_swarmlab.swarm import stack_files
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.guard import ABANDONED_AFTER_S, Guard
from pytest_swarmlab.swarm.secrets import hide
from pytest_swarmlab.swarm.stack_files import Secret
from pytest_swarmlab.waiting.conditions import (
    Converged,
    Ended,
    Replaced,
    RolledBack,
    Settled,
    TaskBlocked,
    TaskFailed,
    TasksAre,
    Updated,
    Watched,
    brief,
    no_answer,
)
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, done, pending

GONE_S = 90.0
"""Longest what was removed may take to go: containers that are stopped, networks, addresses."""

BACK_S = 240.0
"""Longest the nodes may take to be whole again before something is removed from them."""

VOLATILE = "/run"
"""Where a directory for a deployment is made on the leader: memory that only root may write to
(systemd, file-hierarchy(7))."""

STACK_SUFFIXES = {".yml", ".yaml", ".json"}

STACK_LABEL = "com.docker.stack.namespace"


@contextmanager
def removed_after(swarm: Swarm, remove: Callable[[], None]) -> Iterator[None]:
    """At the block's end, also at one that fails, what was made for it is removed.

    Unless the cluster is given up, and all of it goes.
    """
    try:
        yield
    except KeyboardInterrupt:
        # A cluster that goes takes all of it along: nobody waits for that.
        if not swarm.goes_at_end:
            remove()
        raise
    except BaseException:
        if not swarm.given_up:
            remove()
        raise
    remove()


class Service:
    """One service of the swarm, by its full name."""

    def __init__(self, swarm: Swarm, name: str) -> None:
        self.swarm = swarm
        self.name = name

    @classmethod
    @contextmanager
    def created(
        cls, swarm: Swarm, name: str, *words: str, title: str | None = None
    ) -> Iterator[Service]:
        """As `Services.create`, for one that is removed at the block's end."""
        with Services.removed(swarm) as services:
            yield services.create(name, *words, title=title)

    def update(self, *words: str, title: str | None = None) -> None:
        """`docker service update` with these words; returns before it has converged.

        Raises CommandError with the engine's own words when it refuses.
        """
        self.swarm.leader().run(
            "docker", "service", "update", "--detach", "--no-resolve-image", *words, self.name,
            title=title,
        )  # fmt: skip

    def scale(self, replicas: int) -> None:
        """`docker service scale`; returns before it has converged."""
        self.swarm.leader().run(
            "docker", "service", "scale", "--detach", f"{self.name}={replicas}",
            title=f"{self.name} is scaled to {replicas}",
        )  # fmt: skip

    def rollback(self, *, title: str | None = None) -> None:
        """`docker service rollback`: back to what it was; returns before it has converged.

        Raises CommandError with the engine's own words when it refuses.
        """
        self.swarm.leader().run("docker", "service", "rollback", "--detach", self.name, title=title)

    def move(self, *, to: Node, origin: Node | None = None) -> None:
        """Send its tasks to a node: a constraint that only that node meets.

        `origin`: the node that an earlier such constraint names; it is taken away.
        """
        away = () if origin is None else ("--constraint-rm", self._only(origin))
        self.update(
            *away, "--constraint-add", self._only(to),
            title=f"{self.name} is sent to {to}",
        )  # fmt: skip

    def _only(self, node: Node) -> str:
        """The constraint that this node alone meets."""
        known = self.swarm.known_as(node)
        kind = "id" if known in self.swarm.ids_of(node) else "hostname"
        return f"node.{kind}=={known}"

    def remove(self, *, title: str | None = None) -> None:
        """`docker service rm`, and wait until no container of it is left."""
        _remove_services(self.swarm, [self.name], title=title)

    def converged(self, *, replicas: int, on: Node | None = None) -> Converged:
        """Condition: that many tasks run on nodes that are not down (or on that one)."""
        return self.swarm.converged(self.name, replicas=replicas, on=on)

    def task_failed(self, *, known: Sequence[str] = ()) -> TaskFailed:
        """Condition: one of its tasks has failed or was rejected; finds that task.

        `known`: ids of tasks that don't count, since they had failed before.
        """
        return TaskFailed(self.swarm, self.name, known)

    def task_blocked(self) -> TaskBlocked:
        """Condition: one of its tasks can be placed on no node; finds that task."""
        return TaskBlocked(self.swarm, self.name)

    def updated(self) -> Updated:
        """Condition: its latest update has replaced all tasks, and none has failed."""
        return Updated(self.swarm, self.name)

    def rolled_back(self) -> RolledBack:
        """Condition: its latest update was taken back, by itself or by order."""
        return RolledBack(self.swarm, self.name)

    def ended(self, *, at_least: int = 1) -> Ended:
        """Condition: so many of its tasks have ended by themselves; finds those tasks."""
        return Ended(self.swarm, self.name, at_least)

    def tasks_are(self, state: str, count: int) -> TasksAre:
        """Condition: so many of the tasks that it is to have are in that state; finds them."""
        return TasksAre(self.swarm, self.name, state, count)

    def settled(self) -> Settled:
        """Condition: none of its tasks runs any more that is to stop."""
        return Settled(self.swarm, self.name)

    def replaced(self, task: dict[str, Any]) -> Replaced:
        """Condition: another task runs in that one's slot; finds it."""
        return Replaced(self.swarm, self.name, task)

    def watched(self, *, for_s: float) -> Watched:
        """Condition: its tasks were watched for so many seconds, or until they changed."""
        return Watched(self.swarm, self.name, for_s)


class Services:
    """Several services that are removed together, which takes no longer than for one of them."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._made: list[str] = []
        self._leaving: list[str] = []
        self._guards: dict[str, Guard] = {}

    @classmethod
    @contextmanager
    def removed(cls, swarm: Swarm) -> Iterator[Services]:
        """What is created within the block is removed at its end.

        Nothing of it is left then, on any node: what follows must not meet its end.
        """
        services = cls(swarm)
        with removed_after(swarm, services.remove_all):
            yield services

    def create(self, name: str, *words: str, title: str | None = None) -> Service:
        """`docker service create --name NAME` and these words.

        It returns before the service has converged: the client would wait for ever for one
        that never does. The images are on the nodes already: no registry is asked for digests.
        Raises CommandError with the engine's own words when it refuses.
        """
        leader = self._swarm.leader()
        guard = _timer(leader, "service", name)
        try:
            leader.run(
                "docker", "service", "create", "--detach", "--no-resolve-image", "--name", name,
                *words, title=title,
            )  # fmt: skip
        except BaseException:
            guard.disarm()  # Somebody else's of that name may be why.
            raise
        self._made.append(name)
        self._guards[name] = guard
        return Service(self._swarm, name)

    def let_go(self, service: Service) -> None:
        """`docker service rm` of one of them; it is waited for at the block's end.

        What is to follow it is created before: one that comes after it may get its address, and
        some node may still be taking that down.
        """
        self._made.remove(service.name)
        self._leaving.append(service.name)
        self._swarm.leader().run("docker", "service", "rm", service.name)

    def remove_all(self) -> None:
        """`docker service rm` of all of them, and wait until no container is left."""
        made, self._made = self._made[::-1], []
        leaving, self._leaving = self._leaving, []
        if made or leaving:
            _remove_services(self._swarm, made, leaving=leaving)
        for name in (*made, *leaving):
            self._guards.pop(name, Guard(())).disarm()


def _remove_services(
    swarm: Swarm, names: Sequence[str], *, leaving: Sequence[str] = (), title: str | None = None
) -> None:
    # A container on a node that is away could not be seen to go.
    wait = waits.of_the_suite(swarm.recorder)
    try:
        wait(swarm.all_nodes_ready(), within=BACK_S)
    except NotConverged as error:
        if not error.fatal:
            raise
        told = f"{error.last}: nobody waits for what is left there"
        swarm.recorder.record("notice", message=told)
    if names:
        swarm.leader().run("docker", "service", "rm", *names, title=title)
    for name in (*names, *leaving):
        wait(swarm.no_task_of(name), within=GONE_S)
    _await_free_addresses(swarm)


class Stack:
    """A deployed stack."""

    def __init__(self, swarm: Swarm, name: str) -> None:
        self.swarm = swarm
        self.name = name

    def service(self, name: str) -> Service:
        """One of its services, by the name it has in the stack file."""
        return Service(self.swarm, f"{self.name}_{name}")


class Stacks:
    """The `stack` fixture: deploys stack files and removes them at the end."""

    def __init__(self, swarm: Swarm, directory: Path) -> None:
        """`directory`: where stack files are looked for."""
        self._swarm = swarm
        self._directory = directory
        self._deployed: list[str] = []
        self._with_volumes: set[str] = set()
        self._secrets: dict[str, dict[str, str]] = {}
        """Stack → the secrets that were made for it, each with a digest of its value."""
        self._guards: dict[str, Guard] = {}

    def deploy(
        self,
        file: str | Path,
        *more: str | Path,
        name: str | None = None,
        env: Mapping[str, str] | None = None,
        keep_volumes: bool = True,
        title: str | None = None,
    ) -> Stack:
        """`docker stack deploy` of these files on the leader; returns before it has converged.

        `file`: its name in the directory of stacks, or an absolute path to one elsewhere; `more`:
        those that are laid over it. `name`: the stack's name, by default the first file's without
        its ending. A stack that is deployed already is brought to what the files say; services
        that they have no longer are removed. `env`: what stands in the place of the files'
        ``${…}``. `keep_volumes`: whether its volumes stay when it is removed, as
        `docker stack rm` leaves them, on each node. `title`: as for `Node.run`. Files that they
        name go with them, to a directory on the leader that is gone when this returns; what
        secrets hold is hidden in all that the run writes.
        Raises ConfigError when one of these files isn't there or can't be carried, CommandError
        with the engine's own words when it refuses them; what a first deployment had made until
        then is removed. Raises ProviderError when somebody's own cluster has such a stack already.
        """
        paths = [self._found(each) for each in (file, *more)]
        name = name or _stack_name(paths[0])
        bundle = stack_files.load(paths, stack=name, env=env or {})
        for secret in bundle.secrets:
            hide(self._swarm.recorder, secret.name, secret.content)
        self._warn_of_dotenv(paths[0], bundle.unset)
        leader = self._swarm.leader()
        first = name not in self._deployed
        if leader.foreign:
            _refuse_another_s_configs(leader, name, bundle.configs)
        if first:
            self._refuse_another_s(leader, name, keep_volumes=keep_volumes)
            self._guards[name] = _timer(leader, "stack", name)
            self._deployed.append(name)
            if not keep_volumes:
                self._with_volumes.add(name)
        set_first = ("env", *(f"{key}={value}" for key, value in env.items())) if env else ()
        try:
            with _place_for(leader, bundle.files) as place:
                self._create_secrets(leader, name, bundle.secrets)
                files = [word for each in bundle.stack_files for word in ("-c", f"{place}/{each}")]
                # The images are on the nodes already: no registry is asked for digests.
                leader.run(
                    *set_first, "docker", "stack", "deploy", "--resolve-image", "never",
                    *(() if first else ("--prune",)), *files, name,
                    title=title,
                )  # fmt: skip
        except CommandError:
            # The engine makes networks and services one after the other, up to what it refuses.
            if first:
                self.remove(name)
            raise
        return Stack(self._swarm, name)

    def _create_secrets(self, leader: Node, stack: str, declared: Sequence[Secret]) -> None:
        """Create what the stack's files declare as secrets, as the client would: name and labels.

        The client reads a secret from a file only. This way there is none, on no disk and in no
        memory file system of a node, also when the test run is killed: the value goes from this
        process's memory to the engine. The stack's last file says that these secrets are there
        already; their label lets `docker stack rm` take them along.
        """
        for secret in declared:
            digest = hashlib.sha256(secret.content).hexdigest()
            made = self._secrets.setdefault(stack, {})
            if made.get(secret.name) == digest:
                continue  # Deployed again, with the same value.
            labels = {**secret.labels, STACK_LABEL: stack}
            words = [word for key in labels for word in ("--label", f"{key}={labels[key]}")]
            if secret.template_driver:
                words += ["--template-driver", secret.template_driver]
            leader.run("docker", "secret", "create", *words, secret.name, "-", stdin=secret.content)
            made[secret.name] = digest

    def _refuse_another_s(self, leader: Node, name: str, *, keep_volumes: bool) -> None:
        """Raise ProviderError where somebody else has a stack of that name: it would be removed."""
        if not leader.foreign:
            return
        api, filters = leader.engine.api, {"label": f"{STACK_LABEL}={name}"}
        if any(
            listed(filters=filters)
            for listed in (api.services, api.networks, api.secrets, api.configs)
        ):
            raise ProviderError(
                f"this cluster has a stack {name} already that this run has not deployed:"
                " give yours another name with name="
            )
        # One that was removed has left its data, also one of an earlier run.
        for node in self._swarm.nodes:
            if not node.engine.api.volumes(filters)["Volumes"]:
                continue
            told = f"{node} has volumes of an earlier stack {name}"
            if not keep_volumes:
                raise ProviderError(
                    f"{told}, which would be removed with yours: give it another name with name="
                )
            self._swarm.recorder.record("notice", message=f"{told}, which this one uses")

    def _warn_of_dotenv(self, path: Path, unset: Sequence[str]) -> None:
        if unset and (path.parent / ".env").is_file():
            self._swarm.recorder.record(
                "notice",
                message=f"{path.name}: nothing gives a value to {', '.join(unset)}."
                " `docker stack deploy` does not read the .env beside it: use env=",
            )

    def _found(self, file: str | Path) -> Path:
        path = self._directory / file
        if not path.is_file():
            raise ConfigError(f"no stack file {path}: there are {self._listing()}")
        return path

    def remove(self, name: str) -> None:
        """`docker stack rm`, and wait until nothing of it is left."""
        self._ask_to_remove(name)
        self._await_removal(name)

    def remove_volumes(self, name: str) -> None:
        """Remove that stack's volumes on every node, which `docker stack rm` leaves there."""
        for node in self._swarm.nodes:
            there = node.engine.api.volumes({"label": f"{STACK_LABEL}={name}"})["Volumes"] or []
            if names := [volume["Name"] for volume in there]:
                node.run("docker", "volume", "rm", "--force", *names)

    def remove_all(self) -> None:
        """Remove everything that was deployed, the latest first, and wait for all of it together.

        Every stack is tried; raises ProviderError naming those that could not be removed. What is
        on a machine that is known to be lost is not waited for.
        """
        asked, left = [], []
        while self._deployed:
            name = self._deployed[-1]
            try:
                self._ask_to_remove(name)
                asked.append(name)
            except SwarmlabError as error:
                left.append(f"{name}: {error}")
        for name in asked:
            try:
                self._await_removal(name)
            except SwarmlabError as error:
                left.append(f"{name}: {error}")
        if left:
            raise ProviderError("stacks could not be removed: " + "; ".join(left))

    def _ask_to_remove(self, name: str) -> None:
        if name in self._deployed:
            self._deployed.remove(name)
        self._secrets.pop(name, None)
        self._swarm.leader().run("docker", "stack", "rm", name)
        self._guards.pop(name, Guard(())).disarm()

    def _await_removal(self, name: str) -> None:
        wait = waits.of_the_suite(self._swarm.recorder)
        wait(_Gone(self._swarm, {"label": f"{STACK_LABEL}={name}"}, name), within=GONE_S)
        if name in self._with_volumes:
            self._with_volumes.remove(name)
            self.remove_volumes(name)
        _await_free_addresses(self._swarm)

    def _listing(self) -> str:
        there = (p.name for p in self._directory.glob("*") if p.suffix in STACK_SUFFIXES)
        return ", ".join(sorted(there)) or "none"


def _refuse_another_s_configs(leader: Node, stack: str, names: Sequence[str]) -> None:
    """Raise ProviderError for a config of the owner's: the client would make it the stack's."""
    for config in leader.engine.api.configs():
        name, labels = config["Spec"]["Name"], config["Spec"].get("Labels") or {}
        if name in names and labels.get(STACK_LABEL) != stack:
            raise ProviderError(
                f"this cluster has a config {name} already that is not of the stack {stack}, and"
                " would be removed with it: give yours another name"
            )


def _timer(leader: Node, kind: str, name: str) -> Guard:
    """On somebody's own cluster, what removes a stack or service if nobody else does."""
    remove = ("docker", kind, "rm", name)
    return Guard.arm([(leader, [remove])], kind, after=ABANDONED_AFTER_S)


def _stack_name(path: Path) -> str:
    """A stack's name from its file's: of letters, digits, hyphens and underscores, as Swarm wants.

    Raises ConfigError when nothing is left of it.
    """
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem).strip("-_")
    if not name:
        raise ConfigError(f"{path.name} gives no name for a stack: give one with name=")
    return name


@contextmanager
def _place_for(leader: Node, files: Mapping[str, bytes]) -> Iterator[str]:
    """A directory on the leader with these files, root's alone; gone at the block's end.

    It lies in memory, as a service's variables may be passwords. Its name is chosen here: what a
    node prints would have to be trusted before it is removed. On somebody's own node a timer
    removes it if nobody else does.
    """
    place = f"{VOLATILE}/swarmlab-{secrets.token_hex(8)}"
    remove = ("rm", "-rf", "--", place)
    guard = Guard.arm([(leader, [remove])], "stack-files")
    try:
        leader.run("mkdir", "--mode=0700", "--", place)
        for name, content in files.items():
            leader.put(content, f"{place}/{name}")
        yield place
    except BaseException:
        # The first error is the one to tell; what is left then, the timer or a boot removes.
        with suppress(SwarmlabError):
            leader.run(*remove)
            guard.disarm()
        raise
    leader.run(*remove)
    guard.disarm()


def _await_free_addresses(swarm: Swarm) -> None:
    """Wait until every node has let go of a removed service: the next might get its address."""
    if not swarm.leader().engine.api.services():
        lost = swarm.places.lost
        on = [node for node in swarm.members() if node not in lost]
        waits.of_the_suite(swarm.recorder)(swarm.mesh_lists(0, on=on), within=GONE_S)


class _Gone:
    """No task, service, network or container with that filter is left."""

    node = None

    def __init__(self, swarm: Swarm, filters: dict[str, Any], name: str) -> None:
        self._swarm = swarm
        self._filters = filters
        self.name = f"nothing is left of {name}"

    def __call__(self) -> Done[None] | Pending | Fatal:
        try:
            api = self._swarm.leader().engine.api
            left = {
                "services": len(api.services(self._filters)),
                "tasks": len(api.tasks(self._filters)),
                "networks": len(api.networks(filters=self._filters)),
                "containers": sum(
                    len(node.engine.api.containers(all=True, filters=self._filters))
                    for node in self._swarm.nodes_except(*self._swarm.places.lost)
                ),
            }
        except no_answer() as error:
            return pending(brief(error))
        seen = ", ".join(f"{count} {what}" for what, count in left.items())
        return pending(seen) if any(left.values()) else done(None, seen)
