"""What one command prints is fed to another one, within limits, and nobody else sees it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.swarm.piping import piped
from tests.unit.fakes import Lab

MANY = 3 * (1 << 16) + 17
PRINTS = (sys.executable, "-c", f"print('x' * {MANY}, end='')")


def into(path: Path) -> tuple[str, ...]:
    return ("dd", f"of={path}", "status=none")


def test_all_of_it_arrives_and_is_counted(tmp_path: Path) -> None:
    assert piped(PRINTS, into(tmp_path / "x"), most=MANY, within=60) == MANY
    assert (tmp_path / "x").read_text("utf-8") == "x" * MANY


def test_one_byte_more_than_is_permitted_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="it has more than 0 MiB"):
        piped(PRINTS, into(tmp_path / "x"), most=MANY - 1, within=60)


def test_one_that_never_ends_is_ended(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="had not ended after 0 s"):
        piped(("sleep", "600"), into(tmp_path / "x"), most=MANY, within=0.2)


def test_one_that_prints_for_ever_is_ended_by_its_size(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="more than 1 MiB"):
        piped(("yes",), into(tmp_path / "x"), most=1 << 20, within=60)


@pytest.mark.parametrize(
    ("source", "sink", "why"),
    [
        (("sh", "-c", "echo half; exit 3"), ("dd", "of=/dev/null"), "sends it ended with 3"),
        (("echo", "all"), ("sh", "-c", "dd of=/dev/null; exit 4"), "receives it ended with 4"),
        # It ends before all has come, and the other one would go on for ever.
        (("yes",), ("sh", "-c", "exit 5"), "ended with"),
    ],
)
def test_a_command_that_fails_is_told(
    source: tuple[str, ...], sink: tuple[str, ...], why: str
) -> None:
    with pytest.raises(ProviderError, match=why):
        piped(source, sink, most=1 << 40, within=3600)


def test_between_two_nodes_nothing_of_it_is_recorded(lab: Lab, tmp_path: Path) -> None:
    here: Any = lambda _, argv: [*argv]  # noqa: E731 - typed on the way
    lab.machines.command = here  # type: ignore[method-assign]
    said = ("echo", "the keys of the swarm")
    size = lab["manager1"].pipe(said, lab["worker1"], into(tmp_path / "x"), most=99, within=60)
    assert size == len("the keys of the swarm\n")
    assert "keys" not in str([event.data for event in lab.recorder.view()])


def test_a_node_that_may_not_be_changed_receives_nothing(lab: Lab) -> None:
    lab.machines.foreign, lab.machines.controls = True, frozenset()
    with pytest.raises(ProviderError, match="`dd` was not done on worker1"):
        lab["manager1"].pipe(("echo",), lab["worker1"], ("dd",), most=9, within=9)
