"""Reads a record back: the only thing that judges and reports look at."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_swarmlab.errors import ConfigError, Unseen
from pytest_swarmlab.model import Event

PARTS = "workers"
"""Directory, in a run's own, in which each worker of pytest-xdist records its part."""

LARGEST = 128 * 2**20
"""Most bytes of a record: ten times what the longest exercises write. To read so much takes about
1 GiB of memory; 3 GiB, the most that JSON of this size can take, if it is nothing but brackets."""


@dataclass(frozen=True)
class Record:
    """A run's events in the order of writing.

    `left_out`: the unusable part of the file, in words; "" if there is none.
    """

    events: tuple[Event, ...]
    left_out: str = field(default="", compare=False)

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read events.jsonl. A last line cut short by a killed run is left out.

        Raises ConfigError when the file is missing, larger than any run's, or another line is not
        an event: nobody knows then what else is missing.
        """
        events: list[Event] = []
        try:
            size = path.stat().st_size
            if size > LARGEST:
                raise ConfigError(
                    f"{path} has {size // 2**20} MiB, more than the {LARGEST // 2**20} of any run:"
                    " it is no record, or its content repeats"
                )
            # As bytes: text has more kinds of line ends than a file, and a cut line may end
            # within a character.
            with path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    try:
                        events.append(_event(line))
                    except (ValueError, TypeError, RecursionError) as error:
                        if not file.read(1):
                            left_out = f"the last line, {number}, is cut short"
                            return cls(tuple(events), left_out)
                        raise ConfigError(
                            f"{path}, line {number} is not an event: {str(error)[:200]!r}"
                        ) from error
        except OSError as error:
            raise ConfigError(
                f"{path} cannot be read ({error.strerror}): name a run's directory, such as"
                " reports/latest"
            ) from error
        return cls(tuple(events))

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def phase(self, name: str) -> Record:
        """Only the events of that phase."""
        return Record(tuple(e for e in self.events if e.phase == name))

    def performances(self, phase: str) -> list[Record]:
        """One record for each time that the phase was performed.

        A phase is judged, measured and drawn on one of these: one cluster's events say nothing of
        another cluster, and one repetition of a test nothing of the next. A record holds all that
        one worker recorded, without its other performances of the phase. They are in the order of
        the workers' names, then of time. Where nobody performed or judged the phase, each worker
        that had a cluster has one record.
        """
        took_part = {
            e.worker
            for e in self.events
            if e.phase == phase or (e.kind == "check" and e.data.get("phase") == phase)
        }
        workers = took_part or {e.worker for e in self.of("cluster.ready")} or {""}
        if workers == {""}:
            return self._each_time(phase)
        return [
            once
            for worker in sorted(workers)
            for once in Record(tuple(e for e in self if e.worker == worker))._each_time(phase)
        ]

    def _each_time(self, phase: str) -> list[Record]:
        """One record for each time that the phase began, each without the phase's other times."""
        begun = [
            place
            for place, e in enumerate(self.events)
            if e.phase == phase and e.kind == "phase.started"
        ]
        if len(begun) < 2:
            return [self]
        ends = [*begun[1:], len(self.events)]
        return [
            Record(
                tuple(
                    e
                    for place, e in enumerate(self.events)
                    if phase not in (e.phase, e.data.get("during")) or began <= place < end
                )
            )
            for began, end in zip(begun, ends, strict=True)
        ]

    def capabilities(self) -> Mapping[str, bool]:
        """Capability → whether the latest cluster has it; empty when none was ready."""
        ready = self.last("cluster.ready")
        found: Mapping[str, bool] = ready.data.get("capabilities", {}) if ready else {}
        return found

    def before_end_of(self, phase: str) -> Record:
        """Everything up to that phase's last event; all there is when it has none."""
        ends = [place for place, event in enumerate(self.events) if event.phase == phase]
        return Record(self.events[: ends[-1] + 1]) if ends else self

    def of(self, *kinds: str, **match: Any) -> tuple[Event, ...]:
        """Events of these kinds whose data hold every given value."""
        if len(kinds) == 1:
            found = self._by_kind.get(kinds[0], ())
        elif (known := self._by_kinds.get(kinds)) is not None:
            found = known
        else:
            found = self._by_kinds[kinds] = tuple(e for e in self.events if e.kind in kinds)
        if not match:
            return found
        wanted = match.items()
        return tuple(e for e in found if all(e.data.get(key) == value for key, value in wanted))

    @cached_property
    def _by_kind(self) -> Mapping[str, tuple[Event, ...]]:
        """Kind → its events: a judge asks for one kind after the other."""
        found: dict[str, list[Event]] = {}
        for event in self.events:
            found.setdefault(event.kind, []).append(event)
        return {kind: tuple(events) for kind, events in found.items()}

    @cached_property
    def _by_kinds(self) -> dict[tuple[str, ...], tuple[Event, ...]]:
        """Cache: kinds → their events, since every claim reads the faults."""
        return {}

    def first(self, *kinds: str, **match: Any) -> Event | None:
        """The earliest such event, or None."""
        return next(iter(self.of(*kinds, **match)), None)

    def last(self, *kinds: str, **match: Any) -> Event | None:
        """The latest such event, or None."""
        found = self.of(*kinds, **match)
        return found[-1] if found else None

    def need(self, kind: str, missing: str, **match: Any) -> Event:
        """The latest such event. Raises Unseen with the words `missing`: a judge's `unknown`."""
        found = self.last(kind, **match)
        if found is None:
            raise Unseen(missing)
        return found


def _event(line: bytes) -> Event:
    """One line of a record. Raises ValueError or TypeError for anything else."""
    event = Event(**json.loads(line))
    whole = isinstance(event.seq, int) and isinstance(event.data, dict)
    texts = (event.at, event.kind, event.phase, event.worker)
    if not whole or not all(isinstance(text, str) for text in texts):
        raise TypeError("a field has the wrong type")
    if isinstance(event.t, bool) or not isinstance(event.t, int | float):
        raise TypeError("its time is no number")
    if not finite(event.t):
        raise ValueError("its time is not finite")
    return event


def finite(number: float) -> bool:
    """Whether a float can hold it, and it is neither infinite nor not a number."""
    try:
        return math.isfinite(number)
    except OverflowError:  # A whole number that is larger than any float.
        return False
