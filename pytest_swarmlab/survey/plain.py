"""Finds plain secrets in definitions, and keeps them out of the record.

It guesses by names and forms, since a value alone does not show what it is. A hidden value is shown
as ‹hidden›, so that one sees that it is there.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

HIDDEN = "‹hidden›"

_NAME = (
    r"(?:pass(?:word|wd|phrase|code)?|pgpassword|pwd|secret|token|credentials?"
    r"|(?:api|auth|access|private|signing|encryption|nonce|unlock|secret|jwt|session|logged_in)"
    r"[_-]?key|salt|requirepass|masterauth)"
)
SECRET_NAME = re.compile(rf"(?:^|[_.-]){_NAME}s?(?:[_.-]?v?\d+)?$", re.IGNORECASE)
"""Names of variables and keys that hold a secret: ``MYSQL_ROOT_PASSWORD``, ``db.password``,
``API_KEY``.
"""

HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
"""The border of two words in `accessToken`."""

NO_SECRET = re.compile(
    r"^(?:|true|false|yes|no|on|off|0|1|none|null|/[\w./-]+|\$\{?\w+\}?|\{\{.*\}\}|<[^>]*>)$",
    re.IGNORECASE,
)
"""Values that are no secret: switches, paths, and placeholders for a value from elsewhere."""

CODE = re.compile(r"[(){}\[\]<>=]|^\w+\.\w+$")
"""Values that are code or templates instead of secrets."""

FILE_NAME = re.compile(r"_FILE$|_PATH$", re.IGNORECASE)
"""Names of variables whose value is the path of a secret's file."""

URL = re.compile(r"(?P<before>\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@'\"]*:)(?P<value>[^\s@/'\"]+)(?=@)")
"""A URL with a password: ``postgresql://user:password@host/``."""

ASSIGNED = re.compile(
    rf"(?P<before>(?<![\w$])(?:[\w.-]*[_.-])?{_NAME}s?\d*[\"']?\s*(?:=|:(?!/)\s?)\s*[\"']?)"
    r"(?P<value>[^\s\"',;&|]+)",
    re.IGNORECASE,
)
"""``password = value`` of a file, a label or a shell's line."""

FLAG = re.compile(
    rf"(?P<before>(?<!\S)--?(?:[\w-]*-)?{_NAME}(?:\s+|=)[\"']?)(?P<value>[^\s\"';|&]+)",
    re.IGNORECASE,
)
"""``--requirepass value``."""

SHORT_FLAG = re.compile(
    r"(?P<before>\b(?:mysql|mysqladmin|mysqldump|mariadb|mariadb-admin|redis-cli)\b[^|;&\n]*?"
    r"\s-[pa]\s?)(?P<value>[^\s\"';|&-][^\s\"';|&]*)"
)
"""``mysqladmin -pvalue``, ``redis-cli -a value``."""

BARE_FLAG = re.compile(rf"--?(?:[\w-]*-)?{_NAME}", re.IGNORECASE)
"""A flag of its own; the next word is the secret."""

KEY_BLOCK = re.compile(
    r"(?P<before>-----BEGIN [A-Z ]*PRIVATE KEY-----)(?P<value>.*?)(?=-----END|\Z)", re.DOTALL
)

FORMS = (KEY_BLOCK, URL, SHORT_FLAG, FLAG, ASSIGNED)


class Hider:
    """Hides plain secrets; equal secrets have equal digests during this object's life.

    The digests' key is stored nowhere, so that passwords can't be tried out.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def digest(self, value: str) -> str:
        """The text shown instead of a value."""
        return hmac.new(self._key, value.encode(errors="replace"), hashlib.sha256).hexdigest()[:16]

    def variable(self, name: str, value: str) -> tuple[str, str]:
        """Value and digest of a variable: one of them is empty."""
        named = SECRET_NAME.search(HUMP.sub("_", name)) and not FILE_NAME.search(name)
        if named and not NO_SECRET.match(value):
            return "", self.digest(value)
        shown, plain = self.text(value)
        return ("", self.digest(value)) if plain else (shown, "")

    def text(self, text: str) -> tuple[str, int]:
        """The text without plain secrets, and how many there were."""
        found = 0

        def hide(match: re.Match[str]) -> str:
            nonlocal found
            if self._harmless(match["before"], match["value"]):
                return match[0]
            found += 1
            return match["before"] + HIDDEN

        for form in FORMS:
            text = form.sub(hide, text)
        return text, found

    @staticmethod
    def _harmless(before: str, value: str) -> bool:
        """Whether it is no secret: a path, a switch, a name of what stands elsewhere, code."""
        if NO_SECRET.match(value) or value.startswith(("$", HIDDEN[0])):
            return True
        quoted = before.endswith(("'", '"'))
        return not quoted and bool(CODE.search(value) or SECRET_NAME.search(value))

    def words(self, words: list[str]) -> tuple[tuple[str, ...], int]:
        """Hides secrets in the words of a command; a secret may be a whole word."""
        shown, found, after_flag = [], 0, False
        for word in words:
            if after_flag and not word.startswith("-") and not NO_SECRET.match(word):
                shown.append(HIDDEN)
                found += 1
                after_flag = False
                continue
            text, plain = self.text(word)
            shown.append(text)
            found += plain
            after_flag = bool(BARE_FLAG.fullmatch(word))
        return tuple(shown), found
