"""Makes a value of what JSON says, or tells why it is none: nothing is guessed."""

from __future__ import annotations

import functools
import types
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from typing import Annotated, Any, Union, cast, get_args, get_origin, get_type_hints

from pytest_swarmlab.evidence.record import finite


def built(kind: Any, value: Any) -> Any:
    """The value as that type. Raises TypeError for one of another kind."""
    if isinstance(kind, type) and is_dataclass(kind):
        return _dataclass(cast(type[Any], kind), value)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return built(inner[0], value)
    if origin in (Union, types.UnionType):
        kinds = [each for each in inner if each is not types.NoneType]
        return None if value is None else built(kinds[0], value)
    if origin is tuple:
        return _tuple(inner, value)
    if origin is Mapping:
        if not isinstance(value, Mapping):
            raise TypeError(f"no table but {type(value).__name__}")
        return {str(key): built(inner[1], each) for key, each in value.items()}
    return value if kind is Any else _plain(kind, value)


def written(name: str) -> str:
    """A field's name in an event: here a keyword of Python has a ``_`` appended."""
    return name.removesuffix("_")


def columns(kind: type[Any]) -> Mapping[str, tuple[Field[Any], Any]]:
    """Name in an event → field and type of everything that stands in it."""
    return _columns(kind)  # type: ignore[arg-type]  # a class can be hashed


@functools.cache
def _columns(kind: type[Any]) -> Mapping[str, tuple[Field[Any], Any]]:
    hints = get_type_hints(kind, include_extras=True)
    return {written(f.name): (f, hints[f.name]) for f in fields(kind) if not f.kw_only}


def _dataclass(cls: type[Any], value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise TypeError(f"no {cls.__name__} but {type(value).__name__}")
    known = columns(cls)
    return cls(
        **{known[k][0].name: built(known[k][1], each) for k, each in value.items() if k in known}
    )


def _tuple(inner: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TypeError(f"no list but {type(value).__name__}")
    if inner[-1] is Ellipsis:
        return tuple(built(inner[0], each) for each in value)
    if len(value) != len(inner):
        raise TypeError(f"no {len(inner)} values but {len(value)}")
    return tuple(map(built, inner, value))


def _plain(kind: type, value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is float and number and finite(value):
        return float(value)
    if kind is int and isinstance(value, int) and number:
        return value
    if kind in (str, bool) and isinstance(value, kind):
        return value
    raise TypeError(f"no {kind.__name__} but {value!r:.40}")
