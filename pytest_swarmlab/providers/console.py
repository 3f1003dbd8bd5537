"""Consoles of machines: what of them may be shown, and the line that says why a machine ended."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

PANIC = "Kernel panic"

CAUSES_BEFORE = 5
"""Lines before a panic, or before the end, that may name the cause."""

CAUSE = re.compile(r"fail|error|errno|unable|can't|cannot|not (found|permitted|supported)", re.I)

LARGEST = 1 << 20
"""Bytes at a console's end that are read: a machine can write without end."""


def read(path: Path) -> list[str]:
    """The printable lines of a console, the empty ones left out; none when there is no console."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LARGEST))
            return lines(file.read())
    except OSError:
        return []


def lines(said: bytes) -> list[str]:
    """Printable lines of a console's output."""
    shown = map(printable, said.decode("utf-8", "replace").splitlines())
    return [line for line in shown if line]


def printable(text: str) -> str:
    """A text from elsewhere without anything that controls a terminal."""
    return "".join(filter(str.isprintable, text)).strip()


def cause(console: Sequence[str]) -> str:
    """The line that matters: what failed before the kernel's panic, else the last line."""
    end = next((at for at, line in enumerate(console) if PANIC in line), len(console) - 1)
    if end < 0:
        return "it said nothing"
    before = console[max(0, end - CAUSES_BEFORE) : end]
    return next((line for line in reversed(before) if CAUSE.search(line)), console[end])
