"""Makes text from a cluster or a student safe to show, and puts times into words."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any

SHORT = 300
"""Characters of a name, an observation or an error that a table shows."""

LONG = 20_000
"""Characters of a command's output that a terminal card shows."""

CUT = " … (cut, {more} more characters)"

_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)"  # titles and links of a terminal
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours and cursor movements
    r"|\x1b[@-Z\\-_]"
)
# Bidirectional overrides can make a text read as another one; lone surrogates cannot be written.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2028\u2029\u2060-\u2069\ufeff"
    r"\ufffe\uffff]"  # XML has no place for these two.
)
_MOVES = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]"
)
"""What moves a terminal's cursor, or makes a text read as another one."""

_MOVES_BUT_COLOURS = re.compile(rf"(?!\x1b\[[0-9;]*m){_MOVES.pattern}")

_SURROGATES = re.compile(r"[\ud800-\udfff]")


def clean(value: Any, limit: int = SHORT) -> str:
    """Printable text of at most `limit` characters, plus a note of how much was cut.

    Escape sequences and control characters go; line feeds and tabs stay.
    """
    text = "" if value is None else str(value)
    # Looking at a little more than the limit keeps a megabyte from costing a second.
    head = text[: 4 * limit + 4096]
    head = _ESCAPES.sub("", head.replace("\r\n", "\n"))
    head = _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", _UNSEEN.sub("", head))
    more = len(head) - limit if len(head) > limit else 0
    more += max(0, len(text) - (4 * limit + 4096))
    return head[:limit] + CUT.format(more=more) if more else head


def line(value: Any, limit: int = SHORT) -> str:
    """The text on one line."""
    return clean(" ".join(clean(value, 4 * limit).split()), limit)


def inert(text: str, *, colours: bool = False) -> str:
    """The whole text, with an escape such as ``\\x1b`` for what is no text to a terminal.

    For failures and errors, which must not be cut. `colours`: those of a terminal stay.
    """
    moves = _MOVES_BUT_COLOURS if colours else _MOVES
    escaped = moves.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
    # Halves of surrogate pairs: no file can hold them and no worker can send them.
    return escaped.encode("utf-8", "backslashreplace").decode()


def by_number(id_: str) -> tuple[tuple[int, str], ...]:
    """Key that sorts exercise ids by number: 2.9 before 2.10, and texts last."""
    return tuple(
        (int(part), "") if part.isdecimal() else (sys.maxsize, part) for part in id_.split(".")
    )


def some(words: Sequence[str], most: int) -> str:
    """The first `most` of them, and how many more there are."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def count(number: int, what: str) -> str:
    """That many of them: 1 manager, 2 managers."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def clock(seconds: float, *, tenths: bool = False) -> str:
    """Seconds as mm:ss (or mm:ss.t), with a true minus sign before zero."""
    sign = "\N{MINUS SIGN}" if seconds < 0 else ""
    if tenths:
        ticks = round(abs(seconds) * 10)
        sign = sign if ticks else ""
        return f"{sign}{ticks // 600:02d}:{ticks // 10 % 60:02d}.{ticks % 10}"
    whole = int(abs(seconds))
    return f"{sign if whole else ''}{whole // 60:02d}:{whole % 60:02d}"


def duration(seconds: float) -> str:
    """A length of time for people: 0.04 s, 12.4 s, 3 min 05 s."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 120:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60:02d} s"
