"""Reports a build's progress to a terminal, a log and a file."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class PartReport(Protocol):
    """Hears how one part of a build goes."""

    def progress(self, fraction: float | None) -> None:
        """The finished share of the part, 0 to 1; None if unknown."""

    def log(self, line: str) -> None:
        """One line of a command's output, or of the builder's own words."""


class BuildReport(PartReport, Protocol):
    """Hears how a build goes, from several threads; its own words are those of its stage."""

    def stage(self, name: str) -> None:
        """The next step of the build begins; the one before it has ended."""

    def part(self, name: str) -> AbstractContextManager[PartReport]:
        """A part that runs beside others and ends with the block; its words go to what this gives.

        One that an error ends isn't told as done.
        """


class SilentReport:
    """Keeps a build to itself."""

    def stage(self, name: str) -> None:
        """Say nothing."""

    @contextmanager
    def part(self, name: str) -> Iterator[PartReport]:
        """Say nothing."""
        del name
        yield self

    def progress(self, fraction: float | None) -> None:
        """Say nothing."""

    def log(self, line: str) -> None:
        """Say nothing."""


class LoggedReport:
    """Hands everything on to another report and writes it to a file too.

    A line of a part begins with the part's name, because those beside it write there as well.
    """

    def __init__(self, inner: BuildReport, path: Path) -> None:
        """`path`: the file, created or emptied."""
        self._inner = inner
        self._file: TextIO = path.open("w", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()
        self._start = time.monotonic()

    def __enter__(self) -> LoggedReport:
        """The report itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._file.close()

    def stage(self, name: str) -> None:
        """Begin a stage in both; the file also gets the seconds since the build began."""
        self._write_moment(name)
        self._inner.stage(name)

    @contextmanager
    def part(self, name: str) -> Iterator[PartReport]:
        """Begin and end a part in both; the file also gets the seconds of both and between."""
        self._write_moment(name)
        begun = time.monotonic()
        ended = "ended too early"
        try:
            with self._inner.part(name) as inner:
                yield _LoggedPart(name, self, inner)
            ended = "done"
        finally:
            self._write_moment(f"{name}: {ended} after {time.monotonic() - begun:.1f} s")

    def progress(self, fraction: float | None) -> None:
        """Hand it on; a file has no use for it."""
        self._inner.progress(fraction)

    def log(self, line: str) -> None:
        """Write the line and hand it on."""
        self.write(line)
        self._inner.log(line)

    def write(self, line: str) -> None:
        """Write a line to the file alone."""
        with self._lock:
            self._file.write(f"{line}\n")

    def _write_moment(self, what: str) -> None:
        self.write(f"== {time.monotonic() - self._start:6.1f} s  {what}")


class _LoggedPart:
    """Writes the lines of a part, with its name, and hands everything on."""

    def __init__(self, name: str, logged: LoggedReport, inner: PartReport) -> None:
        self._name = name
        self._logged = logged
        self._inner = inner

    def progress(self, fraction: float | None) -> None:
        self._inner.progress(fraction)

    def log(self, line: str) -> None:
        self._logged.write(f"{self._name} | {line}")
        self._inner.log(line)


class RichReport:
    """Shows a live bar on a terminal for what is running, and a plain line for what has ended."""

    def __init__(self, console: Console | None = None) -> None:
        """`console`: where to show it, standard error by default."""
        self._console = console or Console(stderr=True)
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[said]}"),
            console=self._console,
        )
        self._stage: _ShownPart | None = None

    def __enter__(self) -> RichReport:
        """Start the display."""
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Stop the display; a stage that an error ended isn't shown as done."""
        if error is None:
            self._end_stage()
        if self._console.is_terminal:
            self._bars.stop()

    def stage(self, name: str) -> None:
        """Show the stage before as done and this one as running."""
        self._end_stage()
        self._stage = _ShownPart(name, self._bars)

    @contextmanager
    def part(self, name: str) -> Iterator[PartReport]:
        """Show a part as running, and then as done."""
        part = _ShownPart(name, self._bars)
        yield part
        part.end()

    def progress(self, fraction: float | None) -> None:
        """Move the stage's bar."""
        if self._stage:
            self._stage.progress(fraction)

    def log(self, line: str) -> None:
        """Show the line beside the stage's bar; a plain console leaves it to the log file."""
        if self._stage:
            self._stage.log(line)

    def _end_stage(self) -> None:
        if self._stage:
            self._stage.end()
        self._stage = None


class _ShownPart:
    """A bar while it runs, shown on a terminal alone; then a line with its seconds."""

    def __init__(self, name: str, bars: Progress) -> None:
        self._name = name
        self._bars = bars
        self._bar = bars.add_task(name, total=None, said="")
        self._begun = time.monotonic()

    def progress(self, fraction: float | None) -> None:
        total = None if fraction is None else 1.0
        self._bars.update(self._bar, total=total, completed=fraction or 0.0)

    def log(self, line: str) -> None:
        self._bars.update(self._bar, said=line.strip()[:60])

    def end(self) -> None:
        # Its bar goes, so that those that run are on the screen, however many have ended.
        self._bars.remove_task(self._bar)
        took = time.monotonic() - self._begun
        self._bars.console.print(f"{self._name}: {took:.1f} s", highlight=False, markup=False)
