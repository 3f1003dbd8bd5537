"""What all kinds of event have in common: how one is written, and read back.

A record may be cut, old or forged. Reading takes nothing on trust and never fails: a value of
another type than its field's counts as the field's emptiest one (0, "", False, none of a list).
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from typing import Annotated, Any, ClassVar, TypeVar, get_args, get_origin, get_type_hints

from pytest_swarmlab.evidence.events import values
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Event

S = TypeVar("S", bound="Seen")

Moment = Annotated[float, "seconds since the run began"]
"""When something began; where a record does not say so, it was when the event was known."""

Seconds = Annotated[float, "seconds"]
"""How long something took."""

Read = Callable[[Any, float], Any]
"""Makes a field's value of an event's, and of the moment at which the event was known."""


@dataclass(frozen=True)
class Seen:
    """What one event says; `t`: when it was known, seconds since the run began."""

    kind: ClassVar[str]
    """The event's name, as it stands in the record."""

    t: float = field(default=0.0, kw_only=True)

    def __init_subclass__(cls, *, kind: str = "") -> None:
        if kind:
            cls.kind = kind
            KINDS[kind] = cls

    def data(self) -> dict[str, Any]:
        """What is written of it. A field that may be left out, and is None, is left out."""
        return _data(self)


KINDS: dict[str, type[Seen]] = {}
"""Kind → its type: every kind that has one."""


def read(kind: type[S], event: Event) -> S:
    """What an event of that kind says; kept with it, since every claim asks for it anew."""
    kept: S | None = vars(event).get(kind.__name__)
    if kept is None:
        kept = vars(event)[kind.__name__] = kind(**_filled(kind, event.data, event.t), t=event.t)
    return kept


def each(record: Record, kind: type[S], **match: Any) -> list[S]:
    """All that a record has of one kind, oldest first; `match` as of `Record.of`."""
    return [read(kind, event) for event in record.of(kind.kind, **match)]


def _data(value: Any) -> dict[str, Any]:
    return {
        f.name: _written(there)
        for f in _fields(type(value))
        if (there := getattr(value, f.name)) is not None or f.default is MISSING
    }


def _written(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_written(each) for each in value]
    return _data(value) if is_dataclass(value) else value


def _filled(kind: type[Any], data: Mapping[str, Any], t: float) -> dict[str, Any]:
    """The fields of that type, as an event's data have them."""
    return {
        name: how(data.get(name), t)
        for name, how, needed in _readers(kind)  # type: ignore[arg-type]  # a class can be hashed
        if needed or name in data
    }


@functools.cache
def _readers(kind: type[Any]) -> tuple[tuple[str, Read, bool], ...]:
    """Each field with what reads it, and whether it has no default."""
    hints = get_type_hints(kind, include_extras=True)
    return tuple((f.name, _reader(hints[f.name]), f.default is MISSING) for f in _fields(kind))


def _fields(kind: type[Any]) -> list[Field[Any]]:
    """What stands in an event's data."""
    return [f for f in fields(kind) if not f.kw_only]


def _reader(hint: Any) -> Read:
    if hint == Moment:
        return values.number
    if get_origin(hint) is Annotated:
        return _reader(get_args(hint)[0])
    if hint in _PLAIN:
        plain = _PLAIN[hint]
        return lambda value, _: plain(value)
    if get_origin(hint) is tuple:
        row = get_args(hint)[0]
        return lambda value, t: tuple(row(**_filled(row, v, t)) for v in values.rows(value))
    raise TypeError(f"no event has a field of type {hint}: give `_PLAIN` what reads it")


_PLAIN: Mapping[Any, Callable[[Any], Any]] = {
    str: values.text,
    str | types.NoneType: values.text_or_none,
    int: lambda value: values.integer(value) or 0,
    int | types.NoneType: values.integer,
    float: values.number,
    float | types.NoneType: lambda value: None if value is None else values.number(value),
    bool: lambda value: value is True,
    tuple[str, ...]: values.names,
    tuple[tuple[str, int], ...]: lambda value: tuple(values.pairs(value)),
}
"""Type of a field → what reads it."""
