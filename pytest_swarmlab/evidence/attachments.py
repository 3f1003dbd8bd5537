"""Pictures that belong to a record: JPEG or PNG, of bounded size, checked before they are shown."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from pytest_swarmlab.evidence.events import Attachment

LARGEST = 200_000
"""Bytes of one picture."""

BEGINNINGS: Mapping[str, bytes] = {
    "image/jpeg": b"\xff\xd8\xff",
    "image/png": b"\x89PNG\r\n\x1a\n",
}
"""Media type → what every file of it begins with."""


def attachment(title: str, content: bytes) -> Attachment:
    """A picture as an event. Raises ValueError for another kind of file, and for a larger one."""
    media = _media(content)
    if media is None or len(content) > LARGEST:
        raise ValueError(
            f"{title!r} can't be attached: pictures are JPEG or PNG, of {LARGEST} bytes at most"
        )
    return Attachment(title, media, base64.b64encode(content).decode())


def content_of(found: Attachment) -> bytes | None:
    """The picture as a file; None where a record's is no such picture."""
    if len(found.content) > 2 * LARGEST:
        return None
    try:
        content = base64.b64decode(found.content, validate=True)
    except (binascii.Error, ValueError):
        return None
    fits = len(content) <= LARGEST and _media(content) == found.media
    return content if fits else None


def _media(content: bytes) -> str | None:
    found = (media for media, begins in BEGINNINGS.items() if content.startswith(begins))
    return next(found, None)
