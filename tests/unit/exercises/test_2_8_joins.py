"""How machines join the restored swarm."""

from __future__ import annotations

import pytest

from pytest_swarmlab.errors import CommandError
from tests.exercises.exercise_2_8 import perform
from tests.unit.fakes import Lab

SLOW = (
    "Error response from daemon: Timeout was reached before node joined. The attempt to join the"
    ' swarm will continue in the background. Use the "docker info" command to see the status'
)


def joins(lab: Lab, said: str) -> None:
    lab.shell = lambda _, argv: (1, "", said) if argv[2] == "join" else (0, "token-m", "")
    perform.join(lab["manager2"], lab["manager1"], "manager")


def test_one_that_goes_on_in_the_background_is_no_refusal(lab: Lab) -> None:
    joins(lab, SLOW)
    (act,) = (act for act in lab.commands("docker") if act[3] == "join")
    assert act[-1] == "192.168.56.10:2377"


def test_a_refused_one_is(lab: Lab) -> None:
    with pytest.raises(CommandError, match="invalid join token"):
        joins(lab, "Error response from daemon: invalid join token")
