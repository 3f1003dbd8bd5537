"""Every check of exercise 2.8 passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Event, Verdict
from tests.exercises.exercise_2_8.verify import REFUSED, UNLOCKED, exercise
from tests.unit.records.editing import changed, events, without

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


@pytest.mark.parametrize("phase", RUNS)
def test_a_good_run_passes_every_check(phase: str) -> None:
    results = exercise.judge(good(phase), phase)
    assert {r.id: r.observed for r in results if r.verdict is not Verdict.PASS} == {}


def kind(name: str, **data: Any) -> Callable[[Event], bool]:
    return lambda e: e.kind == name and all(e.data.get(k) == v for k, v in data.items())


def last(phase: str, name: str, **data: Any) -> Record:
    """The run whose last event of that kind says something else."""
    run = good(phase)
    event = run.of(name)[-1]
    return changed(run, lambda e: e is event, **data)


def another(part: str, phase: str) -> Callable[[], Record]:
    """The run after which a part of the swarm's identity is another."""
    return lambda: last(phase, "identity", **{part: {"another": "one"}})


BROKEN: dict[tuple[str, str, str], Callable[[], Record]] = {
    ("refusals", "refused", "fail"): lambda: changed(
        good("refusals"), kind("refusal", case="bit-flipped"), code=0
    ),
    ("refusals", "refused", "unknown"): lambda: without(
        good("refusals"), kind("refusal", case="truncated")
    ),
    ("refusals", "nothing-touched", "fail"): lambda: changed(
        good("refusals"), kind("refusal", case="another-swarm"), untouched=False
    ),
    ("refusals", "nothing-touched", "unknown"): lambda: without(good("refusals"), kind("refusal")),
    ("refusals", "good-one-verified", "fail"): lambda: changed(
        good("refusals"), kind("refusal", case="verified"), code=4
    ),
    ("refusals", "swarm-unharmed", "fail"): lambda: last(
        "refusals", "nodes", nodes=nodes(names=["manager1"])[1]["nodes"]
    ),
    ("trouble", "not-begun", "fail"): lambda: changed(
        good("trouble"), kind("trouble", case="no-quorum-left"), stopped=True
    ),
    ("trouble", "full-disk", "fail"): lambda: changed(
        good("trouble"), kind("trouble", case="disk-full"), answers=False
    ),
    ("trouble", "timer", "fail"): lambda: changed(good("trouble"), kind("timer"), elapsed="n/a"),
    ("trouble", "timer", "unknown"): lambda: without(good("trouble"), kind("timer")),
    ("trouble", "killed", "fail"): lambda: changed(
        good("trouble"), kind("trouble", case="killed"), complete=True
    ),
    ("trouble", "killed", "unknown"): lambda: without(
        good("trouble"), kind("trouble", case="killed")
    ),
    ("trouble", "engine-refuses", "fail"): lambda: changed(
        good("trouble"), kind("mended"), answers=False
    ),
    ("update", "update-goes-on", "fail"): lambda: last("update", "updated", state="paused"),
    ("update", "update-goes-on", "unknown"): lambda: last(
        "update", "backup", inventory="completed"
    ),
    ("disaster", "backup-complete", "fail"): lambda: last(
        "disaster", "leader-after-backup", leader="manager3"
    ),
    ("disaster", "all-was-lost", "fail"): lambda: last("disaster", "info", state="active"),
    ("disaster", "all-was-lost", "unknown"): lambda: without(good("disaster"), kind("info")),
    ("disaster", "restored", "fail"): lambda: last("disaster", "restore", code=1),
    ("disaster", "same-swarm", "fail"): another("swarm", "disaster"),
    ("disaster", "same-node", "fail"): another("node", "disaster"),
    ("disaster", "same-secrets-and-configs", "fail"): another("secrets", "disaster"),
    ("disaster", "same-services", "fail"): another("services", "disaster"),
    ("disaster", "same-tokens", "fail"): another("tokens", "disaster"),
    ("disaster", "secret-readable", "fail"): lambda: last("disaster", "read", digest="another"),
    ("disaster", "data-complete", "fail"): lambda: last(
        "disaster", "found", numbers=list(range(1, 200))
    ),
    ("disaster", "new-machines-had-to-join", "fail"): lambda: last(
        "disaster", "came-back", nodes=["worker1"]
    ),
    ("disaster", "whole-again", "fail"): lambda: last(
        "disaster", "nodes", nodes=nodes(names=["manager2", "worker1"])[1]["nodes"]
    ),
    ("disaster", "nothing-of-the-old", "fail"): lambda: last(
        "disaster", "nodes", nodes=nodes({"manager1": "b"})[1]["nodes"]
    ),
    ("quorum-lost", "survivor-is-enough", "fail"): lambda: last(
        "quorum-lost", "write", error="no leader"
    ),
    ("quorum-lost", "survivor-is-enough", "unknown"): lambda: changed(
        good("quorum-lost"), kind("write"), error=None
    ),
    ("quorum-lost", "workers-come-back", "fail"): lambda: last(
        "quorum-lost", "came-back", nodes=["worker1"]
    ),
    ("autolock", "locked-out", "fail"): lambda: changed(
        good("autolock"), kind("unlock", case="wrong-key"), code=0
    ),
    ("autolock", "key-kept-apart", "fail"): lambda: last("autolock", "kept", in_backup=True),
    ("autolock", "unlocked", "fail"): lambda: last("autolock", "restore", code=1),
    ("hot", "hot-restores", "fail"): lambda: last("hot", "entries", found=[["c1", 1]]),
    ("hot", "hot-restores", "unknown"): lambda: without(good("hot"), kind("entries")),
}


@pytest.mark.parametrize("case", BROKEN, ids=".".join)
def test_a_broken_run_does_not_pass(case: tuple[str, str, str]) -> None:
    phase, check, verdict = case
    found = {r.id: r.verdict for r in exercise.judge(BROKEN[case](), phase)}
    assert found[f"2.8.{phase}.{check}"] == verdict


def test_no_check_is_without_a_run_that_it_refuses() -> None:
    declared = {check.id.rsplit(".", 1)[1] for check in exercise.checks}
    assert declared == {check for _, check, _ in BROKEN}


def test_data_of_after_the_backup_is_no_proof_of_a_restore() -> None:
    run = last("disaster", "found", numbers=list(range(1, 211)))
    found = {r.id: r.verdict for r in exercise.judge(run, "disaster")}
    assert found["2.8.disaster.data-complete"] is Verdict.FAIL


def test_an_old_manager_that_is_still_listed_is_something_of_the_old() -> None:
    rows = [*nodes(NEW)[1]["nodes"], {**nodes()[1]["nodes"][0], "state": "down"}]
    found = {
        r.id: r.verdict for r in exercise.judge(last("disaster", "nodes", nodes=rows), "disaster")
    }
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
    run = last("hot", "entries", found=[["c1", 1], ["c2", 2]])
    assert exercise.measurements(run)["hot"] == {"data_lost": 1, "lost_later": 2}


def test_the_time_of_an_event_decides_not_its_place() -> None:
    run = good("quorum-lost")
    late = Record(tuple(replace(e, t=0.5) if e.kind == "forced" else e for e in run))
    found = {r.id: r.verdict for r in exercise.judge(late, "quorum-lost")}
    assert found["2.8.quorum-lost.survivor-is-enough"] is Verdict.UNKNOWN
