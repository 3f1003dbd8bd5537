"""A cluster's directory on this host: found again by name, held by a lock.

The keeper inherits the lock. Whoever can take it knows that neither owner nor keeper is alive, and
may remove the directory.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import secrets
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

from pytest_swarmlab.model import Membership, NodeSpec, Topology
from pytest_swarmlab.providers.host import own_directory, try_lock
from pytest_swarmlab.providers.uml.network import PREFIX


def state_root(kind: str = "") -> Path:
    """Directory of this user's clusters; `kind` is added to its name.

    Short, because Unix sockets lie in it (108 bytes at most), and on a disk,
    because the nodes' copy-on-write disks do. Raises HostError when it is
    somebody else's or open to others.
    """
    # own_directory looks at whose it is.
    return own_directory(Path(f"/var/tmp/swarmlab-{os.getuid()}{kind}"))  # noqa: S108


class State:
    """The directory of one cluster: keys, SSH configuration, sockets, disks, label."""

    kind: ClassVar[str] = ""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls) -> tuple[Self, int]:
        """A new, locked directory; returns it and the lock's file descriptor."""
        with _nobody_reaps(cls.kind):
            path = state_root(cls.kind) / secrets.token_hex(4)
            path.mkdir(mode=0o700)
            lock = os.open(path / "lock", os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
        return cls(path), lock

    @classmethod
    def reap(cls) -> list[Self]:
        """Remove every directory whose owner and keeper are both dead; returns those."""
        with _nobody_reaps(cls.kind):
            dead = [state for state in cls.all() if not state.alive()]
            for state in dead:
                state.remove()
        return dead

    @classmethod
    def all(cls) -> Iterator[Self]:
        """Every cluster directory of this user, alive or not."""
        for path in sorted(state_root(cls.kind).iterdir()):
            if path.is_dir():
                yield cls(path)

    def alive(self) -> bool:
        """Whether an owner or a keeper still holds the lock."""
        try:
            lock = os.open(self.path / "lock", os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            return not try_lock(lock)
        finally:
            os.close(lock)

    def remove(self) -> None:
        """Delete the directory; nothing when it is gone already."""
        shutil.rmtree(self.path, ignore_errors=True)

    @property
    def ssh_config(self) -> Path:
        """OpenSSH configuration with every node as a host."""
        return self.path / "ssh_config"

    @property
    def gate(self) -> Path:
        """The keeper's socket."""
        return self.path / "gate"

    def write_label(self, topology: Topology, started_at: str, *, kernel: str = "") -> None:
        """Write down this cluster's description, so that it can be found; `kernel`: text for
        people.
        """
        label = {"started_at": started_at, "kernel": kernel, "topology": asdict(topology)}
        (self.path / "label.json").write_text(json.dumps(label), encoding="utf-8")

    def label(self) -> dict[str, Any]:
        """The note, with `topology` as a Topology; KeyError or OSError when there is none yet."""
        label: dict[str, Any] = json.loads((self.path / "label.json").read_text(encoding="utf-8"))
        seen = label["topology"]
        nodes = tuple(
            NodeSpec(n["name"], n["address"], Membership(n["membership"]), n["memory_mib"])
            for n in seen["nodes"]
        )
        return {**label, "topology": Topology(seen["name"], nodes)}

    def write_access(self, topology: Topology) -> None:
        """Make the cluster's own keys, pin every node's host key, write each node's seed."""
        client = self._key("key")
        hosts = "127.0.0.1 localhost\n" + "".join(f"{n.address} {n.name}\n" for n in topology.nodes)
        known = []
        for node in topology.nodes:
            public = self._key(f"{node.name}.hostkey")
            known.append(f"{node.name} {public}")
            private = (self.path / f"{node.name}.hostkey").read_text(encoding="utf-8")
            files = {
                "etc/hostname": (f"{node.name}\n", 0o644),
                "etc/hosts": (hosts, 0o644),
                "etc/machine-id": (f"{secrets.token_hex(16)}\n", 0o444),
                "etc/swarmlab/node": (
                    f"NAME={node.name}\nADDRESS={node.address}/{PREFIX}\n",
                    0o644,
                ),
                "etc/ssh/ssh_host_ed25519_key": (private, 0o600),
                "etc/ssh/ssh_host_ed25519_key.pub": (public, 0o644),
                "root/.ssh/authorized_keys": (client, 0o600),
            }
            write_seed(self.seed(node.name), files)
        (self.path / "known_hosts").write_text("".join(known), encoding="utf-8")
        self.ssh_config.write_text(self._ssh_config(topology), encoding="utf-8")

    def seed(self, node: str) -> Path:
        """The tar that a node unpacks over its root at boot."""
        return self.path / f"{node}.seed"

    def _key(self, name: str) -> str:
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "swarmlab", "-f", name]
        subprocess.run(argv, cwd=self.path, check=True, capture_output=True)
        return (self.path / f"{name}.pub").read_text(encoding="utf-8")

    def _ssh_config(self, topology: Topology) -> str:
        hosts = "".join(
            f"Host {n.name}\n  HostName {n.address}\n  HostKeyAlias {n.name}\n"
            for n in topology.nodes
        )
        # Only through the keeper's connections: without a ProxyCommand of its own, ssh
        # would look for the lab's addresses outside the cluster's network namespace.
        return f"""{hosts}Host *
  User root
  IdentityFile {self.path}/key
  IdentitiesOnly yes
  IdentityAgent none
  BatchMode yes
  StrictHostKeyChecking yes
  UserKnownHostsFile {self.path}/known_hosts
  GlobalKnownHostsFile /dev/null
  ControlMaster no
  ControlPath {self.path}/%n.ssh
  ConnectTimeout 10
  ServerAliveInterval 5
  ServerAliveCountMax 6
  StreamLocalBindUnlink yes
  LogLevel ERROR
  ProxyCommand sh -c 'echo "%n has no SSH connection: it is off, cut off or starting" >&2; exit 1'
"""


@contextmanager
def _nobody_reaps(kind: str) -> Iterator[None]:
    """Keeps others from removing a directory as a leftover before it is complete and locked."""
    root = os.open(state_root(kind), os.O_RDONLY)
    try:
        fcntl.flock(root, fcntl.LOCK_EX)
        yield
    finally:
        os.close(root)


def write_seed(path: Path, files: Mapping[str, tuple[str, int]]) -> None:
    """Write a tar of text files (path → text and mode), all owned by root."""
    with tarfile.open(path, "w") as seed:
        for directory, mode in (("root", 0o700), ("root/.ssh", 0o700)):
            entry = tarfile.TarInfo(directory)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            seed.addfile(entry)
        for name, (text, mode) in files.items():
            content = text.encode()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            seed.addfile(entry, io.BytesIO(content))
