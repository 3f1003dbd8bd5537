"""Values of events: a record may be cut, old or forged, so nothing is taken on trust."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_swarmlab.evidence.record import finite


def rows(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list."""
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def pairs(value: Any) -> Iterable[tuple[str, int]]:
    """A list's pairs of text and number."""
    for pair in value if isinstance(value, list | tuple) else ():
        if isinstance(pair, list | tuple) and len(pair) == 2:
            yield text(pair[0]), integer(pair[1]) or 0


def mapping(value: Any) -> Mapping[str, Any]:
    """An object; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def integers(value: Any) -> Iterable[int]:
    """The whole numbers of a list."""
    for each in value if isinstance(value, list | tuple) else ():
        if isinstance(each, int) and not isinstance(each, bool):
            yield each


def numbers(value: Any) -> tuple[float, ...]:
    """The numbers of a list."""
    return tuple(number(v) for v in value) if isinstance(value, list | tuple) else ()


def names(value: Any) -> tuple[str, ...]:
    """The texts of a list."""
    return tuple(text(v) for v in value) if isinstance(value, list | tuple) else ()


def text(value: Any) -> str:
    """A text, or a number as one; empty for anything else."""
    return text_or_none(value) or ""


def text_or_none(value: Any) -> str | None:
    """A text, or a number as one; none for anything else."""
    if isinstance(value, bool):
        return None
    return str(value) if isinstance(value, str | int | float) else None


def integer(value: Any) -> int | None:
    """A whole number; none for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(value: Any, default: float = 0.0) -> float:
    """A number that a float can hold; `default` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    return float(value) if finite(value) else default
