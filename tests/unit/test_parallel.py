"""Several calls at once: results in order, and no error before all have ended."""

from __future__ import annotations

import threading

import pytest

from pytest_swarmlab.parallel import at_once


def test_all_are_under_way_at_once_and_told_in_their_order() -> None:
    met = threading.Barrier(3, timeout=20)

    def do(number: int) -> int:
        met.wait()
        return number * number

    assert at_once(do, range(3)) == [0, 1, 4]


def test_the_first_error_is_raised_when_all_have_ended() -> None:
    ended = []
    failed = threading.Event()

    def do(number: int) -> None:
        if number == 0:
            failed.set()
            raise ValueError("the first")
        failed.wait(20)
        ended.append(number)

    with pytest.raises(ValueError, match="the first"):
        at_once(do, range(3))
    assert sorted(ended) == [1, 2]


def test_of_nothing_there_is_nothing() -> None:
    assert at_once(str, ()) == []
