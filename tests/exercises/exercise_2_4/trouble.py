"""Judges of wrong mounts, root_squash, and the server's outage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_swarmlab import failed, passed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import Command, each, last, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Window,
    judged,
    nodes_of,
    not_each,
    not_while,
    out_of_order,
)
from pytest_swarmlab.model import Judgement

from .declared import AWAY, MISTAKES, SQUASH, exercise
from .events import Hangs, Mistake, Options, Refused, Squashed, Unsquashed
from .seen import server_fault, tasks_later, while_away


def _mistake(name: str, *wanted: str) -> None:
    titles = {
        "missing-subdirectory": "A subdirectory that does not exist is refused",
        "not-exported": "A directory that is not exported is refused",
        "missing-bind-path": "A bind mount of a path that does not exist is refused",
    }

    @exercise.check(
        name,
        phases=MISTAKES,
        title=titles[name],
        expected=f"the task fails, and says {' … '.join(map(repr, wanted))}",
        hint="`docker service ps --no-trunc`: the column ERROR.",
    )
    def refused(record: Record) -> Judgement:
        """The engine's own words."""
        seen = need(record, Mistake, "it was not tried", name=name)
        return judged(
            f"{seen.state} on {seen.node}: {seen.said}",
            holds=all(text in seen.said for text in wanted)
            and seen.state in {"failed", "rejected"},
            missing=not_each(nodes_of(record), [seen.node], "knows the node"),
        )


_mistake("missing-subdirectory", "failed to mount local volume", "no such file or directory")
# Below the root that NFS version 4 shows there is nothing but what is exported.
_mistake("not-exported", "failed to mount local volume", "no such file or directory")
_mistake("missing-bind-path", "bind source path does not exist")


@exercise.check(
    "options-kept",
    phases=MISTAKES,
    title="An existing volume keeps its options",
    expected="the second service asks for another directory and gets that of the first",
    hint="`docker volume inspect`: remove the volume on every node before you change its options.",
)
def options_kept(record: Record) -> Judgement:
    """Without a message the engine takes an existing volume of that name."""
    seen = [(e.asked, e.device) for e in each(record, Options)]
    if len(seen) != 2:
        return unknown("two services with other options were not tried")
    (first, made), (second, kept) = seen
    told = f"asked for {first}, then {second}; it is {made}, then {kept}"
    return passed(told) if first == made == kept != second else failed(told)


@exercise.check(
    "root-squash-refuses",
    phases=SQUASH,
    title="With root_squash the database can't chown its directory",
    expected="the task fails, with 'operation not permitted' as the reason",
    hint="`docker service ps --no-trunc`: on the server root is nobody, and can't chown.",
)
def root_squash_refuses(record: Record) -> Judgement:
    """On the server root of the container is `nobody`, as is the engine that fills a new volume."""
    seen = need(record, Squashed, "it was not tried")
    lines = [seen.error, *seen.said.splitlines()]
    line = next((line for line in lines if "operation not permitted" in line.lower()), None)
    return passed(line) if line else failed(f"it failed with another error: {lines[0]}")


@exercise.check(
    "no-root-squash-permits",
    phases=SQUASH,
    title="With no_root_squash the same service starts",
    expected="the service runs, and its directory belongs to PostgreSQL's user (70)",
    hint="`stat` on the server; no_root_squash trusts every root of the subnet: export no wider.",
)
def no_root_squash_permits(record: Record) -> Judgement:
    """Only the export's option differs."""
    seen, before = need(record, Unsquashed, "it did not start"), last(record, Squashed)
    return judged(
        f"owner and mode on the server: {seen.owner}",
        holds=seen.owner.startswith("70:"),
        missing=out_of_order(
            ("a refusal with root_squash", before.t if before else None),
            ("the start without it", seen.t),
        ),
    )


@exercise.check(
    "new-task-refused",
    phases=AWAY,
    title="Without the NFS server no new task can mount the volume",
    expected="the task fails, and says 'failed to mount local volume'",
    hint="`docker service ps --no-trunc`: the column ERROR.",
)
def new_task_refused(record: Record) -> Judgement:
    """NFS on manager1 is a single point of failure, as the lab builds it."""
    seen = need(record, Refused, "no task failed")
    return judged(
        f"{seen.state} on {seen.node}: {seen.said}",
        holds="failed to mount local volume" in seen.said,
        missing=not_while([seen.t], while_away(server_fault(record)), "saw a task fail"),
    )


@exercise.check(
    "mounted-share-waits",
    phases=AWAY,
    title="A mounted share waits instead of failing",
    expected="`ls` of the share has not ended after 5 s (exit code 124)",
    hint="An error at once means a soft mount: a database would take it for a broken disk.",
)
def mounted_share_waits(record: Record) -> Judgement:
    """Hard, seen from the outside."""
    seen = need(record, Hangs, "nobody looked")
    return judged(
        f"exit code {seen.code} on {seen.node}: {seen.said or 'silent'}",
        holds=seen.code == 124,
        missing=not_while([seen.t], while_away(server_fault(record)), "looked at the share"),
    )


@exercise.check(
    "recovers-by-itself",
    phases=AWAY,
    title="The service starts by itself when the NFS server returns",
    expected="one running task, without a command",
    hint="`docker service ps`: is the restart condition `any`?",
)
def recovers_by_itself(record: Record) -> Judgement:
    """Swarm tries again every 5 s."""
    fault, failed_then = server_fault(record), need(record, Refused, "no task failed")
    tasks = [task for task in tasks_later(record, fault) if task.desired == "running"]
    told = ", ".join(f"{task.state} on {task.node}" for task in tasks)
    since = Window(failed_then.t, record.events[-1].t)
    run = [command for command in each(record, Command) if command.t > failed_then.t]
    touched = [
        f"a command intervened: {' '.join(command.argv[:3])}"
        for command in run
        if command.argv[:2] == ("docker", "service")
        and command.argv[2] in {"update", "scale", "create"}
    ]
    return judged(
        told or "no task",
        holds=len(tasks) == 1 and tasks[0].running,
        missing=[
            *touched,
            # Without any recorded command, an intervention would be missing, too.
            *not_while((command.t for command in run), since, "noted a command"),
            *not_each((task.node for task in tasks), [failed_then.node], "saw a task on"),
            *not_while([failed_then.t], while_away(fault), "saw a task fail"),
        ],
    )


@exercise.measure(phases=AWAY)
def recovery(record: Record) -> Mapping[str, Any]:
    """Seconds from the server's return to the service's."""
    fault, seen = readings.fault(record), readings.task_samples(record)
    ran = [s.t for s in seen if any(task.running for task in s.tasks)]
    if fault is None or fault.healed is None or not ran:
        return {"recovered_s": None}
    return {"recovered_s": round(ran[0] - fault.healed, 2)}
