"""A client that writes continuously while something breaks, and records what was acknowledged."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Self

from pytest_swarmlab.background import Background
from pytest_swarmlab.errors import SwarmlabError
from pytest_swarmlab.evidence.events import Entries, Entry
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.waiting.conditions import brief, no_answer
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, done, fatal, pending

PAUSE_S = 0.2
"""Between the end of one write and the next: at most five a second, however fast they are."""

Write = Callable[[int], str]
"""Writes the entry of that number and returns the id under which it is kept from then on.

It must end in bounded time, and raise what a failed command or request raises when the entry
was not acknowledged.
"""


def not_acknowledged() -> tuple[type[Exception], ...]:
    """Exceptions of a write that failed, or whose outcome is unknown."""
    return (*no_answer(), SwarmlabError)


class Ledger:
    """Writes one numbered entry after the other, each once; a failed entry is never tried again.

    A context manager; between entry and exit every write becomes an `entry` event. An entry that
    was not acknowledged may have been kept all the same. So only acknowledged entries must be
    there, and no entry may be there twice. An error of the write that is no refusal ends the block
    with a ClientError.
    """

    def __init__(
        self, name: str, write: Write, recorder: Recorder, *, pause: float = PAUSE_S
    ) -> None:
        """`pause`: seconds between the end of one write and the next."""
        self.name = name
        self._write = write
        self._pause = pause
        self._recorder = recorder
        self._over = threading.Event()
        self._begun = 0
        self._acknowledged: list[int] = []
        self._last = "nothing was written yet"
        self._threads = Background(f"the ledger {name}", threads=1)

    @property
    def acknowledged(self) -> int:
        """Entries acknowledged so far."""
        return len(self._acknowledged)

    @property
    def begun(self) -> int:
        """The number of the entry that was begun last; 0 before the first."""
        return self._begun

    def acknowledged_after(self, number: int) -> int:
        """Acknowledged entries with a higher number."""
        return len(self._acknowledged) - bisect_right(self._acknowledged, number)

    def acknowledges(self, more: int) -> Acknowledges:
        """Condition: `more` entries that are begun from now on are acknowledged."""
        return Acknowledges(self, more)

    def found(self, entries: Iterable[tuple[str, int]]) -> None:
        """Record the entries that are there at the end: id and number of each, read back."""
        self._recorder.write(Entries(self.name, tuple(entries)))

    def __enter__(self) -> Self:
        self._threads.start(self._write_steadily)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._over.set()
        self._threads.end(error)

    def _write_steadily(self) -> None:
        while not self._over.is_set():
            self._enter(self._begun + 1)
            self._over.wait(self._pause)

    def _enter(self, number: int) -> None:
        self._begun = number
        sent = self._recorder.now()
        id_, error = None, None
        try:
            id_ = self._write(number)
        except not_acknowledged() as problem:
            error = brief(problem)
        seconds = round(self._recorder.now() - sent, 4)
        self._recorder.write(Entry(number, round(sent, 4), seconds, id_, error, self.name))
        self._last = f"entry {number}: {error or 'acknowledged'}"
        if error is None:
            self._acknowledged.append(number)

    @property
    def trouble(self) -> str | None:
        """Why it can't write, in one sentence; None if it can."""
        return self._threads.trouble

    @property
    def last(self) -> str:
        """The outcome of the latest write, in words."""
        return self._last


class Acknowledges:
    """A ledger has a number of acknowledged entries that were begun since; finds how many in all.

    The entry that is under way does not count: it may have been kept before.
    """

    node = None

    def __init__(self, ledger: Ledger, more: int) -> None:
        self._ledger = ledger
        self._since = ledger.begun
        self._more = more
        self.name = f"{more} more entries of {ledger.name} are acknowledged"

    def __call__(self) -> Done[int] | Pending | Fatal:
        """Look once."""
        seen = f"{self._ledger.acknowledged} in all; {self._ledger.last}"
        if self._ledger.acknowledged_after(self._since) >= self._more:
            return done(self._ledger.acknowledged, seen)
        if self._ledger.trouble:
            return fatal(self._ledger.trouble)
        return pending(seen)


NewLedger = Callable[..., Ledger]
"""Type of the fixture `ledger`: called, it returns a client that writes."""
