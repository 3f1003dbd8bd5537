"""A small disk of its own for a directory on the NFS server, so that it alone can be full."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.images.commands import search_path
from pytest_swarmlab.swarm.cluster import Node

from . import nfs

SIZE_MIB = 512
"""Three times what PostgreSQL needs in a run; blocks that are not used take no room."""

MKFS = "mkfs.ext4"
OPTIONS = ("-q", "-F", "-b", "4096", "-i", "65536", "-m", "0", "-J", "size=16", "-E", "nodiscard")
"""No block is kept back for root: who is full is full for everybody."""

FSID = 2010
"""By what clients know the file system: that of a disk without a name is not found everywhere."""


@contextmanager
def exported(server: Node, path: str, *, subnet: str) -> Iterator[None]:
    """Mount a small disk at that directory and export it; both are undone at the block's end.

    Only for machines of ours. The disk is a file beside the directory's parent. Raises ConfigError
    when nobody can make a file system.
    """
    disk = f"{Path(path).parent}-{Path(path).name}.disk"
    with ExitStack() as undone:
        undone.callback(server.run, "rm", "-f", "--", disk)
        # The server may hold a file for a moment more.
        undone.callback(nfs.unmounted, server, path, "--lazy")
        _make(server, disk)
        server.run("mount", "-o", "loop", disk, path, title=f"A disk of its own for {path}")
        # As empty as a directory is.
        server.run("rmdir", f"{path}/lost+found")
        with nfs.exported(server, path, f"{nfs.OPTIONS},fsid={FSID}", subnet=subnet):
            yield


def _make(server: Node, disk: str) -> None:
    """An empty file system in a file, made there, or made here and carried over."""
    if server.look("sh", "-c", f"command -v {MKFS}", check=False).code == 0:
        server.run("truncate", f"--size={SIZE_MIB}M", disk)
        server.run(MKFS, *OPTIONS, disk)
        return
    place, name = Path(disk).parent, Path(disk).name
    packed = _packed(name)
    server.run("tar", "--extract", "--gzip", f"--directory={place}", stdin=packed)


def maker() -> str | None:
    """The program of this machine that makes a file system, if it has one."""
    return shutil.which(MKFS, path=search_path())


def _packed(name: str) -> bytes:
    """An archive of that file; of its holes it says only where they are."""
    mkfs = maker()
    if mkfs is None:
        raise ConfigError(f"{MKFS} is neither on the NFS server nor here: install e2fsprogs here")
    with TemporaryDirectory(prefix="swarmlab-") as place:
        disk = Path(place) / name
        with disk.open("wb") as file:
            file.truncate(SIZE_MIB << 20)
        subprocess.run([mkfs, *OPTIONS, str(disk)], check=True, capture_output=True)
        pack = ["tar", "--create", "--sparse", "--gzip", f"--directory={place}", name]
        return subprocess.run(pack, check=True, capture_output=True).stdout
