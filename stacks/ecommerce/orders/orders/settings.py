"""Configuration by environment; a secret by the path of its file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


class Unusable(Exception):
    """A setting is missing or wrong. The message names the variable, never its value."""


def secret(name: str, env: Mapping[str, str] = os.environ) -> str:
    """The content of the file that NAME_FILE names, or NAME itself, without a final newline."""
    value = env.get(name, "")
    if path := env.get(f"{name}_FILE"):
        try:
            value = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Unusable(
                f"{name}_FILE names a file that can't be read: {type(error).__name__}."
            ) from None
    value = value.removesuffix("\n")
    if not value:
        raise Unusable(f"Neither {name}_FILE nor {name} gives a value.")
    return value


def number(
    name: str, otherwise: float, largest: float, env: Mapping[str, str] = os.environ
) -> float:
    """The value of a variable as a number from 0 to the largest that is allowed."""
    try:
        value = float(env.get(name) or otherwise)
    except ValueError:
        value = -1
    if not 0 <= value <= largest:
        raise Unusable(f"{name} must be a number from 0 to {largest:g}.")
    return value
