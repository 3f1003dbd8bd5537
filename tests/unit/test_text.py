"""Text of a cluster is hostile until it is cleaned."""

from __future__ import annotations

import time

import pytest

from pytest_swarmlab.text import by_number, clean, clock, duration, inert, line


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://evil/\x1b\\link\x1b]8;;\x07", "link"),
        ("nul\x00 bell\x07 del\x7f", "nul bell del"),
        ("abc\u202edcba", "abcdcba"),
        ("two\r\nlines\tkept", "two\nlines\tkept"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("no characters \ufffe\uffff of XML", "no characters  of XML"),
        (None, ""),
        (12, "12"),
    ],
)
def test_what_cannot_be_seen_goes(hostile: object, shown: str) -> None:
    assert clean(hostile) == shown
    clean(hostile).encode()


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J\x1b[31mred\x1b[0m", r"\x1b[2J\x1b[31mred\x1b[0m"),
        ("nul\x00 bell\x07 \x9b31m \x85", r"nul\x00 bell\x07 \x9b31m \x85"),
        ("abc\u202edcba\u2066 \u2028", r"abc\u202edcba\u2066 \u2028"),
        ("two\nlines\tkept\rback", "two\nlines\tkept\\rback"),
        ("lone \ud800 surrogate", r"lone \ud800 surrogate"),
        ("é \N{GRINNING FACE} 漢字", "é \N{GRINNING FACE} 漢字"),
    ],
)
def test_what_would_move_a_cursor_is_shown_as_an_escape(hostile: str, shown: str) -> None:
    assert inert(hostile) == shown


def test_where_colours_may_be_they_stay_and_nothing_else() -> None:
    said = "\x1b[1;31mred\x1b[0m \x1b[2J\x1b]0;title\x07"
    assert inert(said, colours=True) == "\x1b[1;31mred\x1b[0m " + r"\x1b[2J\x1b]0;title\x07"


def test_a_cut_is_said_with_how_much() -> None:
    assert clean("x" * 310) == "x" * 300 + " … (cut, 10 more characters)"
    assert clean("x" * 300) == "x" * 300


def test_megabytes_cost_no_time() -> None:
    before = time.perf_counter()
    shown = clean("\x1b]" * 2_000_000)
    assert time.perf_counter() - before < 1
    assert len(shown) < 400


def test_one_line_stays_one_line() -> None:
    assert line("a\n\n  b\tc ") == "a b c"


@pytest.mark.parametrize(
    ("seconds", "whole", "exact"),
    [
        (0, "00:00", "00:00.0"),
        (12.44, "00:12", "00:12.4"),
        (59.97, "00:59", "01:00.0"),
        (-10.0, "−00:10", "−00:10.0"),
        (-0.04, "00:00", "00:00.0"),
        (3725, "62:05", "62:05.0"),
    ],
)
def test_clock(seconds: float, whole: str, exact: str) -> None:
    assert (clock(seconds), clock(seconds, tenths=True)) == (whole, exact)


def test_duration() -> None:
    assert [duration(s) for s in (0.04, 12.44, 185)] == ["0.04 s", "12.4 s", "3 min 05 s"]


def test_exercises_stand_in_the_order_in_which_people_count() -> None:
    ids = ["state", "2.10", "2.9", "2.1", "10.1", "site"]
    assert sorted(ids, key=by_number) == ["2.1", "2.9", "2.10", "10.1", "site", "state"]
