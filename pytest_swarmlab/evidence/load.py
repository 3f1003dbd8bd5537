"""How busy this machine was during an observation: times of a busy machine prove nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_swarmlab.evidence.events import MachineLoad, each
from pytest_swarmlab.evidence.record import Record

if TYPE_CHECKING:
    from pytest_swarmlab.evidence.recorder import Recorder

LEAST_IDLE = 0.02
"""Share of all processors' time. With less, a process that wants to run waits for one that runs:
heartbeats come late, and a time shows this machine's load instead of the cluster's speed.
"""

STAT = Path("/proc/stat")


@contextmanager
def load(recorder: Recorder, phase: str, beside: Callable[[], int]) -> Iterator[None]:
    """Record, at the block's end, how busy the processors were during that phase.

    `beside`: how many other clusters are under test on this machine; it is called at the block's
    beginning and end, and the larger number counts.
    """
    began, others = processors(), beside()
    try:
        yield
    finally:
        ended = processors()
        idle, whole = (after - before for before, after in zip(began, ended, strict=True))
        recorder.write(
            MachineLoad(
                phase,
                seconds=round(whole / (os.cpu_count() or 1), 2),
                idle=round(idle / whole, 3) if whole else 1.0,
                beside=max(others, beside()),
            )
        )


def processors() -> tuple[float, float]:
    """Seconds since this machine's start: those that its processors were idle, and all."""
    line = STAT.read_text(encoding="ascii").partition("\n")[0]
    # proc_stat(5): user nice system idle iowait irq softirq steal, then what is in user already.
    spent = [int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in line.split()[1:9]]
    return spent[3] + spent[4], sum(spent)


def no_idle_time(record: Record, phase: str) -> str | None:
    """Why times of that phase are no measurements, or None; the record is one cluster's."""
    loads = each(record, MachineLoad, during=phase)
    if not loads or loads[-1].idle >= LEAST_IDLE:
        return None
    idle, others = loads[-1].idle, loads[-1].beside
    return (
        f"the machine was too busy to measure: its processors were idle for"
        f" {idle:.1%} of the time"
        + (f", with {others} other cluster{'s' * (others > 1)} beside" if others else "")
    )
