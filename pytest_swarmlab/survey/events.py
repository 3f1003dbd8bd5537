"""The one place where what was seen becomes events, and events become what was seen again.

A record may be cut, old or forged: an event of ours whose values are of another kind than they
should be counts as not seen, and says so.
"""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Event
from pytest_swarmlab.survey import seen
from pytest_swarmlab.survey.machine import Container, Engine, Machine, System, Volume

T = TypeVar("T")

BEGAN, ENDED = "survey.began", "survey.ended"

OF_MACHINE: Mapping[str, Any] = {
    "engine": Engine,
    "system": System,
    "containers": tuple[Container, ...],
    "volumes": tuple[Volume, ...],
}
"""Part of a machine → its type. Its events are ``survey.<part>`` with `node`."""

OF_SWARM: Mapping[str, Any] = {
    "nodes": tuple[seen.NodeRow, ...],
    "services": tuple[seen.Service, ...],
    "tasks": tuple[seen.TaskRow, ...],
    "networks": tuple[seen.Network, ...],
    "secrets": tuple[seen.Secret, ...],
    "configs": tuple[seen.Config, ...],
    "settings": seen.Settings,
}
"""Part of the swarm → its type. Its events are ``survey.<part>`` with `seen_from`."""

MOST = 2000
"""Of one part so many are kept, ten times what an operator would run on five machines."""


class Writer:
    """Records what is seen, as it is seen."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def began(self, cluster: str, machines: list[Machine]) -> None:
        """Before anybody is asked: which machines are to be looked at."""
        self._recorder.record(
            BEGAN,
            cluster=cluster,
            machines=[
                {"name": m.name, "address": m.address, "membership": m.membership} for m in machines
            ],
        )

    def ended(self, seconds: float) -> None:
        """All have been asked; it took so many seconds."""
        self._recorder.record(ENDED, seconds=round(seconds, 3))

    def machine(self, part: str, node: str, value: Any, seconds: float) -> None:
        """A part of a machine."""
        self._recorder.record(f"survey.{part}", node=node, **_kept(value), seconds=_s(seconds))

    def swarm(self, part: str, seen_from: str, value: Any, seconds: float) -> None:
        """A part of the swarm, by that manager's word."""
        self._recorder.record(
            f"survey.{part}", seen_from=seen_from, **_kept(value), seconds=_s(seconds)
        )

    def unseen(self, part: str, why: str, **where: str) -> None:
        """A part that nobody could tell; `where`: `node` or `seen_from`."""
        self._recorder.record(f"survey.{part}", **where, error=why)


def _s(seconds: float) -> float:
    return round(seconds, 3)


def _kept(value: Any) -> dict[str, Any]:
    if not isinstance(value, list | tuple):
        return {"seen": asdict(value)}
    more = {"more": len(value) - MOST} if len(value) > MOST else {}
    return {"seen": [asdict(each) for each in value[:MOST]], **more}


def there(record: Record) -> bool:
    """Whether the record holds a survey."""
    return any(event.kind == BEGAN for event in record)


def read(record: Record) -> seen.Survey:
    """The latest survey of the record; an empty one where there is none."""
    began = record.last(BEGAN)
    if began is None:
        return seen.Survey()
    own = [e for e in record if e.seq > began.seq and e.worker == began.worker]
    own = own[: next((n for n, e in enumerate(own) if e.kind == ENDED), len(own) - 1) + 1]
    errors: dict[str, str] = {}
    more: dict[str, int] = {}
    swarm: dict[str, Any] = {}
    for part, kind in OF_SWARM.items():
        told = [e for e in own if e.kind == f"survey.{part}" and "seen_from" in e.data]
        swarm[part] = _value(told[-1] if told else None, part, kind, errors, more)
    ended = next((e.data.get("seconds") for e in own if e.kind == ENDED), None)
    seconds = float(ended) if isinstance(ended, int | float) else None
    return replace(
        seen.Survey(**swarm),
        cluster=str(began.data.get("cluster", "")),
        at=began.at,
        seconds=seconds,
        machines=tuple(_machine(each, own) for each in _rows(began.data.get("machines"))),
        errors=errors,
        more=more,
    )


def _machine(row: Mapping[str, Any], own: list[Event]) -> Machine:
    name = str(row.get("name", ""))
    errors: dict[str, str] = {}
    parts: dict[str, Any] = {}
    for part, kind in OF_MACHINE.items():
        told = [e for e in own if e.kind == f"survey.{part}" and e.data.get("node") == name]
        more: dict[str, int] = {}
        parts[part] = _value(told[-1] if told else None, part, kind, errors, more)
        if more:
            errors[part] = f"{more[part]} more were not kept"
    return Machine(
        name,
        str(row.get("address", "")),
        str(row.get("membership", "")),
        **parts,
        errors=errors,
    )


def _value(
    event: Event | None, part: str, kind: Any, errors: dict[str, str], more: dict[str, int]
) -> Any:
    if event is None:
        errors[part] = "nobody looked"
        return None
    if (why := event.data.get("error")) is not None:
        errors[part] = str(why)
        return None
    try:
        value = _built(kind, event.data.get("seen"))
    except (TypeError, ValueError) as error:
        errors[part] = f"what is recorded of it can't be read: {error}"
        return None
    beyond = event.data.get("more")
    if isinstance(beyond, int) and beyond > 0:
        more[part] = beyond
    return value


def _rows(value: Any) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


# -- JSON and types -----------------------------------------------------------------------------


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _built(kind: Any, value: Any) -> Any:
    """The value as that type. Raises TypeError or ValueError for one of another kind."""
    if isinstance(kind, type) and is_dataclass(kind):
        return _dataclass(cast(type[Any], kind), value)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        kinds = [each for each in inner if each is not type(None)]
        return None if value is None else _built(kinds[0], value)
    if origin is tuple:
        if not isinstance(value, list):
            raise TypeError(f"no list but {type(value).__name__}")
        return tuple(_built(inner[0], each) for each in value)
    if origin is Mapping:
        if not isinstance(value, Mapping):
            raise TypeError(f"no table but {type(value).__name__}")
        return {str(key): _built(inner[1], each) for key, each in value.items()}
    return _plain(kind, value)


def _dataclass(cls: type[T], value: Any) -> T:
    if not isinstance(value, Mapping):
        raise TypeError(f"no {cls.__name__} but {type(value).__name__}")
    hints = _hints(cls)  # type: ignore[arg-type]  # a class can be hashed
    known = {f.name for f in fields(cls)}  # type: ignore[arg-type]  # a dataclass by its caller
    return cls(**{k: _built(hints[k], each) for k, each in value.items() if k in known})


def _plain(kind: type, value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is float and number and math.isfinite(value):
        return float(value)
    if kind is int and isinstance(value, int) and number:
        return value
    if kind in (str, bool) and isinstance(value, kind):
        return value
    raise TypeError(f"no {kind.__name__} but {value!r:.40}")
