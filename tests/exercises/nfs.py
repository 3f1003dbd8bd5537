"""NFS as the lab sets it up (exercise 2.4, option A): for every exercise that keeps its data there.

The lab's errata are mended: a subdirectory for each service, because a database changes the mode
of its own directory; `_netdev` in fstab, because a node must not wait for the network to boot.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pytest_swarmlab.cluster import Node
from pytest_swarmlab.lifecycle import in_parallel

SHARE = "/srv/nfs/swarm-data"
MOUNT = "/mnt/nfs/swarm-data"
SUBNET = "192.168.56.0/24"
OPTIONS = "rw,sync,no_subtree_check,no_root_squash"
SERVER, SERVER_UNIT, CLIENT = "nfs-kernel-server", "nfs-server", "nfs-common"
EXPORTS, FSTAB = "/etc/exports", "/etc/fstab"


@contextmanager
def exported(server: Node, path: str = SHARE, options: str = OPTIONS) -> Iterator[None]:
    """The directory is exported to the lab's subnet; as it was before, at the block's end."""
    before = server.get(EXPORTS)
    there = server.host.file(path).exists
    server.run("mkdir", "-p", path, title="The shared directory is made")
    server.run("chown", "nobody:nogroup", path)
    server.run("chmod", "777", path)
    try:
        line = f"{path} {SUBNET}({options})\n"
        # A line that stands there already exports it as it says.
        if line not in before.decode():
            server.put(before + line.encode(), EXPORTS)
        server.run("exportfs", "-ra", title="The exports are applied")
        server.run("systemctl", "restart", SERVER)
        server.look("exportfs", "-v", title="What is exported, with its options")
        yield
    finally:
        server.put(before, EXPORTS)
        server.run("exportfs", "-ra")
        if not there:
            server.run("rm", "-rf", "--one-file-system", "--", path)


@contextmanager
def directory(server: Node, path: str) -> Iterator[str]:
    """A new directory on the server, removed at the block's end with what was written there.

    Raises CommandError when there is one already: it is somebody's data.
    """
    server.run("mkdir", path)
    try:
        yield path
    finally:
        server.run("rm", "-rf", "--one-file-system", "--", path)


@contextmanager
def mounted(server: Node, clients: Sequence[Node]) -> Iterator[None]:
    """Every client mounts the share from its fstab; at the block's end fstab is as it was."""
    line = f"{server.address}:{SHARE} {MOUNT} nfs defaults,_netdev 0 0\n"
    before = {node.name: node.get(FSTAB) for node in clients}

    def mount(node: Node) -> None:
        node.run("mkdir", "-p", MOUNT)
        node.put(before[node.name] + line.encode(), FSTAB)
        # By its place alone: what fstab says is then shown to work.
        node.run("mount", MOUNT, title=f"On {node}: the share is mounted as fstab says")

    def unmount(node: Node) -> None:
        node.put(before[node.name], FSTAB)
        if node.host.mount_point(MOUNT).exists:
            node.run("umount", MOUNT)
        node.run("rmdir", MOUNT, check=False)

    try:
        in_parallel(mount, clients)
        yield
    finally:
        in_parallel(unmount, clients)


def volume(server: Node, path: str) -> str:
    """The mount of a service for a volume on NFS, without its target: the lab's, put right.

    The lab's options lead to NFS version 3, which keeps a lost node's locks for ever.
    """
    return (
        "type=volume,volume-driver=local,volume-opt=type=nfs,"
        f'"volume-opt=o=addr={server.address},rw,nfsvers=4,hard",volume-opt=device=:{path}'
    )
