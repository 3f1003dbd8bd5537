"""How busy a machine was, from what its kernel tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_swarmlab.evidence import load
from tests.unit.fakes import Lab

BEGAN = "cpu  1000 0 500 8000 500 0 0 0 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
ENDED = "cpu  1500 0 600 8300 600 0 0 0 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
"""600 ticks of work, 400 idle or waiting for a disk."""


@pytest.fixture
def stat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    stat = tmp_path / "stat"
    stat.write_text(BEGAN)
    monkeypatch.setattr(load, "STAT", stat)
    return stat


def test_idle_time_and_neighbours_of_a_block_are_recorded(lab: Lab, stat: Path) -> None:
    others = iter((1, 2))
    with load.load(lab.recorder, "9.9/drill", lambda: next(others)):
        stat.write_text(ENDED)
    (seen,) = lab.recorder.view().of("machine.load")
    assert (seen.data["during"], seen.data["idle"], seen.data["beside"]) == ("9.9/drill", 0.4, 2)


@pytest.mark.usefixtures("stat")
def test_it_is_recorded_of_a_block_that_failed_and_of_one_without_a_tick(lab: Lab) -> None:
    with (
        pytest.raises(RuntimeError, match="the drill failed"),
        load.load(lab.recorder, "9.9/drill", lambda: 0),
    ):
        raise RuntimeError("the drill failed")
    (seen,) = lab.recorder.view().of("machine.load")
    assert (seen.data["idle"], seen.data["beside"]) == (1.0, 0)


def test_the_kernel_s_own_line_is_read() -> None:
    idle, whole = load.processors()
    assert 0 <= idle <= whole
