"""Every check of exercise 2.4 passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Event, Verdict
from tests.exercises.exercise_2_4.verify import DISTRIBUTED, exercise
from tests.unit.records.editing import changed, events, without

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


def every(kind: str, **match: Any) -> Callable[[Event], bool]:
    return lambda e: e.kind == kind and all(e.data.get(k) == v for k, v in match.items())


def judged(run: Record, phase: str) -> dict[str, Verdict]:
    return {r.id.rsplit(".", 1)[1]: r.verdict for r in exercise.judge(run, phase)}


@pytest.mark.parametrize("phase", RUNS)
def test_a_good_run_passes_every_check(phase: str) -> None:
    results = exercise.judge(good(phase), phase)
    assert {r.id: r.observed for r in results if r.verdict is not Verdict.PASS} == {}


Break = Callable[[Record], Record]


def alter(kind: str, match: dict[str, Any] | None = None, /, **data: Any) -> Break:
    return lambda run: changed(run, every(kind, **(match or {})), **data)


def lack(kind: str, **match: Any) -> Break:
    return lambda run: without(run, every(kind, **match))


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
BROKEN: list[tuple[str, str, str, Break]] = [
    ("share", "packages", "fail", alter("server", package=False)),
    ("share", "packages", "fail", alter("client", WORKER2, package=False)),
    ("share", "exported", "fail", alter("server", exports="")),
    ("share", "exported", "fail", alter("server", exports=READ_ONLY)),
    ("share", "exported", "fail", alter("server", exports=TO_ALL)),
    ("share", "permanent", "fail", alter("client", WORKER2, fstab="")),
    ("share", "permanent", "fail", alter("client", fstab=AT_ONCE)),
    ("share", "mounted", "fail", alter("client", WORKER2, mount=NFS3)),
    ("share", "mounted", "fail", alter("client", WORKER2, mount=SOFT)),
    ("share", "seen-by-all", "fail", alter("client", WORKER2, read="")),
    ("nfs-volume", "mount-options", "fail", alter("place", mount=NFS3)),
    ("nfs-volume", "mount-options", "unknown", lack("place")),
    ("nfs-bind", "data-follow", "fail", alter("proof", MOVED, sha256=None)),
    ("nfs-bind", "data-follow", "fail", alter("proof", MOVED, node="worker1")),
    ("nfs-bind", "data-follow", "fail", alter("proof", MOVED, sha256="bb")),
    ("nfs-bind", "data-follow", "unknown", alter("proof", sha256=None)),
    ("local", "data-stay", "fail", alter("proof", sha256="aa")),
    ("local", "data-stay", "unknown", alter("proof", sha256=None)),
    ("nfs-volume", "waits-for-its-server", "fail", silent),
    ("nfs-volume", "waits-for-its-server", "fail", alter("entry", {"number": 3}, seconds=0.4)),
    ("nfs-volume", "waits-for-its-server", "fail", alter("tasks", tasks=REPLACED)),
    ("nfs-volume", "waits-for-its-server", "unknown", lack("fault.healed")),
    ("local", "needs-no-server", "fail", alter("entry", {"number": 3}, sent=12.0, seconds=6.0)),
    ("local", "needs-no-server", "unknown", lack("fault.injected")),
    ("local", "no-acknowledged-write-lost", "fail", alter("entries", found=found(1))),
    ("nfs-bind", "no-acknowledged-write-lost", "fail", alter("entries", found=TWICE)),
    ("nfs-bind", "no-acknowledged-write-lost", "unknown", lack("entries")),
    ("plugin", "data-follow", "fail", alter("proof", MOVED, sha256=None)),
    ("plugin-scheduling", "missing-plugin", "fail", alter("blocked", said="no resources")),
    ("plugin-scheduling", "missing-plugin", "unknown", lack("blocked")),
    ("plugin-scheduling", "missing-plugin", "unknown", alter("advertised", nodes=["worker1"])),
    ("plugin-scheduling", "scheduled-when-used", "fail", lack("scheduled")),
    ("plugin-scheduling", "scheduled-when-used", "unknown", lack("activated")),
    ("plugin-scheduling", "seen-everywhere", "fail", alter("known", WORKER2, volumes=[])),
    ("plugin-killed", "driver-restarted", "fail", alter("driver", pid="7")),
    ("plugin-killed", "driver-restarted", "fail", alter("driver", AFTER, pid="0")),
    ("plugin-killed", "service-undisturbed", "fail", alter("driver", AFTER, sha256=None)),
    ("plugin-killed", "service-undisturbed", "fail", alter("driver", AFTER, container="c9")),
    ("plugin-killed", "service-undisturbed", "fail", lack("driver", step="written again")),
    ("plugin-killed", "moves-after-restart", "fail", alter("driver", MOVED, sha256=None)),
    ("plugin-killed", "moves-after-restart", "fail", alter("driver", MOVED, node="worker1")),
    ("plugin-refusals", "options-refused", "fail", alter("refused-option", code=0)),
    ("plugin-refusals", "options-refused", "fail", alter("refused-option", said="no")),
    ("plugin-refusals", "options-refused", "unknown", lack("refused-option", asked="password=x")),
    ("plugin-refusals", "names-refused", "fail", alter("refused-name", said='{"Err": ""}')),
    ("plugin-refusals", "names-refused", "fail", alter("refused-name", said="curl: (7)")),
    ("plugin-refusals", "nothing-made", "fail", alter("server-directory", after=["a", "b", "c"])),
    ("plugin-refusals", "nothing-made", "fail", alter("server-directory", after=["a"])),
    ("mistakes", "missing-subdirectory", "fail", alter("mistake", said="")),
    ("mistakes", "missing-subdirectory", "unknown", lack("mistake")),
    ("mistakes", "not-exported", "fail", alter("mistake", said="permission denied")),
    ("mistakes", "missing-bind-path", "fail", alter("mistake", said="")),
    ("mistakes", "options-kept", "fail", alter("options", {"asked": ":/other"}, device=":/other")),
    ("mistakes", "options-kept", "unknown", lack("options", asked=":/other")),
    ("root-squash", "root-squash-refuses", "fail", alter("squashed", error="no space left")),
    ("root-squash", "no-root-squash-permits", "fail", alter("unsquashed", owner="0:755")),
    ("root-squash", "no-root-squash-permits", "unknown", lack("unsquashed")),
    ("server-away", "new-task-refused", "fail", alter("refused", said="no such image")),
    ("server-away", "mounted-share-waits", "fail", alter("hangs", code=2)),
    ("server-away", "recovers-by-itself", "fail", alter("tasks", tasks=FAILED)),
    ("server-away", "recovers-by-itself", "unknown", lack("fault.healed")),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(BROKEN)), ids=lambda n: ".".join(BROKEN[n][:3]))
def test_a_broken_run_does_not_pass(number: int) -> None:
    phase, check, verdict, broken = BROKEN[number]
    assert judged(broken(good(phase)), phase)[check] == verdict


def test_no_check_is_without_a_run_that_it_refuses() -> None:
    declared = {check.id.rsplit(".", 1)[1] for check in exercise.checks}
    assert declared == {check for _, check, verdict, _ in BROKEN if verdict == "fail"}


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
