"""One running cluster of containers, as its owner or a later process sees it."""

from __future__ import annotations

import contextlib
import shlex
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import requests
from docker.errors import APIError, DockerException

from pytest_swarmlab.errors import NotConverged, ProviderError
from pytest_swarmlab.model import Topology
from pytest_swarmlab.parallel import at_once
from pytest_swarmlab.providers import console
from pytest_swarmlab.providers.base import EVERYTHING, NO_TIMERS
from pytest_swarmlab.providers.dind import container, labels
from pytest_swarmlab.providers.dind.network import Network, dial
from pytest_swarmlab.providers.dind.sweep import state_root, sweep
from pytest_swarmlab.providers.host import ping
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, Waiter, done, fatal, pending

if TYPE_CHECKING:
    from testinfra.host import Host

POLL_S = 0.1
"""Seconds between two tries of a booting node."""

STOPPED_S = 30.0
"""Longest a killed container may take to be gone, seconds; it takes a fraction of one."""

WATCHER_S = 30.0
"""Longest the watcher may take to end once it is told to, seconds; it takes none."""

MOUNTS_NFS = "grep -qE ' nfs4? ' /proc/self/mounts"
SERVES_NFS = "grep -qsv '^0$' /proc/fs/nfsd/threads"
USES_NFS = ("sh", "-c", f"{MOUNTS_NFS} || {SERVES_NFS}")
"""Ends with 0 where the host's kernel mounts a share for the node, or runs threads of a server."""

CONSOLE_LINES = 12
"""Lines of a console that an error quotes."""


class DindMachines:
    """The containers of one cluster."""

    foreign = False
    kernel = ""
    controls = EVERYTHING
    timers = NO_TIMERS

    def __init__(
        self,
        api: docker.APIClient,
        cluster: str,
        topology: Topology,
        network: Network,
        *,
        url: str,
        watcher: subprocess.Popen[bytes] | None,
    ) -> None:
        """`url`: where the engine that `api` talks to listens, for Docker's own command.

        `watcher`: the process that removes the cluster when this one is killed, if any.
        """
        self._api = api
        self._url = url
        self._cluster = cluster
        self._topology = topology
        self._network = network
        self._watcher = watcher
        self._whole: bool | None = None

    @property
    def id(self) -> str:
        """The label that all of its containers, volumes and its network have."""
        return self._cluster

    @property
    def topology(self) -> Topology:
        """The topology, with addresses that the engine had free."""
        return self._topology

    def host(self, node: str) -> Host:
        """The node through ``docker exec``."""
        from testinfra.host import Host

        from pytest_swarmlab.providers.dind.testinfra import ExecBackend

        return Host(ExecBackend(self, node))

    def command(self, node: str, argv: Sequence[str]) -> list[str]:
        """A ``docker exec`` that asks the engine the nodes are on, whatever the context."""
        return ["docker", "--host", self._url, "exec", "--interactive", self._name(node), *argv]

    def reach(self, node: str) -> str:
        """The command for a person at a terminal."""
        return shlex.join(["docker", "--host", self._url, "exec", "-it", self._name(node), "bash"])

    def engine_socket(self, node: str) -> Path:
        """The socket that the node's docker.socket listens on besides /run/docker.sock."""
        return state_root() / self._cluster / node / "docker.sock"

    def dial(self, node: str, port: int, timeout: float) -> socket.socket:
        """A TCP connection through the cluster's own bridge."""
        return dial(self._network, self._address(node), port, timeout, node)

    def await_access(self, node: str, timeout: float) -> None:
        """Return when the node's engine answers; ProviderError with its last words if not."""
        try:
            Waiter(every=POLL_S)(EngineAnswers(self, node), within=timeout)
        except NotConverged as error:
            raise ProviderError(f"{error}. {self._last_words(node)}") from error

    def state(self, node: str) -> dict[str, Any]:
        """What the engine says of the node's container: Running, Paused, ExitCode, Error …"""
        with self._controlled(node, "looked at"):
            state: dict[str, Any] = self._api.inspect_container(self._name(node))["State"]
            return state

    def power_off(self, node: str) -> None:
        """SIGKILL to the container's first process, with which the kernel ends all the rest."""
        if not self.state(node)["Running"]:
            return
        with self._controlled(node, "powered off"):
            self._api.kill(self._name(node))
            self._api.wait(self._name(node), timeout=STOPPED_S)  # type: ignore[arg-type]

    def power_on(self, node: str) -> None:
        """Start the container again: same volume, same address."""
        with self._controlled(node, "powered on"):
            self._api.start(self._name(node))

    def replace(self, node: str) -> None:
        """Remove the container with its volume, and make one like it at the same address."""
        spec = next(spec for spec in self._topology.nodes if spec.name == node)
        with self._controlled(node, "replaced"):
            was = self._api.inspect_container(self._name(node))["Config"]
            self._api.remove_container(self._name(node), force=True, v=True)
            self._api.start(
                container.create(
                    self._api,
                    spec,
                    cluster=self._cluster,
                    image=was["Image"],
                    network=self._network,
                    topology=self._topology,
                    sockets=state_root() / self._cluster / node,
                    written={k: v for k, v in was["Labels"].items() if k in labels.WRITTEN},
                )
            )

    def pause(self, node: str) -> None:
        """The kernel's freezer stops every process of the container."""
        if not self.state(node)["Paused"]:
            with self._controlled(node, "paused"):
                self._api.pause(self._name(node))

    def resume(self, node: str) -> None:
        """Let them go on."""
        if self.state(node)["Paused"]:
            with self._controlled(node, "resumed"):
                self._api.unpause(self._name(node))

    def link_down(self, node: str) -> None:
        """Take the container off the network: its interface goes."""
        if self._linked(node):
            with self._controlled(node, "unplugged"):
                self._api.disconnect_container_from_network(self._name(node), self._network.id)

    def link_up(self, node: str) -> None:
        """Connect it again, at the address it had."""
        if not self._linked(node):
            with self._controlled(node, "plugged in"):
                self._api.connect_container_to_network(
                    self._name(node), self._network.id, ipv4_address=self._address(node)
                )
                if self.state(node)["Running"]:
                    self._leave_no_way_out(node)

    def _leave_no_way_out(self, node: str) -> None:
        """Remove the gateway, as at boot: the engine may have added one."""
        shut = self._api.exec_create(self._name(node), ["ip", "route", "del", "default"])
        self._api.exec_start(shut["Id"])

    def keep(self) -> None:
        """Mark the cluster as kept, then have the watcher let go of it."""
        kept = {labels.CLUSTER: self._cluster, labels.KEPT: "true"}
        try:
            self._api.create_volume(container.name(self._cluster, "kept"), labels=kept)
        except APIError as error:
            raise ProviderError(f"{self._cluster} can't be kept: {_said(error)}") from error
        self._dismiss_watcher()

    def go_whole(self) -> bool:
        """Whether no node uses NFS; found out once.

        A share whose server is removed first may keep the host's kernel waiting for ever, and the
        threads of a server outlive its container.
        """
        if self._whole is None:
            nodes = [spec.name for spec in self._topology.nodes]
            self._whole = not any(at_once(self._uses_nfs, nodes))
        return self._whole

    def _uses_nfs(self, node: str) -> bool:
        try:
            if not self.state(node)["Running"]:
                return False
            self.resume(node)
            with self._controlled(node, "asked what it mounts"):
                asked = self._api.exec_create(self._name(node), list(USES_NFS))
                self._api.exec_start(asked["Id"])
                return bool(self._api.exec_inspect(asked["Id"])["ExitCode"] == 0)
        except ProviderError:
            return False  # Nor could anything be undone there.

    def stop(self) -> None:
        """Remove containers, volumes, network and sockets; then the watcher has nothing to do."""
        try:
            sweep(self._api, self._cluster)
        except (NotConverged, DockerException, requests.RequestException) as error:
            raise ProviderError(f"{self._cluster} can't be removed: {_said(error)}") from error
        self._dismiss_watcher()

    def _dismiss_watcher(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is None:
            return
        if watcher.stdin:
            with contextlib.suppress(BrokenPipeError):
                watcher.stdin.write(b"\n")
                watcher.stdin.flush()
            watcher.stdin.close()
        try:
            watcher.wait(WATCHER_S)
        except subprocess.TimeoutExpired:
            watcher.kill()
            watcher.wait()

    def _linked(self, node: str) -> bool:
        with self._controlled(node, "looked at"):
            settings = self._api.inspect_container(self._name(node))["NetworkSettings"]
            return any(
                seen["NetworkID"] == self._network.id for seen in settings["Networks"].values()
            )

    def _name(self, node: str) -> str:
        return container.name(self._cluster, node)

    def _address(self, node: str) -> str:
        return next(spec.address for spec in self._topology.nodes if spec.name == node)

    @contextlib.contextmanager
    def _controlled(self, node: str, how: str) -> Iterator[None]:
        try:
            yield
        except (DockerException, requests.RequestException) as error:
            raise ProviderError(f"{node} can't be {how}: {_said(error)}") from error

    def _last_words(self, node: str) -> str:
        try:
            text: Any = self._api.logs(self._name(node), tail=CONSOLE_LINES * 4)
        except (DockerException, requests.RequestException) as error:
            return f"its console can't be read: {_said(error)}"
        distinct = list(dict.fromkeys(console.lines(text)))
        return "its console ends: " + (" | ".join(distinct[-CONSOLE_LINES:]) or "it is empty")


class EngineAnswers:
    """A node's engine answers a ping."""

    name = "the engine answers"

    def __init__(self, machines: DindMachines, node: str) -> None:
        self._machines = machines
        self.node = node

    def __call__(self) -> Done[str] | Pending | Fatal:
        """Look once."""
        try:
            return done(ping(self._machines.engine_socket(self.node)))
        except OSError as error:
            state = self._machines.state(self.node)
            if not state["Running"]:
                return fatal(f"its container ended: {state['Error'] or state['ExitCode']}")
            return pending(str(error) or type(error).__name__)


def _said(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error)
