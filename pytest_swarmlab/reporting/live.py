"""The narration on lines below pytest's own, one for each worker, renewed in place.

Events that a person must be able to read later are printed on lines that stay: verdicts other than
a pass, waits that failed, notices, failures.
"""

from __future__ import annotations

import io
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO, cast

from pytest_swarmlab.evidence.events import (
    Change,
    Checked,
    Notice,
    PhaseFinished,
    PhaseStarted,
    StageFailed,
    StepBegan,
    SuiteWaited,
    WaitBegan,
    Waited,
    WaitSaw,
    read,
)
from pytest_swarmlab.model import Event
from pytest_swarmlab.reporting.terminal import ASKED_FOR, Narrator, plain
from pytest_swarmlab.text import duration

STAYS = ASKED_FOR | {Notice.kind, StageFailed.kind, Change.kind}
"""Kinds of events whose line stays, besides bad ends of checks and waits."""

PERIOD_S = 0.25
"""Between two renewals."""

HELD_S = 0.4
"""Seconds without lines after other output: a build's bar moves every 0.1 s."""

ERASE_BELOW = "\x1b[J"
"""To the end of the screen from the cursor, which stands where pytest goes on writing."""

STEPS = {"setup": "setting up", "call": "", "teardown": "tidying up after"}


class Terminal(Protocol):
    """Where pytest writes, too."""

    @property
    def column(self) -> int:
        """Where pytest's cursor stands in its line, from 0."""

    def write(self, text: str) -> int:
        """Write on a line of its own."""

    def flush(self) -> None:
        """Show it now."""

    def isatty(self) -> bool:
        """Whether a person may be looking."""

    def through(self, wrap: Callable[[TextIO], TextIO]) -> Callable[[], None]:
        """Have all that is written go through `wrap` of its file; returns what ends it.

        The first one wrapped is ours, which leads to the terminal whatever pytest captures.
        """


class Passage:
    """A file of the terminal; before each write to it the lines are removed."""

    def __init__(self, file: TextIO, live: Live) -> None:
        self._file = file
        self._live = live

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, text: str) -> int:
        """Write where the cursor stands, as if there were no lines of ours below."""
        return self._live.write_between(self._file, text)


@dataclass
class _Wait:
    """A wait that goes on: its beginning in the run, its limit in seconds, what it saw last."""

    began: float
    within: float
    state: str = ""


@dataclass
class _Line:
    """What one worker is doing. `waits`: by condition and node."""

    narrator: Narrator
    phase: str = ""
    test: str = ""
    told: str = ""
    waits: dict[tuple[str, str], _Wait] = field(default_factory=dict)

    def note(self, event: Event) -> bool:
        """Note where the worker is, and what it waits for; whether the event says no more."""
        match event.kind:
            case PhaseStarted.kind:
                self.phase, self.told = read(PhaseStarted, event).name, ""
                return True
            case PhaseFinished.kind:
                self.phase = ""
            case StepBegan.kind:
                began = read(StepBegan, event)
                name, step = began.nodeid.rpartition("::")[2], STEPS.get(began.step)
                self.test = "" if step is None else f"{step} {name}".strip()
            case WaitBegan.kind:
                wait = read(WaitBegan, event)
                self.waits[wait.condition, wait.node or ""] = _Wait(wait.t, wait.within)
            case WaitSaw.kind:
                saw = read(WaitSaw, event)
                if wait_on := self.waits.get((saw.condition, saw.node or "")):
                    wait_on.state = saw.state
            case Waited.kind | SuiteWaited.kind:
                over = read(Waited, event)
                self.waits.pop((over.condition, over.node or ""), None)
        return False


class Live:
    """Hears every event; a thread of its own renews the lines until `stop`."""

    def __init__(self, terminal: Terminal, now: Callable[[], float]) -> None:
        """`now`: seconds since the run began."""
        self._terminal = terminal
        self._now = now
        self._lines: dict[str, _Line] = {}
        self._lock = threading.RLock()
        self._held_until = 0.0
        self._shown = False
        self._files: list[TextIO] = []
        self._over = threading.Event()
        self._end = terminal.through(self._passage)
        self._thread = threading.Thread(target=self._go_on, name="live", daemon=True)
        self._thread.start()

    def _passage(self, file: TextIO) -> TextIO:
        self._files.append(file)
        return cast(TextIO, Passage(file, self))

    def write_between(self, file: TextIO, text: str) -> int:
        """Write to that file of the terminal's with the lines taken away, and keep them away."""
        with self._lock:
            self._erase()
            self._held_until = time.monotonic() + HELD_S
            written = file.write(text)
            file.flush()
        return written

    def stop(self) -> None:
        """Take the lines away for good. Idempotent."""
        with self._lock:
            if self._over.is_set():
                return
            self._over.set()
            self._erase()
            self._end()
        self._thread.join()

    def hear(self, event: Event) -> None:
        """Note what the event changes; print it if its line is to stay."""
        with self._lock:
            if event.worker not in self._lines:
                narrator = Narrator(cast(TextIO, self._terminal), event.worker)
                self._lines[event.worker] = _Line(narrator)
            line = self._lines[event.worker]
            text = line.narrator.tell(event)
            if line.note(event):
                return
            if text and (_stays(event) or self._over.is_set()):
                line.narrator.say(event, text)
            elif text:
                line.told = text

    def _go_on(self) -> None:
        while not self._over.wait(PERIOD_S):
            with self._lock:
                if not self._over.is_set() and time.monotonic() >= self._held_until:
                    self._draw()

    def _erase(self) -> None:
        if self._shown:
            self._files[0].write(ERASE_BELOW)
            self._files[0].flush()
            self._shown = False

    def _draw(self) -> None:
        """Write the lines below the cursor, which then stands again where it stood."""
        from rich.control import Control

        width = shutil.get_terminal_size().columns
        texts = [t for t in (self._text(line) for line in self._lines.values()) if t]
        # A line that fills its row would push the ones below it further down.
        shown = [_fitted(text, width - 1) for text in texts]
        back = Control.move_to_column(self._terminal.column % width, -len(shown))
        below = "".join(f"\n\r{each}" for each in shown)
        self._files[0].write(f"{ERASE_BELOW}{below}{back}" if shown else ERASE_BELOW)
        self._files[0].flush()
        self._shown = bool(shown)

    def _text(self, line: _Line) -> str:
        now = self._now()
        where = f"[bold]{plain(line.phase or line.test, 60)}[/]"
        if line.waits:
            (condition, _), wait = list(line.waits.items())[-1]
            went = f"{duration(max(0.0, now - wait.began))} of {duration(wait.within)}"
            saw = f": {plain(wait.state, 120)}" if wait.state else ""
            what = f"waiting: {plain(condition, 120)} [dim]({went}){saw}[/]"
        else:
            what = line.told
        if not (line.phase or line.test or what):
            return ""
        return "  ".join([line.narrator.margin(now), where, what])


def _stays(event: Event) -> bool:
    return (
        event.kind in STAYS
        or (event.kind == Checked.kind and read(Checked, event).verdict != "pass")
        or (event.kind == Waited.kind and read(Waited, event).outcome != "done")
    )


def _fitted(markup: str, width: int) -> str:
    """The text for a terminal, on one line of at most `columns`."""
    from rich.console import Console
    from rich.text import Text

    console = Console(file=io.StringIO(), force_terminal=True, width=width, highlight=False)
    text = Text.from_markup(" ".join(markup.split("\n")))
    text.truncate(width, overflow="ellipsis")
    with console.capture() as caught:
        console.print(text, end="", no_wrap=True, soft_wrap=True)
    return caught.get()
