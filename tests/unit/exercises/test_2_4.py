"""Every check of exercise 2.4 passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_swarmlab.errors import CommandError
from pytest_swarmlab.evidence.record import Record
from tests.exercises.exercise_2_4.declared import DISTRIBUTED
from tests.exercises.exercise_2_4.perform import checksum
from tests.exercises.exercise_2_4.setting import BAD_NAMES, BAD_OPTIONS
from tests.exercises.exercise_2_4.verify import exercise
from tests.unit.fakes import Lab
from tests.unit.records.breaker import ALONE, NAMES_ALIKE
from tests.unit.records.editing import (
    Edit,
    Row,
    changed,
    edited,
    events,
    in_vain,
    none_of,
    without,
)
from tests.unit.records.judge import Broken, JudgeContract, break_alike

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
        {"id": f"t{n}", "slot": 1, "node": "worker1", "state": state, "container": "c1",
         "desired": "running" if state == "running" else "shutdown"}
        for n, state in enumerate(states)
    ]  # fmt: skip
    return "tasks", {"service": "db", "seconds": 0.0, "tasks": rows}


def mistake(name: str, said: str) -> Row:
    return "mistake", {"name": name, "node": "worker1", "state": "failed", "said": said}


def driver(step: str, node: str, container: str, pid: str, sha256: str | None) -> Row:
    seen = {"step": step, "node": node, "container": container, "pid": pid, "sha256": sha256}
    return "driver", seen


def command(node: str, *argv: str, code: int = 0, stderr: str = "") -> Row:
    return "command", {"node": node, "argv": list(argv), "code": code, "stderr": stderr}


def stored(*, travels: bool) -> list[Row]:
    """A row a second: entries 1 and 2 before the fault of the fifth second, 3 across it, then 4.

    On a local volume writing goes on meanwhile.
    """
    if travels:
        written = [entry(3, 5.1, 7.7), entry(4, 13.4)]
    else:
        written = [entry(n, 1.0 + 1.5 * n) for n in range(3, 10)]
    numbers = [1, 2, *(row["number"] for _, row in written)]
    there = ("entries", {"ledger": "rows", "found": [[str(n), n] for n in numbers]})
    looked = (
        []
        if travels
        else [
            command(
                "worker2",
                "docker",
                "exec",
                "c2",
                "sha256sum",
                "/proof",
                code=1,
                stderr="sha256sum: /proof: No such file or directory",
            )
        ]
    )
    return [
        ("place", {"node": "worker1", "path": "/x", "mount": NFS4 if travels else EXT4}),
        proof("written", "worker1", "c1", "aa" * 32),
        (
            "speed",
            {
                "node": "worker1", "fsyncs": 200, "fsync_block": 8192, "fsync_seconds": 0.1,
                "size_mib": 64, "write_seconds": 0.5,
            },
        ),
        entry(1, 2.5), entry(2, 4.2),
        fault("fault.injected"),
        *[("wait", {"condition": "watched"})] * 6,
        fault("fault.healed"),
        *written,
        tasks("running"), there,
        command("manager1", "docker", "--constraint-add", "x"),
        ("moved", {"node": "worker2"}),
        *looked,
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
        *(command(node, "docker", "volume", "create", "-d", "rexray") for node in NODES),
        ("activated", {}),
        ("scheduled", {"node": "worker2"}),
        *(("known", {"node": node, "volumes": ["shared-data"]}) for node in NODES),
    ],
    "plugin-killed": [
        driver("before", "worker1", "c1", "7", "aa"),
        command("worker1", "kill", "-9", "7"),
        driver("after", "worker1", "c1", "8", "aa"),
        driver("written again", "worker1", "c1", "8", "bb"),
        driver("moved", "worker2", "c2", "5", "bb"),
    ],
    "plugin-refusals": [
        command("manager1", "find", "/srv/nfs"),
        *(("refused-option", {"asked": asked, "code": 1, "said": f"the {asked[:8]} is bad"})
          for asked in BAD_OPTIONS),
        *(("refused-name", {"asked": name, "said": '{"Err": "can\'t be named"}'})
          for name in BAD_NAMES),
        command("manager1", "find", "/srv/nfs"),
        ("server-directory", {"before": ["/srv/nfs", "a"], "after": ["/srv/nfs", "a"]}),
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
        command("worker2", "timeout", "5", "ls", "/mnt/nfs/swarm-data", code=124),
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
    """No write is acknowledged any more after the fault."""
    after = lambda e: e.kind == "entry" and e.data["number"] > 2  # noqa: E731
    return changed(run, after, id=None, error="timeout")


def nobody_wrote(run: Record) -> Record:
    """Nothing was even tried while the server was away."""
    return without(run, lambda e: e.kind == "entry" and 5 < e.data["sent"] < 12)


def read_too_early(run: Record) -> Record:
    """The rows were read back before the server was taken away."""
    first = next(e for e in run if e.kind == "fault.injected").t - 0.5
    early = [replace(e, t=first) for e in run if e.kind == "entries"]
    rest = [e for e in run if e.kind != "entries"]
    return Record(tuple(sorted((*rest, *early), key=lambda e: e.t)))


def swapped(name: str, first: dict[str, Any], second: dict[str, Any]) -> Edit:
    """What was seen last was seen first."""

    def edit(run: Record) -> Record:
        one, other = run.last(name, **first), run.last(name, **second)
        assert one
        assert other
        when = {one.seq: other.t, other.seq: one.t}
        moved = (replace(e, t=when.get(e.seq, e.t)) for e in run)
        return Record(tuple(sorted(moved, key=lambda e: e.t)))

    return edit


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
        (none_of("client", node="worker2"), "unknown"),
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
        # One node is not every node.
        (
            lambda run: without(run, lambda e: e.kind == "client" and e.data["node"] != "worker1"),
            "unknown",
        ),
    ],
    ("nfs-bind", "data-follow"): [
        (edited("proof", MOVED, node="worker1"), "fail"),
        (edited("proof", MOVED, sha256="bb"), "fail"),
        (edited("proof", sha256=None), "unknown"),
        (edited("proof", MOVED, container="c1"), "unknown"),
        (swapped("proof", {"step": "written"}, MOVED), "unknown"),
    ],
    ("local", "data-stay"): [
        (edited("proof", sha256="aa"), "fail"),
        (edited("proof", sha256=None), "unknown"),
        # The container could not be asked at all.
        (edited("command", WORKER2, stderr="container c2 is not running"), "unknown"),
    ],
    ("nfs-volume", "waits-for-its-server"): [
        (edited("entry", {"number": 3}, seconds=0.4), "fail"),
        (edited("tasks", tasks=REPLACED), "fail"),
        (nobody_wrote, "unknown"),
        (edited("fault.healed", seconds=6.5), "unknown"),
        (edited("proof", container="c0"), "unknown"),
    ],
    ("local", "needs-no-server"): [
        (edited("entry", {"number": 3}, seconds=15.0), "fail"),
        (nobody_wrote, "unknown"),
    ],
    ("local", "no-acknowledged-write-lost"): [(edited("entries", found=found(1)), "fail")],
    ("nfs-bind", "no-acknowledged-write-lost"): [
        (read_too_early, "unknown"),
        (nobody_wrote, "unknown"),
    ],
    ("plugin-scheduling", "missing-plugin"): [
        (edited("blocked", said="no resources"), "fail"),
        (edited("advertised", nodes=["worker1"]), "unknown"),
        (edited("blocked", said="missing plugin on 1 node"), "unknown"),
    ],
    ("plugin-scheduling", "scheduled-when-used"): [
        (in_vain(none_of("scheduled")), "fail"),
        (none_of("scheduled"), "unknown"),
        (none_of("command", node="worker2"), "unknown"),
    ],
    ("plugin-scheduling", "seen-everywhere"): [
        (edited("known", WORKER2, volumes=[]), "fail"),
        (none_of("known", node="worker2"), "unknown"),
    ],
    ("plugin-killed", "driver-restarted"): [
        (edited("driver", pid="7"), "fail"),
        (edited("driver", AFTER, pid="0"), "fail"),
    ],
    ("plugin-killed", "service-undisturbed"): [
        (edited("driver", AFTER, sha256=None), "fail"),
        (edited("driver", AFTER, container="c9"), "fail"),
        (none_of("driver", step="written again"), "unknown"),
    ],
    ("plugin-killed", "moves-after-restart"): [
        (edited("driver", MOVED, sha256=None), "fail"),
        (edited("driver", MOVED, node="worker1"), "fail"),
        (swapped("driver", {"step": "written again"}, MOVED), "unknown"),
    ],
    ("plugin-refusals", "options-refused"): [
        (edited("refused-option", code=0), "fail"),
        (edited("refused-option", said="no"), "fail"),
        (none_of("refused-option", asked="password=none"), "unknown"),
    ],
    ("plugin-refusals", "names-refused"): [
        (edited("refused-name", said='{"Err": ""}'), "fail"),
        (edited("refused-name", said="curl: (7)"), "fail"),
        # One name is not all of them.
        (lambda run: without(run, lambda e: e.data.get("asked") in BAD_NAMES[1:]), "unknown"),
    ],
    ("plugin-refusals", "nothing-made"): [
        (edited("server-directory", after=["/srv/nfs", "a", "b"]), "fail"),
        (edited("server-directory", after=["/srv/nfs"]), "fail"),
        # Nothing was found where nobody could look.
        (edited("server-directory", before=[], after=[]), "unknown"),
    ],
    ("mistakes", "missing-subdirectory"): [(edited("mistake", said=""), "fail")],
    ("mistakes", "not-exported"): [(edited("mistake", said="permission denied"), "fail")],
    ("mistakes", "missing-bind-path"): [(edited("mistake", said=""), "fail")],
    ("mistakes", "options-kept"): [
        (edited("options", {"asked": ":/other"}, device=":/other"), "fail"),
        (none_of("options", asked=":/other"), "unknown"),
    ],
    ("root-squash", "root-squash-refuses"): [(edited("squashed", error="no space left"), "fail")],
    ("root-squash", "no-root-squash-permits"): [(edited("unsquashed", owner="0:755"), "fail")],
    ("server-away", "new-task-refused"): [(edited("refused", said="no such image"), "fail")],
    ("server-away", "mounted-share-waits"): [(edited("hangs", code=2), "fail")],
    ("server-away", "recovers-by-itself"): [(edited("tasks", tasks=FAILED), "fail")],
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


STILL_PASSES = {
    ("2.4.*.*", "*: nodes exchanged"): NAMES_ALIKE,
    ("2.4.*.*", "[dp]*: the later half of another cluster"): "containers are only told apart",
    ("2.4.*.mount-options", "p*: all *"): ALONE,
    ("2.4.*.waits-for-its-server", "proof: *"): "of this it reads which container wrote first",
    ("2.4.*.waits-for-its-server", "entry: not *"): "one write is enough on either side",
}


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
        "server_away_stall_s": pytest.approx(7.9),
        "longest_gap_s": pytest.approx(8.2),
        "acknowledged_writes": 4,
        "lost_writes": 0,
        "duplicated_writes": 0,
    }


def test_a_service_s_recovery_counts_from_the_server_s_return() -> None:
    measured = exercise.measurements(good("server-away"))
    assert measured == {"server-away": {"recovered_s": 1.0}}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ((0, "c0ffee  /data/proof\n", ""), "c0ffee"),
        ((1, "", "sha256sum: /data/proof: No such file or directory"), None),
        ((1, "", "sha256sum: can't open '/data/proof': No such file or directory"), None),
    ],
)
def test_a_container_tells_a_files_checksum_or_that_there_is_none(
    lab: Lab, answer: tuple[int, str, str], found: str | None
) -> None:
    lab.shell = lambda *_: answer
    assert checksum(lab["worker1"], "c1", at="/data/proof") == found


@pytest.mark.parametrize(
    "answer",
    [
        (1, "", "Error response from daemon: No such container: c1"),
        (1, "", "Error response from daemon: container c1 is not running"),
        (126, "", 'OCI runtime exec failed: exec: "sha256sum": no such file or directory'),
        (1, "", "sha256sum: /data/proof: Stale file handle"),
    ],
)
def test_a_command_that_failed_says_nothing_of_the_file(
    lab: Lab, answer: tuple[int, str, str]
) -> None:
    lab.shell = lambda *_: answer
    with pytest.raises(CommandError, match=f"ended with {answer[0]}"):
        checksum(lab["worker1"], "c1", at="/data/proof")
