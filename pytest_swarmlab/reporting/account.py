"""The account of a run's own time, for results.json and the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.evidence.time_spent import Block, Doing, WorkerTime, time_spent
from pytest_swarmlab.evidence.waited_for import WaitedFor, waited_for
from pytest_swarmlab.text import duration, line

MOST = 1000
"""Rows of one table: ten times what the whole lab has, and no more of a record that is odd."""


def account(record: Record) -> dict[str, Any] | None:
    """For results.json: seconds in all, each worker's blocks, what was waited for."""
    workers = time_spent(record)
    if not workers:
        return None
    return {
        "seconds": round(_length(workers), 2),
        "workers": [
            {
                "worker": line(worker.worker),
                "blocks": [_block(block) for block in worker.blocks[:MOST]],
            }
            for worker in workers
        ],
        "waited_for": [_waited_for(each) for each in waited_for(workers)[:MOST]],
    }


def _block(block: Block) -> dict[str, Any]:
    return {
        "doing": block.doing.value,
        "name": line(block.name),
        "exercise": line(block.exercise),
        "began": round(block.began, 2),
        "seconds": round(block.seconds, 2),
        "waiting": round(block.waiting, 2),
        "faults": round(block.faults, 2),
        "commands": round(block.commands, 2),
    }


def _waited_for(each: WaitedFor) -> dict[str, Any]:
    return {
        "kind": each.kind.value,
        "condition": line(each.condition),
        "exercise": line(each.exercise),
        "nodes": [line(node) for node in each.nodes[:MOST]],
        "times": each.times,
        "seconds": round(each.seconds, 2),
        "longest": round(each.longest, 2),
        "unmet": each.unmet,
    }


def _length(workers: Sequence[WorkerTime]) -> float:
    return max((b.ended for worker in workers for b in worker.blocks), default=0.0)


COLUMNS = {
    "set-up": (Doing.SET_UP,),
    "drills": (Doing.DRILL,),
    "rest of the tests": (Doing.TEST,),
    "tidying up": (Doing.TIDY_UP,),
    "outside of tests": (Doing.BEFORE, Doing.BETWEEN, Doing.AFTER),
}
"""A heading → what is summed under it."""


def by_exercise(workers: Iterable[WorkerTime]) -> list[dict[str, Any]]:
    """A row for each exercise, in the order of their begins, and one for all other time."""
    rows: dict[str, list[Block]] = {}
    blocks = (block for worker in workers for block in worker.blocks)
    for block in sorted(blocks, key=lambda b: b.began):
        rows.setdefault(block.exercise, []).append(block)
    others = rows.pop("", [])
    found = [_row(f"exercise {line(name)}", rows[name]) for name in list(rows)[:MOST]]
    return found + ([_row("no exercise", others)] if others else [])


def by_worker(workers: Iterable[WorkerTime]) -> list[dict[str, Any]]:
    """A row for each worker."""
    return [_row(line(worker.worker), worker.blocks) for worker in workers]


def _row(name: str, blocks: Sequence[Block]) -> dict[str, Any]:
    seconds = sum(block.seconds for block in blocks)
    waiting = sum(block.waiting for block in blocks)
    faults = sum(block.faults for block in blocks)
    commands = sum(block.commands for block in blocks)
    return {
        "name": name,
        "columns": list(_sums(blocks).values()),
        "seconds": seconds,
        "spent": [waiting, faults, commands, max(0.0, seconds - waiting - faults - commands)],
    }


def _sums(blocks: Sequence[Block]) -> dict[str, float]:
    return {
        heading: sum(block.seconds for block in blocks if block.doing in doing)
        for heading, doing in COLUMNS.items()
    }


def summary(workers: Sequence[WorkerTime]) -> str:
    """One sentence: the run's duration, and what took most of it."""
    blocks = [block for worker in workers for block in worker.blocks]
    parts = [f"{what} {duration(s)}" for what, s in _sums(blocks).items() if s >= LEAST]
    many = f" with {len(workers)} workers, whose times sum to" if len(workers) > 1 else ":"
    waiting = sum(block.waiting for block in blocks)
    return (
        f"{duration(_length(workers))}{many} {', '.join(parts)}; {duration(waiting)} of it waiting"
    )


def told(record: Record, most: int = 5) -> str:
    """The account in a few lines: the run's length, what took most of it, the longest waits."""
    workers = time_spent(record)
    if not workers:
        return ""
    lines = [f"time: {summary(workers)}"]
    for each in waited_for(workers)[:most]:
        where = f" in {line(each.exercise)}" if each.exercise else ""
        times = f", {each.times} times" if each.times > 1 else ""
        lines.append(f"  {duration(each.seconds):>12}  {line(each.condition)}{where}{times}")
    return "".join(f"{each}\n" for each in lines)


LEAST = 0.05
"""Shorter times are not mentioned."""
