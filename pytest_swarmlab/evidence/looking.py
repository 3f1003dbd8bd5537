"""Notes which events a judge has looked at, so that a verdict can be traced to its evidence."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Event
from pytest_swarmlab.text import clock, line, some

MOST = 4
"""Kinds of evidence that are named; the rest is counted."""

SETTING = frozenset({"cluster.ready", "roles.decided", "survey.began"})
"""Events that identify the cluster or survey; they do not count as evidence."""

WORDS = {
    "command": "command",
    "engine": "what engines told of containers",
    "entries": "what a ledger held at the end",
    "entry": "writes of a ledger",
    "fault.healed": "the fault's healing",
    "fault.injected": "the fault",
    "info": "the machines' own views of the swarm",
    "mesh": "the machines' tables of the routing mesh",
    "nodes": "node lists",
    "raft": "the engines' logs of Raft",
    "request": "requests of clients",
    "tasks": "lists of tasks",
    "write": "changes that were tried",
}
"""Kind of event → what a person calls it; others go by their own name."""


@dataclass(frozen=True)
class Looked(Record):
    """A record that remembers which of its events were asked for by kind.

    Events that a judge finds by iterating over the record are not noted.
    """

    asked: dict[int, Event] = field(default_factory=dict, compare=False)

    def of(self, *kinds: str, **match: Any) -> tuple[Event, ...]:
        """Events of these kinds; the request is noted."""
        found = super().of(*kinds, **match)
        self.asked.update((event.seq, event) for event in found)
        return found

    def first(self, *kinds: str, **match: Any) -> Event | None:
        """The earliest such event, which alone is noted."""
        return self._note(next(iter(super().of(*kinds, **match)), None))

    def last(self, *kinds: str, **match: Any) -> Event | None:
        """The latest such event, which alone is noted."""
        return self._note(next(reversed(super().of(*kinds, **match)), None))

    def _note(self, event: Event | None) -> Event | None:
        if event is not None:
            self.asked[event.seq] = event
        return event

    def in_words(self) -> str:
        """What was looked at: commands with their node and moment, other evidence by its kind.

        Times are minutes and seconds into the run. A judge that asked for nothing by its kind has
        looked at all of it.
        """
        asked = (event for event in self.asked.values() if event.kind not in SETTING)
        noted = sorted(asked, key=lambda event: (event.t, event.seq))
        if not noted:
            return _all([event for event in self.events if event.kind not in SETTING])
        told = list(_told(noted))
        more = f"; {len(told) - MOST} more" if len(told) > MOST else ""
        return "; ".join(told[:MOST]) + more


def _all(events: list[Event]) -> str:
    return f"all that was recorded, {_when(events[0], events[-1])}" if events else ""


def _told(events: list[Event]) -> Iterator[str]:
    groups: dict[tuple[str, ...], list[Event]] = {}
    for event in events:
        groups.setdefault(_group(event), []).append(event)
    for found in groups.values():
        first, last, count = found[0], found[-1], len(found)
        when = _when(first, last)
        if first.kind == "command":
            yield f"{_command(first.data)}, {when}"
        else:
            number = f"{count} " if count > 1 else ""
            what = WORDS.get(first.kind, f"`{line(first.kind, 40)}`")
            yield f"{number}{what}{_sources(found)}, {when}"


def _group(event: Event) -> tuple[str, ...]:
    if event.kind == "command":
        return event.kind, str(event.data.get("node")), str(event.data.get("argv"))
    return (event.kind,)


def _command(data: Mapping[str, Any]) -> str:
    argv = data.get("argv")
    shown = shlex.join(map(str, argv)) if isinstance(argv, list) else "?"
    return f"`{line(shown, 120)}` on {line(data.get('node'), 60)}"


def _sources(events: list[Event]) -> str:
    names = sorted(
        {
            str(name)
            for event in events
            if (name := event.data.get("seen_from") or event.data.get("node"))
        }
    )
    if not names:
        return ""
    return f" of {some([line(name, 60) for name in names], MOST)}"


def _when(first: Event, last: Event) -> str:
    began, ended = clock(first.t), clock(last.t)
    return f"at {began}" if began == ended else f"{began} to {ended}"
