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
    Change,
    EndOfTest,
    MachineLoad,
    Milestone,
    Notice,
    PhaseFinished,
    PhaseStarted,
    Problem,
    StageDone,
    StageFailed,
    StageStarted,
    StepBegan,
    SuiteWaited,
    WaitBegan,
    Waited,
)
from pytest_swarmlab.evidence.events.swarm import (
    Info,
    NodeJoined,
    NodeSeen,
    NodesSample,
    NodeUp,
    Ping,
    Raft,
    TaskSeen,
    TasksSample,
    Write,
)

__all__ = [
    "KINDS",
    "Change",
    "EndOfTest",
    "Entries",
    "Entry",
    "FaultHealed",
    "FaultHealing",
    "FaultInjected",
    "FaultInjecting",
    "Info",
    "MachineLoad",
    "Milestone",
    "NodeJoined",
    "NodeSeen",
    "NodeUp",
    "NodesSample",
    "Notice",
    "PhaseFinished",
    "PhaseStarted",
    "Ping",
    "Problem",
    "Raft",
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
