"""The node disk, the container images on it, and the kernels: recipes, builder, cache."""

from pytest_swarmlab.images.disk import (
    NodeDisk,
    build_at_terminal,
    ensure_disk,
    find_disk,
    list_disks,
    remove_disk,
)
from pytest_swarmlab.images.kernel import (
    NodeKernel,
    build_kernel_at_terminal,
    ensure_kernel,
    find_kernel,
    remove_old_kernels,
)
from pytest_swarmlab.images.manifest import ImageRecord, Manifest
from pytest_swarmlab.images.progress import BuildReport, RichReport, SilentReport
from pytest_swarmlab.images.recipe import ImageOrigin

__all__ = [
    "BuildReport",
    "ImageOrigin",
    "ImageRecord",
    "Manifest",
    "NodeDisk",
    "NodeKernel",
    "RichReport",
    "SilentReport",
    "build_at_terminal",
    "build_kernel_at_terminal",
    "ensure_disk",
    "ensure_kernel",
    "find_disk",
    "find_kernel",
    "list_disks",
    "remove_disk",
    "remove_old_kernels",
]
