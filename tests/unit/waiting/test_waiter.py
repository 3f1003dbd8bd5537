"""Waiting ends when it should, and says what was seen when it didn't go well."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.errors import ConfigError, NotConverged
from pytest_swarmlab.waiting.waiter import Waiter, done, fatal, pending


class Script:
    """A condition that gives prepared outcomes, the last one for ever."""

    name = "five tasks run"
    node = "manager1"

    def __init__(self, *outcomes: Any) -> None:
        self._rest: Iterator[Any] = iter(outcomes)
        self._now: Any = None
        self.looks = 0

    def __call__(self) -> Any:
        self.looks += 1
        self._now = next(self._rest, self._now)
        return self._now


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def waiter(time: Time, heard: list[Any] | None = None) -> Waiter:
    def listener(*what: Any) -> None:
        if heard is not None:
            heard.append(what)

    return Waiter(every=2.0, clock=lambda: time.now, sleep=time.sleep, listener=listener)


def test_a_condition_that_is_met_gives_what_it_found_without_sleeping() -> None:
    time = Time()
    assert waiter(time)(Script(done(5)), within=10) == 5
    assert time.slept == []


def test_a_condition_is_looked_at_until_it_is_met() -> None:
    time, heard = Time(), list[Any]()
    condition = Script(pending("3/5"), pending("4/5"), done("all", "5/5"))
    assert waiter(time, heard)(condition, within=10) == "all"
    assert time.slept == [2.0, 2.0]
    assert heard == [("five tasks run", "manager1", "done", 4.0, "5/5")]


def test_a_failure_names_condition_node_elapsed_time_and_last_state() -> None:
    time, heard = Time(), list[Any]()
    with pytest.raises(NotConverged) as failure:
        waiter(time, heard)(Script(pending("4/5 running; last task error: no space")), within=5)
    assert str(failure.value) == (
        "five tasks run on manager1 was not met after 6.0 s;"
        " last seen: 4/5 running; last task error: no space"
    )
    assert heard[0][2] == "timeout"


def test_a_state_that_does_not_end_the_wait_is_told_once_and_not_more_than_one_a_second() -> None:
    time, told = Time(), list[Any]()
    waiting = Waiter(
        every=0.5, clock=lambda: time.now, sleep=time.sleep, saw=lambda *what: told.append(what)
    )
    states = ("none", "none", "none", "1 s", "1.5 s", "2 s")
    waiting(Script(*map(pending, states), done(5, "all")), within=10)
    assert [(node, state) for _, node, state in told] == [
        ("manager1", "none"),
        ("manager1", "1 s"),
        ("manager1", "2 s"),
    ]


def test_a_condition_that_can_never_be_met_ends_the_wait_at_once() -> None:
    time = Time()
    condition = Script(pending("booting"), fatal("its kernel ended"))
    with pytest.raises(NotConverged, match=r"can no longer be met after 2.0 s.*kernel ended"):
        waiter(time)(condition, within=1000)
    assert condition.looks == 2


def test_an_error_of_the_condition_itself_is_not_swallowed() -> None:
    def broken() -> Any:
        raise ZeroDivisionError

    condition = Script()
    condition.__class__ = type("Broken", (Script,), {"__call__": lambda _: broken()})
    with pytest.raises(ZeroDivisionError):
        waiter(Time())(condition, within=10)


def test_what_is_no_condition_is_refused_with_what_one_is() -> None:
    odd: Any = lambda: True  # noqa: E731 - as people write it
    with pytest.raises(ConfigError, match=r"is no condition: one has `name`, `node` and a call"):
        waiter(Time())(odd, within=10)
    heard: list[Any] = []
    with pytest.raises(ConfigError, match=r"'five tasks run' returned True: one has"):
        waiter(Time(), heard)(Script(True), within=10)
    assert [what[2] for what in heard] == ["interrupted"]


def test_a_failure_is_shown_at_the_line_that_waits() -> None:
    with pytest.raises(NotConverged) as failure:
        waiter(Time())(Script(pending("4 of 5")), within=4)
    assert failure.traceback.filter(failure)[-1].path == Path(__file__)
