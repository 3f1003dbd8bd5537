"""What must be true of storage that follows its service, judged on the record alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pytest_swarmlab import Exercise, failed, passed, unknown
from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.readings import Fault, Ledger, TaskSeen
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Window,
    judged,
    never,
    nodes_of,
    not_each,
    not_while,
    not_written,
    out_of_order,
)
from pytest_swarmlab.model import Capability, Event, Judgement
from tests.exercises.exercise_2_4.setting import AWAY_S, BAD_NAMES, BAD_OPTIONS, LEDGER

SERVER_ROOT = "/srv/nfs"
SHARE = ("share",)
LOCAL = ("local",)
DISTRIBUTED = ("nfs-bind", "nfs-volume", "plugin")
STORAGES = LOCAL + DISTRIBUTED
SCHEDULING, KILLED, REFUSALS = ("plugin-scheduling",), ("plugin-killed",), ("plugin-refusals",)
MISTAKES, SQUASH, AWAY = ("mistakes",), ("root-squash",), ("server-away",)

exercise = Exercise(
    "2.4",
    "Solutions de stockage distribué",
    module=__name__,
    titles={
        "share": "Option A: the share as the lab sets it up",
        "local": "A local volume, for comparison",
        "nfs-bind": "A directory of the mounted share (bind mount)",
        "nfs-volume": "A volume that the engine mounts over NFS",
        "plugin": "A volume of the plugin, by the lab's own commands",
        "plugin-scheduling": "Option B: when Swarm places a task that needs the plugin",
        "plugin-killed": "The plugin's driver is killed under a running service",
        "plugin-refusals": "What the plugin refuses",
        "mistakes": "What is mounted wrongly",
        "root-squash": "root_squash against no_root_squash",
        "server-away": "The NFS server is away",
    },
    needs=dict.fromkeys(
        (*SHARE, *STORAGES, *SCHEDULING, *KILLED, *REFUSALS, *MISTAKES, *SQUASH, *AWAY),
        (Capability.CHANGE, Capability.NFS),
    ),
)

UNDISTURBED_S = 5.0
"""A write to a local volume needs no server. On an embedded node it takes 0.4 s, `docker exec`
included."""
IDLE_S = 2.0
"""Longest pause between two writes: the ledger makes one of 0.2 s."""


# -- option A: the share ------------------------------------------------------------------------


@exercise.check(
    "packages",
    phases=SHARE,
    title="Server and clients have NFS's packages",
    expected="nfs-kernel-server on the server, nfs-common on every node",
    hint="`dpkg -l nfs-kernel-server nfs-common`, on the nodes named.",
)
def packages(record: Record) -> Judgement:
    """Without nfs-common a node mounts nothing from its fstab."""
    server, clients = record.need("server", "nobody looked at the server"), _clients(record)
    without = [e.data["node"] for e in clients if not e.data["package"]]
    if not server.data["package"]:
        return failed(f"{server.data['node']} has no nfs-kernel-server")
    if without:
        return failed(f"no nfs-common on {', '.join(without)}")
    return passed(f"the server on {server.data['node']}, the client on {len(clients)} nodes")


@exercise.check(
    "exported",
    phases=SHARE,
    title="The directory is exported to the lab's subnet",
    expected="/srv/nfs/swarm-data for 192.168.56.0/24: rw, sync, no_root_squash",
    hint="`exportfs -v` on the server; after a change of /etc/exports: `exportfs -ra`.",
)
def exported(record: Record) -> Judgement:
    """What the server says that it exports, not what stands in its file."""
    server = record.need("server", "nobody looked")
    lines = [line.split() for line in str(server.data["exports"]).splitlines()]
    mine = [words[1] for words in lines if len(words) > 1 and words[0] == "/srv/nfs/swarm-data"]
    if not mine:
        return failed(f"not among: {server.data['exports'] or 'nothing is exported'}")
    client, _, options = mine[0].rstrip(")").partition("(")
    lacks = {"rw", "sync", "no_root_squash"} - set(options.split(","))
    told = f"to {client}: {options}"
    return passed(told) if client == "192.168.56.0/24" and not lacks else failed(told)


@exercise.check(
    "permanent",
    phases=SHARE,
    title="Every node mounts it by its fstab, after the network",
    expected="a line of /etc/fstab with _netdev on every node",
    hint="Without `_netdev` a node tries to mount before its network is up, and hangs at boot.",
)
def permanent(record: Record) -> Judgement:
    """The lab's line lacks `_netdev`."""
    clients = _clients(record)
    without = [e.data["node"] for e in clients if "_netdev" not in _options(e.data["fstab"])]
    told = f"{len(clients) - len(without)} of {len(clients)} nodes"
    return failed(f"{told}; not {', '.join(without)}") if without else passed(told)


@exercise.check(
    "mounted",
    phases=SHARE,
    title="Every node has it mounted, as NFS version 4 and hard",
    expected="/proc/mounts: nfs4 with vers=4 and hard",
    hint="`grep nfs /proc/mounts`: version 3 keeps the locks of a lost node; soft loses writes.",
)
def mounted(record: Record) -> Judgement:
    """What the kernel says, on every node."""
    clients = _clients(record)
    wrong = {e.data["node"]: e.data["mount"] for e in clients if not _is_nfs4_hard(e.data["mount"])}
    if wrong:
        return failed("; ".join(f"{node}: {line}" for node, line in wrong.items()))
    return passed(f"{len(clients)} nodes, for example {clients[0].data['mount']}")


@exercise.check(
    "seen-by-all",
    phases=SHARE,
    title="What one node writes, every node reads",
    expected="the same text on every node",
    hint="`cat /mnt/nfs/swarm-data/…` on each node: is it the share, or an empty directory?",
)
def seen_by_all(record: Record) -> Judgement:
    """A share that isn't mounted looks like an empty directory."""
    clients = _clients(record)
    blind = [e.data["node"] for e in clients if e.data["read"] != "seen by all"]
    if blind:
        return failed(f"not on {', '.join(blind)}")
    return passed(f"on {', '.join(e.data['node'] for e in clients)}")


# -- data that stay, data that follow -----------------------------------------------------------


@exercise.check(
    "mount-options",
    phases=DISTRIBUTED,
    title="The data lie on NFS, version 4, hard",
    expected="/proc/mounts of the node: nfs4 with vers=4 and hard where the container's data are",
    hint="`docker volume inspect`: an existing volume keeps the options it was made with.",
)
def mount_options(record: Record) -> Judgement:
    """What the kernel says of the place that the container writes to."""
    seen = record.need("place", "nobody looked where the data are")
    written = _proof(record, "written")
    return judged(
        f"on {seen.data['node']}: {seen.data['mount']}",
        holds=_is_nfs4_hard(seen.data["mount"]),
        missing=not_each([seen.data["node"]], [written.data["node"]], "looked on"),
    )


@exercise.check(
    "data-follow",
    phases=DISTRIBUTED,
    title="The data follow the container",
    expected="another container on another node reads the same checksum",
    hint="`docker service ps`: did the task move? Is the share mounted on that node too?",
)
def data_follow(record: Record) -> Judgement:
    """A file of 1 MiB of noise, written through one node and read through another."""
    written, moved = _written_and_moved(record)
    if written.data["node"] == moved.data["node"]:
        return failed(f"the service is still on {moved.data['node']}")
    return judged(_both(written, moved), holds=written.data["sha256"] == moved.data["sha256"])


@exercise.check(
    "data-stay",
    phases=LOCAL,
    title="The data of a local volume stay behind",
    expected="another container on another node does not find the file",
    hint="Each node has a volume of that name of its own; nothing copies one to the other.",
)
def data_stay(record: Record) -> Judgement:
    """The contrast, by the same steps."""
    written, moved = _written_and_moved(record)
    lacks = [] if moved.data["sha256"] or _no_such_file(record, moved) else ["nobody could look"]
    elsewhere = written.data["node"] != moved.data["node"]
    return judged(
        _both(written, moved), holds=elsewhere and moved.data["sha256"] is None, missing=lacks
    )


@exercise.check(
    "waits-for-its-server",
    phases=DISTRIBUTED,
    title="While the NFS server is away, the database waits, and goes on by itself",
    expected="no write is acknowledged while it is away; the same task writes on afterwards",
    hint="`docker service ps`: a task that was replaced did not wait. Is the mount soft?",
)
def waits_for_its_server(record: Record) -> Judgement:
    """Hard: the write is repeated until the server has it."""
    rows, fault = _writes_and_fault(record)
    stalled = rows.stalled_s(record)
    if stalled is None:
        return never(
            f"{len(rows.acknowledged)} writes, and none after the server was back",
            not_written(
                rows.entries, window=Window(fault.began, fault.healed or 0.0), pause=IDLE_S
            ),
        )
    away = _away(fault)
    # One that was under way when it went may still be told of.
    meanwhile = [e for e in rows.acknowledged if fault.injected < e.sent and e.over < away.ended]
    tasks = _tasks_later(record, fault)
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
    title="A local volume needs no server",
    expected=f"no more than {UNDISTURBED_S:.0f} s between two acknowledged writes",
    hint="What else took the node's time? Compare `speed` in events.jsonl.",
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
    title="No acknowledged write is lost or there twice",
    expected="every row that was acknowledged is there, under its id, once",
    hint="Compare `entry` and `entries` in events.jsonl; is the export `sync`?",
)
def no_acknowledged_write_lost(record: Record) -> Judgement:
    """Read from the other node; on a local volume, where it was written."""
    rows, fault = _writes_and_fault(record)
    read = record.need("entries", "nobody read the rows back", ledger=LEDGER)
    if not rows.acknowledged:
        return unknown("no write was acknowledged")
    # On a local volume the rows don't come along.
    moved = None if _phase(record) in LOCAL else record.need("moved", "the service never moved")
    strange = {number for _, number in rows.found or ()} - {e.number for e in rows.entries}
    return judged(
        f"{len(rows.acknowledged)} acknowledged, {len(rows.found or ())} there,"
        f" {len(rows.lost)} lost, {len(rows.duplicated)} twice",
        holds=not rows.lost and not rows.duplicated,
        missing=[
            *_not_written_across(rows, fault),
            *(f"nobody was seen to write {number}" for number in sorted(strange)),
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
    speed, rows = record.last("speed"), readings.ledger(record, LEDGER)
    sent = [e.t for e in record.of("command") if "--constraint-add" in e.data["argv"]]
    moved = record.last("moved")
    gap = rows.longest_gap if rows else None
    return {
        "fsync_ms": round(1000 * speed.data["fsync_seconds"] / speed.data["fsyncs"], 3)
        if speed
        else None,
        "write_mib_s": round(speed.data["size_mib"] / speed.data["write_seconds"], 1)
        if speed
        else None,
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


# -- option B: the plugin ------------------------------------------------------------------------


@exercise.check(
    "missing-plugin",
    phases=SCHEDULING,
    title="Without the plugin no node can take the task",
    expected="the task stays pending: 'missing plugin'",
    hint="`docker service ps --no-trunc`. Does the mount name its driver? Otherwise nothing waits.",
)
def missing_plugin(record: Record) -> Judgement:
    """The scheduler asks for the driver that the mount names."""
    before = record.need("advertised", "nobody looked which nodes knew it before")
    if before.data["nodes"]:
        nodes = ", ".join(before.data["nodes"])
        return unknown(
            f"{nodes} had used it before: their engines know it until they are restarted"
        )
    seen = record.need("blocked", "no task was seen to be blocked")
    said = str(seen.data["said"])
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
    title="When every node has used it once, the task is placed by itself",
    expected="it runs, without the service having been touched",
    hint="A node tells of a plugin after its first use: `docker volume create -d rexray` on each.",
)
def scheduled_when_used(record: Record) -> Judgement:
    """Nodes tell the managers of their plugins every 20 s."""
    blocked, (_, activated) = record.last("blocked"), _activated(record)
    if activated is None:
        return unknown("the plugin was not used on every node")
    scheduled = record.last("scheduled")
    if scheduled is None:
        return never("the task was not placed")
    since = Window(blocked.t if blocked else activated, scheduled.t)
    used = {
        e.data["node"]
        for e in record.of("command", code=0)
        if e.t in since and e.data["argv"][:5] == ["docker", "volume", "create", "-d", "rexray"]
    }
    touched = [
        e.t
        for e in record.of("command")
        if e.t in since and e.data["argv"][:3] == ["docker", "service", "update"]
    ]
    return judged(
        f"on {scheduled.data['node']}, {scheduled.t - activated:.1f} s after that",
        holds=bool(scheduled.data["node"]) and not touched,
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
    title="A volume made on one node is there on all",
    expected="`docker volume ls` of every node lists shared-data",
    hint="`docker volume ls` on each node; `systemctl status rexray`, and is its export there?",
)
def seen_everywhere(record: Record) -> Judgement:
    """Its scope is global: the server's directory is the list."""
    seen = record.of("known")
    blind = [e.data["node"] for e in seen if "shared-data" not in e.data["volumes"]]
    told = [e.data["node"] for e in seen if e.data["node"] not in blind]
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
    title="The killed driver is back, as another process",
    expected="systemd has started it again",
    hint="`systemctl status rexray` on the node: Restart=.",
)
def driver_restarted(record: Record) -> Judgement:
    """Proof that it really was killed."""
    before, after = _driver(record, "before"), _driver(record, "after")
    pids = [before.data["pid"], after.data["pid"]]
    return judged(
        f"process {pids[0]}, then {pids[1]}",
        holds="0" not in pids and "" not in pids and pids[0] != pids[1],
        missing=[
            *not_each([after.data["node"]], [before.data["node"]], "looked on"),
            *out_of_order(("its process", before.t), _killed(record), ("another process", after.t)),
        ],
    )


@exercise.check(
    "service-undisturbed",
    phases=KILLED,
    title="The service keeps its container and its data, and writes on",
    expected="the same container reads what it wrote before, and other data after it wrote again",
    hint="`grep rexray /proc/mounts`: a driver must not take its mounts along when it ends.",
)
def service_undisturbed(record: Record) -> Judgement:
    """The kernel has the mount, not the driver."""
    steps = [_driver(record, step) for step in ("before", "after", "written again")]
    before, after, again = (step.data for step in steps)
    if not before["sha256"] or not before["container"]:
        return unknown("nothing was read before")
    same = before["container"] == after["container"] == again["container"]
    kept = before["sha256"] == after["sha256"]
    return judged(
        f"{_short(before)}, {_short(after)}, and {_short(again)} after writing again",
        holds=same and kept and again["sha256"] not in (None, before["sha256"]),
        missing=out_of_order(
            ("the data", steps[0].t),
            _killed(record),
            ("the data again", steps[1].t),
            ("other data", steps[2].t),
        ),
    )


@exercise.check(
    "moves-after-restart",
    phases=KILLED,
    title="With the driver that was started again, the data still follow",
    expected="another node reads what was written last",
    hint="`journalctl -u rexray` on both nodes.",
)
def moves_after_restart(record: Record) -> Judgement:
    """It must still know who uses the volume, to give it up when the container goes."""
    again, moved = _driver(record, "written again"), _driver(record, "moved")
    if not again.data["sha256"] or not moved.data["container"]:
        return unknown("the data were not read before and after the move")
    elsewhere = again.data["node"] != moved.data["node"]
    return judged(
        _both(again, moved),
        holds=elsewhere and again.data["sha256"] == moved.data["sha256"],
        missing=out_of_order(
            _killed(record), ("what was written last", again.t), ("another node", moved.t)
        ),
    )


@exercise.check(
    "options-refused",
    phases=REFUSALS,
    title="Options that it can't take are refused",
    expected="`docker volume create` fails and says which option, for each of four",
    hint="`journalctl -u rexray`.",
)
def options_refused(record: Record) -> Judgement:
    """A size that is no whole number of GiB, and an option that it does not know."""
    seen = record.of("refused-option")
    wrong = [
        e.data["asked"]
        for e in seen
        if not e.data["code"] or str(e.data["asked"]).partition("=")[0] not in e.data["said"]
    ]
    return judged(
        "; ".join(str(e.data["said"]).strip() for e in seen[:2]),
        wrong=[f"not refused, or not by name: {', '.join(wrong)}"] if wrong else [],
        missing=not_each((e.data["asked"] for e in seen), BAD_OPTIONS, "tried"),
    )


@exercise.check(
    "names-refused",
    phases=REFUSALS,
    title="Names that lead elsewhere are refused, also past the engine",
    expected="an error for each of `../escaped`, `a/b`, `/etc`, `..`, `.` and the like",
    hint="A name becomes a directory on the server: it must not leave the driver's own.",
)
def names_refused(record: Record) -> Judgement:
    """Asked of the driver itself, as anybody could who may reach its socket."""
    seen = record.of("refused-name")
    taken = [e.data["asked"] for e in seen if not _error(e.data["said"])]
    return judged(
        "; ".join(str(e.data["said"]).strip() for e in seen[:1]),
        wrong=[f"taken: {', '.join(map(repr, taken))}"] if taken else [],
        missing=not_each(
            (repr(e.data["asked"]) for e in seen), map(repr, BAD_NAMES), "tried the name"
        ),
    )


@exercise.check(
    "nothing-made",
    phases=REFUSALS,
    title="Nothing was made on the server",
    expected="the same files below /srv/nfs before and after",
    hint="`find /srv/nfs -maxdepth 3` on the server.",
)
def nothing_made(record: Record) -> Judgement:
    """What was refused leaves nothing half-done."""
    seen = record.need("server-directory", "nobody looked")
    before, after = set(seen.data["before"]), set(seen.data["after"])
    if SERVER_ROOT not in before:
        return unknown("nobody could look before anything was tried")
    refused = record.of("refused-option", "refused-name")
    asked = [repr(e.data["asked"]) for e in refused]
    looks = [
        e.t for e in record.of("command", code=0) if e.data["argv"][:2] == ["find", SERVER_ROOT]
    ]
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
    activated, scheduled = record.last("activated"), record.last("scheduled")
    if activated is None or scheduled is None:
        return {"scheduled_s": None}
    return {"scheduled_s": round(scheduled.t - activated.t, 2)}


# -- mistakes -----------------------------------------------------------------------------------


def _mistake(name: str, *wanted: str) -> None:
    titles = {
        "missing-subdirectory": "A subdirectory that does not exist is refused",
        "not-exported": "A directory that is not exported is refused",
        "missing-bind-path": "A bind mount of a path that is not there is refused",
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
        seen = record.need("mistake", "it was not tried", name=name)
        return judged(
            f"{seen.data['state']} on {seen.data['node']}: {seen.data['said']}",
            holds=all(text in seen.data["said"] for text in wanted)
            and seen.data["state"] in {"failed", "rejected"},
            missing=not_each(nodes_of(record), [seen.data["node"]], "knows the node"),
        )


_mistake("missing-subdirectory", "failed to mount local volume", "no such file or directory")
# Below the root that NFS version 4 shows there is nothing but what is exported.
_mistake("not-exported", "failed to mount local volume", "no such file or directory")
_mistake("missing-bind-path", "bind source path does not exist")


@exercise.check(
    "options-kept",
    phases=MISTAKES,
    title="A volume that exists keeps the options it was made with",
    expected="the second service asks for another directory and gets the first one's",
    hint="`docker volume inspect`: remove the volume on every node before you change its options.",
)
def options_kept(record: Record) -> Judgement:
    """Nobody says so: the engine finds a volume of that name and takes it."""
    seen = [(e.data["asked"], e.data["device"]) for e in record.of("options")]
    if len(seen) != 2:
        return unknown("two services with other options were not tried")
    (first, made), (second, kept) = seen
    told = f"asked for {first}, then {second}; it is {made}, then {kept}"
    return passed(told) if first == made == kept != second else failed(told)


# -- permissions --------------------------------------------------------------------------------


@exercise.check(
    "root-squash-refuses",
    phases=SQUASH,
    title="With root_squash the database can't take possession of its directory",
    expected="the task fails, with 'operation not permitted' as the reason",
    hint="`docker service ps --no-trunc`: on the server root is nobody, and can't chown.",
)
def root_squash_refuses(record: Record) -> Judgement:
    """Root in the container is nobody on the server; so is the engine that fills a new volume."""
    seen = record.need("squashed", "it was not tried")
    lines = [seen.data["error"], *str(seen.data["said"]).splitlines()]
    line = next((line for line in lines if "operation not permitted" in line.lower()), None)
    return passed(line) if line else failed(f"it failed otherwise: {lines[0]}")


@exercise.check(
    "no-root-squash-permits",
    phases=SQUASH,
    title="With no_root_squash the same service starts by itself",
    expected="it runs, and its directory belongs to PostgreSQL's user (70)",
    hint="`stat` on the server; no_root_squash trusts every root of the subnet: export no wider.",
)
def no_root_squash_permits(record: Record) -> Judgement:
    """Nothing but the export's option was changed."""
    seen, before = record.need("unsquashed", "it did not start"), record.last("squashed")
    return judged(
        f"owner and mode on the server: {seen.data['owner']}",
        holds=str(seen.data["owner"]).startswith("70:"),
        missing=out_of_order(
            ("a refusal with root_squash", before.t if before else None),
            ("the start without it", seen.t),
        ),
    )


# -- the server is away -------------------------------------------------------------------------


@exercise.check(
    "new-task-refused",
    phases=AWAY,
    title="Without the server no new task can mount the volume",
    expected="the task fails, and says 'failed to mount local volume'",
    hint="`docker service ps --no-trunc`: the column ERROR.",
)
def new_task_refused(record: Record) -> Judgement:
    """NFS on manager1 is a single point of failure, as the lab builds it."""
    seen = record.need("refused", "no task failed")
    return judged(
        f"{seen.data['state']} on {seen.data['node']}: {seen.data['said']}",
        holds="failed to mount local volume" in seen.data["said"],
        missing=not_while([seen.t], _away(_fault(record)), "saw a task fail"),
    )


@exercise.check(
    "mounted-share-waits",
    phases=AWAY,
    title="A mounted share waits instead of failing",
    expected="`ls` of it has not ended after 5 s (exit code 124)",
    hint="An error at once means a soft mount: a database would take it for a broken disk.",
)
def mounted_share_waits(record: Record) -> Judgement:
    """Hard, seen from the outside."""
    seen = record.need("hangs", "nobody looked")
    return judged(
        f"exit code {seen.data['code']} on {seen.data['node']}: {seen.data['said'] or 'silent'}",
        holds=seen.data["code"] == 124,
        missing=not_while([seen.t], _away(_fault(record)), "looked at the share"),
    )


@exercise.check(
    "recovers-by-itself",
    phases=AWAY,
    title="When the server is back, the service starts by itself",
    expected="one running task, with nobody having done anything",
    hint="`docker service ps`: is the restart condition `any`?",
)
def recovers_by_itself(record: Record) -> Judgement:
    """Swarm tries again every 5 s."""
    fault, failed_then = _fault(record), record.need("refused", "no task failed")
    tasks = [task for task in _tasks_later(record, fault) if task.desired == "running"]
    told = ", ".join(f"{task.state} on {task.node}" for task in tasks)
    touched = [
        f"somebody helped: {' '.join(e.data['argv'][:3])}"
        for e in record.of("command")
        if e.data["argv"][:2] == ["docker", "service"]
        and e.data["argv"][2] in {"update", "scale", "create"}
        and e.t > failed_then.t
    ]
    return judged(
        told or "no task",
        holds=len(tasks) == 1 and tasks[0].running,
        missing=[
            *touched,
            *not_each((task.node for task in tasks), [failed_then.data["node"]], "saw a task on"),
            *not_while([failed_then.t], _away(fault), "saw a task fail"),
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


# -- readings of the exercise's own -------------------------------------------------------------


def _options(fstab: str) -> list[str]:
    words = str(fstab).split()
    return words[3].split(",") if len(words) > 3 else []


def _is_nfs4_hard(mount: str) -> bool:
    options = _options(mount)
    version = next((o for o in options if o.startswith("vers=")), "")
    return version.startswith("vers=4") and "hard" in options


def _clients(record: Record) -> tuple[Event, ...]:
    """What every node's client shows. Raises Unseen where nobody looked at one of them."""
    clients = record.of("client")
    if lacks := not_each((e.data["node"] for e in clients), nodes_of(record), "looked at"):
        raise Unseen("; ".join(lacks))
    return clients


def _proof(record: Record, step: str) -> Event:
    """The checksum that a container read in that step. Raises Unseen when nobody took it."""
    event = record.need("proof", f"the checksum was not taken (step: {step})", step=step)
    if not event.data["node"] or not event.data["container"]:
        raise Unseen(f"nobody knows where the checksum was taken (step: {step})")
    return event


def _written_and_moved(record: Record) -> tuple[Event, Event]:
    """The checksums before and after the move, in this order, by two containers."""
    written, moved = _proof(record, "written"), _proof(record, "moved")
    if not written.data["sha256"]:
        raise Unseen("the checksum was not taken before the move")
    sent = [e.t for e in record.of("command", code=0) if "--constraint-add" in e.data["argv"]]
    lacks = out_of_order(
        ("the checksum", written.t),
        ("the move", sent[0] if sent else None),
        ("the checksum after it", moved.t),
    )
    if written.data["container"] == moved.data["container"]:
        lacks.append(f"both were taken by the container {written.data['container']}")
    if lacks:
        raise Unseen("; ".join(lacks))
    return written, moved


def _both(first: Event, then: Event) -> str:
    return (
        f"{_short(first.data)} written on {first.data['node']},"
        f" {_short(then.data)} on {then.data['node']}"
    )


def _no_such_file(record: Record, proof: Event) -> bool:
    """Whether that container looked, and said itself that it has no such file."""
    return any(
        "sha256sum" in e.data["argv"]
        and proof.data["container"] in e.data["argv"]
        and "No such file" in e.data["stderr"]
        for e in record.of("command", node=proof.data["node"])
    )


def _phase(record: Record) -> str:
    return record.events[-1].phase.split("/")[1]


def _fault(record: Record) -> Fault:
    fault = readings.fault(record)
    if fault is None or fault.healed is None:
        raise Unseen("the server was not taken away and brought back")
    return fault


def _away(fault: Fault) -> Window:
    """From when the server was gone until somebody began to bring it back."""
    return Window(fault.injected, fault.injected if fault.heal_began is None else fault.heal_began)


def _writes_and_fault(record: Record) -> tuple[Ledger, Fault]:
    rows = readings.ledger(record, LEDGER)
    if rows is None:
        raise Unseen("nothing was written while the server was taken away")
    return rows, _fault(record)


def _not_written_across(rows: Ledger, fault: Fault) -> list[str]:
    """Where nobody tried to write: before the server went, while it was away, or afterwards."""
    away = _away(fault)
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


def _tasks_later(record: Record, fault: Fault) -> tuple[TaskSeen, ...]:
    """The service's tasks as they were listed last, after the server's return."""
    back = fault.healed or 0.0
    seen = [s for s in readings.task_samples(record) if s.error is None and s.asked > back]
    if not seen:
        raise Unseen("the tasks were not listed after the server's return")
    return seen[-1].tasks


def _another_container(record: Record, tasks: Iterable[TaskSeen]) -> list[str]:
    """Whether none of these tasks has the container that wrote the proof before the fault."""
    mine = _proof(record, "written").data["container"]
    return [] if any(task.container == mine for task in tasks) else [f"{mine} is in no task"]


def _activated(record: Record) -> tuple[str, float | None]:
    activated = record.last("activated")
    return "the plugin's use on every node", activated.t if activated else None


def _killed(record: Record) -> tuple[str, float | None]:
    """When the driver's process, as it was noted before, was killed on its node."""
    before = _driver(record, "before").data
    killed = [
        e.t
        for e in record.of("command", node=before["node"], code=0)
        if e.data["argv"] == ["kill", "-9", before["pid"]]
    ]
    return f"`kill -9 {before['pid']}`", killed[0] if killed else None


def _error(answer: str) -> str:
    try:
        found = json.loads(answer)
    except ValueError:
        return ""
    return str(found.get("Err") or "") if isinstance(found, dict) else ""


def _driver(record: Record, step: str) -> Event:
    missing = f"the driver's process was not noted (step: {step})"
    return record.need("driver", missing, step=step)


def _short(proof: Mapping[str, Any]) -> str:
    return f"{proof['sha256'][:12]}…" if proof["sha256"] else "no file"
