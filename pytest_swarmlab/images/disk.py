"""The node disks in the cache.

``<cache>/disks/<key>/`` holds ``base.img``, ``linux.uml`` (Debian's kernel, which starts what is in
``kernel/``), ``manifest.json`` and ``build.log``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pytest_swarmlab.errors import BuildError, ConfigError
from pytest_swarmlab.images import builder, store
from pytest_swarmlab.images.kernel import NodeKernel
from pytest_swarmlab.images.manifest import Manifest
from pytest_swarmlab.images.progress import BuildReport, RichReport
from pytest_swarmlab.images.recipe import DiskPlan, ImageOrigin, load_plan

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
    def kernel(self) -> NodeKernel:
        """Debian's kernel, whose modules are on the disk."""
        return NodeKernel(self.path, self.manifest.kernel)

    @property
    def log(self) -> Path:
        """Everything that was said while it was built."""
        return self.path / store.LOG

    @property
    def used(self) -> int:
        """Space that it takes on the host, bytes."""
        return store.size(self.path)

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
    the build fails; then nothing of it is left but its log.
    """
    plan = load_plan(origin)

    def fill(making: Path, place: Path, logged: BuildReport) -> None:
        build(plan, making, place, logged).write(making)

    return _open(store.ensure(_disks(cache_dir), plan.key, fill, report, what="node disk"))


def find_disk(cache_dir: Path, *, origin: ImageOrigin = "stand-in") -> NodeDisk | None:
    """The disk of today's recipes, if the cache holds it. Raises BuildError for a spoilt one."""
    entry = _disks(cache_dir) / load_plan(origin).key
    return _open(entry) if entry.is_dir() else None


def build_at_terminal(cache_dir: Path, *, origin: ImageOrigin = "stand-in") -> NodeDisk:
    """`ensure_disk` with its progress shown to a person."""
    with RichReport() as report:
        return ensure_disk(cache_dir, origin=origin, report=report)


def list_disks(cache_dir: Path) -> list[NodeDisk]:
    """Every finished disk in the cache, of whatever recipes; unreadable ones are left out."""
    found = []
    for path in store.entries(_disks(cache_dir)):
        try:
            found.append(_open(path))
        except BuildError:
            continue
    return found


def remove_disk(cache_dir: Path, key: str) -> int:
    """Remove a disk and return the bytes it took; ConfigError when there is none of that key."""
    for disk in list_disks(cache_dir):
        if disk.key == key:
            return store.remove(disk.path)
    raise ConfigError(f"the cache {cache_dir} holds no disk {key!r}")


def _disks(cache_dir: Path) -> Path:
    return cache_dir / "disks"


def _open(path: Path) -> NodeDisk:
    disk = NodeDisk(path, Manifest.read(path))
    store.require_place(path, disk.manifest.place)
    store.require_files(disk.base, disk.kernel.program)
    return disk
