"""What all kinds of event have in common: how one is written, and read back.

A record may be cut, old or forged. Reading takes nothing on trust and never fails: a value of
another type than its field's counts as the field's emptiest one (0, "", False, none of a list).
"""

from __future__ import annotations

import functools
import itertools
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from typing import (
    Annotated,
    Any,
    ClassVar,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pytest_swarmlab.errors import Unseen
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
    of: ClassVar[str] = ""
    """The exercise that alone writes it, by number: another's may have one of the same name."""
    kept_as: ClassVar[str]
    """Under which name an event that was read as this is kept with the event."""

    t: float = field(default=0.0, kw_only=True)

    def __init_subclass__(cls, *, kind: str = "", of: str = "") -> None:
        cls.kept_as = f"{cls.__module__}.{cls.__qualname__}"
        if kind:
            cls.kind, cls.of = kind, of
            KINDS[f"e{of.replace('.', '_')}.{kind}" if of else kind] = cls

    def data(self) -> dict[str, Any]:
        """What is written of it. A field that may be left out, and is None, is left out."""
        return _data(self)


KINDS: dict[str, type[Seen]] = {}
"""Name → type of every kind. One of an exercise bears its number, such as ``e2_6.handshake``; it
is there when the exercise's module has been imported."""


def read(kind: type[S], event: Event) -> S:
    """What an event of that kind says; kept with it, since every claim asks for it anew.

    Raises Unseen where one of an exercise's own kinds lacks a field, or has it as another type: its
    judge can't tell then.
    """
    kept: S | None = vars(event).get(kind.kept_as)
    if kept is None:
        if kind.of and (lacks := _unsaid(kind, event.data)):
            raise Unseen(f"an event {kind.kind!r} does not say its {lacks[0]}")
        kept = vars(event)[kind.kept_as] = kind(**_filled(kind, event.data, event.t), t=event.t)
    return kept


def each(record: Record, kind: type[S], **match: Any) -> list[S]:
    """All that a record has of one kind, oldest first; `match` as of `Record.of`."""
    return [read(kind, event) for event in record.of(kind.kind, **match)]


def last(record: Record, kind: type[S], **match: Any) -> S | None:
    """The latest of one kind, or None."""
    found = record.last(kind.kind, **match)
    return None if found is None else read(kind, found)


def first(record: Record, kind: type[S], **match: Any) -> S | None:
    """The earliest of one kind, or None."""
    found = record.first(kind.kind, **match)
    return None if found is None else read(kind, found)


def need(record: Record, kind: type[S], missing: str, **match: Any) -> S:
    """The latest of one kind. Raises Unseen with the words `missing`: a judge's `unknown`."""
    return read(kind, record.need(kind.kind, missing, **match))


def _data(value: Any) -> dict[str, Any]:
    return {
        f.name: _written(there)
        for f in _fields(type(value))
        if (there := getattr(value, f.name)) is not None or f.default is MISSING
    }


def _written(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_written(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _written(each) for key, each in value.items()}
    return _data(value) if is_dataclass(value) else value


def _filled(kind: type[Any], data: Mapping[str, Any], t: float) -> dict[str, Any]:
    """The fields of that type, as an event's data have them."""
    return {
        name: how(data.get(name), t)
        for name, how, needed in _readers(kind)  # type: ignore[arg-type]  # a class can be hashed
        if needed or name in data
    }


def _unsaid(kind: type[Any], data: Mapping[str, Any]) -> list[str]:
    """The fields of that type that must be there and are not, or are there as another type."""
    return [
        f.name
        for f in _fields(kind)
        if not (
            _fits(_hints(kind)[f.name], data[f.name])  # type: ignore[arg-type]  # can be hashed
            if f.name in data
            else f.default is not MISSING
        )
    ]


def _fits(hint: Any, value: Any) -> bool:
    """Whether JSON's value is one of that type."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _fits(inner[0], value)
    if origin in {Union, types.UnionType}:
        return any(_fits(each, value) for each in inner)
    if origin is Mapping:
        return isinstance(value, Mapping) and all(_fits(inner[1], v) for v in value.values())
    if origin is tuple:
        hints = itertools.repeat(inner[0]) if inner[-1] is Ellipsis else inner
        whole = isinstance(value, list) and (inner[-1] is Ellipsis or len(value) == len(inner))
        return whole and all(map(_fits, hints, value))
    if is_dataclass(hint):
        rows = _hints(hint)  # type: ignore[arg-type]  # a class can be hashed
        return isinstance(value, Mapping) and all(
            _fits(each, value[name]) for name, each in rows.items() if name in value
        )
    if hint in {int, float} and isinstance(value, bool):
        return False
    return hint is Any or isinstance(value, int | float if hint is float else hint)


@functools.cache
def _hints(kind: type[Any]) -> Mapping[str, Any]:
    return get_type_hints(kind, include_extras=True)


@functools.cache
def _readers(kind: type[Any]) -> tuple[tuple[str, Read, bool], ...]:
    """Each field with what reads it, and whether it has no default."""
    hints = _hints(kind)  # type: ignore[arg-type]  # a class can be hashed
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
    if get_origin(hint) in {Union, types.UnionType}:
        return _or_none(hint)
    if get_origin(hint) is tuple:
        return _rows(get_args(hint)[0])
    if get_origin(hint) is Mapping:
        each = _reader(get_args(hint)[1])
        return lambda value, t: {str(k): each(v, t) for k, v in values.mapping(value).items()}
    if is_dataclass(hint):
        row: Any = hint
        return lambda value, t: row(**_filled(row, values.mapping(value), t))
    raise TypeError(f"no event has a field of type {hint}: give `_PLAIN` what reads it")


def _rows(hint: Any) -> Read:
    """A list's rows of one type; what is no row is left out."""
    each = _reader(hint)
    return lambda value, t: tuple(each(row, t) for row in values.rows(value))


def _or_none(hint: Any) -> Read:
    """None for what is not there, and for a value of another shape than a list or an object."""
    (inner,) = (each for each in get_args(hint) if each is not types.NoneType)
    each, shape = _reader(inner), list | tuple if get_origin(inner) is tuple else Mapping
    return lambda value, t: each(value, t) if isinstance(value, shape) else None


_PLAIN: Mapping[Any, Callable[[Any], Any]] = {
    Any: lambda value: value,
    str: values.text,
    str | types.NoneType: values.text_or_none,
    int: lambda value: values.integer(value) or 0,
    int | types.NoneType: values.integer,
    float: values.number,
    float | types.NoneType: lambda value: None if value is None else values.number(value),
    bool: lambda value: value is True,
    bool | types.NoneType: lambda value: value if isinstance(value, bool) else None,
    tuple[str, ...]: values.names,
    tuple[int, ...]: lambda value: tuple(values.integers(value)),
    tuple[float, ...]: values.numbers,
    tuple[tuple[str, int], ...]: lambda value: tuple(
        (values.text(a), values.integer(b) or 0) for a, b in values.pairs(value)
    ),
    tuple[tuple[int, str], ...]: lambda value: tuple(
        (values.integer(a) or 0, values.text(b)) for a, b in values.pairs(value)
    ),
}
"""Type of a field → what reads it."""
