"""Writes each observation to events.jsonl at once and in order, before anything is judged."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_swarmlab.evidence.events import PhaseFinished, PhaseStarted, Seen
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.evidence.redactor import Redactor
from pytest_swarmlab.model import Event

Listener = Callable[[Event], None]

LONGEST = 2**20
"""Characters of one text that an event holds: a node may print without end, and a record is to be
read again."""

CUT = " … (cut, {more} more characters)"


class Recorder:
    """Appends events to one file; safe to call from several threads.

    Every event is on disk (written and flushed) before `record` returns and before a listener gets
    it. `worker`: this process, where several record one run; "" where one does. `started`: the
    clock's time at the run's beginning, where another process began it.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        worker: str = "",
        started: float | None = None,
    ) -> None:
        self.path = path
        self._worker = worker
        self.redactor = Redactor()
        """Asked before anything is written; secrets are made known to it before they are used."""
        self._clock = clock
        self._started = clock() if started is None else started
        self._lock = threading.Lock()
        # Half of a surrogate pair is no character, but an escape that JSON has: \\ud800.
        self._file = path.open("a", encoding="utf-8", errors="backslashreplace")
        self._events: list[Event] = []
        self._phase = ""
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Call `listener` with every later event, in the recording thread."""
        self._listeners.append(listener)

    def now(self) -> float:
        """Seconds since the run began: the time base of every event."""
        return self._clock() - self._started

    def record(self, kind: str, **data: Any) -> Event:
        """Write one event of that kind; returns it."""
        with self._lock:
            event = self._write(
                Event(
                    seq=len(self._events),
                    t=round(self.now(), 4),
                    at=datetime.now(UTC).isoformat(timespec="milliseconds"),
                    kind=kind,
                    phase=self._phase,
                    data=_short(self.redactor.data(data)),
                    worker=self._worker,
                )
            )
        self._tell(event)
        return event

    def write(self, seen: Seen) -> Event:
        """Write an event of a kind that has a type; returns it."""
        return self.record(seen.kind, **seen.data())

    def adopt(self, event: Event) -> Event:
        """Write an event that another process of this run has recorded, under a new number."""
        with self._lock:
            event = self._write(replace(event, seq=len(self._events)))
        self._tell(event)
        return event

    def _write(self, event: Event) -> Event:
        fields = asdict(event)
        if not event.worker:
            del fields["worker"]
        line = json.dumps(fields, ensure_ascii=False, default=str)
        self._file.write(line + "\n")
        self._file.flush()
        # What is judged now must be what is judged when the file is read again.
        event = Event(**json.loads(line))
        self._events.append(event)
        return event

    def _tell(self, event: Event) -> None:
        for listener in tuple(self._listeners):
            listener(event)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Mark every event of the block, from whatever thread, as part of that phase."""
        before, self._phase = self._phase, name
        self.write(PhaseStarted(name))
        try:
            yield
        finally:
            self.write(PhaseFinished(name))
            self._phase = before

    def view(self) -> Record:
        """The record of all events so far."""
        with self._lock:
            return Record(tuple(self._events))

    def close(self) -> None:
        """Close the file; recording afterwards is an error."""
        with self._lock:
            self._file.close()


def _short(value: Any) -> Any:
    """The value with every text cut to an event's limit."""
    if isinstance(value, str):
        more = len(value) - LONGEST
        return value[:LONGEST] + CUT.format(more=more) if more > 0 else value
    if isinstance(value, Mapping):
        return {key: _short(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_short(each) for each in value]
    return value
