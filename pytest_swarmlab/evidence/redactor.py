"""Keeps secrets out of everything that a run writes: each is shown by its name instead."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

PLACEHOLDER = "‹secret {name}›"

SHORTEST = 6
"""A shorter text is left as it is: as a part of other words it would make them unreadable, and
whoever sees them could tell from the gaps what it was."""


PEM_BOUNDARY = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]+-----")
"""First and last line of a certificate or key (RFC 7468)."""


URL_SAFE = str.maketrans("+/", "-_")


class Redactor:
    """Knows the secrets of a run, in the forms in which programs print them."""

    def __init__(self) -> None:
        self._forms: dict[str, str] = {}

    def hide(self, name: str, value: str | bytes) -> bool:
        """Have this value replaced from now on; `name` stands in its place.

        Besides the value itself: without the white space around it, each of its lines if it has
        several (but not the first and the last of a certificate or key), and what URLs, JSON,
        Python, a shell's quotes, hexadecimal digits and Base64 make of it; the last also where
        something stands before it, such as a user's name. Binary values only as the last two.
        Returns whether it can be hidden: not when it is shorter than SHORTEST characters.
        """
        raw = value.encode() if isinstance(value, str) else value
        forms = {form for part in (raw, raw.strip()) for form in _encoded(part)}
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = ""
        lines = {text.strip(), *(line.strip() for line in text.splitlines())}
        for line in lines:
            if PEM_BOUNDARY.fullmatch(line):
                continue  # It says what kind of thing it is, alike in all of them.
            forms |= {line, quote(line), quote_plus(line), quote(line, safe="")}
            forms |= {json.dumps(line)[1:-1], json.dumps(line, ensure_ascii=False)[1:-1]}
            forms |= {repr(line)[1:-1], shlex.quote(line)}
        for form in forms:
            if len(form) >= SHORTEST:
                self._forms.setdefault(form, PLACEHOLDER.format(name=name))
        # The longest first: one secret may be a part of another.
        self._forms = dict(sorted(self._forms.items(), key=lambda item: -len(item[0])))
        return not raw or len(text.strip() or raw) >= SHORTEST

    def text(self, text: str) -> str:
        """The text without any secret."""
        for form, placeholder in self._forms.items():
            text = text.replace(form, placeholder)
        return text

    def data(self, value: Any) -> Any:
        """The same for every text in lists and tables; their keys are nobody's secrets."""
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
    """What Base64 and hexadecimal digits make of it, wherever in a longer text it stands."""
    yield raw.hex()
    yield raw.hex().upper()
    yield base64.b64encode(raw).decode()
    for before in range(3):
        # The characters that hold nothing but this value's bits.
        whole = base64.b64encode(bytes(before) + raw).decode()
        inner = whole[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        yield inner
        yield inner.translate(URL_SAFE)
