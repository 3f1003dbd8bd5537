"""What a run does: its stages, drills, tests and waits, and how busy its machine was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pytest_swarmlab.evidence.events.kind import Seconds, Seen


@dataclass(frozen=True)
class RunStarted(Seen, kind="run.started"):
    """The first event: the run begins."""

    run_id: str
    started_at: Annotated[str, "ISO 8601, UTC"]
    provider: str
    version: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class RunFinished(Seen, kind="run.finished"):
    """The last event: the run has ended."""

    finished_at: Annotated[str, "ISO 8601, UTC"]
    exit_status: int


@dataclass(frozen=True)
class _Named(Seen):
    name: str


class StageStarted(_Named, kind="stage.started"):
    """A step of set-up or clean-up begins."""


@dataclass(frozen=True)
class StageDone(_Named, kind="stage.done"):
    """A step is done."""

    seconds: Seconds


@dataclass(frozen=True)
class StageFailed(StageDone, kind="stage.failed"):
    """A step has failed."""

    error: str


class PhaseStarted(_Named, kind="phase.started"):
    """A drill begins."""


class PhaseFinished(_Named, kind="phase.finished"):
    """A drill has ended, with or without an error."""


@dataclass(frozen=True)
class StepBegan(Seen, kind="test.step"):
    """A part of a test begins."""

    nodeid: str
    step: Annotated[str, "setup, call, teardown, over"]


@dataclass(frozen=True)
class EndOfTest(Seen, kind="test.finished"):
    """A test has ended."""

    nodeid: str
    outcome: Annotated[str, "passed, failed, skipped, error"]
    seconds: Seconds
    message: str


@dataclass(frozen=True)
class WaitBegan(Seen, kind="wait.began"):
    """A wait begins. If its end is missing, the run was killed while it waited."""

    condition: str
    node: str | None
    within: Annotated[float, "longest wait, seconds"]


@dataclass(frozen=True)
class WaitSaw(Seen, kind="wait.saw"):
    """A wait goes on: its condition was looked at, and is not met. A state is told once."""

    condition: str
    node: str | None
    state: Annotated[str, "what the look saw; at most one a second"]


@dataclass(frozen=True)
class Waited(Seen, kind="wait"):
    """A test's own wait has ended."""

    condition: str
    node: str | None
    outcome: Annotated[str, "done, timeout, fatal, interrupted"]
    elapsed: Seconds
    last: Annotated[str, "result of the last look"]


@dataclass(frozen=True)
class SuiteWaited(Waited, kind="suite.wait"):
    """A wait of the plugin itself has ended: for set-up, healing or clean-up. No check reads it."""


@dataclass(frozen=True)
class MachineLoad(Seen, kind="machine.load"):
    """How busy this machine was during a phase."""

    during: Annotated[str, "the phase"]
    seconds: Seconds
    idle: Annotated[float, "share of all processors' time, 0 to 1"]
    beside: Annotated[int, "other clusters under test at the same time"]


@dataclass(frozen=True)
class Notice(Seen, kind="notice"):
    """A message for the person who started the run."""

    message: str


@dataclass(frozen=True)
class Milestone(Seen, kind="milestone"):
    """A moment that an exercise names, for the report's pictures."""

    text: str


@dataclass(frozen=True)
class Attachment(Seen, kind="attachment"):
    """A picture for the report."""

    title: str
    media: Annotated[str, "image/jpeg, image/png"]
    content: Annotated[str, "the file in Base64"]


@dataclass(frozen=True)
class Curve(Seen, kind="curve"):
    """A series of a dashboard's panel, with the monitoring's data; the report draws it."""

    dashboard: str
    panel: str
    unit: Annotated[str, "as Grafana names it"]
    name: Annotated[str, "the series' name; empty where the panel has one series"]
    seconds: Annotated[tuple[float, ...], "seconds since the run began"]
    values: Annotated[tuple[float, ...], "the value at each moment"]


@dataclass(frozen=True)
class Problem(Seen, kind="error"):
    """An error that is no verdict."""

    where: str
    message: str
    infrastructure: Annotated[bool, "whether the lab failed, not the cluster under test"]


@dataclass(frozen=True)
class Change(Seen, kind="change"):
    """A change of somebody's own cluster, written before it is made."""

    node: str
    what: Annotated[str, "the command or request"]
    undone: Annotated[str, "what undoes it"]
