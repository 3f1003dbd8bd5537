"""A picture is small and of two kinds, when it is written and when it is read."""

from __future__ import annotations

import base64

import pytest

from pytest_swarmlab.evidence.attachments import LARGEST, attachment, content_of
from pytest_swarmlab.evidence.events import Attachment

JPEG = b"\xff\xd8\xff\xe0 and more"
PNG = b"\x89PNG\r\n\x1a\n and more"


@pytest.mark.parametrize(("content", "media"), [(JPEG, "image/jpeg"), (PNG, "image/png")])
def test_a_picture_is_read_as_it_was_written(content: bytes, media: str) -> None:
    found = attachment("the shop", content)
    assert (found.title, found.media) == ("the shop", media)
    assert content_of(found) == content


@pytest.mark.parametrize("content", [b"", b"<svg onload=x>", b"GIF89a", JPEG + bytes(LARGEST)])
def test_what_is_no_small_picture_is_not_attached(content: bytes) -> None:
    with pytest.raises(ValueError, match="can't be attached"):
        attachment("the shop", content)


@pytest.mark.parametrize(
    ("media", "content"),
    [
        ("image/svg+xml", base64.b64encode(b"<svg/>").decode()),
        ("text/html", base64.b64encode(JPEG).decode()),
        ("image/png", base64.b64encode(JPEG).decode()),
        ("image/jpeg", '"><script>'),
        ("image/jpeg", "\ud800"),
        ("image/jpeg", ""),
        ("image/jpeg", base64.b64encode(JPEG + bytes(LARGEST)).decode()),
        ("image/jpeg", "A" * 10 * LARGEST),
    ],
)
def test_what_a_record_only_calls_a_picture_is_none(media: str, content: str) -> None:
    assert content_of(Attachment("x", media, content)) is None
