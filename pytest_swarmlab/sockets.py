"""Directories whose Unix sockets have a path that is short enough."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

LONGEST = 107
"""Bytes of a Unix socket's path, without the NUL at its end (unix(7))."""

SHORT = Path("/tmp")  # noqa: S108 - mkdtemp's names are this user's alone
"""Where directories go when TMPDIR is too long for sockets."""

RANDOM = "XXXXXXXX"
"""As long as what `tempfile` adds to a prefix."""


def parent(prefix: str, socket: str, *, spare: int = 0) -> Path:
    """The directory in which `mkdtemp` with this prefix leaves room for that socket's path.

    `socket`: its path in the new directory. `spare`: further bytes that its path may need.
    """
    usual = Path(tempfile.gettempdir())
    path = usual / f"{prefix}{RANDOM}" / socket
    return SHORT if len(os.fsencode(path)) + spare > LONGEST else usual
