"""The kinds of event as frozen types: each is written by its type, and read back by it.

What an event says in words and units stands here once; docs/record.md and its JSON Schema are made
from it. A kind that has no type yet is written as ``recorder.record(kind, …)`` and read as `data`.
"""

from pytest_swarmlab.evidence.events.clients import Entries, Entry, Request
from pytest_swarmlab.evidence.events.faults import (
    FaultHealed,
    FaultHealing,
    FaultInjected,
    FaultInjecting,
)
from pytest_swarmlab.evidence.events.kind import KINDS, Seen, each, read
from pytest_swarmlab.evidence.events.run import (
    EndOfTest,
    MachineLoad,
    Milestone,
    Notice,
    PhaseFinished,
    PhaseStarted,
    StageDone,
    StageFailed,
    StageStarted,
    StepBegan,
    SuiteWaited,
    WaitBegan,
    Waited,
)
from pytest_swarmlab.evidence.events.swarm import (
    NodeSeen,
    NodesSample,
    Ping,
    TaskSeen,
    TasksSample,
    Write,
)

__all__ = [
    "KINDS",
    "EndOfTest",
    "Entries",
    "Entry",
    "FaultHealed",
    "FaultHealing",
    "FaultInjected",
    "FaultInjecting",
    "MachineLoad",
    "Milestone",
    "NodeSeen",
    "NodesSample",
    "Notice",
    "PhaseFinished",
    "PhaseStarted",
    "Ping",
    "Request",
    "Seen",
    "StageDone",
    "StageFailed",
    "StageStarted",
    "StepBegan",
    "SuiteWaited",
    "TaskSeen",
    "TasksSample",
    "WaitBegan",
    "Waited",
    "Write",
    "each",
    "read",
]
