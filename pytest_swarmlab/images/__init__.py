"""The node disk and the container images on it: recipes, builder, cache."""

from pytest_swarmlab.images.disk import (
    NodeDisk,
    build_at_terminal,
    ensure_disk,
    list_disks,
    remove_disk,
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
    "RichReport",
    "SilentReport",
    "build_at_terminal",
    "ensure_disk",
    "list_disks",
    "remove_disk",
]
