"""Containers on a node, as the tests of images start, ask and stop them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_swarmlab.swarm.cluster import Node
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, Waiter, done, fatal, pending

if TYPE_CHECKING:
    from docker.models.containers import Container

STOP_S = 20
"""Given to a container to stop by itself, seconds; one that needs longer is killed: 137."""

START_S = 90
"""Longest a first start may take: MySQL on one slow processor; it takes about 15 s."""

NUMBERS = itertools.count()
"""So that no two containers share a file."""


class Running:
    """One container."""

    def __init__(self, container: Container) -> None:
        self.container = container

    @property
    def address(self) -> str:
        """In the engine's own network."""
        self.container.reload()
        networks: dict[str, Any] = self.container.attrs["NetworkSettings"]["Networks"]
        return str(networks["bridge"]["IPAddress"])

    @property
    def logs(self) -> str:
        """All that it printed, both streams."""
        return self.container.logs().decode("utf-8", "replace")

    def run(self, *argv: str, user: str = "", env: Mapping[str, str] | None = None) -> str:
        """What a command in it prints; AssertionError when it ends with anything but 0."""
        code, output = self.try_to(*argv, user=user, env=env)
        assert code == 0, f"{argv} ended with {code}: {output}"
        return output

    def try_to(
        self, *argv: str, user: str = "", env: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Exit code of a command in it, and what it prints: standard output, or the error."""
        streams: Any
        code, streams = self.container.exec_run(
            list(argv), user=user, environment=dict(env or {}), demux=True
        )
        out, err = ((stream or b"").decode("utf-8", "replace").strip() for stream in streams)
        assert code is not None, f"{argv} has not ended"
        return code, out or err

    def stop(self) -> int:
        """Stop it by its own signal; returns its exit code."""
        self.container.stop(timeout=STOP_S)
        return self.end()

    def end(self) -> int:
        """Its exit code, once it has one."""
        return int(self.container.wait()["StatusCode"])

    def answers(self, *argv: str) -> Answers:
        """Condition: a command in it ends with 0."""
        return Answers(self, argv)


class Answers:
    """A command in a container ends with 0; never, once the container has ended."""

    def __init__(self, running: Running, argv: tuple[str, ...]) -> None:
        self._running = running
        self._argv = argv
        self.name = f"{' '.join(argv)} in {running.container.name}"
        self.node = None

    def __call__(self) -> Done[str] | Pending | Fatal:
        """Try once."""
        self._running.container.reload()
        if self._running.container.status != "running":
            return fatal(f"it has ended: {self._running.logs[-800:]}")
        code, output = self._running.try_to(*self._argv)
        return pending(output[-200:]) if code else done(output, output[-200:])


class Containers:
    """Starts containers and removes them, with their volumes and secrets."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._started: list[Running] = []
        self._volumes: list[Any] = []

    def start(
        self,
        image: str,
        *command: str,
        env: Mapping[str, str] | None = None,
        volumes: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        hostname: str = "",
    ) -> Running:
        """`docker run --detach`.

        `volumes`: name → where it is mounted. `files`: path in the container → content.
        """
        places = {name: {"bind": place, "mode": "rw"} for name, place in (volumes or {}).items()}
        for path, content in (files or {}).items():
            source = f"/root/files/{next(NUMBERS)}{path}"
            self._node.run("mkdir", "-p", source.rpartition("/")[0])
            self._node.put(content.encode(), source)
            places[source] = {"bind": path, "mode": "ro"}
        running = Running(
            self._node.engine.containers.run(
                image,
                list(command) or None,
                detach=True,
                environment=dict(env or {}),
                volumes=places,
                hostname=hostname or None,
            )
        )
        self._started.append(running)
        return running

    def refused(
        self, image: str, env: Mapping[str, str], *command: str, **options: Any
    ) -> tuple[int, str]:
        """Exit code and output of a container that is expected to end by itself."""
        running = self.start(image, *command, env=env, **options)
        return running.end(), running.logs

    def volume(self) -> str:
        """The name of a new, empty volume."""
        volume = self._node.engine.volumes.create()
        self._volumes.append(volume)
        return str(volume.name)

    def ready(self, running: Running, *argv: str, within: float = START_S) -> Running:
        """The container, once a command in it ends with 0; `within`: seconds."""
        Waiter()(running.answers(*argv), within=within)
        return running

    def remove(self, running: Running) -> None:
        """`docker rm --force --volumes`: its anonymous volumes go with it."""
        running.container.remove(force=True, v=True)
        self._started.remove(running)

    def remove_all(self) -> None:
        """Remove what was started and made."""
        for running in self._started[::-1]:
            self.remove(running)
        while self._volumes:
            self._volumes.pop().remove()
