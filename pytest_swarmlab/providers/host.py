"""Checks of this host for every provider."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from pathlib import Path

from pytest_swarmlab.errors import HostError
from pytest_swarmlab.model import Topology


def own_directory(path: Path) -> Path:
    """Make a directory for this user alone, if it isn't there. HostError when it is another's."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise HostError(
            f"{path}, which clusters need, can't be created: {error.strerror}"
        ) from error
    seen = path.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid() or seen.st_mode & 0o077:
        raise HostError(f"{path} is not a directory of yours alone: remove it, or chmod it to 0700")
    return path


def try_lock(file: int) -> bool:
    """Lock an open file until it is closed, unless another has; returns whether it is ours now.

    The kernel frees the lock of a process that was killed.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def require_memory(topology: Topology) -> None:
    """Raise HostError when the topology may use more memory than this host has free."""
    available = memory_available_mib()
    if topology.memory_mib > available:
        raise HostError(
            f"{len(topology.nodes)} nodes may use {topology.memory_mib} MiB together and this"
            f" machine has {available} MiB free: ask for fewer nodes, or give each less with"
            " --swarmlab-memory"
        )


def memory_available_mib() -> int:
    """Memory that the kernel reports as available without swapping, MiB."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    raise HostError("/proc/meminfo doesn't say how much memory is available")


def ping(engine: Path) -> str:
    """The first line that an engine answers to a ping; OSError when it doesn't."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(engine))
        connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n")
        answer = connection.recv(64).partition(b"\r\n")[0].decode("ascii", "replace")
    if " 200 " not in answer:
        raise OSError(f"the engine answered {answer or 'nothing'!r}")
    return answer
