"""Several calls, at once or one after the other: no error before all have ended."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from pytest_swarmlab import interrupt
from pytest_swarmlab.parallel import at_once, each_tried


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


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_each_is_tried_in_order_whatever_becomes_of_the_others(error: BaseException) -> None:
    made = []

    def call(number: int) -> None:
        made.append(number)
        if number == 1:
            raise error

    with pytest.raises(type(error)):
        each_tried(partial(call, number) for number in range(3))
    assert made == [0, 1, 2]


def test_the_last_error_is_raised_with_those_before_it() -> None:
    def fail(number: int) -> None:
        raise ValueError(number)

    with pytest.raises(ValueError, match="2") as last:
        each_tried([partial(fail, 1), partial(fail, 2)])
    assert str(last.value.__context__) == "1"


def test_ctrl_c_is_still_known_where_a_later_call_fails() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no") as last:
        each_tried([interrupted, fails])
    assert interrupt.behind(last.value)
