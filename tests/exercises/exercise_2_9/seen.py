"""Readings that several judges of exercise 2.9 share."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.readings import Request, TaskSeen, TasksSample
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Window,
    judged,
    members_of,
    not_asked,
    not_each,
    out_of_order,
)
from pytest_swarmlab.judging.exercise import overall
from pytest_swarmlab.model import Judgement

from .declared import PAUSE_S
from .setting import API_PORT, API_REPLICAS


def uncovered(record: Record, asked: Sequence[Request], window: Window) -> list[str]:
    """The members through which no client came for too long, or none before or after the outage."""
    nodes = members_of(record)
    missing = not_asked(asked, through=nodes, window=window, pause=PAUSE_S)
    before = {r.node for r in asked if r.over <= window.began}
    after = {r.node for r in asked if r.sent >= window.ended}
    missing += not_each(before, nodes, "came before it through")
    return missing + not_each(after, nodes, "came after it through")


def through(record: Record, port: int) -> list[Request]:
    return [r for r in readings.requests(record) if r.port == port]


def at_work(tasks: Sequence[TaskSeen]) -> list[TaskSeen]:
    return [task for task in tasks if task.running]


def last_list(record: Record) -> TasksSample | None:
    samples = readings.task_lists(record)
    return samples[-1] if samples else None


def by_status(requests: list[Request]) -> str:
    kinds = [str(r.status or r.error) for r in requests]
    return ", ".join(f"{kinds.count(kind)} × {kind}" for kind in sorted(set(kinds))) or "none"


def all_answered(record: Record, asked: list[Request], window: Window) -> Judgement:
    bad = [r for r in asked if not r.ok]
    told = f"{len(asked) - len(bad)} of {len(asked)} answered"
    wrong = [by_status(bad)] if bad else []
    return judged(told, wrong=wrong, missing=uncovered(record, asked, window))


def untouched(record: Record, service: str, window: Window) -> Judgement:
    """All of the API's requests were answered, and its tasks are the first ones."""
    asked = all_answered(record, through(record, API_PORT), window)
    samples = readings.task_lists(record, service)
    others = {t.id for s in samples for t in s.tasks if not t.running}
    told = f"{asked.observed}; {len(others)} of its tasks were replaced"
    ids = {frozenset(t.id for t in at_work(s.tasks)) for s in samples}
    full = all(len(each) == API_REPLICAS for each in ids) and len(ids) <= 1
    last = samples[-1].asked if samples else None
    missing = out_of_order(("its end", window.ended), ("the list of its tasks", last))
    judgement = judged(told, holds=full and not others, missing=missing)
    return Judgement(overall((judgement.verdict, asked.verdict)), judgement.observed)
