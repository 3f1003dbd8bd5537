"""Backups that can't be taken."""

from __future__ import annotations

from typing import Any

from pytest_swarmlab import failed, passed, unknown
from pytest_swarmlab.evidence.events import Command, Waited, each, last, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, never, not_awaited, out_of_order
from pytest_swarmlab.model import Judgement

from .declared import TROUBLE, exercise
from .events import Mended, TimerSet, Trouble
from .seen import as_expected
from .setting import ANOTHER_RUN, DISK_FULL, ENGINE_REFUSES, IT_LEADS, KILLED, NO_QUORUM_LEFT

NEVER_STOPPED = {IT_LEADS: 4, ANOTHER_RUN: 3, NO_QUORUM_LEFT: 5}
"""Why a backup isn't begun → swarm-backup's exit code for it."""


@exercise.check(
    "not-begun",
    phases=TROUBLE,
    title="A backup that would do harm does not begin",
    expected="exit code 4 on the leader, 3 for a second run, 5 without a spare manager; the engine"
    " keeps running",
    hint="`swarm-backup --help` lists the codes; its output is in the screens below.",
)
def not_begun(record: Record) -> Judgement:
    """Refused before anything is stopped."""
    seen = {e.case: e for e in each(record, Trouble)}
    judgement = as_expected({case: e.code for case, e in seen.items()}, NEVER_STOPPED)
    stopped = [case for case in NEVER_STOPPED if case in seen and seen[case].stopped is not False]
    if stopped and judgement.verdict == "pass":
        return failed(f"the engine was stopped: {', '.join(stopped)}")
    return judgement


@exercise.check(
    "full-disk",
    phases=TROUBLE,
    title="A full disk fails the backup, and does no other harm",
    expected="while the engine is stopped: exit code 8, no file left, and the engine runs again",
    hint="Does the script's trap start docker.service and docker.socket, and remove .partial-…?",
)
def full_disk(record: Record) -> Judgement:
    """The lab's script leaves the engine stopped when tar fails."""
    return _trouble(record, DISK_FULL, code=8, stopped=True, answers=True, left=())


@exercise.check(
    "timer",
    phases=TROUBLE,
    title="The timer starts a backup",
    expected="the timer has elapsed and started swarm-backup.service, which stopped the engine",
    hint="`systemctl list-timers swarm-backup.timer`; `systemctl cat swarm-backup.timer`.",
)
def timer(record: Record) -> Judgement:
    """The run itself starts no backup here: one that stops the engine is the timer's."""
    seen = need(record, TimerSet, "no timer was set")
    told = f"elapsed: {seen.elapsed or 'never'}; starts {seen.unit}"
    good = seen.elapsed not in NEVER and seen.unit == "swarm-backup.service"
    gone = _stopped(record, seen.node, seen.t)
    missing = [] if gone else ["the engine was not seen stopped after the timer was set"]
    return judged(told, holds=good, missing=missing)


def _stopped(record: Record, node: str, before: float) -> bool:
    """Whether the node's engine was seen to be gone, after the timer was started there."""
    argv = ["systemctl", "start", "swarm-backup.timer"]
    started = [e.t for e in each(record, Command, node=node, code=0, argv=argv) if e.t < before]
    waits = each(record, Waited, condition="the engine is gone", node=node, outcome="done")
    return bool(started) and any(started[-1] < e.t < before for e in waits)


NEVER = ("", "0", "n/a", None)
"""systemd's value for a timer that has not elapsed."""


@exercise.check(
    "killed",
    phases=TROUBLE,
    title="kill -9 during a backup leaves the engine running, and no part among the backups",
    expected="the unit ends by a signal, the engine runs again, and there is no additional backup",
    hint="`systemctl status swarm-backup-mend.service`: is it the OnFailure= of the backup's unit?",
)
def killed(record: Record) -> Judgement:
    """No trap runs in a process that was killed so. In the middle: the engine was away by then."""
    seen = need(record, Trouble, "no backup was killed", case=KILLED)
    wanted = {"code": 137, "answers": True, "complete": False, "stopped": True}
    judgement = _trouble(record, KILLED, **wanted)
    if judgement.verdict == "pass" and not _stopped(record, seen.node, seen.t):
        return unknown(f"{judgement.observed}; the engine was not seen stopped at that moment")
    return judgement


@exercise.check(
    "engine-refuses",
    phases=TROUBLE,
    title="The script reports an engine that does not start again, and keeps the backup",
    expected="exit code 9 and a complete backup; after the repair the engine answers",
    hint="`journalctl -u docker` on the node; `swarm-backup --mend` after removing the cause.",
)
def engine_refuses(record: Record) -> Judgement:
    """A complete backup is needed most when the engine does not start."""
    judgement = _trouble(record, ENGINE_REFUSES, code=9, answers=False, complete=True)
    tried, mended = last(record, Trouble, case=ENGINE_REFUSES), last(record, Mended)
    if tried and mended and (late := out_of_order(("the trouble", tried.t), ("its end", mended.t))):
        return unknown("; ".join(late))
    if judgement.verdict == "pass" and tried and mended is None:
        return never(f"{judgement.observed}; it was not mended", not_awaited(record, tried.t))
    if judgement.verdict == "pass" and not (mended and mended.answers):
        return failed(f"{judgement.observed}; the engine does not answer after the repair")
    return judgement


def _trouble(record: Record, case: str, **wanted: Any) -> Judgement:
    seen = last(record, Trouble, case=case)
    if seen is None:
        return unknown("that was not tried")
    found = {key: getattr(seen, key) for key in wanted}
    told = ", ".join(f"{k}: {[*v] if isinstance(v, tuple) else v}" for k, v in found.items())
    return passed(told) if found == wanted else failed(f"{told}; {seen.said}")
