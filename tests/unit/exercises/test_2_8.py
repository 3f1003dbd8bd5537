"""Every check of exercise 2.8 passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Verdict
from tests.exercises.exercise_2_8.verify import REFUSED, UNLOCKED, exercise
from tests.unit.records.editing import Edit, changed, edited, events, last, none_of
from tests.unit.records.identities import certificate_taken, who
from tests.unit.records.judge import Broken, JudgeContract, break_alike

Row = tuple[str, dict[str, Any]]

NODES = {
    "manager1": "manager",
    "manager2": "manager",
    "manager3": "manager",
    "worker1": "worker",
    "worker2": "worker",
}
LOST_MANAGERS = ["manager1", "manager3"]
DIGEST = "5e884898da28047151d0e56f8dc62927"


def nodes(generation: dict[str, str] | None = None, *, names: list[str] | None = None) -> Row:
    """A node list; `generation`: machine → the end of its id, where it is another than at first."""
    rows = [
        {
            "id": f"{name}-{(generation or {}).get(name, 'a')}",
            "name": name,
            "role": NODES[name],
            "availability": "active",
            "state": "ready",
            "message": "",
            "address": "192.168.56.10",
            "leader": name == "manager2",
            "reachability": "reachable" if NODES[name] == "manager" else "",
        }
        for name in names or NODES
    ]
    return "nodes", {"seen_from": "manager2", "seconds": 0.0, "nodes": rows}


def info(node: str, state: str) -> Row:
    return "info", {"node": node, "state": state}


def fault(kind: str, *names: str) -> list[Row]:
    told = {"fault": kind, "nodes": list(names), "seconds": 0.1}
    return [("fault.injected", told), ("fault.healed", told)]


def identity(when: str) -> Row:
    told = {
        "when": when,
        "swarm": "y1iqkj1rpfpm",
        "node": "w0eacvth03bs",
        "ca": "abcdef",
        "tokens": {"Manager": "m", "Worker": "w"},
        "settings": {"Name": "default"},
        "secrets": {"site-key": "hu4ovrc5883i"},
        "configs": {"site-page": ["p2", "dGhl"]},
        "services": {"site": ["v42o", {"Name": "site"}]},
        "networks": {"ingress": "i1"},
    }
    return "identity", told


def trouble(case: str, code: int, **how: Any) -> Row:
    usual = {"complete": False, "stopped": False, "answers": True, "left": [], "said": ""}
    return "trouble", {"case": case, "node": "manager2", "code": code, **usual, **how}


def refusal(case: str, code: int) -> Row:
    return "refusal", {"case": case, "code": code, "said": "no", "untouched": True, "left": []}


def write(error: str | None) -> Row:
    return "write", {"node": "manager2", "error": error}


def entries(found: list[list[Any]]) -> list[Row]:
    written = [
        ("entry", {"ledger": "configs", "number": n, "id": f"c{n}", "error": None, "seconds": 0.1})
        for n in range(1, 6)
    ]
    return [
        *written[:3],
        ("hot-began", {"numbers": 3}),
        *written[3:],
        ("entries", {"ledger": "configs", "found": found}),
    ]


SECRET: Row = ("secret", {"digest": DIGEST})
READ: Row = ("read", {"node": "worker1", "digest": DIGEST})
NEW = dict.fromkeys((*LOST_MANAGERS, "worker1", "worker2"), "b")

BEFORE = who(NODES)
AFTER = who(NODES, **{name: f"new-{name}" for name in LOST_MANAGERS})
"""New machines are new nodes; the others are who they were."""

RUNS: dict[str, list[Row]] = {
    "refusals": [
        *(refusal(case, code) for case, code in REFUSED.items()),
        refusal("verified", 0),
        nodes(),
    ],
    "trouble": [
        trouble("it-leads", 4),
        trouble("another-run", 3),
        trouble("no-quorum-left", 5),
        trouble("disk-full", 8, stopped=True),
        (
            "timer",
            {"elapsed": "Wed 2026-11-25 23:00:00 UTC", "unit": "swarm-backup.service"},
        ),
        trouble("killed", 137, stopped=True, left=["swarm-1"]),
        trouble("engine-refuses", 9, stopped=True, answers=False, complete=True),
        ("mended", {"node": "manager2", "answers": True}),
    ],
    "update": [
        ("backup", {"code": 0, "update_before": "updating", "inventory": "updating"}),
        ("updated", {"state": "completed"}),
    ],
    "disaster": [
        SECRET,
        identity("before"),
        nodes(),
        (
            "backup",
            {
                "code": 0,
                "node": "manager2",
                "leader": "manager1",
                "manifest": {"hot": "no", "volumes": "yes", "engine_stopped_s": "7.0"},
            },
        ),
        ("leader-after-backup", {"leader": "manager1"}),
        ("carried", {"bytes": 4711}),
        ("written-after", {"numbers": list(range(201, 211))}),
        *fault("destroy", *NODES),
        *(info(name, "inactive") for name in NODES),
        ("verified", {"code": 0}),
        ("restore", {"node": "manager2", "code": 0, "said": ""}),
        ("answers", {"node": "manager2"}),
        identity("after"),
        ("came-back", {"nodes": []}),
        ("joined", {"nodes": [*LOST_MANAGERS, "worker1", "worker2"], "removed": ["x"]}),
        ("wait", {"condition": "every node ready", "outcome": "done"}),
        READ,
        ("found", {"numbers": list(range(1, 201))}),
        nodes(NEW),
    ],
    "quorum-lost": [
        BEFORE,
        identity("before"),
        nodes(),
        fault("destroy", *LOST_MANAGERS)[0],
        write("no leader"),
        ("forced", {"node": "manager2", "code": 0, "said": ""}),
        write(None),
        ("answers", {"node": "manager2"}),
        identity("after"),
        fault("destroy", *LOST_MANAGERS)[1],
        ("came-back", {"nodes": ["worker1", "worker2"]}),
        ("joined", {"nodes": LOST_MANAGERS, "removed": ["x"]}),
        nodes(dict.fromkeys(LOST_MANAGERS, "b")),
        AFTER,
    ],
    "autolock": [
        SECRET,
        identity("before"),
        *(("unlock", {"case": case, "code": code}) for case, code in UNLOCKED.items()),
        *(("kept", {"node": name, "in_backup": False, "beside": True}) for name in NODES),
        *fault("destroy", *NODES),
        ("restore", {"node": "manager2", "code": 0, "said": ""}),
        ("restore", {"node": "manager3", "code": 0, "said": ""}),
        ("answers", {"node": "manager2"}),
        identity("after"),
        READ,
        nodes(NEW),
    ],
    "hot": [
        *entries([[f"c{n}", n] for n in range(1, 5)])[:-1],
        ("backup", {"code": 0, "node": "manager1"}),
        identity("before"),
        *fault("destroy", "manager1"),
        ("restore", {"node": "manager1", "code": 0, "said": ""}),
        identity("after"),
        ("entries", {"ledger": "configs", "found": [[f"c{n}", n] for n in range(1, 5)]}),
    ],
}  # fmt: skip


def good(phase: str) -> Record:
    return events(f"2.8/{phase}", *RUNS[phase])


def another(part: str) -> Edit:
    """A part of the swarm's identity is another in the end."""
    return last("identity", **{part: {"another": "one"}})


BROKEN: Broken = {
    ("refusals", "refused"): [
        (edited("refusal", {"case": "bit-flipped"}, code=0), "fail"),
        (none_of("refusal", case="truncated"), "unknown"),
    ],
    ("refusals", "nothing-touched"): [
        (edited("refusal", {"case": "another-swarm"}, untouched=False), "fail"),
        (none_of("refusal"), "unknown"),
    ],
    ("refusals", "good-one-verified"): [
        (edited("refusal", {"case": "verified"}, code=4), "fail"),
    ],
    ("refusals", "swarm-unharmed"): [
        (last("nodes", nodes=nodes(names=["manager1"])[1]["nodes"]), "fail"),
    ],
    ("trouble", "not-begun"): [
        (edited("trouble", {"case": "no-quorum-left"}, stopped=True), "fail"),
    ],
    ("trouble", "full-disk"): [
        (edited("trouble", {"case": "disk-full"}, answers=False), "fail"),
    ],
    ("trouble", "timer"): [
        (edited("timer", elapsed="n/a"), "fail"),
        (none_of("timer"), "unknown"),
    ],
    ("trouble", "killed"): [
        (edited("trouble", {"case": "killed"}, complete=True), "fail"),
        (none_of("trouble", case="killed"), "unknown"),
    ],
    ("trouble", "engine-refuses"): [
        (edited("mended", answers=False), "fail"),
    ],
    ("update", "update-goes-on"): [
        (last("updated", state="paused"), "fail"),
        (last("backup", inventory="completed"), "unknown"),
    ],
    ("disaster", "backup-complete"): [
        (last("leader-after-backup", leader="manager3"), "fail"),
    ],
    ("disaster", "all-was-lost"): [
        (last("info", state="active"), "fail"),
        (none_of("info"), "unknown"),
    ],
    ("disaster", "restored"): [
        (last("restore", code=1), "fail"),
    ],
    ("disaster", "data-complete"): [
        (last("found", numbers=list(range(1, 200))), "fail"),
    ],
    ("disaster", "new-machines-had-to-join"): [
        (last("came-back", nodes=["worker1"]), "fail"),
    ],
    ("disaster", "nothing-of-the-old"): [
        (last("nodes", nodes=nodes({"manager1": "b"})[1]["nodes"]), "fail"),
    ],
    ("quorum-lost", "survivor-is-enough"): [
        (last("write", error="no leader"), "fail"),
        (edited("write", error=None), "unknown"),
    ],
    ("quorum-lost", "workers-come-back"): [
        (last("came-back", nodes=["worker1"]), "fail"),
    ],
    ("autolock", "locked-out"): [
        (edited("unlock", {"case": "wrong-key"}, code=0), "fail"),
    ],
    ("autolock", "key-kept-apart"): [
        (last("kept", in_backup=True), "fail"),
    ],
    ("autolock", "unlocked"): [
        (last("restore", code=1), "fail"),
    ],
    ("hot", "hot-restores"): [
        (last("entries", found=[["c1", 1]]), "fail"),
        (none_of("entries"), "unknown"),
    ],
}
break_alike(
    BROKEN,
    exercise,
    {
        "identities-kept": certificate_taken,
        "same-swarm": another("swarm"),
        "same-node": another("node"),
        "same-secrets-and-configs": another("secrets"),
        "same-services": another("services"),
        "same-tokens": another("tokens"),
        "secret-readable": last("read", digest="another"),
        "whole-again": last("nodes", nodes=nodes(names=["manager2", "worker1"])[1]["nodes"]),
        "key-kept-apart": edited("kept", beside=False),
        "survivor-is-enough": edited("forced", code=1),
        "update-goes-on": edited("backup", code=8),
        "backup-complete": edited("backup", code=8),
        "hot-restores": edited("backup", code=8),
    },
)


class TestJudge(JudgeContract):
    exercise = exercise
    phases = RUNS
    good = staticmethod(good)
    broken = BROKEN


def test_data_of_after_the_backup_is_no_proof_of_a_restore() -> None:
    run = last("found", numbers=list(range(1, 211)))(good("disaster"))
    found = {r.id: r.verdict for r in exercise.judge(run, "disaster")}
    assert found["2.8.disaster.data-complete"] is Verdict.FAIL


def test_an_old_manager_that_is_still_listed_is_something_of_the_old() -> None:
    rows = [*nodes(NEW)[1]["nodes"], {**nodes()[1]["nodes"][0], "state": "down"}]
    run = last("nodes", nodes=rows)(good("disaster"))
    found = {r.id: r.verdict for r in exercise.judge(run, "disaster")}
    assert found["2.8.disaster.nothing-of-the-old"] is Verdict.FAIL


def test_machines_that_were_not_all_destroyed_were_not_lost() -> None:
    four = [name for name in NODES if name != "worker2"]
    run = changed(good("disaster"), lambda e: e.kind.startswith("fault."), nodes=four)
    found = {r.id: r.verdict for r in exercise.judge(run, "disaster")}
    assert found["2.8.disaster.all-was-lost"] is not Verdict.PASS


def test_recovery_is_measured_from_the_moment_when_the_new_machine_is_up() -> None:
    run = good("disaster")
    healed = run.last("fault.healed")
    answers = run.last("answers")
    assert healed is not None
    assert answers is not None
    measured = exercise.measurements(run)["disaster"]
    assert measured["restore_s"] == answers.t - healed.t
    assert measured["engine_stopped_s"] == 7.0
    assert measured["data_lost"] == 0
    assert measured["written_after_backup"] == 10
    assert measured["backup_bytes"] == 4711


def test_decisions_lost_by_a_hot_backup_are_counted_by_when_they_were_made() -> None:
    run = last("entries", found=[["c1", 1], ["c2", 2]])(good("hot"))
    assert exercise.measurements(run)["hot"] == {"data_lost": 1, "lost_later": 2}


def test_the_time_of_an_event_decides_not_its_place() -> None:
    run = good("quorum-lost")
    late = Record(tuple(replace(e, t=0.5) if e.kind == "forced" else e for e in run))
    found = {r.id: r.verdict for r in exercise.judge(late, "quorum-lost")}
    assert found["2.8.quorum-lost.survivor-is-enough"] is Verdict.UNKNOWN
