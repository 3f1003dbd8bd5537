"""How a build is told about: to a person at a terminal, to a log, and to a file."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class BuildReport(Protocol):
    """Hears how a build goes."""

    def stage(self, name: str) -> None:
        """A part of the build begins; the one before it has ended."""

    def progress(self, fraction: float | None) -> None:
        """How much of the stage is done, 0 to 1; None when that can't be said."""

    def log(self, line: str) -> None:
        """One line of a command's output, or of the builder's own words."""


class SilentReport:
    """Keeps a build to itself."""

    def stage(self, name: str) -> None:
        """Say nothing."""

    def progress(self, fraction: float | None) -> None:
        """Say nothing."""

    def log(self, line: str) -> None:
        """Say nothing."""


class LoggedReport:
    """Hands everything on to another report and writes it to a file too."""

    def __init__(self, inner: BuildReport, path: Path) -> None:
        """`path`: the file, created or emptied."""
        self._inner = inner
        self._file: TextIO = path.open("w", encoding="utf-8", buffering=1)
        self._start = time.monotonic()

    def __enter__(self) -> LoggedReport:
        """The report itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._file.close()

    def stage(self, name: str) -> None:
        """Begin a stage in both; the file also gets the seconds since the build began."""
        self._file.write(f"== {time.monotonic() - self._start:6.1f} s  {name}\n")
        self._inner.stage(name)

    def progress(self, fraction: float | None) -> None:
        """Hand it on; a file has no use for it."""
        self._inner.progress(fraction)

    def log(self, line: str) -> None:
        """Write the line and hand it on."""
        self._file.write(f"{line}\n")
        self._inner.log(line)


class RichReport:
    """Shows the stage and a live bar on a terminal; elsewhere one plain line a stage."""

    def __init__(self, console: Console | None = None) -> None:
        """`console`: where to show it, standard error by default."""
        self._console = console or Console(stderr=True)
        self._live = self._console.is_terminal
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[said]}"),
            console=self._console,
        )
        self._task: TaskID | None = None
        self._stage = ""
        self._begun = time.monotonic()

    def __enter__(self) -> RichReport:
        """Start the display."""
        if self._live:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the display; a stage that an error ended isn't shown as done."""
        if error is None:
            self._end_stage()
        if self._live:
            self._bar.stop()

    def stage(self, name: str) -> None:
        """Show the stage before as done and this one as running."""
        self._end_stage()
        self._stage, self._begun = name, time.monotonic()
        if self._live:
            self._task = self._bar.add_task(name, total=None, said="")

    def progress(self, fraction: float | None) -> None:
        """Move the bar."""
        if self._task is not None:
            total = None if fraction is None else 1.0
            self._bar.update(self._task, total=total, completed=fraction or 0.0)

    def log(self, line: str) -> None:
        """Show the line beside the bar; a plain console leaves it to the log file."""
        if self._task is not None:
            self._bar.update(self._task, said=line.strip()[:60])

    def _end_stage(self) -> None:
        if not self._stage:
            return
        if self._task is not None:
            self._bar.update(self._task, total=1.0, completed=1.0, said="")
        else:
            took = time.monotonic() - self._begun
            self._console.print(f"{self._stage}: {took:.1f} s", highlight=False)
        self._stage, self._task = "", None
