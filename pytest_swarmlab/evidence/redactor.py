"""Keeps secrets out of everything that a run writes: a secret's name stands in its place."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

PLACEHOLDER = "‹secret {name}›"

SHORTEST = 6
"""A shorter text is not hidden: replaced within other words it would make them unreadable, and the
gaps would reveal it."""

SHORTEST_PIECE, LONGEST_PIECE = 8, 10
"""Characters of a value that is cut (a diff that skips what is alike, `…` in the middle, an output
that ends within it) from which on a piece of it is hidden: half of the value where that lies
between these two. So one of two halves always is, of values of twice the former and more."""

ENDS = 2048
"""Characters at either end of a long value of which pieces are known."""

LEAST_DIFFERENT = 4
"""Least number of different characters in a hidden piece: a row of zeros is no secret."""

PEM_BOUNDARY = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]+-----")
"""First and last line of a certificate or key (RFC 7468)."""

SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=(:|%3[Aa])(/|%2[Ff]){2})")
"""How a URL begins (RFC 3986), also quoted: `postgresql` is nobody's secret, and a common word."""

URL_SAFE = str.maketrans("+/", "-_")

MARKS = 0x100000
"""The first of the characters (of a plane for private use) that stand for secrets while a text is
worked on: what stands for one must not be searched for another."""


class Redactor:
    """The secrets of a run, in the forms in which programs print them."""

    def __init__(self) -> None:
        self._forms: dict[str, str] = {}
        """Form → the mark of its secret; the longest first."""
        self._pieces: dict[int, dict[str, str]] = {}
        """Length → the pieces of that length, each with the mark of its secret."""
        self._placeholders: dict[str, str] = {}

    def hide(self, name: str, value: str | bytes) -> bool:
        """Replace this value by `name` from now on. Returns False if it is too short to be hidden.

        These forms are replaced: the value itself, also without the white space around it; each of
        its lines (but not the boundary lines of a certificate or key); its forms in URLs, HTML,
        JSON, Python, a shell's quotes, hexadecimal digits and Base64, the latter also behind other
        text such as a user's name. Of a binary value only hexadecimal digits, Base64 and Python's
        form are replaced. Pieces of all these forms are replaced too, where a program cut them. A
        value of fewer than SHORTEST characters can't be hidden.
        """
        placeholder = PLACEHOLDER.format(name=name)
        marks = {shown: mark for mark, shown in self._placeholders.items()}
        mark = marks.get(placeholder, chr(MARKS + len(marks)))
        self._placeholders[mark] = placeholder
        raw = value.encode() if isinstance(value, str) else value
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = ""
        # A boundary says what kind of thing it is, alike in all of them.
        lines = {line.strip() for line in text.splitlines()}
        lines = {line for line in lines if not PEM_BOUNDARY.fullmatch(line)}
        told = {form for line in lines for form in _printed(line)}
        told |= {form for part in (raw, raw.strip()) for form in _encoded(part)}
        if not text:
            told.add(repr(raw)[2:-1])
        for form in {*told, *_printed(text.strip())}:
            if len(form) >= SHORTEST:
                self._forms.setdefault(form, mark)
        for form in told:
            for piece in _pieces(form):
                self._pieces.setdefault(len(piece), {}).setdefault(piece, mark)
        # The longest first: one secret may be a part of another.
        self._forms = dict(sorted(self._forms.items(), key=lambda item: -len(item[0])))
        return not raw or len(text.strip() or raw) >= SHORTEST

    def text(self, text: str) -> str:
        """The text without any secret."""
        for form, mark in self._forms.items():
            text = text.replace(form, mark)
        for length, pieces in self._pieces.items():
            text = _without(text, length, pieces)
        for mark, placeholder in self._placeholders.items():
            text = text.replace(mark, placeholder)
        return text

    def data(self, value: Any) -> Any:
        """Hides secrets in every text of lists and tables, except keys."""
        if not self._forms or isinstance(value, bool | int | float | None):
            return value
        if isinstance(value, Mapping):
            return {key: self.data(each) for key, each in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.data(each) for each in value]
        return self.text(str(value))

    def file(self, path: Path) -> None:
        """Rewrite a finished file that holds a secret."""
        if not self._forms:
            return
        before = path.read_bytes().decode("utf-8", "surrogateescape")
        after = self.text(before)
        if after != before:
            path.write_bytes(after.encode("utf-8", "surrogateescape"))


def _encoded(raw: bytes) -> Iterator[str]:
    """Hexadecimal and Base64 forms of the value, at any position of a longer text."""
    yield raw.hex()
    yield raw.hex().upper()
    yield base64.b64encode(raw).decode()
    for before in range(3):
        # The characters that hold nothing but this value's bits.
        whole = base64.b64encode(bytes(before) + raw).decode()
        inner = whole[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        yield inner
        yield inner.translate(URL_SAFE)


def _printed(line: str) -> Iterator[str]:
    """Forms of a line that programs print with quotes and escapes."""
    percent = {quote(line), quote_plus(line), quote(line, safe="")}
    quoted = shlex.quote(line)
    once = {
        line,
        repr(line.encode())[2:-1],
        *percent,
        *(re.sub("%..", lambda found: found[0].lower(), each) for each in percent),
        json.dumps(line)[1:-1],
        json.dumps(line, ensure_ascii=False)[1:-1],
        repr(line)[1:-1],
        line.replace("\\", "\\\\").replace("'", "\\'"),
        # In a longer word the quotes around it stand elsewhere.
        line if quoted == line else quoted[1:-1],
        re.sub(r'([\\"$`])', r"\\\1", line),
        # A page within an answer in JSON, or shown within another page.
        *_html(line),
    }
    for form in once:
        yield form
        yield json.dumps(form)[1:-1]
        yield json.dumps(form, ensure_ascii=False)[1:-1]
        yield from _html(form)


def _html(text: str) -> Iterator[str]:
    """The text in a page, with each way in which quotes are written there."""
    for entity in ("&#x27;", "&#39;"):
        escaped = html.escape(text, quote=False).replace("'", entity)
        yield escaped.replace('"', "&quot;")
        yield escaped.replace('"', "&#34;")


def _pieces(form: str) -> Iterator[str]:
    """Every piece of a form that is hidden; of long forms the pieces at their ends."""
    length = max(SHORTEST_PIECE, min(LONGEST_PIECE, -(-len(form) // 2)))
    scheme = SCHEME.match(form)
    form = form[max(0, scheme.end() - length + 1) :] if scheme else form
    parts = (form,) if len(form) <= 2 * ENDS else (form[:ENDS], form[-ENDS:])
    for part in parts:
        for start in range(len(part) - length + 1):
            piece = part[start : start + length]
            # So few digits stand in many places.
            plain = piece.isdecimal() and length < LONGEST_PIECE
            if len(set(piece)) >= LEAST_DIFFERENT and not plain:
                yield piece


def _without(text: str, length: int, pieces: Mapping[str, str]) -> str:
    """The text with a mark in the place of each run of such pieces."""
    found, end, place = [], 0, 0
    last = len(text) - length
    while place <= last:
        mark = pieces.get(text[place : place + length])
        if mark is None:
            place += 1
            continue
        found += [text[end:place], mark]
        while place < last and text[place + 1 : place + 1 + length] in pieces:
            place += 1
        end = place = place + length
    return "".join([*found, text[end:]]) if found else text
