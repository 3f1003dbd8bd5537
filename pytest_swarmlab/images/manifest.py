"""What a disk says about itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pytest_swarmlab.errors import BuildError
from pytest_swarmlab.images.recipe import ImageOrigin, MadeOf

NAME = "manifest.json"


@dataclass(frozen=True)
class ImageRecord:
    """An image on the disk: `detail` is a registry's digest, or suite and package versions."""

    reference: str
    origin: MadeOf
    detail: str
    id: str


@dataclass(frozen=True)
class Manifest:
    """Everything on a disk, with versions; `key` is the recipes' hash that it was made from.

    `place` is the directory that it must lie in: its kernel starts from nowhere else.
    """

    key: str
    origin: ImageOrigin
    suite: str
    kernel_release: str
    kernel_words: tuple[str, ...]
    engine_version: str
    images: tuple[ImageRecord, ...]
    packages: Mapping[str, str]
    place: str

    def write(self, directory: Path) -> None:
        """Write it into a disk's directory."""
        text = json.dumps(asdict(self), indent=1, sort_keys=True)
        (directory / NAME).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, directory: Path) -> Manifest:
        """Read it from a disk's directory; BuildError when it isn't one of this version's."""
        path = directory / NAME
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            content["images"] = tuple(ImageRecord(**image) for image in content["images"])
            content["kernel_words"] = tuple(content["kernel_words"])
            return cls(**content)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise BuildError(
                f"{path} can't be read ({error}): remove {directory} and it will be built again"
            ) from error
