"""What the monitoring's faults do to the shop's containers is undone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.exercises.monitoring.beside import Beside
from tests.unit.fakes import Lab


@pytest.mark.parametrize("foreign", [True, False])
def test_a_database_that_ctrl_c_finds_hanging_goes_on(lab: Lab, foreign: bool) -> None:
    none: Any = None
    lab.machines.foreign = foreign

    def interrupted(_: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        if argv[:2] == ("docker", "pause"):
            raise KeyboardInterrupt
        return 0, "", ""

    lab.shell = interrupted
    with pytest.raises(KeyboardInterrupt):
        Beside(none, none, none, none)._hang(lab["worker1"], "c0ffee", none)
    docker = [act[2:] for act in lab.commands("docker")]
    assert docker == [("pause", "c0ffee"), ("unpause", "c0ffee")]
    assert lab["worker1"].timers == {}
