"""NFS as the lab sets it up (exercise 2.4, option A): for every exercise that keeps its data there.

The lab's errata are mended: a subdirectory for each service, because a database changes the mode
of its own directory; `_netdev` in fstab, because a node must not wait for the network to boot.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_interface
from pathlib import PurePosixPath
from typing import Self

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.parallel import each_tried
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.guard import Guard, Undoes
from pytest_swarmlab.swarm.lifecycle import in_parallel
from pytest_swarmlab.swarm.node import bracketed

SHARE = "/srv/nfs/swarm-data"
MOUNT = "/mnt/nfs/swarm-data"
SUBNET = "192.168.56.0/24"
OPTIONS = "rw,sync,no_subtree_check,no_root_squash"
VERSION = "4.2"
"""The engine asks for exactly what is written: `4` would be 4.0, whose clients can't tell a
server that has come back that they have reclaimed all they held: it waits its full time."""

LEASE_S = 20
"""How long the server keeps the locks of a client that it no longer hears of, and how long it
waits for its clients when it has come back: 90 by default. In that time no database starts that
was on the lost node. Swarm itself needs about 20 s to give up a node: a shorter lease would gain
nothing, and a client that is cut off for longer than the lease loses its locks."""

SETTINGS = "/etc/nfs.conf.d/swarmlab.conf"
SERVER, SERVER_UNIT, CLIENT = "nfs-kernel-server", "nfs-server", "nfs-common"
EXPORTS, FSTAB = "/etc/exports", "/etc/fstab"

COMPANIONS = ("rpc-statd-notify", "rpc-statd", "rpcbind", "nfsdcld", "fsidd")
"""Units that run with the server, and still when it is stopped (seen on Debian 13)."""


def subnet_of(server: Node) -> str:
    """The server's own network, taken for a /24 as the lab's is; the lab's for a name alone."""
    try:
        mine = ip_interface(server.address)
    except ValueError:
        return SUBNET
    return str(ip_interface(f"{mine.ip}/{24 if mine.version == 4 else 64}").network)


def server_of(swarm: Swarm) -> Node:
    """The lab's NFS server: manager1."""
    return swarm.nodes[0]


@contextmanager
def exported(
    server: Node, path: str = SHARE, options: str = OPTIONS, *, subnet: str = SUBNET
) -> Iterator[Callable[[str], None]]:
    """Export the directory to that subnet; at the block's end everything is as it was before.

    Yields a function that exports it with other options.
    """
    before = _Before.of(server, path)
    with Guard.undone_after(
        [(server, before.restored(path))], "export", Undoes.EXPORT,
        undo=lambda: _restore(server, path, before),
    ):  # fmt: skip
        yield _exported(server, path, options, subnet, before)


def _missing(node: Node, path: str) -> list[str]:
    """The directories above it that are not there, the deepest first."""
    above = []
    for parent in PurePosixPath(path).parents:
        if node.host.file(str(parent)).exists:
            break
        above.append(str(parent))
    return above


def _empty(directories: Sequence[str]) -> list[tuple[str, ...]]:
    """Commands that remove these directories as far as nobody uses them."""
    return [("rmdir", "--ignore-fail-on-non-empty", each) for each in directories]


@dataclass(frozen=True)
class _Before:
    """What the server was before the export: read once, for the block's end and for its timer.

    `owned`: the command that gives the directory back its owner and mode, if it was there.
    `above`: the directories above it that were not there. `set_up`: whether our settings were.
    """

    exports: bytes
    owned: tuple[str, ...] | None
    above: Sequence[str]
    set_up: bool
    running: set[str]

    @classmethod
    def of(cls, server: Node, path: str) -> Self:
        """Look at the server."""
        return cls(
            server.get(EXPORTS),
            _owned(server, path) if server.host.file(path).exists else None,
            _missing(server, path),
            server.host.file(SETTINGS).exists,
            _running(server),
        )

    def restored(self, path: str) -> list[tuple[str, ...]]:
        """Commands that undo `exported`."""
        undo: list[tuple[str, ...]] = []
        if f"\n{path} " not in f"\n{self.exports.decode()}":
            undo.append(("sed", "-i", f"\\#^{path} #d", EXPORTS))
        undo += [self.owned or _removing(path), *_empty(self.above), ("exportfs", "-ra")]
        if not self.set_up:
            undo += [("rm", "-f", SETTINGS), *_running_as(self.running)]
        return undo


def _running(server: Node) -> set[str]:
    """The server's unit and its companions, as far as they run."""
    units = (SERVER_UNIT, *COMPANIONS)
    said = server.look("systemctl", "is-active", *units, check=False).stdout.split()
    return {unit for unit, state in zip(units, said, strict=False) if state == "active"}


def _running_as(before: set[str]) -> list[tuple[str, ...]]:
    """Commands after which the server, and then its companions, run as before, without our
    settings.
    """
    if SERVER_UNIT in before:
        return [("systemctl", "restart", SERVER)]
    started = [unit for unit in COMPANIONS if unit not in before]
    return [("systemctl", "stop", unit) for unit in (SERVER, *started)]


def _exported(
    server: Node, path: str, options: str, subnet: str, before: _Before
) -> Callable[[str], None]:
    def export(options: str) -> None:
        line = f"{path} {subnet}({options})\n"
        # A line that stands there already exports it as it says.
        if line not in before.exports.decode():
            server.put(_whole_lines(before.exports) + line.encode(), EXPORTS)
        server.run("exportfs", "-ra", title="The exports are applied")

    server.run("mkdir", "-p", path, title="The shared directory is made")
    server.run("chown", "nobody:nogroup", path)
    server.run("chmod", "777", path)
    export(options)
    if not before.set_up:
        settings = f"[nfsd]\nlease-time={LEASE_S}\ngrace-time={LEASE_S}\n"
        server.put(settings.encode(), SETTINGS)
        server.run("systemctl", "restart", SERVER, title="The server is started")
    server.look("exportfs", "-v", title="What is exported, with its options")
    return export


def _restore(server: Node, path: str, before: _Before) -> None:
    steps: list[Callable[[], object]] = [
        # While it is still exported: a client could no longer give back what it was lent of a
        # file (NFS's delegation), and `rm` would wait for that, for ever on the embedded cluster.
        partial(server.run, *(before.owned or _removing(path))),
        *(partial(server.run, *undo) for undo in _empty(before.above)),
        partial(server.put, before.exports, EXPORTS),
        partial(server.run, "exportfs", "-ra"),
    ]
    if not before.set_up:
        first, *companions = _running_as(before.running)
        steps += [
            partial(server.run, "rm", "-f", SETTINGS),
            partial(server.run, *first),
            partial(_stop_running, server, companions),
        ]
    each_tried(steps)


def _stop_running(server: Node, commands: Sequence[tuple[str, ...]]) -> None:
    """Those of these commands that stop a unit which runs."""
    running = _running(server)
    each_tried(partial(server.run, *stop) for stop in commands if stop[-1] in running)


def _owned(server: Node, path: str) -> tuple[str, ...]:
    """The command that gives a directory back its owner and mode."""
    user, group, mode = server.look("stat", "-c", "%u %g %a", path).stdout.split()
    return ("sh", "-c", f"chown {user}:{group} {path} && chmod {mode} {path}")


def _removing(path: str) -> tuple[str, ...]:
    return ("timeout", "60", "rm", "-rf", "--one-file-system", "--", path)


def _whole_lines(content: bytes) -> bytes:
    return content if content.endswith(b"\n") or not content else content + b"\n"


def remove(server: Node, path: str) -> None:
    """Remove a directory with all that is in it."""
    server.run(*_removing(path))


@contextmanager
def directory(server: Node, path: str) -> Iterator[str]:
    """A new directory on the server, removed at the block's end with what was written there.

    Raises ProviderError when there is one already: it is somebody's data.
    """
    if server.look("test", "!", "-e", path, check=False).code:
        raise ProviderError(f"{server} has a directory {path} already, which would be removed")
    with Guard.undone_after(
        [(server, [_removing(path)])], "directory", Undoes.EXPORT,
        make=lambda: server.run("mkdir", path), undo=lambda: remove(server, path),
    ):  # fmt: skip
        yield path


@contextmanager
def mounted(server: Node, clients: Sequence[Node]) -> Iterator[None]:
    """Every client mounts the share from its fstab; at the block's end fstab is as it was."""
    source = f"{bracketed(server.address)}:{SHARE}"
    line = f"{source} {MOUNT} nfs defaults,_netdev 0 0\n"
    before = {node.name: node.get(FSTAB) for node in clients}
    for node in clients:
        if node.foreign and node.host.mount_point(MOUNT).exists:
            raise ProviderError(
                f"{node} has something mounted at {MOUNT} already, which is its owner's and would"
                " be unmounted: unmount it, or use another cluster"
            )
    new = {
        node.name: [] if node.host.file(MOUNT).exists else [MOUNT, *_missing(node, MOUNT)]
        for node in clients
    }
    undo = (
        ("sed", "-i", f"\\#^{re.escape(source)} {MOUNT} #d", FSTAB),
        ("umount", "--lazy", MOUNT),
    )
    timers: dict[str, Guard] = {}

    def mount(node: Node) -> None:
        commands = (*undo, *_empty(new[node.name]))
        timers[node.name] = Guard.arm([(node, commands)], "mount", Undoes.EXPORT)
        node.run("mkdir", "-p", MOUNT)
        node.put(_whole_lines(before[node.name]) + line.encode(), FSTAB)
        # By its place alone: what fstab says is then shown to work.
        node.run("mount", MOUNT, title=f"On {node}: the share is mounted as fstab says")

    def unmount(node: Node) -> None:
        if node.name not in timers:
            return  # Nothing was done there.
        each_tried(
            [
                partial(node.put, before[node.name], FSTAB),
                partial(unmounted, node, MOUNT),
                *(partial(node.run, *empty) for empty in _empty(new[node.name])),
            ]
        )
        timers[node.name].disarm()

    try:
        in_parallel(mount, clients)
        yield
    finally:
        in_parallel(unmount, clients)


def unmounted(node: Node, path: str, *options: str) -> None:
    """`umount`, with these options, if something is mounted there."""
    if node.host.mount_point(path).exists:
        node.run("umount", *options, path)


def volume(server: Node, path: str) -> str:
    """The mount of a service for a volume on NFS, without its target: the lab's, put right.

    The lab's options lead to NFS version 3, which keeps a lost node's locks for ever (lab's facts,
    seen live).
    """
    return (
        "type=volume,volume-driver=local,volume-opt=type=nfs,"
        f'"volume-opt=o=addr={server.address},rw,nfsvers={VERSION},hard",volume-opt=device=:{path}'
    )
