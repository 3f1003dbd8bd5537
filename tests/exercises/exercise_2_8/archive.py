"""A backup that was carried away, as one tar: damaging it, and reading its content."""

import gzip
import io
import tarfile
from collections.abc import Callable, Mapping

from .setting import BIT_FLIPPED, CHECKSUMS_CUT, MANIFEST_EDITED, TRUNCATED, VOLUME_LOST

Change = Callable[[bytes], bytes | None]
"""Makes a file's content another one; None: the file goes."""


def _flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGE: Mapping[str, tuple[str, Change]] = {
    TRUNCATED: ("swarm.tar.gz", lambda content: content[: len(content) // 2]),
    BIT_FLIPPED: ("swarm.tar.gz", _flip),
    MANIFEST_EDITED: ("manifest", lambda content: content.replace(b"hot=no", b"hot=na")),
    CHECKSUMS_CUT: ("SHA256SUMS", lambda content: content[: content.rfind(b"\n", 0, -1) + 1]),
    VOLUME_LOST: ("volumes.tar.gz", lambda _: None),
}
"""Damages of a backup by disks, copies and people: the file, and its change."""


def damaged(carried: bytes, how: str) -> bytes:
    """A copy of the backup with one damage."""
    wanted, change = DAMAGE[how]
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(carried)) as inside,
        tarfile.open(fileobj=out, mode="w") as edited,
    ):
        for entry in inside.getmembers():
            file = inside.extractfile(entry)
            content = file.read() if file else None
            if entry.name.rsplit("/", 1)[-1] == wanted and content is not None:
                content = change(content)
                if content is None:
                    continue
            if content is not None:
                entry.size = len(content)
            edited.addfile(entry, io.BytesIO(content) if content is not None else None)
    return out.getvalue()


def whole(carried: bytes) -> bytes:
    """Every byte of a backup, unpacked."""
    found = b""
    with tarfile.open(fileobj=io.BytesIO(carried)) as inside:
        for entry in inside.getmembers():
            if file := inside.extractfile(entry):
                content = file.read()
                found += gzip.decompress(content) if entry.name.endswith(".gz") else content
    return found


def held(carried: bytes) -> list[str]:
    """The names of what a backup has of the swarm's directory."""
    with tarfile.open(fileobj=io.BytesIO(carried)) as inside:
        found = next(e for e in inside.getmembers() if e.name.endswith("/swarm.tar.gz"))
        file = inside.extractfile(found)
        content = file.read() if file else b""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        names = [f"{e.name}/" if e.isdir() else e.name for e in archive.getmembers()]
    return sorted(names)
