"""What all kinds of event have in common: how one is written, and read back.

A record may be cut, old or forged. Reading takes nothing on trust and never fails: a value of
another type than its field's counts as the field's emptiest one (0, "", False, none of a list). An
exercise's own event is read as it stands or not at all.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, is_dataclass
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence.events import values
from pytest_swarmlab.evidence.events.built import built, columns
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
    whole: ClassVar[bool] = False
    """Whether every field must be there as its type; of an exercise's own kinds each must."""
    kept_as: ClassVar[str]
    """Under which name an event that was read as this is kept with the event."""

    t: float = field(default=0.0, kw_only=True)

    def __init_subclass__(cls, *, kind: str = "", of: str = "", whole: bool = False) -> None:
        cls.kept_as = f"{cls.__module__}.{cls.__qualname__}"
        if kind:
            cls.kind, cls.of, cls.whole = kind, of, whole or bool(of)
            KINDS[called(kind, of)] = cls

    def data(self) -> dict[str, Any]:
        """What is written of it. A field that may be left out, and is None, is left out."""
        return _data(self)


KINDS: dict[str, type[Seen]] = {}
"""Name → type of every kind. One of an exercise is there when its module has been imported."""


def called(kind: str, of: str) -> str:
    """A kind's name among all; one of an exercise bears its number, such as ``e2_6.handshake``."""
    number = f"e{of.replace('.', '_')}" if of[:1].isdigit() else of
    return f"{number}.{kind}" if of else kind


def read(kind: type[S], event: Event) -> S:
    """What an event of that kind says; kept with it, since every claim asks for it anew.

    Raises Unseen where one that must be whole lacks a field, or has it as another type: its judge
    can't tell then.
    """
    kept: S | None = vars(event).get(kind.kept_as)
    if kept is None:
        found = _whole(kind, event) if kind.whole else _filled(kind, event.data, event.t)
        kept = vars(event)[kind.kept_as] = kind(**found, t=event.t)
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
        name: _written(there)
        for name, (f, _) in columns(type(value)).items()
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
        field: how(data.get(name), t)
        for name, field, how, needed in _readers(kind)  # type: ignore[arg-type]  # can be hashed
        if needed or name in data
    }


def _whole(kind: type[Any], event: Event) -> dict[str, Any]:
    """The fields of an event that must be complete."""
    found = {}
    for name, (f, hint) in columns(kind).items():
        try:
            if name in event.data or f.default is MISSING:
                found[f.name] = built(hint, event.data[name])
        except (KeyError, TypeError) as none:
            raise Unseen(f"an event {event.kind!r} does not say its {name}") from none
    return found


@functools.cache
def _readers(kind: type[Any]) -> tuple[tuple[str, str, Read, bool], ...]:
    """Of each field: name in an event, name here, what reads it, whether it has no default."""
    return tuple(
        (name, f.name, _reader(hint), f.default is MISSING)
        for name, (f, hint) in columns(kind).items()
    )


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
    tuple[tuple[str, int], ...]: lambda value: tuple(values.pairs(value)),
}
"""Type of a field → what reads it."""
