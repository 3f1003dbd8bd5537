"""The order of steps around a change of somebody's machine: set, change, undo, stop."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_swarmlab.errors import CommandError, ProviderError
from pytest_swarmlab.swarm.guard import UNREACHED, Guard
from tests.unit.fakes import Lab

SET, MAKE, CHANGE, UNDO, STOP = STEPS = ("systemd-run", "mkdir", "touch", "rm", "systemctl")
"""The program of each step, in their order."""


@pytest.fixture
def theirs(lab: Lab) -> Lab:
    """Somebody's own, and changes are permitted."""
    lab.machines.foreign = True
    return lab


def ends(*steps: str, code: int = 1) -> Callable[[str, tuple[str, ...]], tuple[int, str, str]]:
    """A shell in which these steps end with that code."""
    return lambda _, argv: (code if argv[0] in steps else 0, "", f"{argv[0]} failed")


def interrupted(step: str) -> Callable[[str, tuple[str, ...]], tuple[int, str, str]]:
    """A shell in which Ctrl-C comes while that step is under way: the machine performs it."""

    def shell(_: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        if argv[0] == step:
            raise KeyboardInterrupt
        return 0, "", ""

    return shell


def change(lab: Lab) -> None:
    """All steps, each a command of its own."""
    node = lab["worker1"]
    with Guard.undone_after(
        [(node, [(UNDO, "f")])], "test",
        make=lambda: node.run(MAKE, "f"), undo=lambda: node.run(UNDO, "f"),
    ):  # fmt: skip
        node.run(CHANGE, "f")


def done(lab: Lab) -> list[str]:
    """Programs of the steps that were begun."""
    return [act[1] for act in lab.commands()]


def test_the_timer_is_set_first_and_stopped_last(theirs: Lab) -> None:
    change(theirs)
    assert done(theirs) == list(STEPS)
    assert theirs["worker1"].timers == {}


def test_a_machine_of_our_own_has_the_same_steps_without_a_timer(lab: Lab) -> None:
    change(lab)
    assert done(lab) == [MAKE, CHANGE, UNDO]


def test_without_a_timer_nothing_is_changed_or_undone(theirs: Lab) -> None:
    theirs.shell = ends(SET)
    with pytest.raises(CommandError, match="systemd-run failed"):
        change(theirs)
    assert done(theirs) == [SET]


def test_what_fails_half_way_is_undone_before_the_timer_is_stopped(theirs: Lab) -> None:
    theirs.shell = ends(CHANGE)
    with pytest.raises(CommandError, match="touch failed"):
        change(theirs)
    assert done(theirs) == list(STEPS)


@pytest.mark.parametrize("half_way", [(), (CHANGE,)])
def test_what_could_not_be_undone_keeps_its_timer(theirs: Lab, half_way: tuple[str, ...]) -> None:
    theirs.shell = ends(*half_way, UNDO)
    with pytest.raises(CommandError, match="rm failed"):
        change(theirs)
    assert done(theirs) == [SET, MAKE, CHANGE, UNDO]
    assert len(theirs["worker1"].timers) == 1


def test_what_the_machine_refuses_is_not_undone_and_its_timer_is_stopped(theirs: Lab) -> None:
    theirs.shell = ends(MAKE)
    with pytest.raises(CommandError, match="mkdir failed"):
        change(theirs)
    assert done(theirs) == [SET, MAKE, STOP]


def test_where_the_machine_gives_no_answer_the_timer_is_left_to_undo_it(theirs: Lab) -> None:
    theirs.shell = ends(MAKE, code=UNREACHED)
    with pytest.raises(ProviderError, match="can't be reached"):
        change(theirs)
    assert done(theirs) == [SET, MAKE]
    assert len(theirs["worker1"].timers) == 1


@pytest.mark.parametrize(
    ("step", "begun"),
    [
        (SET, [SET, STOP]),
        (MAKE, [SET, MAKE, UNDO, STOP]),
        (CHANGE, list(STEPS)),
        (UNDO, [SET, MAKE, CHANGE, UNDO]),
        (STOP, list(STEPS)),
    ],
)
def test_an_interrupt_leaves_no_change_without_a_timer(
    theirs: Lab, step: str, begun: list[str]
) -> None:
    theirs.shell = interrupted(step)
    with pytest.raises(KeyboardInterrupt):
        change(theirs)
    assert done(theirs) == begun


def test_a_timer_that_may_have_been_set_is_stopped_where_no_answer_comes(theirs: Lab) -> None:
    theirs.shell = ends(SET, code=UNREACHED)
    with pytest.raises(ProviderError, match="can't be reached"):
        change(theirs)
    assert done(theirs) == [SET, STOP]


def test_an_interrupt_stays_one_where_the_timer_cannot_be_stopped(theirs: Lab) -> None:
    def shell(_: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        if argv[0] == SET:
            raise KeyboardInterrupt
        return 1, "", "no bus"

    theirs.shell = shell
    with pytest.raises(KeyboardInterrupt) as raised:
        change(theirs)
    assert "no bus" in raised.value.__notes__[0]
