"""Deploys stack files of stacks/ and removes the stacks again."""

from __future__ import annotations

import hashlib
import re
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from pytest_swarmlab.errors import CommandError, ConfigError, ProviderError, SwarmlabError
from pytest_swarmlab.evidence import waits
from pytest_swarmlab.evidence.events import Notice
from pytest_swarmlab.parallel import each_tried
from pytest_swarmlab.swarm import stack_files
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.guard import Guard, Undoes
from pytest_swarmlab.swarm.secrets import hide
from pytest_swarmlab.swarm.services import GONE_S, Service, Services, await_free_addresses
from pytest_swarmlab.swarm.stack_files import Secret
from pytest_swarmlab.waiting.conditions import brief, no_answer
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, done, pending

__all__ = ["STACK_LABEL", "Service", "Services", "Stack", "Stacks", "of_stack"]

VOLATILE = "/run"
"""Where a directory for a deployment is made on the leader: memory that only root may write to
(systemd, file-hierarchy(7))."""

STACK_SUFFIXES = {".yml", ".yaml", ".json"}

STACK_LABEL = "com.docker.stack.namespace"


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
        self._volume_guards: dict[str, Guard] = {}

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

        `file`: its name in the directory of stacks, or an absolute path; `more`: files that
        override it. `name`: the stack's name, by default the first file's without its ending. A
        stack that is deployed already is updated to the files; services that they no longer have
        are removed. `env`: values of the files' ``${…}``. `keep_volumes`: whether its volumes stay
        on the nodes when it is removed, as `docker stack rm` leaves them. `title`: as for
        `Node.run`.

        Files that the stack file names are copied to a directory on the leader, which is removed
        when this returns. Secrets' values are hidden in all that the run writes. Raises ConfigError
        when one of these files isn't there or can't be copied. Raises CommandError with the
        engine's own words when it refuses them; objects that a first deployment had made until then
        are removed. Raises ProviderError when somebody's own cluster has such a stack already.
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
            remove = ("docker", "stack", "rm", name)
            self._guards[name] = Guard.arm([(leader, [remove])], "stack", Undoes.DEPLOYMENT)
            self._deployed.append(name)
            if not keep_volumes:
                self._with_volumes.add(name)
                self._arm_for_volumes(name)
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
        """Create the secrets that the stack's files declare, with the client's names and labels.

        The client reads a secret only from a file. Here no file exists, on no disk and in no memory
        file system of a node, also when the test run is killed: the value goes from this process's
        memory to the engine. The stack's last file declares these secrets as external; their label
        lets `docker stack rm` remove them.
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
        """Raise ProviderError if another user's stack has that name, since it would be removed."""
        if not leader.foreign:
            return
        api, filters = leader.engine.api, of_stack(name)
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
            self._swarm.recorder.write(Notice(f"{told}, which this one uses"))

    def _warn_of_dotenv(self, path: Path, unset: Sequence[str]) -> None:
        if unset and (path.parent / ".env").is_file():
            self._swarm.recorder.write(
                Notice(
                    f"{path.name}: nothing gives a value to {', '.join(unset)}."
                    " `docker stack deploy` does not read the .env beside it: use env="
                )
            )

    def _found(self, file: str | Path) -> Path:
        path = self._directory / file
        if not path.is_file():
            raise ConfigError(f"no stack file {path}: there are {self._listing()}")
        return path

    def remove(self, name: str, *, kill: bool = False) -> None:
        """`docker stack rm`, and wait until its objects are gone.

        `kill`: its containers get no time to stop, if none of its data is needed.
        """
        self._ask_to_remove(name)
        if kill:
            self._kill(name)
        self._await_removal(name)

    def _kill(self, name: str) -> None:
        """`docker kill`, also of what ends by itself meanwhile; what starts yet ends in order."""
        for node in self._swarm.nodes_except(*self._swarm.places.lost):
            with suppress(*no_answer()):
                if ids := [row["Id"] for row in node.engine.api.containers(filters=of_stack(name))]:
                    node.run("docker", "kill", *ids, check=False)

    def guard_volumes(self, name: str) -> None:
        """Before `remove_volumes`: timers remove that stack's volumes if this process dies.

        Raises ProviderError when somebody's own cluster has such a stack, or its volumes.
        """
        self._refuse_another_s(self._swarm.leader(), name, keep_volumes=False)
        self._arm_for_volumes(name)

    def _arm_for_volumes(self, name: str) -> None:
        # `docker volume prune` leaves every volume that has options, such as those of NFS.
        label = shlex.quote(f"label={STACK_LABEL}={name}")
        listed = f"docker volume ls --quiet --filter {label}"
        commands = [("sh", "-c", f"{listed} | xargs --no-run-if-empty docker volume rm --force")]
        nodes = [(node, commands) for node in self._swarm.nodes]
        self._volume_guards[name] = Guard.arm(nodes, "volumes", Undoes.USED)

    def remove_volumes(self, name: str) -> None:
        """Remove that stack's volumes on every node, which `docker stack rm` leaves there.

        Every node is tried; where one fails, the timers of all of them stay.
        """
        each_tried(partial(_remove_volumes, node, name) for node in self._swarm.nodes)
        self._volume_guards.pop(name, Guard(())).disarm()

    def remove_all(self) -> None:
        """Remove every stack that was deployed, the latest first, and wait for all of them
        together.

        Every stack is tried; raises ProviderError naming those that could not be removed.
        Containers on a machine that is known to be lost are not waited for.
        """
        asked: list[str] = []
        left: list[str] = []

        def ask(name: str) -> None:
            with _noted(name, left):
                self._ask_to_remove(name)
                asked.append(name)

        def see(name: str) -> None:
            with _noted(name, left):
                if name in asked:
                    self._await_removal(name)

        # The latest first.
        each_tried([partial(do, name) for do in (ask, see) for name in reversed(self._deployed)])
        if left:
            raise ProviderError("stacks could not be removed: " + "; ".join(left))

    def _ask_to_remove(self, name: str) -> None:
        self._swarm.leader().run("docker", "stack", "rm", name)
        # Not before: whoever removes all tries again where this fails.
        if name in self._deployed:
            self._deployed.remove(name)
        self._secrets.pop(name, None)
        self._guards.pop(name, Guard(())).disarm()

    def _await_removal(self, name: str) -> None:
        wait = waits.of_the_suite(self._swarm.recorder)
        try:
            wait(_Gone(self._swarm, of_stack(name), name), within=GONE_S)
        finally:
            if name in self._with_volumes:
                self.remove_volumes(name)
                self._with_volumes.remove(name)
        await_free_addresses(self._swarm)

    def _listing(self) -> str:
        there = (p.name for p in self._directory.glob("*") if p.suffix in STACK_SUFFIXES)
        return ", ".join(sorted(there)) or "none"


@contextmanager
def _noted(name: str, left: list[str]) -> Iterator[None]:
    """Note the error that keeps a stack from being removed: the others are removed all the same."""
    try:
        yield
    except SwarmlabError as error:
        left.append(f"{name}: {error}")


def _remove_volumes(node: Node, stack: str) -> None:
    there = node.engine.api.volumes(of_stack(stack))["Volumes"] or []
    if names := [volume["Name"] for volume in there]:
        node.run("docker", "volume", "rm", "--force", *names)


def of_stack(name: str) -> dict[str, str]:
    """The engine's filter for what is of that stack."""
    return {"label": f"{STACK_LABEL}={name}"}


def _refuse_another_s_configs(leader: Node, stack: str, names: Sequence[str]) -> None:
    """Raise ProviderError for a config of the owner's: the client would add it to the stack."""
    for config in leader.engine.api.configs():
        name, labels = config["Spec"]["Name"], config["Spec"].get("Labels") or {}
        if name in names and labels.get(STACK_LABEL) != stack:
            raise ProviderError(
                f"this cluster has a config {name} already that does not belong to the stack"
                f" {stack} but would be removed with it: give yours another name"
            )


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
    """A directory on the leader with these files, readable by root alone; removed at the block's
    end.

    It lies in memory, since a service's variables may be passwords. Its name is chosen here, so
    that no output of the node decides what is removed. On somebody's own node a timer removes it if
    this process dies.
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
