"""Reads a student's submission, all of which is untrusted.

The directory is listed once, in bounded time and memory. No link is followed, and only regular
files are opened. Too many, too large or too deep files raise Unusable.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pytest_swarmlab.errors import ConfigError, Unusable
from pytest_swarmlab.text import line

MOST_ENTRIES = 2_000
"""Files and directories; the lab asks for 35."""

DEEPEST = 10
"""Levels of directories."""

LARGEST = 20 * 2**20
"""Bytes of one file: more than any screenshot or document of the lab."""

READ = 2**20
"""Bytes of a document that are read; 150,000 words."""

KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True)
class Submission:
    """`files`: path below `root` → bytes. `odd`: path of any other entry → its kind, in words."""

    root: Path
    files: Mapping[str, int]
    odd: Mapping[str, str]

    @classmethod
    def read(cls, root: Path) -> Submission:
        """List a directory.

        Raises ConfigError if it can't be read, Unusable if it exceeds a limit.
        """
        files: dict[str, int] = {}
        odd: dict[str, str] = {}
        for place, found in _walk(root):
            kind = stat.S_IFMT(found.st_mode)
            if kind == stat.S_IFREG:
                files[place] = found.st_size
            else:
                odd[place] = KINDS.get(kind, "no file")
        return cls(root, files, odd)

    def under(self, place: str, suffixes: tuple[str, ...]) -> list[str]:
        """Entries at that path with one of these suffixes, in the suffixes' order.

        Case is ignored: cameras and Windows write .PNG.
        """
        found = [
            (suffixes.index(suffix), name)
            for name in (*self.files, *self.odd)
            if name.lower().startswith(place.lower())
            and (suffix := name[len(place) :].lower()) in suffixes
        ]
        return [name for _, name in sorted(found)]

    def content(self, place: str, limit: int = READ) -> bytes:
        """The first `limit` bytes of a file. Raises Unusable if it is no readable file."""
        name = PurePosixPath(place)
        if name.is_absolute() or ".." in name.parts or not name.parts:
            raise Unusable(f"{line(place)} leads out of the submission")
        if place in self.odd:
            raise Unusable(f"{line(place)} is {self.odd[place]}: hand in the file itself")
        if place not in self.files:
            raise Unusable(f"{line(place)} does not exist")
        if self.files[place] > LARGEST:
            raise Unusable(
                f"{line(place)} has {self.files[place] // 2**20} MiB, more than"
                f" {LARGEST // 2**20} MiB: hand in a smaller file"
            )
        try:
            with _opened(self.root, name) as at, open(at, "rb", closefd=False) as file:
                return file.read(limit)
        except OSError as error:
            raise Unusable(f"{line(place)} can't be read: {error.strerror}") from error

    def text(self, place: str) -> str:
        """The beginning of a text file. Raises Unusable if it is not UTF-8 or UTF-16."""
        content = self.content(place)
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            content = content[: len(content) // 2 * 2]
            try:
                return content.decode("utf-16")
            except UnicodeDecodeError:
                pass
        # A cut may fall within a character.
        whole = self.files[place] <= READ
        try:
            return content.decode("utf-8-sig", errors="strict" if whole else "ignore")
        except UnicodeDecodeError as error:
            raise Unusable(
                f"{line(place)} is not UTF-8 (byte {error.start} is"
                f" {content[error.start]:#04x}): save it as UTF-8"
            ) from error


def _walk(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every entry below a directory with its `stat`; follows no link and opens no file."""
    left = MOST_ENTRIES
    waiting: list[PurePosixPath] = [PurePosixPath()]
    while waiting:
        here = waiting.pop()
        try:
            with _opened(root, here, os.O_DIRECTORY) as directory, os.scandir(directory) as found:
                for entry in found:
                    place = here / entry.name
                    if (left := left - 1) < 0:
                        raise Unusable(
                            f"{line(root)} has more than {MOST_ENTRIES} files and directories, so"
                            " none is read: hand in fewer"
                        )
                    about = entry.stat(follow_symlinks=False)
                    if not stat.S_ISDIR(about.st_mode):
                        yield _safe(str(place)), about
                    elif len(place.parts) > DEEPEST:
                        raise Unusable(
                            f"{line(place)} is more than {DEEPEST} directories deep, so the"
                            " submission is not read: use fewer levels"
                        )
                    elif entry.name not in {".git", ".svn"}:
                        waiting.append(place)
        except OSError as error:
            if here.parts:
                raise Unusable(f"{line(here)} can't be read: {error.strerror}") from error
            raise ConfigError(
                f"the submission {root} can't be read ({error.strerror}): name its directory, or"
                " make one with `swarmlab new-submission`"
            ) from error


def _safe(name: str) -> str:
    """A printable name, with replacements where it is not UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@contextmanager
def _opened(root: Path, place: PurePosixPath, flags: int = 0) -> Iterator[int]:
    """A descriptor of that entry; no part of the path below the root may be a link."""
    as_it_is = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    at = os.open(root, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        for n, part in enumerate(place.parts, 1):
            more = flags if n == len(place.parts) else os.O_DIRECTORY
            before, at = at, os.open(part, as_it_is | more, dir_fd=at)
            os.close(before)
        if place.parts and not flags and not stat.S_ISREG(os.fstat(at).st_mode):
            raise OSError(0, "it is no file any more")
        yield at
    finally:
        os.close(at)
