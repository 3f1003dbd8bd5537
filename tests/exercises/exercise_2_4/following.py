"""Data that stay where they were written, data that follow their service, writes meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_swarmlab import failed, not_provable, unknown
from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import Command, Entries, each, last, need
from pytest_swarmlab.evidence.readings import Fault, Ledger, TaskSeen
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Window,
    judged,
    never,
    not_each,
    not_while,
    not_written,
    out_of_order,
)
from pytest_swarmlab.model import Judgement

from .declared import DISTRIBUTED, LOCAL, STORAGES, exercise
from .events import Moved, Place, Proof, Spared, Speed, Stuck
from .seen import both, is_nfs4_hard, server_fault, tasks_later, while_away
from .setting import AWAY_S, LEDGER

UNDISTURBED_S = 5.0
"""A write to a local volume needs no server. On an embedded node it takes 0.4 s, `docker exec`
included."""
SPARED = not_provable(
    "the NFS server is no node here, or somebody's own, and others may need it: it is not taken"
    " away, and nothing is written"
)
IDLE_S = 2.0
"""Longest pause between two writes: the ledger makes one of 0.2 s."""


@exercise.check(
    "mount-options",
    phases=DISTRIBUTED,
    title="The data is on a hard mount of NFS version 4",
    expected="/proc/mounts of the node: nfs4 with vers=4 and hard for the container's data",
    hint="`docker volume inspect`: an existing volume keeps its options.",
)
def mount_options(record: Record) -> Judgement:
    """The kernel's mount of the container's data."""
    seen = need(record, Place, "the data's mount was not read")
    written = _proof(record, "written")
    return judged(
        f"on {seen.node}: {seen.mount}",
        holds=is_nfs4_hard(seen.mount),
        missing=not_each([seen.node], [written.node], "looked on"),
    )


@exercise.check(
    "data-follow",
    phases=DISTRIBUTED,
    title="The data follows the container",
    expected="another container on another node reads the same checksum",
    hint="`docker service ps`: did the task move? Is the share mounted on that node too?",
)
def data_follow(record: Record) -> Judgement:
    """A file of 1 MiB of noise, written through one node and read through another."""
    if stuck := last(record, Stuck):
        return failed(f"it can't leave {stuck.node}: {stuck.why}")
    written, moved = _written_and_moved(record)
    if written.node == moved.node:
        return failed(f"the service is still on {moved.node}")
    return judged(both(written, moved), holds=written.sha256 == moved.sha256)


@exercise.check(
    "data-stay",
    phases=LOCAL,
    title="The data of a local volume stays on its node",
    expected="another container on another node does not find the file",
    hint="Each node has its own volume of that name; Swarm copies none to another node.",
)
def data_stay(record: Record) -> Judgement:
    """The contrast, by the same steps."""
    written, moved = _written_and_moved(record)
    lacks = [] if moved.sha256 or _no_such_file(record, moved) else ["the file was not looked for"]
    elsewhere = written.node != moved.node
    return judged(both(written, moved), holds=elsewhere and moved.sha256 is None, missing=lacks)


@exercise.check(
    "waits-for-its-server",
    phases=DISTRIBUTED,
    title="The database waits while the NFS server is away, and continues by itself",
    expected="no write is acknowledged during the outage; the same task writes again afterwards",
    hint="`docker service ps`: if the task was replaced, it did not wait. Is the mount soft?",
)
def waits_for_its_server(record: Record) -> Judgement:
    """Hard: the write is repeated until the server has it."""
    if last(record, Spared):
        return SPARED
    rows, fault = _writes_and_fault(record)
    stalled = rows.stalled_s(record)
    if stalled is None:
        return never(
            f"{len(rows.acknowledged)} writes, and none after the server was back",
            not_written(
                rows.entries, window=Window(fault.began, fault.healed or 0.0), pause=IDLE_S
            ),
        )
    away = while_away(fault)
    # One that was under way when it went may still be told of.
    meanwhile = [e for e in rows.acknowledged if fault.injected < e.sent and e.over < away.ended]
    over = _over_before(record, fault)
    tasks = [task for task in tasks_later(record, fault) if task.id not in over]
    lacks = _not_written_across(rows, fault)
    lacks += not_while(
        [e.over for e in rows.acknowledged if e.sent < away.ended],
        Window(away.ended, rows.entries[-1].over),
        "heard of a write that waited for the server",
    )
    lacks += _another_container(record, tasks)
    return judged(
        f"the longest wait for an acknowledgement is {stalled:.1f} s;"
        f" {len(tasks)} tasks since its creation",
        holds=len(tasks) == 1 and tasks[0].running,
        wrong=[f"{len(meanwhile)} writes were acknowledged without it"] if meanwhile else [],
        missing=lacks,
    )


@exercise.check(
    "needs-no-server",
    phases=LOCAL,
    timed=True,
    title="A local volume needs no NFS server",
    expected=f"no more than {UNDISTURBED_S:.0f} s between two acknowledged writes",
    hint="Was the node busy? Compare `speed` in events.jsonl.",
)
def needs_no_server(record: Record) -> Judgement:
    """The contrast: the NFS server goes away, and nothing happens."""
    rows, fault = _writes_and_fault(record)
    gap = rows.longest_gap
    if gap is None:
        return unknown("no write was acknowledged")
    seen, lacks = f"longest gap {gap.seconds:.1f} s", _not_written_across(rows, fault)
    undisturbed = gap.closed and gap.seconds <= UNDISTURBED_S
    return judged(seen, missing=lacks) if undisturbed else never(seen, lacks)


@exercise.check(
    "no-acknowledged-write-lost",
    phases=STORAGES,
    title="No acknowledged write is lost or doubled",
    expected="every acknowledged row exists once, under its id",
    hint="Compare `entry` and `entries` in events.jsonl; is the export `sync`?",
)
def no_acknowledged_write_lost(record: Record) -> Judgement:
    """Read from the other node; on a local volume, where it was written."""
    if last(record, Spared):
        return SPARED
    rows, fault = _writes_and_fault(record)
    read = need(record, Entries, "nobody read the rows back", ledger=LEDGER)
    if not rows.acknowledged:
        return unknown("no write was acknowledged")
    # On a local volume the rows don't come along.
    moved = None if _phase(record) in LOCAL else need(record, Moved, "the service never moved")
    strange = {number for _, number in rows.found or ()} - {e.number for e in rows.entries}
    return judged(
        f"{len(rows.acknowledged)} acknowledged, {len(rows.found or ())} there,"
        f" {len(rows.lost)} lost, {len(rows.duplicated)} twice",
        holds=not rows.lost and not rows.duplicated,
        missing=[
            *_not_written_across(rows, fault),
            *(f"{number} is there, but its write was not recorded" for number in sorted(strange)),
            *out_of_order(
                ("the server's return", fault.healed),
                ("the last write", rows.entries[-1].over),
                *([("the move", moved.t)] if moved else []),
                ("the reading", read.t),
            ),
        ],
    )


@exercise.measure(phases=STORAGES)
def comparison(record: Record) -> Mapping[str, Any]:
    """The lab's "Comparatif des solutions": the same figures for each way to keep data."""
    speed, rows = last(record, Speed), readings.ledger(record, LEDGER)
    sent = [e.t for e in each(record, Command) if "--constraint-add" in e.argv]
    moved = last(record, Moved)
    gap = rows.longest_gap if rows else None
    return {
        "fsync_ms": round(1000 * speed.fsync_seconds / speed.fsyncs, 3) if speed else None,
        "write_mib_s": round(speed.size_mib / speed.write_seconds, 1) if speed else None,
        "move_s": round(moved.t - sent[0], 2) if moved and sent else None,
        "server_away_stall_s": rows.stalled_s(record) if rows else None,
        "longest_gap_s": round(gap.seconds, 3) if gap else None,
        "acknowledged_writes": len(rows.acknowledged) if rows else None,
        "lost_writes": len(rows.lost) if rows and rows.found is not None else None,
        "duplicated_writes": len(rows.duplicated) if rows and rows.found is not None else None,
    }


exercise.compare(
    phases=STORAGES,
    measures={
        "fsync_ms": "8 KiB, on the disk: ms",
        "write_mib_s": "64 MiB in a row: MiB/s",
        "move_s": "sent elsewhere: s",
        "server_away_stall_s": "server away 6 s: stall, s",
    },
)


def _proof(record: Record, step: str) -> Proof:
    """The checksum that a container read in that step. Raises Unseen when nobody took it."""
    event = need(record, Proof, f"the checksum was not taken (step: {step})", step=step)
    if not event.node or not event.container:
        raise Unseen(f"nobody knows where the checksum was taken (step: {step})")
    return event


def _written_and_moved(record: Record) -> tuple[Proof, Proof]:
    """The checksums before and after the move, in this order, by two containers."""
    written, moved = _proof(record, "written"), _proof(record, "moved")
    if not written.sha256:
        raise Unseen("the checksum was not taken before the move")
    sent = [e.t for e in each(record, Command, code=0) if "--constraint-add" in e.argv]
    lacks = out_of_order(
        ("the checksum", written.t),
        ("the move", sent[0] if sent else None),
        ("the checksum after it", moved.t),
    )
    if written.container == moved.container:
        lacks.append(f"both were taken by the container {written.container}")
    if lacks:
        raise Unseen("; ".join(lacks))
    return written, moved


def _no_such_file(record: Record, proof: Proof) -> bool:
    """Whether that container looked, and said itself that it has no such file."""
    return any(
        "sha256sum" in e.argv and proof.container in e.argv and "No such file" in e.stderr
        for e in each(record, Command, node=proof.node)
    )


def _phase(record: Record) -> str:
    return record.events[-1].phase.split("/")[1]


def _writes_and_fault(record: Record) -> tuple[Ledger, Fault]:
    rows = readings.ledger(record, LEDGER)
    if rows is None:
        raise Unseen("nothing was written while the server was taken away")
    return rows, server_fault(record)


def _not_written_across(rows: Ledger, fault: Fault) -> list[str]:
    """Gaps without writes: before the outage, during it, or afterwards."""
    away = while_away(fault)
    back = away.ended if fault.healed is None else fault.healed
    acknowledged = [entry.over for entry in rows.acknowledged]
    lacks = not_written(rows.entries, window=Window(fault.began - 1.0, back + 1.0), pause=IDLE_S)
    lacks += not_while(acknowledged, Window(0.0, fault.began), "wrote before the server went")
    lacks += not_while(
        [entry.over for entry in rows.acknowledged if entry.sent > back],
        Window(back, rows.entries[-1].over),
        "wrote after the server was back",
    )
    if away.seconds < AWAY_S - 1:
        lacks.append(f"the server was away for {away.seconds:.1f} s only")
    return lacks


def _over_before(record: Record, fault: Fault) -> set[str]:
    """Tasks that were over before the server went: of somebody's own database there may be some."""
    seen = [s for s in readings.task_lists(record) if s.t <= fault.began]
    return {task.id for task in seen[-1].tasks if not task.running} if seen else set()


def _another_container(record: Record, tasks: Iterable[TaskSeen]) -> list[str]:
    """Whether none of these tasks has the container that wrote the proof before the fault."""
    mine = _proof(record, "written").container
    return [] if any(task.container == mine for task in tasks) else [f"{mine} is in no task"]
