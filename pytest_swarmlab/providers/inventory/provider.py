"""A cluster that exists, over SSH: this provider owns nothing and removes nothing."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from pytest_swarmlab.errors import HostError, ProviderError
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.images.recipe import load_plan
from pytest_swarmlab.model import Capability, NodeSpec, Topology
from pytest_swarmlab.parallel import at_once
from pytest_swarmlab.providers.base import Found, Timers
from pytest_swarmlab.providers.console import printable
from pytest_swarmlab.providers.inventory import place, powered_off
from pytest_swarmlab.providers.inventory.file import Host, Inventory, load, ssh_config
from pytest_swarmlab.providers.inventory.switch import Switch
from pytest_swarmlab.providers.reached import ReachedMachines, refuse
from pytest_swarmlab.providers.ssh import ENGINE, Access, SshLinks, locked, trouble

OLDEST_API = (1, 41)
"""The oldest engine API that is spoken with a cluster that exists: of Docker 20.10, Debian's."""

OLDEST_DOCKER = "Docker 20.10 or newer"

ACCESS_S = 30.0
"""Longest a node of a running cluster may take to answer, seconds."""

API = re.compile(r"[0-9]+\.[0-9]+")

NO_DOCKER = re.compile(r"docker: (command )?not found|docker: No such file")
"""Messages of sudo and shells for a missing command, if they end with another code than 127."""

DOCKER = ("docker", "version", "--format", "{{.Server.APIVersion}}")

ENGINE_ID = ("docker", "info", "--format", "{{.ID}}")


class InventoryMachines(ReachedMachines):
    """The machines of an inventory, connected."""

    foreign = True

    def __init__(self, inventory: Inventory, *, may_change: bool, logs: Path) -> None:
        names = max((host.name for host in inventory.hosts), key=len)
        self._place = place.Place(f"{names}.engine")
        directory = self._place.path
        config = directory / "ssh_config"
        config.write_text(ssh_config(inventory, directory), encoding="utf-8")
        self._config = config
        self._hosts = inventory.hosts
        self.id = inventory.path.stem
        self.controls = _controls(inventory, may_change=may_change)
        self._reached = {host.name: _resolved(config, host) for host in inventory.hosts}
        self.topology = Topology(
            self.id,
            tuple(NodeSpec(h.name, self._reached[h.name].address, h.role) for h in inventory.hosts),
        )
        self.timers: Timers = {host.name: {} for host in inventory.hosts}
        self._links = SshLinks(directory, config, self._reached, logs=logs)
        self._switch = Switch(inventory, {n: access.address for n, access in self._reached.items()})

    def complaints(self, hosts: Sequence[Host]) -> dict[Host, str]:
        """Which of the nodes can't be used, and why."""
        said = zip(hosts, at_once(self._complaint, hosts), strict=True)
        return {host: why for host, why in said if why}

    def open(self, hosts: Sequence[Host]) -> None:
        """Connect to every node; `complaints` has found nothing wrong with any.

        Raises ProviderError with the nodes that can't be reached all the same, and why.
        """
        self._links.open()
        _refuse_any(self._closed, hosts)
        self._learn(hosts)

    def _learn(self, hosts: Sequence[Host]) -> None:
        found = dict(zip(hosts, at_once(self._in_the_swarm, hosts), strict=True))
        self.topology = Topology(self.id, tuple(NodeSpec(h.name, found[h], h.role) for h in hosts))

    def _in_the_swarm(self, host: Host) -> str:
        """The node's own address there, which faults name and clients ask, by its engine's word.

        SSH may go by another: a forwarded port of this machine, say. Then what listens at SSH's
        address is not the node, and the node's own SSH server opens connections to it.
        """
        import docker

        access = self._reached[host.name]
        engine = docker.APIClient(
            base_url=f"unix://{self._links.engine_socket(host.name)}", version="auto"
        )
        with contextlib.closing(engine):
            info = engine.info()
        address = str(info.get("Swarm", {}).get("NodeAddr") or access.address)
        self._refuse_another_engine(host, str(info.get("ID", "")))
        direct = access.direct and address in _addresses(access.address)
        self._links.address(host.name, replace(access, address=address, direct=direct))
        return address

    def _complaint(self, host: Host) -> str | None:
        """Why the node can't be used, in one sentence; None if it can."""
        try:
            seen = self._ask(host, DOCKER)
        except subprocess.TimeoutExpired:
            return f"{host.name} can't be reached over SSH: it doesn't answer in {ACCESS_S:.0f} s"
        said = seen.stderr.decode(errors="replace")
        # The exit code tells whether anything is wrong, the words only what.
        if seen.returncode:
            return _meaning(host, seen.returncode, said)
        shown = seen.stdout.decode(errors="replace").strip()
        if not API.fullmatch(shown):
            words = printable(" ".join(shown.split()))[:40]
            return (
                f"{host.name} prints {words!r} where a command's output is to be:"
                " let what its user's shell reads at its start (.bashrc) print nothing there"
            )
        if not _at_least(shown, OLDEST_API):
            return f"the engine of {host.name} is too old (API {shown}): use {OLDEST_DOCKER}"
        return None

    def _refuse_another_engine(self, host: Host, id_: str) -> None:
        """Raise ProviderError where commands on the node are for another engine than its own."""
        try:
            asked = self._ask(host, ENGINE_ID)
        except subprocess.TimeoutExpired:
            return
        said = asked.stdout.decode(errors="replace").strip()
        if asked.returncode == 0 and id_ and said and said != id_:
            raise ProviderError(
                f"`docker` on {host.name} uses another engine than {ENGINE}: unset DOCKER_HOST,"
                " DOCKER_CONTEXT and `docker context use` of its user"
            )

    def _ask(self, host: Host, argv: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
        """Run a command that only looks; subprocess.TimeoutExpired when the node says nothing."""
        return subprocess.run(
            self._links.command(host.name, argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ACCESS_S,
            check=False,
        )

    def _closed(self, host: Host) -> str | None:
        """Why SSH opens no way to the node's engine, which answers there; None if it does."""
        try:
            self._links.await_access(host.name, ACCESS_S, engine_runs=True)
        except ProviderError as error:
            return str(error)
        return None

    def reach(self, node: str) -> str:
        """The command for a person, while the run lasts."""
        return f"ssh -F {self._config} {node}"

    def await_access(self, node: str, timeout: float) -> None:
        """Return when the node's engine answers; ProviderError after `timeout` seconds.

        One that was turned off has the timers again then that it had.
        """
        self._links.await_access(node, timeout)
        self._switch.settle(node)

    def power_off(self, node: str) -> None:
        """By its owner's command; returns when SSH reaches nobody there any more."""
        if Capability.POWER_OFF not in self.controls:
            refuse(node, Capability.POWER_OFF)
        try:
            self._switch.turn_off(node, tuple(self.timers[node].values()))
        finally:
            # It would take the connection half a minute to notice.
            self._links.drop(node)

    def power_on(self, node: str) -> None:
        """By its owner's command; returns when that has ended well."""
        if Capability.POWER_OFF not in self.controls:
            refuse(node, Capability.POWER_OFF)
        self._switch.turn_on(node)

    def keep(self) -> None:
        """The cluster is not ours: it stays in any case. Only the connections end."""
        self.stop()

    def go_whole(self) -> bool:
        """Never: the machines stay."""
        return False

    def stop(self) -> None:
        """End the connections, leave the cluster alone.

        Raises ProviderError where a machine that was turned off could not be turned on again.
        """
        self._links.close()
        self._place.remove()
        self._switch.end()


class InventoryProvider:
    """The cluster that an inventory file lists."""

    name = "inventory"
    owns = False

    def __init__(self, path: Path | None, *, may_change: bool, whole: bool = True) -> None:
        """`path`: the file; `may_change`: whether destructive work was permitted.

        `whole`: whether every node must be there; otherwise those that aren't are in `away`.
        """
        if path is None:
            raise HostError(
                "the provider inventory needs a file: name it with --swarmlab-inventory"
            )
        if shutil.which("ssh") is None:
            raise HostError("the command ssh is missing: install openssh-client")
        self._inventory = load(path)
        self._may_change = may_change
        self._whole = whole
        self.away: dict[NodeSpec, str] = {}
        self._machines: InventoryMachines | None = None

    def images(self) -> list[dict[str, Any]]:
        """The exercises' images on the first node, and their origin."""
        if self._machines is None:
            return []
        import docker

        found = []
        first = self._machines.topology.nodes[0].name
        engine = docker.DockerClient(
            base_url=f"unix://{self._machines.engine_socket(first)}", version="auto"
        )
        try:
            recipes = load_plan("stand-in").images
            for reference in (each for recipe in recipes for each in recipe.references):
                for image in engine.images.list(name=reference):
                    digests = image.attrs.get("RepoDigests") or []
                    origin = image.labels.get("org.swarmlab.origin", "registry")
                    detail = f"as on {first}: {', '.join(digests) or image.id}"
                    found.append({"reference": reference, "origin": origin, "detail": detail})
        finally:
            engine.close()
        return found

    def start(self, topology: Topology, *, recorder: Recorder, consoles: Path) -> NoReturn:
        """Not possible: an inventory's machines are not started."""
        del topology, recorder, consoles
        raise ProviderError("an inventory's machines can't be started from here")

    def attach(self, cluster: str, *, logs: Path) -> InventoryMachines:
        """Connect to the nodes. Raises ProviderError naming all that can't be used, and why.

        Where not all need be there, it is raised only when none is.
        """
        del cluster  # There is one.
        try:
            self.reap()
        except ProviderError:
            # Where not all need be there, one that stays off is told as away.
            if self._whole:
                raise
        machines = self._reached(self._inventory, logs)
        try:
            away = machines.complaints(self._inventory.hosts)
            there = tuple(host for host in self._inventory.hosts if host not in away)
            if away and (self._whole or not there):
                raise ProviderError("; ".join(away.values()))
            if away:
                self.away = {NodeSpec(h.name, h.address, h.role): why for h, why in away.items()}
                machines.stop()
                machines = self._reached(replace(self._inventory, hosts=there), logs)
            machines.open(there)
        except BaseException:
            machines.stop()
            raise
        self._machines = machines
        return machines

    def _reached(self, inventory: Inventory, logs: Path) -> InventoryMachines:
        return InventoryMachines(inventory, may_change=self._may_change, logs=logs)

    def find(self) -> list[Found]:
        """None: nothing here was started by us."""
        return []

    def reap(self) -> list[str]:
        """Mend what runs that were killed have left, here and of this inventory's machines.

        Returns the paths that were removed, and the names of machines that were turned on again.
        """
        power = any(host.power for host in self._inventory.hosts)
        on = powered_off.reap(self._inventory.path.absolute()) if power else []
        return [*on, *place.reap()]


def _controls(inventory: Inventory, *, may_change: bool) -> frozenset[Capability]:
    """What may be done to the machines from outside."""
    if not may_change:
        return frozenset()
    power = all(host.power for host in inventory.hosts)
    return frozenset({Capability.CHANGE, *({Capability.POWER_OFF} if power else ())})


def _refuse_any(complaint: Callable[[Host], str | None], hosts: Sequence[Host]) -> None:
    """Raise ProviderError with what there is to complain of any of them."""
    if complaints := [said for said in at_once(complaint, hosts) if said]:
        raise ProviderError("; ".join(complaints))


def _resolved(config: Path, host: Host) -> Access:
    """The address to which ssh would connect, as ssh reports it."""
    seen = subprocess.run(
        ["ssh", "-G", "-F", str(config), host.name], capture_output=True, text=True, check=False
    )
    if seen.returncode:
        raise ProviderError(f"ssh can't use the entry of {host.name}: {trouble(seen.stderr)}")
    words = dict(line.split(" ", 1) for line in seen.stdout.splitlines() if " " in line)
    through = {words.get("proxyjump", "none"), words.get("proxycommand", "none")} - {"none"}
    address = host.address or words["hostname"]
    return Access(address, sudo=host.sudo, direct=not through)


def _meaning(host: Host, code: int, said: str) -> str:
    """Why the first command on a node has failed, by its exit code and output."""
    if code == 255:
        if "Permission denied" in said and host.key and locked(host.key):
            return (
                f"{host.name} can't be reached over SSH: its key has a passphrase and no agent"
                f" knows it: ssh-add {host.key}"
            )
        return f"{host.name} can't be reached over SSH: {trouble(said)}"
    if "must have a tty" in said:
        return (
            f"sudo wants a terminal on {host.name}: take requiretty from its user in sudoers,"
            " or use root"
        )
    if "sudo:" in said and ("password is required" in said or "terminal is required" in said):
        return f"sudo wants a password on {host.name}: permit its user NOPASSWD, or use root"
    if code == 127 or NO_DOCKER.search(said):
        return f"there is no docker command on {host.name}: install Docker there"
    if "permission denied" in said.lower():
        return (
            f"the user may not use the engine of {host.name}: add `sudo: true` to the"
            " inventory, or the user to the group docker"
        )
    return f"the engine of {host.name} doesn't answer: {trouble(said)}"


def _addresses(host: str) -> set[str]:
    """The addresses that a host has, seen from here; none that only this machine itself has."""
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except OSError:
        return set()
    return {each for each in found if not ipaddress.ip_address(each.split("%")[0]).is_loopback}


def _at_least(api: str, oldest: tuple[int, int]) -> bool:
    major, _, minor = api.partition(".")
    return major.isdecimal() and minor.isdecimal() and (int(major), int(minor)) >= oldest
