"""Keeps secrets out of everything that a run writes: each is shown by its name instead."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

PLACEHOLDER = "‹secret {name}›"

SHORTEST = 6
"""A shorter text is left as it is: as a part of other words it would make them unreadable, and
whoever sees them could tell from the gaps what it was."""


PEM_BOUNDARY = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]+-----")
"""First and last line of a certificate or key (RFC 7468)."""


class Redactor:
    """Knows the secrets of a run, in the forms in which programs print them."""

    def __init__(self) -> None:
        self._forms: dict[str, str] = {}

    def hide(self, name: str, value: str | bytes) -> None:
        """Have this value replaced from now on; `name` stands in its place.

        Besides the value itself: without the white space around it, each of its lines if it has
        several (but not the first and the last of a certificate or key), and what Base64, URLs
        and JSON make of it. Binary values only as Base64.
        """
        raw = value.encode() if isinstance(value, str) else value
        forms = {base64.b64encode(part).decode() for part in (raw, raw.strip())}
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = ""
        lines = {text.strip(), *(line.strip() for line in text.splitlines())}
        for line in lines:
            if PEM_BOUNDARY.fullmatch(line):
                continue  # It says what kind of thing it is, alike in all of them.
            forms |= {line, quote(line), quote_plus(line), json.dumps(line)[1:-1]}
        for form in forms:
            if len(form) >= SHORTEST:
                self._forms.setdefault(form, PLACEHOLDER.format(name=name))
        # The longest first: one secret may be a part of another.
        self._forms = dict(sorted(self._forms.items(), key=lambda item: -len(item[0])))

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
