"""Lines that are renewed in place below pytest's own: what a screen shows in the end."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any, TextIO

import pytest

from pytest_swarmlab.model import Event
from pytest_swarmlab.reporting import live
from pytest_swarmlab.reporting.live import Live

CODE = re.compile(r"\x1b\[(\d*)([A-Za-z])|\x1b\[[\d;]*m|(\r)|(\n)|([^\x1b\r\n])")


class Monitor(io.StringIO):
    """A terminal of 60 columns: takes what is written, and knows what then stands on it."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[str] = [""]
        self.row = self.column = 0

    def write(self, text: str) -> int:
        for found in CODE.finditer(text):
            number, code, start, down, character = found.groups()
            if code == "A":
                self.row -= int(number)
            elif code == "G":
                self.column = int(number) - 1
            elif code == "J":
                self.rows[self.row] = self.rows[self.row][: self.column]
                del self.rows[self.row + 1 :]
            elif code:
                assert code == "m", found[0]
            elif start:
                self.column = 0
            elif down:
                self.row, self.column = self.row + 1, 0
                self.rows += [""] * (self.row + 1 - len(self.rows))
            elif character:
                old = self.rows[self.row].ljust(self.column)
                self.rows[self.row] = old[: self.column] + character + old[self.column + 1 :]
                self.column += 1
        return len(text)

    def shown(self) -> list[str]:
        """Rows that are not empty."""
        return [row.rstrip() for row in self.rows if row.strip()]


class Terminal:
    """pytest's place: writes dots, and knows its column."""

    def __init__(self) -> None:
        self.monitor = Monitor()
        self._file: TextIO = self.monitor
        self.pytest_s: TextIO = self.monitor

    @property
    def column(self) -> int:
        return self._column

    _column = 0

    def dots(self, text: str) -> None:
        """What pytest writes."""
        self.pytest_s.write(text)
        self._column = len(text.rpartition("\n")[2]) + (0 if "\n" in text else self._column)

    def write(self, text: str) -> int:
        if self._column:
            self._file.write("\n")
            self._column = 0
        return self._file.write(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True

    def through(self, wrap: Callable[[TextIO], TextIO]) -> Callable[[], None]:
        self._file, self.pytest_s = wrap(self.monitor), wrap(self.monitor)

        def end() -> None:
            self._file = self.pytest_s = self.monitor

        return end


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "24")
    # It is renewed when a test says so.
    monkeypatch.setattr(live, "PERIOD_S", 3600.0)
    monkeypatch.setattr(live, "HELD_S", 0.0)
    return Terminal()


@pytest.fixture
def lines(screen: Terminal) -> Iterator[Live]:
    made = Live(screen, lambda: 75.0)
    yield made
    made.stop()


def event(kind: str, worker: str = "", t: float = 70.0, **data: Any) -> Event:
    return Event(0, t, "", kind, "", data, worker)


def test_a_line_stands_below_pytest_s_and_is_renewed_in_place(
    screen: Terminal, lines: Live
) -> None:
    screen.dots("t.py .")
    lines.hear(event("phase.started", name="2.2/kill-9"))
    lines._draw()
    assert screen.monitor.shown() == ["t.py .", "01:15  2.2/kill-9"]
    lines.hear(event("wait.began", condition="a leader", node=None, within=45))
    lines._draw()
    assert screen.monitor.shown() == [
        "t.py .", "01:15  2.2/kill-9  waiting: a leader (5.0 s of 45.0 s)",
    ]  # fmt: skip
    lines.hear(event("wait.saw", condition="a leader", node=None, state="-"))
    lines._draw()
    assert screen.monitor.shown() == [
        "t.py .", "01:15  2.2/kill-9  waiting: a leader (5.0 s of 45.0 s): -",
    ]  # fmt: skip
    lines.hear(event("wait", condition="a leader", node=None, outcome="done", elapsed=9.0))
    lines._draw()
    assert screen.monitor.shown()[1].startswith("01:15  2.2/kill-9  ✓ a leader (9.0 s)")


def test_pytest_goes_on_where_it_was(screen: Terminal, lines: Live) -> None:
    screen.dots("t.py .")
    lines.hear(event("phase.started", name="2.2/kill-9"))
    lines._draw()
    screen.dots(".")
    assert screen.monitor.shown() == ["t.py .."]
    lines._draw()
    screen.dots("   [ 50%]\n")
    lines._draw()
    screen.dots("u.py .")
    assert screen.monitor.shown() == ["t.py ..   [ 50%]", "u.py ."]


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        ("notice", {"message": "look"}, "01:10  look"),
        ("stage.failed", {"name": "booting"}, "01:10  booting failed"),
        ("check", {"verdict": "fail", "title": "T"}, "01:10    ✗ fail  T"),
        ("check", {"verdict": "unknown", "title": "T"}, "01:10    ? unknown  T"),
        (
            "wait",
            {"condition": "c", "outcome": "timeout", "last": "nothing", "elapsed": 5},
            "01:10  ✗ c: not met after 5.0 s; last seen: nothing",
        ),
    ],
)
def test_what_must_be_read_later_stays(
    screen: Terminal, lines: Live, kind: str, data: dict[str, Any], said: str
) -> None:
    screen.dots("t.py .")
    lines.hear(event("phase.started", name="p"))
    lines._draw()
    lines.hear(event(kind, **data))
    assert screen.monitor.shown() == ["t.py .", said]
    lines._draw()
    assert screen.monitor.shown() == ["t.py .", said, "01:15  p"]


def test_what_went_well_does_not(screen: Terminal, lines: Live) -> None:
    lines.hear(event("check", verdict="pass", title="T"))
    lines._draw()
    assert screen.monitor.shown() == ["01:15      ✓ pass  T"]
    lines.stop()
    assert screen.monitor.shown() == []


def test_each_worker_has_a_line(screen: Terminal, lines: Live) -> None:
    for worker in ("gw0", "gw1"):
        lines.hear(event("test.step", worker, nodeid="t.py::test_it", step="setup"))
    lines._draw()
    assert screen.monitor.shown() == [
        "01:15 gw0  setting up test_it", "01:15 gw1  setting up test_it",
    ]  # fmt: skip
    lines.hear(event("test.step", "gw1", nodeid="t.py::test_it", step="over"))
    lines._draw()
    assert screen.monitor.shown() == ["01:15 gw0  setting up test_it"]


def test_when_it_ends_nothing_is_left_and_all_is_written_as_before(
    screen: Terminal, lines: Live
) -> None:
    screen.dots("t.py .")
    lines.hear(event("phase.started", name="p"))
    lines._draw()
    lines.stop()
    lines.stop()
    screen.dots("\n")
    assert screen.monitor.shown() == ["t.py ."]
    assert screen.pytest_s is screen.monitor
    lines.hear(event("notice", message="late"))
    assert screen.monitor.shown() == ["t.py .", "01:10  late"]


@pytest.mark.parametrize(
    "text", ["[/]", "\\[/]", "[bold red]x", "\x1b[31m\x1b[2Jx", "two\nlines", "字" * 80, "x" * 500]
)
def test_hostile_text_fits_a_line_and_is_no_markup(
    screen: Terminal, lines: Live, text: str
) -> None:
    for kind in ("phase.started", "stage.started"):
        lines.hear(event(kind, name=text))
    lines.hear(event("wait.began", condition=text, node=text, within=5))
    lines.hear(event("wait.saw", condition=text, node=text, state=text))
    lines._draw()
    (shown,) = screen.monitor.shown()
    assert len(shown) < 60
    assert (screen.monitor.row, screen.monitor.column) == (0, 0)


def test_it_renews_itself_until_it_is_stopped(
    screen: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = threading.Event()
    monkeypatch.setattr(live, "PERIOD_S", 0.01)
    monkeypatch.setattr(Live, "_draw", lambda _: drawn.set())
    made = Live(screen, lambda: 0.0)
    assert drawn.wait(30)
    made.stop()
    assert not made._thread.is_alive()
