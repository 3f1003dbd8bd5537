"""Files that go into roots: where they lie, their places and modes, and one hash over them."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

PlacedFile = tuple[Path, str, int]
"""Where a file lies, its place in the root, its mode."""


def tree_files(tree: Path) -> Iterator[PlacedFile]:
    """Each file of a tree in a fixed order."""
    return files_at(tree, tree.rglob("*"))


def files_at(tree: Path, paths: Iterable[Path]) -> Iterator[PlacedFile]:
    """Those of the paths that are files, in a fixed order, with their places in the tree.

    The mode is 0755 for what its owner may execute, else 0644: that much survives
    Git, archives and umasks.
    """
    for path in sorted(paths):
        if path.is_file():
            executable = path.stat().st_mode & stat.S_IXUSR
            yield path, path.relative_to(tree).as_posix(), 0o755 if executable else 0o644


def digest_of(files: Iterable[PlacedFile], first: bytes = b"") -> str:
    """Hash of `first`, and of the place, mode and content of each file."""
    seen = hashlib.sha256(first)
    for file, place, mode in files:
        content = file.read_bytes()
        seen.update(f"\0{place}\0{mode:o}\0{len(content)}\0".encode())
        seen.update(content)
    return seen.hexdigest()
