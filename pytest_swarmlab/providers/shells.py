"""Command lines that every login shell reads alike: sh and bash, but also fish, csh and tcsh.

sshd gives a command to the user's own shell. All of them read single quotes alike but for some
characters: in fish a backslash begins an escape; in csh an exclamation mark is the history's, and
no line may end within quotes.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

READ_OTHERWISE = re.compile(r"[\\!\n\r]")
"""Characters within single quotes that some shell does not leave as they are."""

LONGEST = 24_000
"""Characters of a line that is written otherwise: it becomes five times as long, and Linux takes
no argument of more than 128 KiB (MAX_ARG_STRLEN)."""


def joined(argv: Sequence[str]) -> str:
    """The command line of these words."""
    return alike(shlex.join(argv))


def alike(line: str) -> str:
    """A POSIX shell's command line, written so that other shells run it as that shell would."""
    if not READ_OTHERWISE.search(line) or len(line) > LONGEST:
        return line
    octal = "".join(f"\\0{byte:03o}" for byte in line.encode("utf-8", "surrogateescape"))
    return f"""exec sh -c 'eval "$(printf %b "{octal}")"'"""
