"""The kernels that nodes boot: Debian's, which lies beside the disk, and the own one in the cache.

``<cache>/kernels/<key>/`` holds ``linux.uml`` (which starts what is in ``kernel/``),
``manifest.json`` and ``build.log``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pytest_swarmlab.images import builder, store
from pytest_swarmlab.images.manifest import KernelManifest, KernelRecord
from pytest_swarmlab.images.progress import BuildReport, RichReport
from pytest_swarmlab.images.recipe import KernelRecipe, load_own_kernel

Build = Callable[[KernelRecipe, Path, Path, BuildReport], KernelManifest]
"""Makes a kernel of a recipe in an empty directory (the first path), to be moved to the second."""


@dataclass(frozen=True)
class NodeKernel:
    """A kernel that can start nodes, in its directory."""

    path: Path
    record: KernelRecord

    @property
    def program(self) -> Path:
        """The program to run, which finds its own C library."""
        return self.path / "linux.uml"

    @property
    def preload(self) -> str:
        """The library beside it that makes it start on more hosts, "" if it has none."""
        return builder.PRELOAD if self.record.preload else ""

    def __str__(self) -> str:
        """The kernel's origin, release and source, for people."""
        owner = "own kernel" if self.record.name == "own" else "Debian's kernel"
        return f"{owner} {self.record.release} ({self.record.source})"


def ensure_kernel(
    cache_dir: Path, *, report: BuildReport, build: Build = builder.build_kernel
) -> NodeKernel:
    """The own kernel of today's recipe, built now if the cache doesn't hold it.

    Raises as `ensure_disk` does.
    """
    recipe = load_own_kernel()

    def fill(making: Path, place: Path, logged: BuildReport) -> None:
        build(recipe, making, place, logged).write(making)

    return _open(store.ensure(_kernels(cache_dir), recipe.key, fill, report, what="kernel"))


def find_kernel(cache_dir: Path) -> NodeKernel | None:
    """The own kernel of today's recipe, if the cache holds it.

    Raises BuildError for a spoilt one.
    """
    entry = _kernels(cache_dir) / load_own_kernel().key
    return _open(entry) if entry.is_dir() else None


def build_kernel_at_terminal(cache_dir: Path) -> NodeKernel:
    """`ensure_kernel` with its progress shown to a person."""
    with RichReport() as report:
        return ensure_kernel(cache_dir, report=report)


def remove_old_kernels(cache_dir: Path) -> dict[str, int]:
    """Remove every kernel of another recipe than today's; the key of each and its bytes."""
    wanted = load_own_kernel().key
    old = [entry for entry in store.entries(_kernels(cache_dir)) if entry.name != wanted]
    return {entry.name: store.remove(entry) for entry in old}


def _kernels(cache_dir: Path) -> Path:
    return cache_dir / "kernels"


def _open(path: Path) -> NodeKernel:
    manifest = KernelManifest.read(path)
    store.require_place(path, manifest.place)
    kernel = NodeKernel(path, manifest.kernel)
    store.require_files(kernel.program)
    return kernel
