"""An inventory file, checked before any connection is opened."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.model import Membership
from pytest_swarmlab.tables import Table

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
"""A host name; nothing that ssh could take for an option or a pattern."""

WORD = re.compile(r"[A-Za-z0-9\[][A-Za-z0-9_.:@%\[\]-]*")
"""An address, a user or a jump host, as they may stand in an SSH configuration."""


PLACEHOLDER = re.compile(r"\{(\w+)\}")
PLACEHOLDERS = ("name", "address")


@dataclass(frozen=True)
class Power:
    """Commands of this machine that cut a node's power and give it back: arguments, no shell."""

    off: tuple[str, ...]
    on: tuple[str, ...]

    def of(self, name: str, address: str) -> Power:
        """The same with that node's name and address in place of `{name}` and `{address}`."""
        values = {"name": name, "address": address.removeprefix("[").removesuffix("]")}

        def filled(words: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(PLACEHOLDER.sub(lambda found: values[found[1]], word) for word in words)

        return Power(filled(self.off), filled(self.on))


@dataclass(frozen=True)
class Host:
    """One line of the inventory: a node and how it is reached.

    An empty field is left to the SSH configuration that the inventory names, or to ssh itself.
    """

    name: str
    role: Membership
    address: str = ""
    user: str = ""
    port: int | None = None
    key: str = ""
    jump: str = ""
    sudo: bool = False
    power: Power | None = None


@dataclass(frozen=True)
class Inventory:
    """The whole file. Paths in it are relative to the file's directory."""

    path: Path
    hosts: tuple[Host, ...]
    ssh_config: Path | None = None
    known_hosts: Path | None = None


def load(path: Path) -> Inventory:
    """Read an inventory. Raises ConfigError with one sentence that says what can't be used."""
    table = Table.yaml(path)
    ssh_config, known_hosts = table.string("ssh_config", ""), table.string("known_hosts", "")
    power = _power(table)
    hosts = []
    for entry in table.tables("nodes"):
        hosts.append(_host(path, entry, power))
        entry.finish()
    table.finish()
    for what, values in (
        ("name", [host.name for host in hosts]),
        ("address", [f"{host.address}:{host.port or 22}" for host in hosts if host.address]),
    ):
        for value in values:
            if values.count(value) > 1:
                raise ConfigError(
                    f"inventory {path.name}: two nodes have the {what} {value.removesuffix(':22')}:"
                    " give each its own"
                )
    if not any(host.role is Membership.MANAGER for host in hosts):
        raise ConfigError(
            f"inventory {path.name} has no manager: give one node at least `role: manager`"
        )
    _check_power(path, hosts)
    return Inventory(
        path,
        tuple(sorted(hosts, key=lambda host: host.role is not Membership.MANAGER)),
        _file(path, "ssh_config", ssh_config),
        _file(path, "known_hosts", known_hosts),
    )


def _power(entry: Table) -> Power | None:
    """The power commands that stand there; None where none do."""
    if not entry.has("power"):
        return None
    table = entry.table("power")
    found = {key: table.words(key) for key in ("off", "on")}
    table.finish()
    for key, words in found.items():
        if not words or not words[0]:
            table.fail(f"{key!r} names no program: power needs both, off and on, as lists of words")
        for word in words:
            unknown = [p[0] for p in PLACEHOLDER.finditer(word) if p[1] not in PLACEHOLDERS]
            if unknown:
                table.fail(f"{key!r} has {unknown[0]}: the placeholders are {{name}}, {{address}}")
            if "\0" in word:
                table.fail(f"{key!r} has a character that no program can be given: {word!r}")
    return Power(found["off"], found["on"])


def _check_power(path: Path, hosts: Sequence[Host]) -> None:
    """Raise ConfigError unless each node, or none, has power commands, and each its own."""
    without = [host.name for host in hosts if host.power is None]
    if without and len(without) < len(hosts):
        raise ConfigError(
            f"inventory {path.name}: {', '.join(without)} has no power commands and others have:"
            " drills may turn any node off, so give them to all or to none"
        )
    for key in ("off", "on"):
        owners: dict[tuple[str, ...], str] = {}
        for host in hosts:
            if host.power is None:
                continue
            argv = getattr(host.power.of(host.name, host.address or host.name), key)
            if (other := owners.setdefault(argv, host.name)) != host.name:
                raise ConfigError(
                    f"inventory {path.name}: {other} and {host.name} have the same power command"
                    f" {key!r}: put {{name}} or {{address}} in it, or give each its own"
                )


def _host(path: Path, entry: Table, power: Power | None) -> Host:
    name, role = entry.string("name"), entry.string("role", "")
    if not NAME.fullmatch(name):
        entry.fail(f"{name!r} is no host name: use letters, digits, hyphens and dots")
    if not role:
        entry.fail(f"{name} has no role: use {', '.join(Membership)}")
    if role not in set(Membership):
        entry.fail(f"role {role!r} of {name} does not exist: use {', '.join(Membership)}")
    words = {}
    for key in ("address", "user", "jump"):
        words[key] = entry.string(key, "")
        if words[key] and not (WORD.fullmatch(words[key]) and words[key].strip("[]")):
            entry.fail(f"{key} {words[key]!r} of {name} has characters that ssh can't take")
    if "%" in words["user"]:
        entry.fail(f"user {words['user']!r} of {name} has a %, which ssh expands: use another user")
    port = entry.integer("port") if entry.has("port") else None
    if port is not None and port > 65535:
        entry.fail(f"port {port} of {name} is no port: use 1 to 65535")
    identity = _file(path, f"key of {name}", entry.string("key", ""))
    return Host(
        name=name,
        role=Membership(role),
        address=words["address"],
        user=words["user"],
        port=port,
        key=str(identity) if identity else "",
        jump=words["jump"],
        sudo=entry.flag("sudo"),
        power=_power(entry) or power,
    )


def _file(inventory: Path, what: str, named: str) -> Path | None:
    if not named:
        return None
    found = inventory.parent / Path(named).expanduser()
    if not found.is_file() or any(c in str(found) for c in '"\n'):
        raise ConfigError(f"inventory {inventory.name}: {what} is no readable file: {found}")
    return found.absolute()


def ssh_config(inventory: Inventory, directory: Path) -> str:
    """The SSH configuration of these nodes; control sockets lie in `directory`.

    What the inventory says comes first, and so outweighs the configuration it refers to.
    """
    lines = []
    for host in inventory.hosts:
        lines.append(f"Host {host.name}")
        for word, value in (
            ("HostName", host.address.removeprefix("[").removesuffix("]")),
            ("User", host.user),
            ("Port", host.port),
            ("ProxyJump", host.jump),
        ):
            if value:
                # ssh takes % for a token; an address has one before its zone.
                lines.append(f"  {word} {str(value).replace('%', '%%')}")
        if host.key:
            lines += [f'  IdentityFile "{host.key}"', "  IdentitiesOnly yes"]
    lines += [
        "Host *",
        "  BatchMode yes",
        "  StrictHostKeyChecking yes",
        "  ControlMaster no",
        # What a person's own configuration says of these is for a person at a terminal.
        "  PermitLocalCommand no",
        "  RemoteCommand none",
        "  RequestTTY no",
        # What sudo and others say is understood in one language.
        "  SetEnv LC_ALL=C",
        f"  ControlPath {directory}/%n.mux",
        "  ConnectTimeout 10",
        "  ServerAliveInterval 5",
        "  ServerAliveCountMax 6",
        "  LogLevel ERROR",
    ]
    if inventory.known_hosts:
        lines.append(f'  UserKnownHostsFile "{inventory.known_hosts}"')
    if inventory.ssh_config:
        lines.append(f'  Include "{inventory.ssh_config}"')
    return "\n".join(lines) + "\n"
