"""Every check of exercise 2.4 passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_swarmlab.evidence.record import Record
from tests.exercises.exercise_2_4.verify import DISTRIBUTED, exercise
from tests.unit.records.editing import edited, events, none_of, without
from tests.unit.records.judge import Broken, JudgeContract, break_alike

Row = tuple[str, dict[str, Any]]
NODES = ("manager1", "manager2", "manager3", "worker1", "worker2")
NFS4 = "192.168.56.10:/srv/nfs/swarm-data /mnt nfs4 rw,relatime,vers=4.2,hard,proto=tcp 0 0"
EXT4 = "/dev/root / ext4 rw,relatime 0 0"
NFS3 = NFS4.replace("vers=4.2", "vers=3")
SOFT = NFS4.replace("hard", "soft")
FSTAB = "192.168.56.10:/srv/nfs/swarm-data /mnt/nfs/swarm-data nfs defaults,_netdev 0 0"
EXPORT = "/srv/nfs/swarm-data  192.168.56.0/24(sync,wdelay,no_subtree_check,rw,no_root_squash)\n"


def proof(step: str, node: str, container: str, sha256: str | None) -> Row:
    return "proof", {"step": step, "node": node, "container": container, "sha256": sha256}


def entry(number: int, sent: float, seconds: float = 0.4) -> Row:
    return "entry", {
        "ledger": "rows", "number": number, "sent": sent, "seconds": seconds,
        "id": str(number), "error": None,
    }  # fmt: skip


def client(node: str) -> Row:
    seen = {"node": node, "package": True, "fstab": FSTAB, "mount": NFS4, "read": "seen by all"}
    return "client", seen


def fault(what: str) -> Row:
    return what, {"fault": "stop-units", "nodes": ["manager1"], "seconds": 0.1}


def tasks(*states: str) -> Row:
    rows = [
        {"id": f"t{n}", "slot": 1, "node": "worker1", "state": state,
         "desired": "running" if state == "running" else "shutdown"}
        for n, state in enumerate(states)
    ]  # fmt: skip
    return "tasks", {"service": "db", "seconds": 0.0, "tasks": rows}


def mistake(name: str, said: str) -> Row:
    return "mistake", {"name": name, "node": "worker1", "state": "failed", "said": said}


def driver(step: str, node: str, container: str, pid: str, sha256: str | None) -> Row:
    seen = {"step": step, "node": node, "container": container, "pid": pid, "sha256": sha256}
    return "driver", seen


def stored(*, travels: bool) -> list[Row]:
    """A row a second: entries 1 and 2 before the fault of the fifth second, 3 across it, then 4.

    On a local volume writing goes on meanwhile.
    """
    across = (entry(3, 6.0, 6.4), entry(4, 12.5)) if travels else (entry(3, 7.0), entry(4, 10.0))
    there = ("entries", {"ledger": "rows", "found": [[str(n), n] for n in (1, 2, 3, 4)]})
    return [
        ("place", {"node": "worker1", "path": "/x", "mount": NFS4 if travels else EXT4}),
        proof("written", "worker1", "c1", "aa" * 32),
        ("speed", {"fsyncs": 200, "fsync_seconds": 0.1, "size_mib": 64, "write_seconds": 0.5}),
        entry(1, 3.0), entry(2, 4.5),
        fault("fault.injected"),
        across[0],
        ("wait", {"condition": "watched"}), ("wait", {"condition": "watched"}),
        fault("fault.healed"),
        across[1],
        tasks("running"), there,
        ("command", {"node": "manager1", "argv": ["docker", "--constraint-add", "x"]}),
        ("moved", {"node": "worker2"}),
        proof("moved", "worker2", "c2", "aa" * 32 if travels else None),
        there,
    ]  # fmt: skip


RUNS: dict[str, list[Row]] = {
    "share": [
        ("server", {"node": "manager1", "package": True, "exports": EXPORT}),
        *map(client, NODES),
    ],
    "local": stored(travels=False),
    **{phase: stored(travels=True) for phase in DISTRIBUTED},
    "plugin-scheduling": [
        ("advertised", {"nodes": []}),
        ("blocked", {"said": "no suitable node (missing plugin on 5 nodes)"}),
        ("activated", {}),
        ("scheduled", {"node": "worker2"}),
        *(("known", {"node": node, "volumes": ["shared-data"]}) for node in NODES),
    ],
    "plugin-killed": [
        driver("before", "worker1", "c1", "7", "aa"),
        driver("after", "worker1", "c1", "8", "aa"),
        driver("written again", "worker1", "c1", "8", "bb"),
        driver("moved", "worker2", "c2", "5", "bb"),
    ],
    "plugin-refusals": [
        *(("refused-option", {"asked": f"{name}=x", "code": 1, "said": f"the {name} is bad"})
          for name in ("size", "size", "size", "password")),
        *(("refused-name", {"asked": name, "said": '{"Err": "can\'t be named"}'})
          for name in ("../escaped", "/etc")),
        ("server-directory", {"before": ["a", "b"], "after": ["a", "b"]}),
    ],
    "mistakes": [
        mistake("missing-subdirectory", "failed to mount local volume: no such file or directory"),
        mistake("not-exported", "failed to mount local volume: no such file or directory"),
        mistake("missing-bind-path", "bind source path does not exist: /mnt/nfs/missing"),
        ("options", {"asked": ":/first", "device": ":/first"}),
        ("options", {"asked": ":/other", "device": ":/first"}),
    ],
    "root-squash": [
        ("squashed", {"error": "failed to chown /x: operation not permitted", "said": ""}),
        ("unsquashed", {"node": "worker1", "owner": "70:700"}),
    ],
    "server-away": [
        fault("fault.injected"),
        ("refused", {"node": "worker1", "state": "failed",
                     "said": "failed to mount local volume: connection refused"}),
        ("hangs", {"node": "worker2", "code": 124, "said": ""}),
        fault("fault.healed"),
        tasks("failed", "running"),
    ],
}  # fmt: skip


def good(phase: str) -> Record:
    return events(f"2.4/{phase}", *RUNS[phase])


def found(*numbers: int) -> list[list[Any]]:
    return [[str(place), number] for place, number in enumerate(numbers, 1)]


def silent(run: Record) -> Record:
    """Nothing is written any more after the fault."""
    return without(run, lambda e: e.data.get("number") in {3, 4})


AT_ONCE = FSTAB.replace(",_netdev", "")
TWICE = found(1, 2, 3, 4, 4)
WORKER2, MOVED, AFTER = {"node": "worker2"}, {"step": "moved"}, {"step": "after"}
REPLACED = tasks("failed", "running")[1]["tasks"]
FAILED = tasks("failed")[1]["tasks"]
TO_ALL = EXPORT.replace("192.168.56.0/24", "*")
READ_ONLY = EXPORT.replace(",rw", ",ro")
BROKEN: Broken = {
    ("share", "packages"): [
        (edited("server", package=False), "fail"),
        (edited("client", WORKER2, package=False), "fail"),
    ],
    ("share", "exported"): [
        (edited("server", exports=""), "fail"),
        (edited("server", exports=READ_ONLY), "fail"),
        (edited("server", exports=TO_ALL), "fail"),
    ],
    ("share", "permanent"): [
        (edited("client", WORKER2, fstab=""), "fail"),
        (edited("client", fstab=AT_ONCE), "fail"),
    ],
    ("share", "mounted"): [
        (edited("client", WORKER2, mount=NFS3), "fail"),
        (edited("client", WORKER2, mount=SOFT), "fail"),
    ],
    ("share", "seen-by-all"): [
        (edited("client", WORKER2, read=""), "fail"),
    ],
    ("nfs-volume", "mount-options"): [
        (none_of("place"), "unknown"),
    ],
    ("nfs-bind", "data-follow"): [
        (edited("proof", MOVED, node="worker1"), "fail"),
        (edited("proof", MOVED, sha256="bb"), "fail"),
        (edited("proof", sha256=None), "unknown"),
    ],
    ("local", "data-stay"): [
        (edited("proof", sha256="aa"), "fail"),
        (edited("proof", sha256=None), "unknown"),
    ],
    ("nfs-volume", "waits-for-its-server"): [
        (edited("entry", {"number": 3}, seconds=0.4), "fail"),
        (edited("tasks", tasks=REPLACED), "fail"),
        (none_of("fault.healed"), "unknown"),
    ],
    ("local", "needs-no-server"): [
        (edited("entry", {"number": 3}, sent=12.0, seconds=6.0), "fail"),
        (none_of("fault.injected"), "unknown"),
    ],
    ("local", "no-acknowledged-write-lost"): [
        (edited("entries", found=found(1)), "fail"),
    ],
    ("nfs-bind", "no-acknowledged-write-lost"): [
        (none_of("entries"), "unknown"),
    ],
    ("plugin-scheduling", "missing-plugin"): [
        (edited("blocked", said="no resources"), "fail"),
        (none_of("blocked"), "unknown"),
        (edited("advertised", nodes=["worker1"]), "unknown"),
    ],
    ("plugin-scheduling", "scheduled-when-used"): [
        (none_of("scheduled"), "fail"),
        (none_of("activated"), "unknown"),
    ],
    ("plugin-scheduling", "seen-everywhere"): [
        (edited("known", WORKER2, volumes=[]), "fail"),
    ],
    ("plugin-killed", "driver-restarted"): [
        (edited("driver", pid="7"), "fail"),
        (edited("driver", AFTER, pid="0"), "fail"),
    ],
    ("plugin-killed", "service-undisturbed"): [
        (edited("driver", AFTER, sha256=None), "fail"),
        (edited("driver", AFTER, container="c9"), "fail"),
        (none_of("driver", step="written again"), "fail"),
    ],
    ("plugin-killed", "moves-after-restart"): [
        (edited("driver", MOVED, sha256=None), "fail"),
        (edited("driver", MOVED, node="worker1"), "fail"),
    ],
    ("plugin-refusals", "options-refused"): [
        (edited("refused-option", code=0), "fail"),
        (edited("refused-option", said="no"), "fail"),
        (none_of("refused-option", asked="password=x"), "unknown"),
    ],
    ("plugin-refusals", "names-refused"): [
        (edited("refused-name", said='{"Err": ""}'), "fail"),
        (edited("refused-name", said="curl: (7)"), "fail"),
    ],
    ("plugin-refusals", "nothing-made"): [
        (edited("server-directory", after=["a", "b", "c"]), "fail"),
        (edited("server-directory", after=["a"]), "fail"),
    ],
    ("mistakes", "missing-subdirectory"): [
        (edited("mistake", said=""), "fail"),
        (none_of("mistake"), "unknown"),
    ],
    ("mistakes", "not-exported"): [
        (edited("mistake", said="permission denied"), "fail"),
    ],
    ("mistakes", "missing-bind-path"): [
        (edited("mistake", said=""), "fail"),
    ],
    ("mistakes", "options-kept"): [
        (edited("options", {"asked": ":/other"}, device=":/other"), "fail"),
        (none_of("options", asked=":/other"), "unknown"),
    ],
    ("root-squash", "root-squash-refuses"): [
        (edited("squashed", error="no space left"), "fail"),
    ],
    ("root-squash", "no-root-squash-permits"): [
        (edited("unsquashed", owner="0:755"), "fail"),
        (none_of("unsquashed"), "unknown"),
    ],
    ("server-away", "new-task-refused"): [
        (edited("refused", said="no such image"), "fail"),
    ],
    ("server-away", "mounted-share-waits"): [
        (edited("hangs", code=2), "fail"),
    ],
    ("server-away", "recovers-by-itself"): [
        (edited("tasks", tasks=FAILED), "fail"),
        (none_of("fault.healed"), "unknown"),
    ],
}
break_alike(
    BROKEN,
    exercise,
    {
        "mount-options": edited("place", mount=NFS3),
        "data-follow": edited("proof", MOVED, sha256=None),
        "waits-for-its-server": silent,
        "no-acknowledged-write-lost": edited("entries", found=TWICE),
    },
)


class TestJudge(JudgeContract):
    exercise = exercise
    phases = RUNS
    good = staticmethod(good)
    broken = BROKEN


def test_the_comparison_has_the_same_figures_for_each_storage() -> None:
    measured = {phase: exercise.measurements(good(phase))[phase] for phase in ("local", "nfs-bind")}
    assert measured["local"].keys() == measured["nfs-bind"].keys()
    assert measured["nfs-bind"] == {
        "fsync_ms": 0.5,
        "write_mib_s": 128.0,
        "move_s": 1.0,
        "server_away_stall_s": pytest.approx(7.5),
        "longest_gap_s": pytest.approx(7.5),
        "acknowledged_writes": 4,
        "lost_writes": 0,
        "duplicated_writes": 0,
    }


def test_a_service_s_recovery_counts_from_the_server_s_return() -> None:
    measured = exercise.measurements(good("server-away"))
    assert measured == {"server-away": {"recovered_s": 1.0}}
