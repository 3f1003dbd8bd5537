"""The cache of node disks: each is built once, whole or not at all.

``<cache>/disks/<key>/`` holds ``base.img``, ``linux.uml`` (which starts what is in
``kernel/``), ``manifest.json`` and ``build.log``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pytest_swarmlab.errors import BuildError, ConfigError, HostError
from pytest_swarmlab.images import builder
from pytest_swarmlab.images.manifest import Manifest
from pytest_swarmlab.images.progress import BuildReport, LoggedReport, RichReport
from pytest_swarmlab.images.recipe import DiskPlan, ImageOrigin, load_plan

BUILDING = ".building-"
"""How the directory of a disk in the making begins; a leftover of one is removed."""

Build = Callable[[DiskPlan, Path, Path, BuildReport], Manifest]
"""Makes a disk of a plan in an empty directory (the first path), to be moved to the second."""


@dataclass(frozen=True)
class NodeDisk:
    """A finished disk: nodes share it and each writes to a copy-on-write file of its own."""

    path: Path
    manifest: Manifest

    @property
    def key(self) -> str:
        """Hash of the recipes it was made from."""
        return self.manifest.key

    @property
    def base(self) -> Path:
        """The disk: an ext4 file system in a sparse file."""
        return self.path / "base.img"

    @property
    def kernel(self) -> Path:
        """The program that is the node's kernel."""
        return self.path / "linux.uml"

    @property
    def kernel_words(self) -> tuple[str, ...]:
        """Words that the kernel's command line must hold for this disk."""
        return self.manifest.kernel_words

    @property
    def log(self) -> Path:
        """Everything that was said while it was built."""
        return self.path / "build.log"

    @property
    def used(self) -> int:
        """Space that it takes on the host, bytes; its files are sparse."""
        return sum(file.stat().st_blocks * 512 for file in self.path.rglob("*"))

    def images(self) -> list[dict[str, Any]]:
        """The container images on it: reference, origin, detail, id."""
        return [asdict(image) for image in self.manifest.images]


def ensure_disk(
    cache_dir: Path,
    *,
    origin: ImageOrigin = "stand-in",
    report: BuildReport,
    build: Build = builder.build,
) -> NodeDisk:
    """The disk of today's recipes, built now if the cache doesn't hold it.

    A second caller waits for the first and takes its disk. Raises ConfigError for a
    recipe that can't be used, HostError when this machine can't build, BuildError when
    the build fails; then nothing of it is left.
    """
    plan = load_plan(origin)
    disks = cache_dir / "disks"
    if (disks / plan.key).is_dir():
        return _open(disks / plan.key)
    try:
        disks.mkdir(parents=True, exist_ok=True)
        with locked(disks, report):
            if not (disks / plan.key).is_dir():
                _build(plan, disks, report, build)
    except OSError as error:
        raise HostError(
            f"the cache {cache_dir} can't be written ({error.strerror or error}):"
            " make it writable, or name another"
        ) from error
    return _open(disks / plan.key)


def build_at_terminal(cache_dir: Path, *, origin: ImageOrigin = "stand-in") -> NodeDisk:
    """`ensure_disk` with its progress shown to a person."""
    with RichReport() as report:
        return ensure_disk(cache_dir, origin=origin, report=report)


def list_disks(cache_dir: Path) -> list[NodeDisk]:
    """Every finished disk in the cache, of whatever recipes; unreadable ones are left out."""
    found = []
    for path in sorted((cache_dir / "disks").glob("[!.]*")):
        try:
            found.append(_open(path))
        except BuildError:
            continue
    return found


def remove_disk(cache_dir: Path, key: str) -> int:
    """Remove a disk and return the bytes it took; ConfigError when there is none of that key."""
    for disk in list_disks(cache_dir):
        if disk.key == key:
            used = disk.used
            # Renamed first: a disk is there whole or not at all, also while it goes.
            gone = disk.path.with_name(f"{BUILDING}{key}-gone-{os.getpid()}")
            disk.path.rename(gone)
            shutil.rmtree(gone)
            return used
    raise ConfigError(f"the cache {cache_dir} holds no disk {key!r}")


def _open(path: Path) -> NodeDisk:
    disk = NodeDisk(path, Manifest.read(path))
    if disk.manifest.place != str(path.absolute()):
        raise BuildError(
            f"{path} was moved from {disk.manifest.place}, and its kernel starts from there only:"
            " move it back, or remove it and it will be built again"
        )
    for file in (disk.base, disk.kernel):
        if not file.is_file():
            raise BuildError(f"{file} is missing: remove {path} and it will be built again")
    return disk


def _build(plan: DiskPlan, disks: Path, report: BuildReport, build: Build) -> None:
    # Whoever holds the lock knows that no other build runs: these are leftovers.
    for leftover in disks.glob(f"{BUILDING}*"):
        report.log(f"removing {leftover.name}, left by a build that was interrupted")
        shutil.rmtree(leftover)
    making = disks / f"{BUILDING}{plan.key}-{os.getpid()}"
    making.mkdir()
    try:
        with LoggedReport(report, making / "build.log") as logged:
            build(plan, making, disks / plan.key, logged).write(making)
        making.rename(disks / plan.key)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise


@contextmanager
def locked(disks: Path, report: BuildReport) -> Iterator[None]:
    """One build at a time in a cache; the kernel frees the lock of a killed one."""
    lock = FileLock(disks / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        report.stage("Waiting for another build of the node disk")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
