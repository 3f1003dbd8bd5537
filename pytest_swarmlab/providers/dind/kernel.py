"""Capabilities that this host's kernel lacks for nodes that share it, found without a node."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from pytest_swarmlab.model import Capability

MODULES: dict[Capability, tuple[str, ...]] = {
    Capability.IPVS: ("ip_vs",),
    Capability.NFS: ("nfs", "nfsv4"),
    Capability.ENCRYPTED_OVERLAY: ("esp4", "xt_bpf"),
    Capability.FUSE: ("fuse",),
    Capability.NETEM: ("sch_netem",),
    Capability.LOOP: ("loop",),
}
"""Modules that each capability takes, loaded already, or built in, or to be had."""

PRESENT: dict[Capability, tuple[str, str]] = {
    Capability.IPVS: ("proc/net/ip_vs", ""),
    Capability.NFS: ("proc/filesystems", "nfs4"),
    Capability.FUSE: ("proc/filesystems", "fuse"),
    Capability.LOOP: ("dev/loop-control", ""),
}
"""The file, and a word in it, that shows a capability of the running kernel."""


def lacks(needs: Collection[Capability], root: Path = Path("/")) -> list[Capability]:
    """The capabilities that the kernel does not have and can't load, as far as its files tell."""
    return [need for need in MODULES if need in needs and not _has(need, root)]


def _has(need: Capability, root: Path) -> bool:
    if need in PRESENT:
        file, word = PRESENT[need]
        path = root / file
        if word in _text(path).split() if word else path.exists():
            return True
    modules = root / "lib/modules" / os.uname().release
    known = _text(modules / "modules.builtin") + _text(modules / "modules.dep")
    return all(f"/{module}.ko" in known for module in MODULES[need])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
