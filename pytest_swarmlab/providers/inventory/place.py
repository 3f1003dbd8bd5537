"""Where a run's sockets lie on this machine. They are removed at its end, or by the next run."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pytest_swarmlab import sockets
from pytest_swarmlab.providers.host import try_lock

PREFIX = "swarmlab-"

LOCK = "lock"
"""Name of the file that the owner locks. A process that gets the lock knows that the owner has
ended."""

MUX_SUFFIX = 14
"""A control socket is made under a name that is longer by 17, and `.mux` is shorter than `.engine`
by 3 (muxserver_listen in OpenSSH's mux.c)."""


class Place:
    """A directory of our own whose sockets' paths are no longer than a socket's may be."""

    def __init__(self, longest: str) -> None:
        """`longest`: the longest name of a socket in it."""
        parent = sockets.parent(PREFIX, longest, spare=MUX_SUFFIX)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        making = self.path / "making"
        self._lock = os.open(making, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        making.rename(self.path / LOCK)  # It is never seen without the lock on it.

    def remove(self) -> None:
        """Delete it. Idempotent."""
        if self._lock >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1


def reap() -> list[str]:
    """Remove this user's places whose owners were killed; returns their paths."""
    return [str(path) for path in _places() if _reaped(path)]


def _places() -> Iterator[Path]:
    for parent in {Path(tempfile.gettempdir()), sockets.SHORT}:
        for path in sorted(parent.glob(f"{PREFIX}*")):
            # Anybody may make something of that name there, or make a link of it.
            if path.is_dir() and not path.is_symlink() and path.stat().st_uid == os.getuid():
                yield path


def _reaped(path: Path) -> bool:
    try:
        lock = os.open(path / LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return False  # It is no place, is being made, or another process has removed it.
    try:
        if not try_lock(lock):
            return False
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)
    return True
