"""What must be true of storage that follows its service, judged on the record alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pytest_swarmlab import Exercise, failed, passed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Capability, Judgement

LEDGER = "rows"
SHARE = ("share",)
LOCAL = ("local",)
DISTRIBUTED = ("nfs-bind", "nfs-volume", "plugin")
STORAGES = LOCAL + DISTRIBUTED
SCHEDULING, KILLED, REFUSALS = ("plugin-scheduling",), ("plugin-killed",), ("plugin-refusals",)
MISTAKES, SQUASH, AWAY = ("mistakes",), ("root-squash",), ("server-away",)
ON_NFS = (Capability.CHANGE, Capability.NFS)
PLUGINS = ("plugin", *SCHEDULING, *KILLED, *REFUSALS)

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
    needs={
        **dict.fromkeys((*SHARE, *STORAGES, *MISTAKES, *SQUASH, *AWAY), ON_NFS),
        # The driver is installed where its owner may have one.
        **dict.fromkeys(PLUGINS, (*ON_NFS, Capability.EXPENDABLE)),
    },
)

UNDISTURBED_S = 5.0
"""A write to a local volume needs no server. On an embedded node it takes 0.4 s, `docker exec`
included."""


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
    server, clients = record.last("server"), record.of("client")
    if server is None or not clients:
        return unknown("nobody looked")
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
    clients = record.of("client")
    if not clients:
        return unknown("nobody looked")
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
    clients = record.of("client")
    if not clients:
        return unknown("nobody looked")
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
    clients = record.of("client")
    if not clients:
        return unknown("nobody looked")
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
    told = f"on {seen.data['node']}: {seen.data['mount']}"
    return passed(told) if _is_nfs4_hard(seen.data["mount"]) else failed(told)


@exercise.check(
    "data-follow",
    phases=DISTRIBUTED,
    title="The data follow the container",
    expected="another container on another node reads the same checksum",
    hint="`docker service ps`: did the task move? Is the share mounted on that node too?",
)
def data_follow(record: Record) -> Judgement:
    """A file of 1 MiB of noise, written through one node and read through another."""
    written, moved = _proof(record, "written"), _proof(record, "moved")
    if written is None or moved is None or written["sha256"] is None:
        return unknown("the checksum was not taken before and after the move")
    if written["node"] == moved["node"] or written["container"] == moved["container"]:
        return failed(f"the service is still on {moved['node']}")
    told = f"{_short(written)} written on {written['node']}, {_short(moved)} on {moved['node']}"
    return passed(told) if written["sha256"] == moved["sha256"] else failed(told)


@exercise.check(
    "data-stay",
    phases=LOCAL,
    title="The data of a local volume stay behind",
    expected="another container on another node does not find the file",
    hint="Each node has a volume of that name of its own; nothing copies one to the other.",
)
def data_stay(record: Record) -> Judgement:
    """The contrast, by the same steps."""
    written, moved = _proof(record, "written"), _proof(record, "moved")
    if written is None or moved is None or written["sha256"] is None:
        return unknown("the checksum was not taken before and after the move")
    told = f"{_short(written)} written on {written['node']}, {_short(moved)} on {moved['node']}"
    elsewhere = written["node"] != moved["node"]
    return passed(told) if elsewhere and moved["sha256"] is None else failed(told)


@exercise.check(
    "waits-for-its-server",
    phases=DISTRIBUTED,
    title="While the NFS server is away, the database waits, and goes on by itself",
    expected="no write is acknowledged while it is away; the same task writes on afterwards",
    hint="`docker service ps`: a task that was replaced did not wait. Is the mount soft?",
)
def waits_for_its_server(record: Record) -> Judgement:
    """Hard: the write is repeated until the server has it."""
    rows, fault = readings.ledger(record, LEDGER), readings.fault(record)
    if rows is None or fault is None or fault.heal_began is None:
        return unknown("the server was not taken away under writes")
    stalled = rows.stalled_s(record)
    if stalled is None:
        return failed(f"{len(rows.acknowledged)} writes, and none after the server was back")
    # One that was under way when it went may still be told of.
    meanwhile = [
        e for e in rows.acknowledged if fault.injected < e.sent and e.over < fault.heal_began
    ]
    told = f"the longest wait for an acknowledgement is {stalled:.1f} s; {_tasks(record)}"
    if meanwhile:
        return failed(f"{len(meanwhile)} writes were acknowledged without it; {told}")
    return passed(told) if _one_task(record) else failed(told)


@exercise.check(
    "needs-no-server",
    phases=LOCAL,
    title="A local volume needs no server",
    expected=f"no more than {UNDISTURBED_S:.0f} s between two acknowledged writes",
    hint="What else took the node's time? Compare `speed` in events.jsonl.",
)
def needs_no_server(record: Record) -> Judgement:
    """The contrast: the NFS server goes away, and nothing happens."""
    rows = readings.ledger(record, LEDGER)
    gap = rows.longest_gap if rows else None
    if gap is None or readings.fault(record) is None:
        return unknown("the server was not taken away under writes")
    told = f"longest gap {gap.seconds:.1f} s"
    return passed(told) if gap.closed and gap.seconds <= UNDISTURBED_S else failed(told)


@exercise.check(
    "no-acknowledged-write-lost",
    phases=STORAGES,
    title="No acknowledged write is lost or there twice",
    expected="every row that was acknowledged is there, under its id, once",
    hint="Compare `entry` and `entries` in events.jsonl; is the export `sync`?",
)
def no_acknowledged_write_lost(record: Record) -> Judgement:
    """Read from the other node; on a local volume, where it was written."""
    rows = readings.ledger(record, LEDGER)
    if rows is None or rows.found is None or not rows.acknowledged:
        return unknown("no rows were written and read back")
    told = (
        f"{len(rows.acknowledged)} acknowledged, {len(rows.found)} there,"
        f" {len(rows.lost)} lost, {len(rows.duplicated)} twice"
    )
    return failed(told) if rows.lost or rows.duplicated else passed(told)


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
    seen, before = record.last("blocked"), record.last("advertised")
    if before is not None and before.data["nodes"]:
        nodes = ", ".join(before.data["nodes"])
        return unknown(
            f"{nodes} had used it before: their engines know it until they are restarted"
        )
    if seen is None:
        return unknown("no task was seen to be blocked")
    said = str(seen.data["said"])
    return passed(said) if "missing plugin" in said else failed(said)


@exercise.check(
    "scheduled-when-used",
    phases=SCHEDULING,
    title="When every node has used it once, the task is placed by itself",
    expected="it runs, without the service having been touched",
    hint="A node tells of a plugin after its first use: `docker volume create -d rexray` on each.",
)
def scheduled_when_used(record: Record) -> Judgement:
    """Nodes tell the managers of their plugins every 20 s."""
    activated, scheduled = record.last("activated"), record.last("scheduled")
    if activated is None:
        return unknown("the plugin was not used on every node")
    if scheduled is None:
        return failed("the task was not placed")
    return passed(f"on {scheduled.data['node']}, {scheduled.t - activated.t:.1f} s after that")


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
    if not seen:
        return unknown("no node was asked")
    blind = [e.data["node"] for e in seen if "shared-data" not in e.data["volumes"]]
    if blind:
        return failed(f"not on {', '.join(blind)}")
    return passed(f"on {', '.join(e.data['node'] for e in seen)}")


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
    if before is None or after is None:
        return unknown("the driver's process was not noted before and after")
    told = f"process {before['pid']}, then {after['pid']}"
    there = "0" not in (before["pid"], after["pid"])
    return passed(told) if there and before["pid"] != after["pid"] else failed(told)


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
    if any(step is None or step["sha256"] is None for step in steps[:1]):
        return unknown("nothing was read before")
    before, after, again = (step or {"sha256": None, "container": None} for step in steps)
    told = f"{_short(before)}, {_short(after)}, and {_short(again)} after writing again"
    same = before["container"] == after["container"] == again["container"]
    kept = before["sha256"] == after["sha256"]
    other = again["sha256"] not in (None, before["sha256"])
    return passed(told) if same and kept and other else failed(told)


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
    if again is None or moved is None or again["sha256"] is None:
        return unknown("the data were not read before and after the move")
    told = f"{_short(again)} on {again['node']}, {_short(moved)} on {moved['node']}"
    elsewhere = again["node"] != moved["node"]
    return passed(told) if elsewhere and again["sha256"] == moved["sha256"] else failed(told)


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
    if len(seen) < 4:
        return unknown("not all were tried")
    wrong = [
        e.data["asked"]
        for e in seen
        if not e.data["code"] or str(e.data["asked"]).partition("=")[0] not in e.data["said"]
    ]
    if wrong:
        return failed(f"not refused, or not by name: {', '.join(wrong)}")
    return passed("; ".join(str(e.data["said"]).strip() for e in seen[:2]))


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
    if not seen:
        return unknown("none was tried")
    taken = [e.data["asked"] for e in seen if not _error(e.data["said"])]
    if taken:
        return failed(f"taken: {', '.join(map(repr, taken))}")
    return passed(str(seen[0].data["said"]).strip())


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
    new = sorted(set(seen.data["after"]) - set(seen.data["before"]))
    gone = sorted(set(seen.data["before"]) - set(seen.data["after"]))
    if new or gone:
        return failed(f"new: {', '.join(new) or 'none'}; gone: {', '.join(gone) or 'none'}")
    return passed(f"{len(seen.data['after'])} files, the same")


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
        seen = record.last("mistake", name=name)
        if seen is None:
            return unknown("it was not tried")
        told = f"{seen.data['state']} on {seen.data['node']}: {seen.data['said']}"
        return passed(told) if all(text in seen.data["said"] for text in wanted) else failed(told)


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
    seen = record.need("unsquashed", "it did not start")
    told = f"owner and mode on the server: {seen.data['owner']}"
    return passed(told) if str(seen.data["owner"]).startswith("70:") else failed(told)


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
    told = f"{seen.data['state']} on {seen.data['node']}: {seen.data['said']}"
    return passed(told) if "failed to mount local volume" in seen.data["said"] else failed(told)


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
    told = f"exit code {seen.data['code']} on {seen.data['node']}: {seen.data['said'] or 'silent'}"
    return passed(told) if seen.data["code"] == 124 else failed(told)


@exercise.check(
    "recovers-by-itself",
    phases=AWAY,
    title="When the server is back, the service starts by itself",
    expected="one running task, with nobody having done anything",
    hint="`docker service ps`: is the restart condition `any`?",
)
def recovers_by_itself(record: Record) -> Judgement:
    """Swarm tries again every 5 s."""
    seen = readings.task_samples(record)
    fault = readings.fault(record)
    if not seen or fault is None or fault.healed is None:
        return unknown("the tasks were not listed after the server's return")
    told = ", ".join(f"{t.state} on {t.node}" for t in seen[-1].tasks if t.desired == "running")
    return passed(told) if any(t.running for t in seen[-1].tasks) else failed(told or "no task")


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


def _proof(record: Record, step: str) -> dict[str, Any] | None:
    event = record.last("proof", step=step)
    return dict(event.data) if event else None


def _error(answer: str) -> str:
    try:
        found = json.loads(answer)
    except ValueError:
        return ""
    return str(found.get("Err") or "") if isinstance(found, dict) else ""


def _driver(record: Record, step: str) -> dict[str, Any] | None:
    event = record.last("driver", step=step)
    return dict(event.data) if event else None


def _short(proof: Mapping[str, Any]) -> str:
    return f"{proof['sha256'][:12]}…" if proof["sha256"] else "no file"


def _tasks(record: Record) -> str:
    seen = readings.task_samples(record)
    return (
        f"{len(seen[-1].tasks)} tasks since its creation" if seen else "its tasks were not listed"
    )


def _one_task(record: Record) -> bool:
    seen = readings.task_samples(record)
    return bool(seen) and len(seen[-1].tasks) == 1 and seen[-1].tasks[0].running
