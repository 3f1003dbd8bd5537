"""Examines what this machine can prove, and what to install for the rest."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_swarmlab.errors import SwarmlabError
from pytest_swarmlab.images import builder, find_disk, find_kernel
from pytest_swarmlab.images.commands import as_root, missing_packages, search_path
from pytest_swarmlab.model import Capability, Topology
from pytest_swarmlab.providers.uml import provider as uml
from pytest_swarmlab.providers.uml import trial

FREE_GIB = 5
"""Disk space wanted in the cache: a disk takes about 2 GiB, and twice that during its build."""

NOT_BUILT = (
    "not built, so Debian's kernel is used: `swarmlab kernel`, as root, builds one with which"
    " machines run twice as fast, in about 8 minutes on two cores"
)


@dataclass(frozen=True)
class Finding:
    """One finding: its subject, whether it is fine, what was seen, and the remedy.

    `there`: False for what is fine though it is not there, since a run can do without.
    """

    what: str
    well: bool
    seen: str
    remedy: str = ""
    there: bool = True


def examine(cache: Path) -> Iterator[Finding]:
    """Examine all needs of an embedded cluster; yields each finding at once."""
    for commands, purpose in (
        (uml.COMMANDS, "run a cluster"),
        (builder.COMMANDS, "build the node disk"),
    ):
        missing = missing_packages(commands)
        yield Finding(
            f"commands to {purpose}",
            not missing,
            "all there" if not missing else f"missing: {', '.join(missing)}",
            f"apt-get install {' '.join(missing)}",
        )
    yield _try(
        "processor, taps and memory for 3 managers and 2 workers",
        lambda: uml.preflight(Topology.of()),
    )
    yield _namespaces()
    yield _containers()
    yield from _machine(cache)
    there = next(path for path in (cache, *cache.parents) if path.exists())
    free = shutil.disk_usage(there).free / 2**30
    yield Finding(
        "disk space",
        free >= FREE_GIB,
        f"{free:.0f} GiB free at {there}",
        f"free {FREE_GIB} GiB, or name another directory with --cache or SWARMLAB_CACHE",
    )
    cores = os.cpu_count() or 1
    yield Finding(
        "cores",
        cores >= 2,
        str(cores),
        "on one core load alone causes elections, so times prove nothing: use two",
    )


def _try(what: str, look: Callable[[], object]) -> Finding:
    try:
        look()
    except SwarmlabError as error:
        # The message says what to do.
        return Finding(what, False, str(error))
    return Finding(what, True, "all there")


def _machine(cache: Path) -> Iterator[Finding]:
    """The node disk, the kernels, and a trial boot with them."""
    what = "a machine that boots"
    try:
        disk, own = find_disk(cache), find_kernel(cache)
        yield Finding(
            "node disk",
            disk is not None,
            f"{disk.key} in {cache}" if disk else f"none of the current recipes in {cache}",
            as_root("disk", cache),
        )
        # Never a failure, since Debian's kernel works too.
        yield Finding("own kernel", True, str(own) if own else NOT_BUILT, there=bool(own))
        if disk is None:
            yield Finding(what, False, "not tried: it needs the node disk")
            return
        tried, notices = trial.choose("auto", cache, disk)
    except SwarmlabError as error:
        yield Finding(what, False, f"on {_processor()}: {error}")
        return
    seen = "; ".join((f"{_processor()}: {tried}", *(notices if own else ())))
    yield Finding(what, True, seen)


def _processor() -> str:
    """The name of this machine's processor."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "this processor"


def _containers() -> Finding:
    """Never a failure, since embedded machines need no engine."""
    from pytest_swarmlab.providers.dind import engine, kernel

    try:
        api = engine.connect()
        engine.require(api)
        api.close()
    except SwarmlabError as error:
        return Finding("nodes as containers", True, f"not here: {error}", there=False)
    lacking = ", ".join(kernel.lacks(list(Capability)))
    seen = f"possible, but the kernel lacks {lacking}" if lacking else "possible"
    return Finding("nodes as containers", True, seen)


def _namespaces() -> Finding:
    argv = [*uml.namespaces(), "ip", "link", "add", "probe", "type", "bridge"]
    try:
        there = {**os.environ, "PATH": search_path()}
        done = subprocess.run(argv, capture_output=True, text=True, env=there, check=False)
        refusal = "" if done.returncode == 0 else done.stderr.strip() or "refused"
    except FileNotFoundError:
        refusal = f"the command {argv[0]} is missing"
    return Finding(
        "a network of its own for each cluster",
        not refusal,
        refusal or "possible",
        "run as root, or allow user namespaces"
        " (sysctl kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu)",
    )
