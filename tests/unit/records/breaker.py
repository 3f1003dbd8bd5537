"""The second breaker: takes away or moves what a run has seen, kind by kind, window by window.

A claim reads some kinds of events. Where all of one of them is gone, or what is left of it is of
another moment, node or cluster, the claim's sentence is no longer shown.
"""

from __future__ import annotations

import json
import lzma
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Event
from tests.unit.records.editing import Edit, without

REAL = Path(__file__).parent / "real"
FEW = 12
"""Events of one kind in a phase that are each taken away alone; of more, windows are."""
APART_S = 2.0
"""Shortest window that is taken away: a pause that a claim may bear is shorter."""
NO_LANDMARKS = {"command", "wait", "request", "nodes", "tasks", "entry", "write", "raft", "info"}
NAMES_ALIKE = "all are looked at alike, and what a machine is called is not what is claimed"
SOONER = "what must come first may have come sooner"
LATER = "what is seen later than it must be is seen late enough"
ALONE = "one look that says by itself what it is of; when it came is no matter"
ANY_ORDER = "several looks, of which none needs to come first"
ENOUGH = "what is left is enough for it"
UNUSED = "read along with what the claim is about, and not used for it"
ID = re.compile(r"[0-9a-z]{25}|[0-9a-f]{12}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""How Swarm names what it has, an engine a container, and the shop an order."""


@dataclass(frozen=True)
class Break:
    """One way to break a record.

    `touched`: the numbers of the events that it touches. `kind`: theirs, "" where the record is cut
    short. `how`: what is done with them.
    """

    touched: frozenset[int]
    kind: str
    how: str
    edit: Edit

    @property
    def name(self) -> str:
        """For people, and for who explains it."""
        return f"{self.kind}: {self.how}" if self.kind else self.how


def real(exercise: str) -> Record:
    """The record of a real run of that exercise, as its run wrote it: phases, clusters, verdicts.

    Of 2.10, the longest, what was waited for (`wait`, `wait.began`, `wait.saw`, `suite.wait`) is
    left out: no judge reads it.
    """
    path = REAL / f"{exercise.replace('.', '_')}.jsonl.xz"
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        return Record(tuple(Event(**json.loads(line)) for line in lines))


def breaks(record: Record, kinds: Iterable[str]) -> Iterator[Break]:
    """Every way to break a phase's record in what it has of those kinds."""
    marks = landmarks(record)
    for kind in sorted(kinds):
        # A worker's own view of the swarm is empty.
        mine = [e for e in record.of(kind) if kind != "info" or e.data.get("control")]
        if not mine:
            continue
        every = "none", _dropping(record.of(kind))
        for name, edit in (every, *_gone(mine, marks), *_moved(record, mine)):
            yield Break(_touched(record, edit), kind, name, edit)
    for name, t in marks:
        later = frozenset(event.seq for event in record if event.t > t)
        yield Break(later, "", f"cut {name}", lambda run, t=t: without(run, lambda e: e.t > t))


def _touched(record: Record, edit: Edit) -> frozenset[int]:
    """The numbers of the events that are not there, or are others, after that edit."""
    left = {id(event.data): event.t for event in edit(record)}
    return frozenset(e.seq for e in record if left.get(id(e.data)) != e.t)


def landmarks(record: Record) -> list[tuple[str, float]]:
    """Moments of a phase: what was noted of it, with the middles between; name and second."""
    noted: dict[str, float] = {}
    for event in record:
        if event.phase and event.kind not in NO_LANDMARKS:
            noted.setdefault(event.kind, event.t)
    marks = sorted(noted.items(), key=lambda each: each[1])
    middles = [
        (f"between {a} and {b}", (t + u) / 2)
        for (a, t), (b, u) in pairwise(marks)
        if u - t > APART_S
    ]
    at = [(f"at {name}", t) for name, t in marks if name not in {"phase.started", "phase.finished"}]
    return sorted(at + middles, key=lambda each: each[1])


def _gone(mine: Sequence[Event], marks: Sequence[tuple[str, float]]) -> Iterator[tuple[str, Edit]]:
    # A command is like no other: of all that were run a claim may be about one.
    if mine[0].kind == "command":
        return
    nodes = sorted({node for event in mine for node in of_nodes(event)})
    for node in nodes if len(nodes) > 1 else ():
        yield f"none of {node}", _dropping([e for e in mine if node in of_nodes(e)])
    if 1 < len(mine) <= FEW:
        said = Counter(map(_said, mine))
        for number, event in enumerate(mine, 1):
            # Of two that say the same one may go.
            if said[_said(event)] == 1:
                yield f"not the one of number {number}", _dropping([event])
    if len(mine) <= FEW:
        return
    for name, t in marks:
        yield f"none after {name}", _dropping([e for e in mine if _when(e) > t])
        yield f"none before {name}", _dropping([e for e in mine if _when(e) < t])
    for (name, t), (_, u) in pairwise(marks):
        if u - t > APART_S:
            yield f"none from {name} on", _dropping([e for e in mine if t < _when(e) < u])


def _moved(record: Record, mine: Sequence[Event]) -> Iterator[tuple[str, Edit]]:
    phase = [event.t for event in record if event.phase]
    if mine[0].kind == "command":
        return
    if mine[0].phase:
        yield "all seen at the phase's beginning", _retimed(mine, [phase[0]] * len(mine))
        yield "all seen at the phase's end", _retimed(mine, [phase[-1]] * len(mine))
        moments = [event.t for event in mine]
        random.Random(16).shuffle(moments)  # noqa: S311 - no secret
        if moments != [event.t for event in mine]:
            yield "moments shuffled", _retimed(mine, moments)
    names = [str(node["name"]) for e in record.of("cluster.ready") for node in e.data["nodes"]]
    turned = dict(zip(names, names[1:] + names[:1], strict=True))
    if any(_words(e.data) & turned.keys() for e in mine):
        yield "nodes exchanged", _respelled(mine, lambda word: turned.get(word, word))
    later = mine[len(mine) // 2 :]
    if any(ID.fullmatch(word) for e in later for word in _words(e.data)) and len(mine) > 1:
        yield (
            "the later half of another cluster",
            _respelled(later, lambda word: word[::-1] if ID.fullmatch(word) else word),
        )


def _said(event: Event) -> str:
    """What an event says, its moments left out."""
    return json.dumps(_timeless(event.data), sort_keys=True)


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_timeless(each) for each in value]
    return None if isinstance(value, float) else value


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
    # The others stay as they are, with what was read of them; no judge asks for their numbers.
    return lambda run: Record(tuple(sorted((new.get(e.seq, e) for e in run), key=lambda e: e.t)))


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
