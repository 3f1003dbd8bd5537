"""A store of what takes minutes to build: each entry is built once, and is there whole or not at
all.

``<store>/<key>/`` holds what was built, with ``build.log`` beside it; ``<store>/.failed-<key>.log``
is the log of the last build that failed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pytest_swarmlab.errors import BuildError, HostError
from pytest_swarmlab.images.progress import BuildReport, LoggedReport

BUILDING = ".building-"
"""Prefix of the directory of an unfinished entry; leftovers are removed."""

LOG = "build.log"

Fill = Callable[[Path, Path, BuildReport], None]
"""Builds into an empty directory (the first path), to be moved to the second when it is done."""


def ensure(store: Path, key: str, fill: Fill, report: BuildReport, *, what: str) -> Path:
    """The directory of an entry, built now if it isn't there; `what`: its name for people.

    A second caller waits for the first and gets the same entry. Raises HostError when the store
    can't be written; what `fill` raises; and BuildError with the place of its log. Nothing else is
    left then.
    """
    entry = store / key
    if entry.is_dir():
        return entry
    with locked(store, report, what=what):
        if not entry.is_dir():
            _build(entry, fill, report)
    return entry


def entries(store: Path) -> list[Path]:
    """The directory of every finished entry."""
    return sorted(store.glob("[!.]*"))


def remove(entry: Path) -> int:
    """Remove an entry and return the bytes that it took on the host; its files may be sparse."""
    used = size(entry)
    # Renamed first: an entry is there whole or not at all, also while it goes.
    gone = entry.with_name(f"{BUILDING}{entry.name}-gone-{os.getpid()}")
    entry.rename(gone)
    shutil.rmtree(gone)
    return used


def size(entry: Path) -> int:
    """Space that an entry takes on the host, bytes."""
    return sum(file.stat().st_blocks * 512 for file in entry.rglob("*"))


def require_place(entry: Path, place: str) -> None:
    """Raise BuildError when an entry isn't where it was built for, `place`.

    A kernel's program names its dynamic loader by an absolute path.
    """
    if place != str(entry.absolute()):
        raise BuildError(
            f"{entry} was moved from {place}, and its kernel starts from there only:"
            " move it back, or remove it and it will be built again"
        )


def require_files(*files: Path) -> None:
    """Raise BuildError when one of an entry's files is missing."""
    for file in files:
        if not file.is_file():
            raise BuildError(f"{file} is missing: remove {file.parent} and it will be built again")


@contextmanager
def locked(store: Path, report: BuildReport, *, what: str) -> Iterator[None]:
    """One build at a time in a store; the kernel frees the lock of a killed one.

    What the operating system refuses within the block is a HostError.
    """
    lock = FileLock(store / ".lock")
    try:
        store.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            with report.part(f"Waiting for another build of the {what}"):
                lock.acquire()
        try:
            yield
        finally:
            lock.release()
    except OSError as error:
        raise HostError(
            f"the cache {store.parent} can't be written ({error.strerror or error}):"
            " make it writable, or name another"
        ) from error


@contextmanager
def making(store: Path, key: str, report: BuildReport) -> Iterator[Path]:
    """An empty directory to build in, removed at the block's end. The caller holds the lock."""
    # Whoever holds it knows that no other build runs: these are leftovers.
    for leftover in store.glob(f"{BUILDING}*"):
        report.log(f"removing {leftover.name}, left by a build that was interrupted")
        shutil.rmtree(leftover)
    directory = store / f"{BUILDING}{key}-{os.getpid()}"
    directory.mkdir()
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _build(entry: Path, fill: Fill, report: BuildReport) -> None:
    store, key = entry.parent, entry.name
    failed = store / f".failed-{key}.log"
    with making(store, key, report) as directory:
        try:
            with LoggedReport(report, directory / LOG) as logged:
                fill(directory, entry, logged)
            directory.rename(entry)
            failed.unlink(missing_ok=True)
        except BuildError as error:
            (directory / LOG).rename(failed)
            raise BuildError(f"{error} (all that the build said: {failed})") from error
