"""Parts of a build beside each other: how many, in which order, and how they end together."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from pytest_swarmlab.errors import BuildError
from pytest_swarmlab.images import SilentReport, commands
from pytest_swarmlab.images.parts import Parts
from pytest_swarmlab.images.progress import PartReport

WAIT_S = 20
"""Longest that a test waits for another thread, seconds."""


@pytest.fixture(autouse=True)
def _without_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "ISOLATED", ())


@pytest.fixture
def processors(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes this machine have so many."""
    return lambda number: monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(number))


class Sleeper:
    """A part whose command ends by itself long after the test."""

    def __init__(self) -> None:
        self.asleep = threading.Event()
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self, _: PartReport) -> None:
        with commands.started(["sleep", "60"]) as self.process:
            self.asleep.set()
            if self.process.wait():
                raise BuildError("the sleeper was ended")

    def fail_beside(self, _: PartReport) -> None:
        """Another part, which fails as soon as this one is at work."""
        assert self.asleep.wait(WAIT_S)
        raise BuildError("a package is no more")

    @property
    def was_killed(self) -> bool:
        return self.process is not None and self.process.returncode == -9


@pytest.fixture
def sleeper() -> Sleeper:
    return Sleeper()


@contextmanager
def failing_parts(why: str) -> Iterator[Parts]:
    """Parts, or the block itself, that fail for that reason."""
    with pytest.raises(BuildError) as error, Parts(SilentReport()) as parts:
        yield parts
    assert str(error.value) == why


@pytest.mark.parametrize(("has", "at_once"), [(1, 2), (2, 2), (3, 3), (16, 4)])
def test_as_many_as_there_are_processors_are_made_at_once_but_two_at_least_and_four_at_most(
    processors: Callable[[int], None], has: int, at_once: int
) -> None:
    processors(has)
    together = threading.Barrier(at_once)
    lock = threading.Lock()
    running, most = 0, 0

    def make(_: PartReport) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        met = together.wait(WAIT_S)
        with lock:
            running -= 1
        return met

    with Parts(SilentReport()) as parts:
        made = [parts.start(f"{number}", make) for number in range(2 * at_once)]
        assert sorted(each.result() for each in made) == sorted([*range(at_once)] * 2)
    assert most == at_once


def test_parts_begin_in_their_order_and_are_had_by_it(processors: Callable[[int], None]) -> None:
    processors(2)
    begun: list[str] = []
    go_on = threading.Event()

    def make(name: str, _: PartReport) -> str:
        begun.append(name)
        assert name != "stage" or go_on.wait(WAIT_S)
        return name

    with Parts(SilentReport()) as parts:
        made = [parts.start(name, partial(make, name)) for name in ("stage", "node", "nginx")]
        assert made[2].result() == "nginx"
        go_on.set()
        assert [each.result() for each in made] == begun == ["stage", "node", "nginx"]


def test_a_part_that_fails_ends_the_commands_beside_it_and_is_the_error(sleeper: Sleeper) -> None:
    with failing_parts("a package is no more") as parts:
        asleep = parts.start("asleep", sleeper)
        parts.start("failing", sleeper.fail_beside)
        asleep.result()
    assert sleeper.was_killed


def test_a_command_that_fails_is_the_error_and_not_one_that_was_ended(sleeper: Sleeper) -> None:
    def fail(report: PartReport) -> None:
        assert sleeper.asleep.wait(WAIT_S)
        commands.run(["sh", "-c", "exit 3"], report)

    with failing_parts("`sh -c 'exit 3'` ended with 3: it printed nothing") as parts:
        asleep = parts.start("asleep", sleeper)
        parts.start("failing", fail)
        asleep.result()
    assert sleeper.was_killed


def test_what_waits_its_turn_is_not_begun_after_a_failure(
    processors: Callable[[int], None], sleeper: Sleeper
) -> None:
    processors(2)
    begun: list[str] = []

    def late(_: PartReport) -> None:
        begun.append("late")

    with failing_parts("a package is no more") as parts:
        parts.start("asleep", sleeper)
        parts.start("failing", sleeper.fail_beside)
        parts.start("late", late).result()
    assert begun == []


def test_a_part_that_fails_ends_what_the_block_itself_runs(sleeper: Sleeper) -> None:
    with failing_parts("a package is no more") as parts:
        parts.start("failing", sleeper.fail_beside)
        sleeper(SilentReport())
    assert sleeper.was_killed


def test_a_part_that_nobody_asked_for_is_an_error_all_the_same(sleeper: Sleeper) -> None:
    sleeper.asleep.set()
    with failing_parts("a package is no more") as parts:
        parts.start("failing", sleeper.fail_beside)


@pytest.mark.parametrize("error", [BuildError("no"), KeyboardInterrupt(), SystemExit(143)])
def test_a_block_that_ends_early_ends_its_parts(sleeper: Sleeper, error: BaseException) -> None:
    def build() -> None:
        with Parts(SilentReport()) as parts:
            parts.start("asleep", sleeper)
            assert sleeper.asleep.wait(WAIT_S)
            raise error

    with pytest.raises(type(error)) as raised:
        build()
    assert raised.value is error
    assert sleeper.was_killed


def test_who_interrupts_a_build_that_has_failed_has_interrupted_it(sleeper: Sleeper) -> None:
    def build() -> None:
        sleeper.asleep.set()
        with Parts(SilentReport()) as parts:
            assert parts.start("failing", sleeper.fail_beside).exception(WAIT_S)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build()


def test_after_the_block_a_command_is_on_its_own_again() -> None:
    with pytest.raises(BuildError), Parts(SilentReport()):
        raise BuildError("no")
    commands.run(["true"], SilentReport())
