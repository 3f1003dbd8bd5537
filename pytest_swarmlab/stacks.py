"""Deploys what lies in stacks/ and takes it away again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_swarmlab.cluster import Node, Swarm
from pytest_swarmlab.conditions import (
    Converged,
    TaskFailed,
    Watched,
    brief,
    no_answer,
)
from pytest_swarmlab.errors import ConfigError, ProviderError, SwarmlabError
from pytest_swarmlab.waits import Done, Fatal, Pending, Waiter, done, pending

GONE_S = 60.0
"""Longest a removed stack's tasks and networks may take to go."""

STACK_LABEL = "com.docker.stack.namespace"


class Service:
    """One service of the swarm, by its full name."""

    def __init__(self, swarm: Swarm, name: str) -> None:
        self.swarm = swarm
        self.name = name

    def converged(self, *, replicas: int, on: Node | None = None) -> Converged:
        """Condition: that many tasks run on nodes that are not down (or on that one)."""
        return self.swarm.converged(self.name, replicas=replicas, on=on)

    def task_failed(self) -> TaskFailed:
        """Condition: one of its tasks has failed or was rejected; finds that task."""
        return TaskFailed(self.swarm, self.name)

    def watched(self, *, for_s: float) -> Watched:
        """Condition: its tasks were watched for so many seconds, or until they changed."""
        return Watched(self.swarm, self.name, for_s)


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

    def deploy(self, file: str, *, name: str | None = None) -> Stack:
        """`docker stack deploy` of that file on the leader; returns before it has converged.

        `name`: the stack's name, by default the file's without its ending.
        Raises ConfigError when there is no such file, CommandError with the
        engine's own words when it refuses it; nothing stays deployed then.
        """
        path = self._directory / file
        if not path.is_file():
            raise ConfigError(f"no stack file {path}: there are {self._listing()}")
        name = name or path.stem
        leader = self._swarm.leader()
        remote = f"/root/{name}.yml"
        leader.put(path.read_bytes(), remote)
        self._deployed.append(name)
        # The images are on the nodes already: no registry is asked for digests.
        leader.run("docker", "stack", "deploy", "--resolve-image", "never", "-c", remote, name)
        return Stack(self._swarm, name)

    def remove(self, name: str) -> None:
        """`docker stack rm`, and wait until nothing of it is left."""
        leader = self._swarm.leader()
        leader.run("docker", "stack", "rm", name)
        Waiter()(_Gone(self._swarm, {"label": f"{STACK_LABEL}={name}"}, name), within=GONE_S)
        if not leader.engine.api.services():
            # Until every node has let go of its address, the next service might get it.
            Waiter()(self._swarm.mesh_lists(0, on=self._swarm.members()), within=GONE_S)

    def remove_all(self) -> None:
        """Remove everything that was deployed, the latest first.

        Every stack is tried; raises ProviderError naming those that could not be removed.
        """
        left = []
        while self._deployed:
            name = self._deployed.pop()
            try:
                self.remove(name)
            except SwarmlabError as error:
                left.append(f"{name}: {error}")
        if left:
            raise ProviderError("stacks could not be removed: " + "; ".join(left))

    def _listing(self) -> str:
        return ", ".join(sorted(p.name for p in self._directory.glob("*.yml"))) or "none"


class _Gone:
    """No task, service or network with that filter is left."""

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
            }
        except no_answer() as error:
            return pending(brief(error))
        seen = ", ".join(f"{count} {what}" for what, count in left.items())
        return pending(seen) if any(left.values()) else done(None, seen)
