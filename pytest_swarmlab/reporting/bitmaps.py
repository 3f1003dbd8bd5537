"""A record's JPEG and PNG pictures: in the page, and as files beside it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_swarmlab.evidence.attachments import content_of
from pytest_swarmlab.evidence.events import Attachment, each
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.text import line

DIRECTORY = "attachments"
"""Below the run's own; there is none without a picture."""

SUFFIXES = {"image/jpeg": "jpg", "image/png": "png"}
LONGEST_NAME = 60


@dataclass(frozen=True)
class Picture:
    """One picture, safe to show. `content` is empty where the record's is no picture."""

    t: float
    title: str
    media: str
    content: bytes

    @property
    def source(self) -> str:
        """The picture itself, as an address that leads nowhere else; empty without one."""
        if not self.content:
            return ""
        return f"data:{self.media};base64,{base64.b64encode(self.content).decode()}"


def pictures(part: Record) -> Iterator[Picture]:
    """Every picture of a part of a record, oldest first."""
    for found in each(part, Attachment):
        content = content_of(found)
        media = found.media if content else ""
        yield Picture(found.t, line(found.title), media, content or b"")


def write(directory: Path, record: Record) -> None:
    """Put every picture beside the report, named by its number and title."""
    for number, picture in enumerate(pictures(record), 1):
        if picture.content:
            words = re.sub(r"[^a-z0-9]+", "-", picture.title.lower()).strip("-")[:LONGEST_NAME]
            name = f"{number:03}-{words}.{SUFFIXES[picture.media]}"
            (directory / DIRECTORY).mkdir(exist_ok=True)
            (directory / DIRECTORY / name).write_bytes(picture.content)
