"""Where a run's own time went, by its record: what each worker did, and what it waited for.

Older records lack the beginnings of a test's steps and of waits: there set-up and tidying up last
as long as their stages, and the time between is `Doing.BETWEEN`.
"""

from __future__ import annotations

import bisect
import heapq
import itertools
import math
import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pytest_swarmlab.evidence.events import (
    Command,
    EndOfTest,
    FaultHealed,
    FaultInjected,
    PhaseFinished,
    PhaseStarted,
    StageDone,
    StageFailed,
    StageStarted,
    StepBegan,
    SuiteWaited,
    WaitBegan,
    Waited,
    read,
)
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.evidence.spans import union, within, without
from pytest_swarmlab.model import Event

COLLECTING_LOGS = "collecting logs"
REMOVING_CLUSTER = "removing the cluster"
"""Stages that tidy up; every other one sets up."""

UNFINISHED = "unfinished"
"""Outcome of a wait that the record does not see end: the run was killed meanwhile."""

SHORTEST = 0.0005
"""Seconds below which a stretch is rounding: a record's times have four decimals."""


class Doing(StrEnum):
    """A worker's activity."""

    BEFORE = "before"
    """Before its first test: interpreters start, tests are collected."""
    SET_UP = "set-up"
    """A test's fixtures are set up; the cluster's start, where it needs one, is in it."""
    DRILL = "drill"
    TEST = "test"
    """A test outside of any drill."""
    TIDY_UP = "tidy-up"
    """A test's fixtures mend and remove; logs are collected; the cluster is removed."""
    BETWEEN = "between"
    """Tests that have nothing to do with a cluster; or there was no work for this worker."""
    AFTER = "after"
    """After its last test, while the run goes on."""


class Awaited(StrEnum):
    """The subject of a wait."""

    CONDITION = "condition"
    """A test waits until it is met."""
    UPKEEP = "upkeep"
    """A condition of set-up, healing or clean-up is waited for."""
    FAULT = "fault"
    """Something is being broken or mended."""
    COMMAND = "command"
    """A command on a node ends."""


@dataclass(frozen=True)
class Block:
    """A stretch in which a worker did one thing. Times in seconds since the run began.

    `name`: of the stage, the drill or the test, "" for none. `exercise`: the exercise of the drill
    or test, "" for none. `waiting`, `faults`, `commands`: the part of it that was spent in waits;
    in injecting and healing outside of waits; in commands on nodes outside of both.
    """

    doing: Doing
    name: str
    exercise: str
    began: float
    ended: float
    waiting: float = 0.0
    faults: float = 0.0
    commands: float = 0.0

    @property
    def seconds(self) -> float:
        """Its duration in seconds."""
        return self.ended - self.began


@dataclass(frozen=True)
class Wait:
    """One wait; `condition` describes it."""

    kind: Awaited
    condition: str
    nodes: tuple[str, ...]
    exercise: str
    began: float
    ended: float
    outcome: str

    @property
    def seconds(self) -> float:
        """Its duration in seconds."""
        return self.ended - self.began


@dataclass(frozen=True)
class WorkerTime:
    """One worker's time: `blocks` follow each other without a gap, `waits` may overlap.

    `worker`: "" where one process did it all. A wait within another wait is not listed, nor is a
    command that is part of a fault.
    """

    worker: str
    blocks: tuple[Block, ...]
    waits: tuple[Wait, ...]


def time_spent(record: Record) -> tuple[WorkerTime, ...]:
    """Each worker's time, in their names' order; empty when nothing was recorded."""
    if not record.events:
        return ()
    ended = max(event.t for event in record)
    by_worker: dict[str, list[Event]] = defaultdict(list)
    for event in record:
        by_worker[event.worker].append(event)
    if len(by_worker) > 1:
        # The process that leads the workers has no cluster and runs no test.
        by_worker.pop("", None)
    return tuple(
        _of_worker(worker, by_worker[worker], ended) for worker in sorted(by_worker, key=_order)
    )


def _order(worker: str) -> tuple[str, int, str]:
    """gw2 before gw10."""
    head, digits = re.fullmatch(r"(.*?)(\d{0,9})", worker, re.DOTALL).groups()  # type: ignore[union-attr]
    return head, int(digits or 0), worker


# -- one worker ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Stretch:
    """A candidate for a stretch; where several cover a moment, the highest `level` counts."""

    level: int
    doing: Doing
    name: str
    began: float
    ended: float


def _of_worker(worker: str, events: Sequence[Event], ended: float) -> WorkerTime:
    # What a killed worker was at did not go on without it.
    last = max(event.t for event in events)
    steps, phases = _steps(events, last), _phases(events, last)
    stretches = [*steps, *phases, *_stages(events, last)]
    exercises = _Exercises(steps, phases)
    conditions = _waits(events, exercises)
    faults = _faults(events, exercises)
    commands = _commands(events, exercises)
    waiting, breaking, running = (_time_of(each) for each in (conditions, faults, commands))
    breaking = without(breaking, waiting)
    running = without(without(running, waiting), breaking)
    blocks = []
    for doing, name, began, until in _partition(stretches, ended):
        spent = [within(each, began, until) for each in (waiting, breaking, running)]
        blocks.append(Block(doing, name, exercises.at(began, until), began, until, *spent))
    waits = [
        *conditions,
        *(fault for fault in faults if _mostly(breaking, fault)),
        *(command for command in commands if _mostly(running, command)),
    ]
    waits.sort(key=lambda wait: wait.began)
    return WorkerTime(worker, tuple(blocks), tuple(waits))


def _time_of(waits: Iterable[Wait]) -> list[tuple[float, float]]:
    return union((wait.began, wait.ended) for wait in waits)


def _mostly(spans: Sequence[tuple[float, float]], wait: Wait) -> bool:
    """Whether most of the wait is not part of another wait."""
    return within(spans, wait.began, wait.ended) > wait.seconds / 2


def _partition(
    stretches: Sequence[_Stretch], ended: float
) -> list[tuple[Doing, str, float, float]]:
    """The whole time from 0 to `ended` in pieces, each with what was done and its name."""
    first = min((s.began for s in stretches), default=ended)
    last = max((s.ended for s in stretches), default=ended)
    edges = sorted({0.0, first, last, ended, *(t for s in stretches for t in (s.began, s.ended))})
    edges = [edge for edge in edges if 0.0 <= edge <= ended]
    begins = sorted(stretches, key=lambda s: s.began)
    coming, active = 0, list[tuple[int, float, int]]()
    pieces: list[tuple[Doing, str, float, float]] = []
    for began, until in itertools.pairwise(edges):
        while coming < len(begins) and begins[coming].began <= began:
            heapq.heappush(active, (-begins[coming].level, -begins[coming].began, coming))
            coming += 1
        while active and begins[active[0][2]].ended <= began:
            heapq.heappop(active)
        if active:
            top = begins[active[0][2]]
            doing, name = top.doing, top.name
        else:
            outside = Doing.BEFORE if until <= first else Doing.AFTER
            doing, name = Doing.BETWEEN if first < until <= last else outside, ""
        if pieces and pieces[-1][:2] == (doing, name):
            began = pieces.pop()[2]
        pieces.append((doing, name, began, until))
    return [piece for piece in pieces if piece[3] - piece[2] > SHORTEST]


def _steps(events: Sequence[Event], last: float) -> list[_Stretch]:
    """Set-up, call and tidying up of each test; of an old record only the calls."""
    found, doing = [], {"setup": Doing.SET_UP, "call": Doing.TEST, "teardown": Doing.TIDY_UP}
    steps = [read(StepBegan, e) for e in events if e.kind == StepBegan.kind]
    for step, after in itertools.zip_longest(steps, steps[1:]):
        if what := doing.get(step.step):
            until = after.t if after else last
            found.append(_Stretch(0, what, step.nodeid, step.t, until))
    calls = union((s.began, s.ended) for s in found if s.doing is Doing.TEST)
    for event in events:
        if event.kind != EndOfTest.kind:
            continue
        test = read(EndOfTest, event)
        if test.outcome in {"passed", "failed"}:
            began = _before(test.t, test.seconds)
            # A test that asked for a cluster only while it ran has no steps either.
            if not within(calls, began, test.t):
                found.append(_Stretch(0, Doing.TEST, test.nodeid, began, test.t))
    return found


def _phases(events: Sequence[Event], last: float) -> list[_Stretch]:
    open_ones: list[tuple[str, float]] = []
    found = []
    for event in events:
        if event.kind == PhaseStarted.kind:
            open_ones.append((read(PhaseStarted, event).name, event.t))
        elif event.kind == PhaseFinished.kind and open_ones:
            name, began = open_ones.pop()
            found.append(_Stretch(1, Doing.DRILL, name, began, event.t))
    return found + [_Stretch(1, Doing.DRILL, name, began, last) for name, began in open_ones]


def _stages(events: Sequence[Event], last: float) -> list[_Stretch]:
    found, open_ones = [], dict[str, float]()
    for event in events:
        if event.kind == StageStarted.kind:
            open_ones[read(StageStarted, event).name] = event.t
        elif event.kind in {StageDone.kind, StageFailed.kind}:
            name = (
                read(StageDone, event).name
                if event.kind == StageDone.kind
                else read(StageFailed, event).name
            )
            if name in open_ones:
                found.append((name, open_ones.pop(name), event.t))
    found += [(name, began, last) for name, began in open_ones.items()]
    tidying = {COLLECTING_LOGS, REMOVING_CLUSTER}
    return [
        _Stretch(2, Doing.TIDY_UP if name in tidying else Doing.SET_UP, name, began, until)
        for name, began, until in found
    ]


class _Exercises:
    """Which exercise a moment of a worker belongs to."""

    def __init__(self, steps: Sequence[_Stretch], phases: Sequence[_Stretch]) -> None:
        self._phases = sorted((p.began, p.ended, p.name.partition("/")[0]) for p in phases)
        named: dict[str, str] = {}
        for step in steps:
            place = bisect.bisect_left(self._phases, (step.began,))
            if place < len(self._phases) and self._phases[place][0] <= step.ended:
                named.setdefault(step.name, self._phases[place][2])
        self._tests = sorted((s.began, s.ended, named.get(s.name, "")) for s in steps)

    def at(self, began: float, ended: float) -> str:
        """Of the middle of that stretch; "" for none."""
        middle = (began + ended) / 2
        for stretches in (self._phases, self._tests):
            place = bisect.bisect_right(stretches, (middle, math.inf)) - 1
            if place >= 0 and middle <= stretches[place][1]:
                return stretches[place][2]
        return ""


def _waits(events: Sequence[Event], exercises: _Exercises) -> list[Wait]:
    begun: dict[tuple[str, str], list[float]] = defaultdict(list)
    found: list[Wait] = []

    def add(kind: Awaited, what: tuple[str, str], began: float, ended: float, how: str) -> None:
        nodes = tuple(filter(None, what[1:]))
        found.append(Wait(kind, what[0], nodes, exercises.at(began, ended), began, ended, how))

    for event in events:
        if event.kind == WaitBegan.kind:
            wait = read(WaitBegan, event)
            begun[wait.condition, wait.node or ""].append(wait.t)
        elif event.kind in {Waited.kind, SuiteWaited.kind}:
            over = read(Waited, event)
            what = over.condition, over.node or ""
            if begun[what]:
                begun[what].pop()
            kind = Awaited.CONDITION if event.kind == Waited.kind else Awaited.UPKEEP
            add(kind, what, _before(over.t, over.elapsed), over.t, over.outcome)
    for what, times in begun.items():
        for began in times:
            add(Awaited.CONDITION, what, began, events[-1].t, UNFINISHED)
    return found


def _faults(events: Iterable[Event], exercises: _Exercises) -> list[Wait]:
    """Faults being made and mended."""
    found = []
    for event in events:
        if event.kind == FaultInjected.kind:
            made = read(FaultInjected, event)
            said, nodes, seconds = f"{made.fault} is injected", made.nodes, made.seconds
        elif event.kind == FaultHealed.kind:
            mended = read(FaultHealed, event)
            said, nodes, seconds = f"{mended.fault} is healed", mended.nodes, mended.seconds
        else:
            continue
        began = _before(event.t, seconds)
        exercise = exercises.at(began, event.t)
        found.append(Wait(Awaited.FAULT, said, nodes, exercise, began, event.t, "done"))
    return found


def _commands(events: Iterable[Event], exercises: _Exercises) -> list[Wait]:
    found = []
    for event in events:
        if event.kind != Command.kind:
            continue
        command = read(Command, event)
        began = _before(event.t, command.seconds)
        said = f"`{shlex.join(command.argv)}`"
        nodes = (command.node,) if command.node else ()
        exercise = exercises.at(began, event.t)
        found.append(Wait(Awaited.COMMAND, said, nodes, exercise, began, event.t, "done"))
    return found


def _before(t: float, seconds: float) -> float:
    """When something began that took so long until `t`: not before the run."""
    return max(0.0, t - max(0.0, seconds))
