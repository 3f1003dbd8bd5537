"""The manifests of a disk and of a kernel."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pytest_swarmlab.errors import BuildError
from pytest_swarmlab.images.recipe import Card, ImageOrigin, KernelName, MadeOf

NAME = "manifest.json"


@dataclass(frozen=True)
class ImageRecord:
    """An image on the disk: `detail` is a registry's digest, or suite and package versions."""

    reference: str
    origin: MadeOf
    detail: str
    id: str


@dataclass(frozen=True)
class KernelRecord:
    """A kernel: `release` as it tells itself, `source` the package and version that it comes from.

    `preload`: whether a library lies beside it that makes it start on more hosts.
    """

    name: KernelName
    release: str
    source: str
    words: tuple[str, ...]
    card: Card
    preload: bool

    @classmethod
    def parse(cls, content: dict[str, Any]) -> KernelRecord:
        """From JSON; TypeError or KeyError when something is missing or too much."""
        return cls(**{**content, "words": tuple(content["words"])})


@dataclass(frozen=True)
class KernelManifest:
    """A kernel with a directory of its own, `place`; `key` is its recipe's hash."""

    key: str
    kernel: KernelRecord
    place: str

    def write(self, directory: Path) -> None:
        """Write it into the kernel's directory."""
        _write(directory, asdict(self))

    @classmethod
    def read(cls, directory: Path) -> KernelManifest:
        """Read it from there; BuildError when it isn't one of this version's."""
        with _readable(directory) as content:
            return cls(**{**content, "kernel": KernelRecord.parse(content["kernel"])})


@dataclass(frozen=True)
class Manifest:
    """Everything on a disk, with versions; `key` is the recipes' hash that it was made from.

    `kernel` is Debian's. `place` is the directory that it must lie in: that kernel starts from
    nowhere else.
    """

    key: str
    origin: ImageOrigin
    suite: str
    kernel: KernelRecord
    engine_version: str
    images: tuple[ImageRecord, ...]
    packages: Mapping[str, str]
    place: str

    def write(self, directory: Path) -> None:
        """Write it into a disk's directory."""
        _write(directory, asdict(self))

    @classmethod
    def read(cls, directory: Path) -> Manifest:
        """Read it from a disk's directory; BuildError when it isn't one of this version's."""
        with _readable(directory) as content:
            images = tuple(ImageRecord(**image) for image in content["images"])
            kernel = KernelRecord.parse(content["kernel"])
            return cls(**{**content, "images": images, "kernel": kernel})


def _write(directory: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=1, sort_keys=True)
    (directory / NAME).write_text(text + "\n", encoding="utf-8")


@contextmanager
def _readable(directory: Path) -> Iterator[dict[str, Any]]:
    """A directory's manifest; what can't be read in the block is a BuildError."""
    path = directory / NAME
    try:
        yield json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BuildError(
            f"{path} can't be read ({error}): remove {directory} and it will be built again"
        ) from error
