"""Option B: the plugin, when tasks are placed, when its driver is killed, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pytest_swarmlab import unknown
from pytest_swarmlab.evidence.events import Command, each, last, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Window,
    judged,
    never,
    nodes_of,
    not_awaited,
    not_each,
    out_of_order,
)
from pytest_swarmlab.model import Judgement

from .declared import KILLED, REFUSALS, SCHEDULING, exercise
from .events import (
    Activated,
    Advertised,
    Blocked,
    Driver,
    Known,
    RefusedName,
    RefusedOption,
    Scheduled,
    ServerDirectory,
)
from .seen import both, short
from .setting import BAD_NAMES, BAD_OPTIONS

SERVER_ROOT = "/srv/nfs"


@exercise.check(
    "missing-plugin",
    phases=SCHEDULING,
    title="Without the plugin no node can run the task",
    expected="the task stays pending: 'missing plugin'",
    hint="`docker service ps --no-trunc`. Only a mount that names its driver makes a task wait.",
)
def missing_plugin(record: Record) -> Judgement:
    """The scheduler asks for the driver that the mount names."""
    before = need(record, Advertised, "it was not recorded which nodes knew the plugin before")
    if before.nodes:
        nodes = ", ".join(before.nodes)
        return unknown(
            f"{nodes} had used it before: their engines know it until they are restarted"
        )
    seen = need(record, Blocked, "no task was seen to be blocked")
    said = seen.said
    count = len(nodes_of(record))
    return judged(
        said,
        holds="missing plugin" in said,
        missing=[
            *([] if f"on {count} node" in said else [f"that does not tell of all {count} nodes"]),
            *out_of_order(
                ("what the nodes knew", before.t), ("the blocked task", seen.t), _activated(record)
            ),
        ],
    )


@exercise.check(
    "scheduled-when-used",
    phases=SCHEDULING,
    title="Swarm places the task once every node has used the plugin",
    expected="the task runs, without a change of the service",
    hint="A node reports a plugin after its first use: `docker volume create -d rexray` on each.",
)
def scheduled_when_used(record: Record) -> Judgement:
    """Nodes tell the managers of their plugins every 20 s."""
    blocked, (_, activated) = last(record, Blocked), _activated(record)
    if activated is None:
        return unknown("the plugin was not used on every node")
    scheduled = last(record, Scheduled)
    if scheduled is None:
        return never("the task was not placed", not_awaited(record, activated))
    since = Window(blocked.t if blocked else activated, scheduled.t)
    used = {
        e.node
        for e in each(record, Command, code=0)
        if e.t in since and e.argv[:5] == ("docker", "volume", "create", "-d", "rexray")
    }
    touched = [
        e.t
        for e in each(record, Command)
        if e.t in since and e.argv[:3] == ("docker", "service", "update")
    ]
    return judged(
        f"on {scheduled.node}, {scheduled.t - activated:.1f} s after that",
        holds=bool(scheduled.node) and not touched,
        missing=[
            *not_each(used, nodes_of(record), "used it on"),
            *out_of_order(
                ("the blocked task", blocked.t if blocked else None),
                _activated(record),
                ("the placed task", scheduled.t),
            ),
        ],
    )


@exercise.check(
    "seen-everywhere",
    phases=SCHEDULING,
    title="A volume that one node creates exists on all nodes",
    expected="`docker volume ls` of every node lists shared-data",
    hint="`docker volume ls` on each node; `systemctl status rexray`; does its export exist?",
)
def seen_everywhere(record: Record) -> Judgement:
    """Its scope is global: the server's directory is the list."""
    seen = each(record, Known)
    blind = [e.node for e in seen if "shared-data" not in e.volumes]
    told = [e.node for e in seen if e.node not in blind]
    return judged(
        f"on {', '.join(told) or 'none'}",
        wrong=[f"not on {', '.join(blind)}"] if blind else [],
        missing=[
            *not_each(told, nodes_of(record), "asked"),
            *out_of_order(_activated(record), ("the first list", seen[0].t if seen else None)),
        ],
    )


@exercise.check(
    "driver-restarted",
    phases=KILLED,
    title="systemd restarts the killed driver",
    expected="a new process of the driver",
    hint="`systemctl status rexray` on the node: Restart=.",
)
def driver_restarted(record: Record) -> Judgement:
    """Proof that it really was killed."""
    before, after = _driver(record, "before"), _driver(record, "after")
    pids = [before.pid, after.pid]
    return judged(
        f"process {pids[0]}, then {pids[1]}",
        holds="0" not in pids and "" not in pids and pids[0] != pids[1],
        missing=[
            *not_each([after.node], [before.node], "looked on"),
            *out_of_order(("its process", before.t), _killed(record), ("another process", after.t)),
        ],
    )


@exercise.check(
    "service-undisturbed",
    phases=KILLED,
    title="The service keeps its container and its data, and keeps writing",
    expected="the same container reads its earlier data, writes, and reads the new data",
    hint="`grep rexray /proc/mounts`: a driver must not unmount its volumes when it ends.",
)
def service_undisturbed(record: Record) -> Judgement:
    """The kernel has the mount, not the driver."""
    before, after, again = (_driver(record, step) for step in ("before", "after", "written again"))
    if not before.sha256 or not before.container:
        return unknown("nothing was read before")
    same = before.container == after.container == again.container
    kept = before.sha256 == after.sha256
    return judged(
        f"{short(before)}, {short(after)}, and {short(again)} after writing again",
        holds=same and kept and again.sha256 not in (None, before.sha256),
        missing=out_of_order(
            ("the data", before.t),
            _killed(record),
            ("the data again", after.t),
            ("other data", again.t),
        ),
    )


@exercise.check(
    "moves-after-restart",
    phases=KILLED,
    title="With the restarted driver the data still follows the container",
    expected="another node reads the last write",
    hint="`journalctl -u rexray` on both nodes.",
)
def moves_after_restart(record: Record) -> Judgement:
    """The driver must still know the volume's users, to unmount it after the last container."""
    again, moved = _driver(record, "written again"), _driver(record, "moved")
    if not again.sha256 or not moved.container:
        return unknown("the data were not read before and after the move")
    elsewhere = again.node != moved.node
    return judged(
        both(again, moved),
        holds=elsewhere and again.sha256 == moved.sha256,
        missing=out_of_order(
            _killed(record), ("what was written last", again.t), ("another node", moved.t)
        ),
    )


@exercise.check(
    "options-refused",
    phases=REFUSALS,
    title="The plugin refuses unsupported options",
    expected="`docker volume create` fails and names the option, for each of four",
    hint="`journalctl -u rexray`.",
)
def options_refused(record: Record) -> Judgement:
    """A size that is no whole number of GiB, and an option that it does not know."""
    seen = each(record, RefusedOption)
    wrong = [e.asked for e in seen if not e.code or e.asked.partition("=")[0] not in e.said]
    return judged(
        "; ".join(e.said.strip() for e in seen[:2]),
        wrong=[f"not refused by name: {', '.join(wrong)}"] if wrong else [],
        missing=not_each((e.asked for e in seen), BAD_OPTIONS, "tried"),
    )


@exercise.check(
    "names-refused",
    phases=REFUSALS,
    title="The plugin refuses names that leave its directory, also without the engine",
    expected="an error for each of `../escaped`, `a/b`, `/etc`, `..`, `.` and the like",
    hint="A name becomes a directory on the server: it must not leave the driver's own.",
)
def names_refused(record: Record) -> Judgement:
    """Asked of the driver itself, as anybody could who may reach its socket."""
    seen = each(record, RefusedName)
    taken = [e.asked for e in seen if not _error(e.said)]
    return judged(
        "; ".join(e.said.strip() for e in seen[:1]),
        wrong=[f"accepted: {', '.join(map(repr, taken))}"] if taken else [],
        missing=not_each((repr(e.asked) for e in seen), map(repr, BAD_NAMES), "tried the name"),
    )


@exercise.check(
    "nothing-made",
    phases=REFUSALS,
    title="Refused volumes leave nothing on the server",
    expected="the same files below /srv/nfs before and after",
    hint="`find /srv/nfs -maxdepth 3` on the server.",
)
def nothing_made(record: Record) -> Judgement:
    """A refused volume leaves no directory."""
    seen = need(record, ServerDirectory, "nobody looked")
    before, after = set(seen.before), set(seen.after)
    if SERVER_ROOT not in before:
        return unknown("the server's files were not listed first")
    refused: list[RefusedOption | RefusedName] = [
        *each(record, RefusedOption),
        *each(record, RefusedName),
    ]
    refused.sort(key=lambda one: one.t)
    asked = [repr(e.asked) for e in refused]
    looks = [c.t for c in each(record, Command, code=0) if c.argv[:2] == ("find", SERVER_ROOT)]
    new, gone = sorted(after - before), sorted(before - after)
    return judged(
        f"{len(after)} files",
        wrong=[f"new: {', '.join(new) or 'none'}; gone: {', '.join(gone) or 'none'}"]
        if new or gone
        else [],
        missing=[
            *not_each(asked, map(repr, (*BAD_OPTIONS, *BAD_NAMES)), "tried"),
            *out_of_order(
                ("a look at the server", looks[0] if looks else None),
                ("what is refused", refused[0].t if refused else None),
                ("what is refused", refused[-1].t if refused else None),
                ("another look at the server", looks[-1] if len(looks) > 1 else None),
            ),
        ],
    )


@exercise.measure(phases=SCHEDULING)
def placement(record: Record) -> Mapping[str, Any]:
    """Seconds from the plugin's use on the last node until the task ran."""
    activated, scheduled = last(record, Activated), last(record, Scheduled)
    if activated is None or scheduled is None:
        return {"scheduled_s": None}
    return {"scheduled_s": round(scheduled.t - activated.t, 2)}


def _activated(record: Record) -> tuple[str, float | None]:
    activated = last(record, Activated)
    return "the plugin's use on every node", activated.t if activated else None


def _killed(record: Record) -> tuple[str, float | None]:
    """When the driver's process, as it was noted before, was killed on its node."""
    before = _driver(record, "before")
    killed = [
        e.t
        for e in each(record, Command, node=before.node, code=0)
        if e.argv == ("kill", "-9", before.pid)
    ]
    return f"`kill -9 {before.pid}`", killed[0] if killed else None


def _error(answer: str) -> str:
    try:
        found = json.loads(answer)
    except ValueError:
        return ""
    return str(found.get("Err") or "") if isinstance(found, dict) else ""


def _driver(record: Record, step: str) -> Driver:
    missing = f"the driver's process was not noted (step: {step})"
    return need(record, Driver, missing, step=step)
