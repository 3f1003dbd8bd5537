"""What one look shows of a machine, as frozen types.

As for `seen`: what could not be seen is None, never empty; sizes are bytes, times seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Engine:
    """What a machine's engine says of itself, and of its place in the swarm.

    `state`: ``active``, ``inactive``, ``locked`` …; `cluster`: the swarm's id, which only managers
    know.
    """

    name: str = ""
    """The machine's host name."""
    version: str = ""
    kernel: str = ""
    system: str = ""
    root: str = ""
    storage: str = ""
    processors: int = 0
    memory: int = 0
    state: str = ""
    control: bool = False
    node_id: str = ""
    node_address: str = ""
    cluster: str = ""
    managers: int = 0
    error: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Certificate:
    """The identity in a machine's certificate, and how long that is valid, seconds."""

    swarm: str = ""
    role: str = ""
    node_id: str = ""
    left_s: float | None = None


@dataclass(frozen=True)
class Unit:
    """A unit of systemd. Of a timer `starts` names the unit; of a service `runs` the program."""

    name: str
    load: str = ""
    active: str = ""
    enabled: str = ""
    starts: str = ""
    runs: str = ""
    on_failure: str = ""
    last_s: float | None = None
    """For a timer: seconds since it last elapsed."""

    @property
    def there(self) -> bool:
        """Whether there is such a unit at all."""
        return self.load == "loaded"

    @property
    def on(self) -> bool:
        """Whether it is at work now."""
        return self.active == "active"

    @property
    def comes_back(self) -> bool:
        """Whether it is started with the machine."""
        return self.enabled in {"enabled", "enabled-runtime", "static", "alias", "indirect"}


@dataclass(frozen=True)
class Job:
    """A line of cron that mentions a backup: when it runs, and which program."""

    file: str
    when: str
    runs: str


NFS = frozenset({"nfs", "nfs4"})
NETWORKED = frozenset({
    "glusterfs", "fuse.glusterfs", "ceph", "fuse.ceph", "cifs", "smb3", "fuse.sshfs", "ocfs2",
    "gfs2", "lustre", "beegfs",
})  # fmt: skip
"""Types of file systems that several machines mount."""


@dataclass(frozen=True)
class Mount:
    """A mounted file system, or a line of fstab."""

    source: str
    target: str
    type: str
    options: tuple[str, ...] = ()

    @property
    def nfs(self) -> bool:
        """Whether it is one of NFS."""
        return self.type in NFS

    @property
    def shared(self) -> bool:
        """Whether other machines may mount the same."""
        return self.type in NFS | NETWORKED


@dataclass(frozen=True)
class Export:
    """An exported directory; `client` is ``*`` for every host."""

    path: str
    client: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Disk:
    """A local file system and how full it is."""

    mount: str
    size: int
    used: int

    @property
    def full(self) -> float:
        """The used share, 0 to 1."""
        # What a machine prints may be no share at all.
        return min(max(self.used, 0), self.size) / self.size if self.size > 0 else 0.0


@dataclass(frozen=True)
class Script:
    """A program that takes backups. What it does is read from a shell script's commands.

    `shell`: whether it is a shell script; otherwise the rest is not known. `swarm`: it mentions
    Docker and a swarm.
    """

    path: str
    executable: bool = False
    swarm: bool = False
    shell: bool = False
    stops_engine: bool = False
    starts_engine: bool = False
    whatever_happens: bool = False


@dataclass(frozen=True)
class Backup:
    """A file that looks like a swarm's backup; `holds`: the names of its parts, if it was opened.

    `keys`: files beside it that look like unlock keys.
    """

    path: str
    age_s: float
    size: int
    holds: tuple[str, ...] | None = None
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class System:
    """What is seen on a machine besides its engine; `lacks`: part → why it was not seen, or not all
    of it.
    """

    certificate: Certificate | None = None
    units: tuple[Unit, ...] | None = None
    jobs: tuple[Job, ...] | None = None
    mounts: tuple[Mount, ...] | None = None
    fstab: tuple[Mount, ...] | None = None
    exports: tuple[Export, ...] | None = None
    addresses: tuple[str, ...] | None = None
    disks: tuple[Disk, ...] | None = None
    scripts: tuple[Script, ...] | None = None
    backups: tuple[Backup, ...] | None = None
    lacks: Mapping[str, str] = field(default_factory=dict)

    def unit(self, name: str) -> Unit | None:
        """The unit, or None."""
        return next((u for u in self.units or () if u.name == name and u.there), None)


@dataclass(frozen=True)
class Attached:
    """A mount of a container, or of a definition: `kind` volume, bind or tmpfs.

    `driver` and `options`: with these a volume is created where there is none.
    """

    kind: str
    source: str
    target: str
    driver: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    read_only: bool = False


@dataclass(frozen=True)
class Container:
    """A container on a machine; `health` is "" without a health check."""

    id: str
    name: str
    image: str
    state: str
    health: str = ""
    service: str = ""
    task: str = ""
    attached: tuple[Attached, ...] = ()


@dataclass(frozen=True)
class Volume:
    """A volume on a machine, with the options that it was made with."""

    name: str
    driver: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Machine:
    """One machine; what is None could not be seen, and `errors` says why: part → words."""

    name: str
    address: str = ""
    membership: str = ""
    engine: Engine | None = None
    system: System | None = None
    containers: tuple[Container, ...] | None = None
    volumes: tuple[Volume, ...] | None = None
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def shares(self) -> list[Mount]:
        """Network mounts of the machine, without those of its engine for volumes."""
        mounts = (self.system.mounts or ()) if self.system else ()
        root = f"{(self.engine and self.engine.root) or '/var/lib/docker'}/"
        return [mount for mount in mounts if mount.shared and not mount.target.startswith(root)]
