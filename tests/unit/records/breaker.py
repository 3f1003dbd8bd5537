"""The second breaker: takes away or moves what a run has seen, kind by kind, window by window.

A claim reads some kinds of events. Where all of one of them is gone, or what is left of it is of
another moment, node or cluster, the claim's sentence is no longer shown.
"""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Event
from tests.unit.records.editing import Edit, without

REAL = Path(__file__).parent / "real"
STEADY = {"request", "nodes", "tasks", "entry", "write", "engine", "raft"}
"""Kinds that come all the time: windows of them are taken away. Of the others each event is."""
TURNS = {
    "fault.injecting", "fault.healing", "begun", "over", "ended", "settled", "moved", "broken",
    "outage", "frozen", "rolled-back", "update", "destroyed", "restore", "hot-began", "written",
}  # fmt: skip
"""What divides a phase: something is broken or changed, or that is over."""
AT_FIRST = "seen at the beginning"
ID = re.compile(r"[0-9a-z]{25}|[0-9a-f]{12}")
"""How Swarm names what it has, and an engine a container."""


@dataclass(frozen=True)
class Break:
    """One way to break a record: the kinds of events that it touches, its name, and the edit."""

    kinds: frozenset[str]
    name: str
    edit: Edit


def real(exercise: str) -> Record:
    """The record of a real run of that exercise, whole, as its run wrote it."""
    path = REAL / f"{exercise.replace('.', '_')}.jsonl.xz"
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        return Record(tuple(Event(**json.loads(line)) for line in lines))


@contextmanager
def kinds_read() -> Iterator[set[str]]:
    """The kinds of events that a record is asked for within the block."""
    read: set[str] = set()
    ask = Record.of

    def of(record: Record, *kinds: str, **match: Any) -> tuple[Event, ...]:
        read.update(kinds)
        return ask(record, *kinds, **match)

    with patch.object(Record, "of", of):
        yield read


def breaks(record: Record, kinds: Iterable[str]) -> Iterator[Break]:
    """Every way to break a phase's record in what it has of those kinds."""
    marks = turns(record)
    for kind in sorted(kinds):
        # A worker's own view of the swarm is empty.
        mine = [e for e in record.of(kind) if kind != "info" or e.data.get("control")]
        if mine:
            for name, edit in (*_gone(mine, marks), *_moved(record, mine)):
                yield Break(frozenset({kind}), f"{kind}: {name}", edit)
    for name, t in marks:
        later = frozenset(event.kind for event in record if event.t > t)
        yield Break(later, f"cut {name}", lambda run, t=t: without(run, lambda e: e.t > t))


def turns(record: Record) -> list[tuple[str, float]]:
    """The turns of a phase and the middles between them: name and second."""
    found: dict[str, float] = {}
    for event in record:
        if event.kind in TURNS:
            found.setdefault(event.kind, event.t)
    ends = [event.t for event in record if event.phase]
    marks = [("start", ends[0]), *found.items(), ("end", ends[-1])]
    middles = [(f"amid {a} and {b}", (t + u) / 2) for (a, t), (b, u) in pairwise(marks)]
    return sorted([*((f"at {kind}", t) for kind, t in found.items()), *middles], key=itemgetter(1))


def _gone(mine: Sequence[Event], marks: Sequence[tuple[str, float]]) -> Iterator[tuple[str, Edit]]:
    yield "none", _dropping(mine)
    # A command is like no other: of all that were run a claim may be about one.
    if mine[0].kind == "command":
        return
    nodes = sorted({node for event in mine for node in of_nodes(event)})
    for node in nodes if len(nodes) > 1 else ():
        yield f"none of {node}", _dropping([e for e in mine if node in of_nodes(e)])
    if mine[0].kind in STEADY:
        for name, t in marks:
            for side, gone in (
                ("after", [e for e in mine if _when(e) > t]),
                ("before", [e for e in mine if _when(e) < t]),
            ):
                if 0 < len(gone) < len(mine):
                    yield f"none {side}, {name}", _dropping(gone)
    elif len(mine) > 1:
        for number, event in enumerate(mine, 1):
            yield f"all but number {number}", _dropping([event])


def _moved(record: Record, mine: Sequence[Event]) -> Iterator[tuple[str, Edit]]:
    phase = [event.t for event in record if event.phase]
    if mine[0].phase and mine[0].kind not in STEADY | {"command"}:
        yield AT_FIRST, _retimed(mine, [phase[0]] * len(mine))
        if len(mine) > 1:
            yield "seen in the reverse order", _retimed(mine, [e.t for e in reversed(mine)])
    if mine[0].kind in {"command", "cluster.ready"}:
        return
    names = [str(node["name"]) for e in record.of("cluster.ready") for node in e.data["nodes"]]
    turned = dict(zip(names, names[1:] + names[:1], strict=True))
    told = {name for event in mine for name in _words(event.data) & turned.keys()}
    # Where each node is told of, it is told of each node then as well.
    if told and told != set(names):
        yield "nodes exchanged", _respelled(mine, lambda word: turned.get(word, word))
    later = mine[len(mine) // 2 :]
    if len(mine) > 1 and any(ID.fullmatch(word) for e in later for word in _words(e.data)):
        yield (
            "the later half of another cluster",
            _respelled(later, lambda word: word[::-1] if ID.fullmatch(word) else word),
        )


def _dropping(gone: Sequence[Event]) -> Edit:
    unwanted = {event.seq for event in gone}
    return lambda run: without(run, lambda e: e.seq in unwanted)


def _retimed(mine: Sequence[Event], moments: Sequence[float]) -> Edit:
    new = {
        event.seq: replace(event, t=t, data=_sent(event, t - event.t))
        for event, t in zip(mine, moments, strict=True)
    }
    return _replacing(new)


def _sent(event: Event, by: float) -> dict[str, Any]:
    data = dict(event.data)
    for key in ("sent", "began"):
        if isinstance(data.get(key), int | float):
            data[key] += by
    return data


def _respelled(mine: Sequence[Event], spell: Callable[[str], str]) -> Edit:
    return _replacing({e.seq: replace(e, data=_spelled(e.data, spell)) for e in mine})


def _replacing(new: dict[int, Event]) -> Edit:
    def edit(run: Record) -> Record:
        events = sorted((new.get(e.seq, e) for e in run), key=lambda e: e.t)
        return Record(tuple(replace(e, seq=seq) for seq, e in enumerate(events)))

    return edit


def _spelled(value: Any, spell: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return spell(value)
    if isinstance(value, dict):
        return {spell(key): _spelled(each, spell) for key, each in value.items()}
    return [_spelled(each, spell) for each in value] if isinstance(value, list) else value


def _words(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value}
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    keys = set(value) if isinstance(value, dict) else set()
    return keys.union(*map(_words, parts))


def of_nodes(event: Event) -> set[str]:
    """The nodes that an event is about: who was asked, who told, who was broken."""
    data = event.data
    about = {str(data[key]) for key in ("node", "seen_from") if data.get(key)}
    broken = data.get("nodes") if event.kind.startswith("fault.") else ()
    return about | set(map(str, broken or ()))


def _when(event: Event) -> float:
    """When it happened: a request is of the moment it was sent."""
    sent = event.data.get("sent")
    return sent if isinstance(sent, float) else event.t
