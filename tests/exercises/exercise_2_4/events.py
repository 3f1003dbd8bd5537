"""Exercise 2.4's own kinds of event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pytest_swarmlab.evidence.events import Seen

EXERCISE = "2.4"


@dataclass(frozen=True)
class Server(Seen, kind="server", of=EXERCISE):
    """The NFS server as the lab sets it up."""

    node: str
    package: bool
    exports: Annotated[str, "output of `exportfs -s`"]


@dataclass(frozen=True)
class Client(Seen, kind="client", of=EXERCISE):
    """A node that mounts the share."""

    node: str
    package: bool
    fstab: Annotated[str, "the share's line"]
    mount: Annotated[str, "the share's line of /proc/mounts"]
    read: Annotated[str, "what the node reads in a file that another node wrote"]


@dataclass(frozen=True)
class Place(Seen, kind="place", of=EXERCISE):
    """The data's directory on the node that writes them."""

    node: str
    path: str
    mount: Annotated[str, "the line of /proc/mounts for its file system"]


@dataclass(frozen=True)
class Spared(Seen, kind="spared", of=EXERCISE):
    """The NFS server was not stopped, and nothing was written: it is somebody's own, or no node."""

    node: Annotated[str, "the node with the database"]
    why: Annotated[str | None, "whom else it serves, or what else would be lost"] = None


@dataclass(frozen=True)
class Proof(Seen, kind="proof", of=EXERCISE):
    """The checksum of a file as a container reads it."""

    step: Annotated[str, "written, moved"]
    node: str
    container: str
    sha256: Annotated[str | None, "null: there is no such file"]


@dataclass(frozen=True)
class Driver(Proof, kind="driver", of=EXERCISE):
    """The plugin's driver on a node, and the checksum of a file on one of its volumes."""

    pid: str


@dataclass(frozen=True)
class Moved(Seen, kind="moved", of=EXERCISE):
    """The service runs on another node."""

    node: str


@dataclass(frozen=True)
class Stuck(Seen, kind="stuck", of=EXERCISE):
    """Somebody's own service can run on no other node."""

    node: str
    why: str


@dataclass(frozen=True)
class Speed(Seen, kind="speed", of=EXERCISE):
    """The storage's speed: small writes with fsync, and one long write."""

    node: str
    fsyncs: int
    fsync_block: Annotated[int, "bytes"]
    fsync_seconds: float
    size_mib: int
    write_seconds: float


@dataclass(frozen=True)
class Mistake(Seen, kind="mistake", of=EXERCISE):
    """A task that failed because of its mount."""

    name: str
    node: str
    state: str
    said: str


@dataclass(frozen=True)
class Options(Seen, kind="options", of=EXERCISE):
    """The directory that a service's volume asks for, and the one that it has."""

    asked: str
    device: Annotated[str, "the directory that the volume has"]


@dataclass(frozen=True)
class Squashed(Seen, kind="squashed", of=EXERCISE):
    """A database's task has failed on an export with root_squash."""

    error: str
    said: Annotated[str, "its log"]


@dataclass(frozen=True)
class Unsquashed(Seen, kind="unsquashed", of=EXERCISE):
    """The database runs on an export with no_root_squash."""

    node: str
    owner: Annotated[str, "its directory's owner and mode on the server"]


@dataclass(frozen=True)
class Refused(Seen, kind="refused", of=EXERCISE):
    """A task that failed while the server was away."""

    node: str
    state: str
    said: str


@dataclass(frozen=True)
class Hangs(Seen, kind="hangs", of=EXERCISE):
    """`ls` of the mounted share while the server was away, ended after 5 s."""

    node: str
    code: int
    said: str


@dataclass(frozen=True)
class Advertised(Seen, kind="advertised", of=EXERCISE):
    """The nodes whose engines know the plugin before it is installed."""

    nodes: tuple[str, ...]


@dataclass(frozen=True)
class Blocked(Seen, kind="blocked", of=EXERCISE):
    """A task that fits no node."""

    said: str


@dataclass(frozen=True)
class Activated(Seen, kind="activated", of=EXERCISE):
    """The plugin has been used once on every node."""


@dataclass(frozen=True)
class Scheduled(Seen, kind="scheduled", of=EXERCISE):
    """The task that needs the plugin runs."""

    node: str


@dataclass(frozen=True)
class Known(Seen, kind="known", of=EXERCISE):
    """The plugin's volumes as a node lists them."""

    node: str
    volumes: tuple[str, ...]


@dataclass(frozen=True)
class RefusedOption(Seen, kind="refused-option", of=EXERCISE):
    """A volume with an option that the plugin must refuse, and the answer."""

    asked: str
    code: int
    said: str


@dataclass(frozen=True)
class RefusedName(Seen, kind="refused-name", of=EXERCISE):
    """A volume name that the driver must refuse, and its answer."""

    asked: str
    said: Annotated[str, "its answer, JSON"]


@dataclass(frozen=True)
class ServerDirectory(Seen, kind="server-directory", of=EXERCISE):
    """The server's files before and after the refused requests."""

    before: tuple[str, ...]
    after: tuple[str, ...]
