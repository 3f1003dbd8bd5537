"""Every check of exercise 2.8 passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

import pytest

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Verdict
from tests.exercises.exercise_2_8.autolock import RESTORES, UNLOCKED
from tests.exercises.exercise_2_8.refusals import REFUSED
from tests.exercises.exercise_2_8.verify import exercise
from tests.unit.records.breaker import ALONE, ENOUGH, LATER, NAMES_ALIKE, UNUSED
from tests.unit.records.editing import (
    Edit,
    Row,
    changed,
    edited,
    events,
    in_vain,
    last,
    moved,
    none_of,
)
from tests.unit.records.identities import certificate_taken, who
from tests.unit.records.judge import Broken, JudgeContract, break_alike

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
        "node": "manager2-a",
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
    return "refusal", {
        "case": case, "node": "manager2", "code": code, "said": "no", "untouched": True, "left": [],
    }  # fmt: skip


def write(error: str | None) -> Row:
    return "write", {"node": "manager2", "error": error}


TIMER_STARTED: Row = (
    "command",
    {"node": "manager2", "argv": ["systemctl", "start", "swarm-backup.timer"], "code": 0},
)
AWAY: Row = ("wait", {"condition": "the engine is gone", "node": "manager2", "outcome": "done"})
HOLDS = ["swarm/certificates/swarm-node.key", "swarm/docker-state.json", "swarm/raft/"]


def entries(found: list[list[Any]]) -> list[Row]:
    written: list[Row] = [
        ("entry", {"ledger": "configs", "number": n, "id": f"c{n}", "error": None, "seconds": 0.0})
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
        TIMER_STARTED,
        AWAY,
        (
            "timer",
            {
                "node": "manager2",
                "elapsed": "Wed 2026-11-25 23:00:00 UTC",
                "unit": "swarm-backup.service",
            },
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
        ("carried", {"bytes": 4711, "holds": HOLDS}),
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
        ("unlock", {"case": "key-unsaid", "code": UNLOCKED["key-unsaid"]}),
        *(
            row
            for name in ("manager2", "manager3")
            for row in (
                ("backup", {"node": name, "code": 0}),
                ("kept", {"node": name, "in_backup": False, "beside": True, "control": True}),
            )
        ),
        *fault("destroy", *NODES),
        *(("unlock", {"case": case, "code": UNLOCKED[case]}) for case in RESTORES),
        ("restore", {"node": "manager2", "code": 0, "said": ""}),
        ("restore", {"node": "manager3", "code": 0, "said": ""}),
        write(None),
        ("answers", {"node": "manager2"}),
        identity("after"),
        ("came-back", {"nodes": ["manager3"]}),
        ("joined", {"nodes": ["manager1", "worker1", "worker2"], "removed": ["x"]}),
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


def before_all(name: str, **where: Any) -> Edit:
    """It was seen when the phase began: before anything was lost, and before anything was done."""
    return moved(name, where, to=-0.5)


def with_other_roles(run: Record) -> Record:
    """A worker and a manager have exchanged their roles."""
    lists = run.of("nodes")
    turned = {"worker1": ("manager", "reachable"), "manager3": ("worker", "")}
    rows = [
        {**row, "role": turned[row["name"]][0], "reachability": turned[row["name"]][1]}
        if row["name"] in turned
        else row
        for row in (lists[-1].data["nodes"] if lists else ())
    ]
    return last("nodes", nodes=rows)(run)


def no_decision_meanwhile(run: Record) -> Record:
    return none_of("entry", number=4)(none_of("entry", number=5)(run))


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
        (edited("refusal", {"case": "another-swarm"}, left=None), "fail"),
    ],
    ("refusals", "good-one-verified"): [(edited("refusal", {"case": "verified"}, code=4), "fail")],
    ("refusals", "swarm-unharmed"): [
        (last("nodes", nodes=nodes(names=["manager1"])[1]["nodes"]), "fail"),
        # As it was before a broken backup was offered it always is.
        (before_all("nodes"), "unknown"),
        (with_other_roles, "fail"),
    ],
    ("trouble", "not-begun"): [
        (edited("trouble", {"case": "no-quorum-left"}, stopped=True), "fail"),
    ],
    ("trouble", "full-disk"): [(edited("trouble", {"case": "disk-full"}, answers=False), "fail")],
    ("trouble", "timer"): [
        (edited("timer", elapsed="n/a"), "fail"),
        # Nothing shows that its backup stopped an engine, or that it was the timer's.
        (edited("wait", node="manager1"), "unknown"),
        (before_all("wait"), "unknown"),
    ],
    ("trouble", "killed"): [
        (edited("trouble", {"case": "killed"}, complete=True), "fail"),
        (none_of("trouble", case="killed"), "unknown"),
        (edited("trouble", {"case": "killed"}, stopped=False), "fail"),
    ],
    ("trouble", "engine-refuses"): [
        (edited("mended", answers=False), "fail"),
        (in_vain(none_of("mended")), "fail"),
        (none_of("mended"), "unknown"),
        (before_all("mended"), "unknown"),
    ],
    ("update", "update-goes-on"): [
        (last("updated", state="paused"), "fail"),
        (last("backup", inventory="completed"), "unknown"),
        (before_all("updated"), "unknown"),
        (in_vain(none_of("updated")), "fail"),
        (none_of("updated"), "unknown"),
    ],
    ("disaster", "backup-complete"): [
        (last("leader-after-backup", leader="manager3"), "fail"),
        (before_all("leader-after-backup"), "unknown"),
        (edited("carried", bytes=0), "fail"),
    ],
    ("disaster", "backup-holds"): [
        (edited("carried", holds=HOLDS[1:]), "fail"),
        (edited("carried", holds=HOLDS[:2]), "fail"),
        (edited("carried", holds=[]), "unknown"),
    ],
    ("disaster", "all-was-lost"): [
        (last("info", state="active"), "fail"),
        (none_of("info", node="worker2"), "unknown"),
        (before_all("info"), "unknown"),
        (moved("backup", to=12.0), "unknown"),
    ],
    ("disaster", "restored"): [
        (last("restore", code=1), "fail"),
        (before_all("answers"), "unknown"),
        (before_all("verified"), "unknown"),
        (edited("answers", node="manager1"), "fail"),
    ],
    ("disaster", "data-complete"): [
        (last("found", numbers=list(range(1, 200))), "fail"),
        # Read before anything was lost; nothing written after the backup, or before it.
        (moved("found", to=7.5), "unknown"),
        (edited("written-after", numbers=[]), "unknown"),
        (before_all("written-after"), "unknown"),
    ],
    ("disaster", "new-machines-had-to-join"): [
        (last("came-back", nodes=["worker1"]), "fail"),
        (last("joined", nodes=["manager1"] * 4), "fail"),
        (before_all("came-back"), "unknown"),
        (before_all("joined"), "unknown"),
    ],
    ("disaster", "nothing-of-the-old"): [
        (last("nodes", nodes=nodes({"manager1": "b"})[1]["nodes"]), "fail"),
        (moved("nodes", to=19.5), "unknown"),
    ],
    ("quorum-lost", "survivor-is-enough"): [
        (last("write", error="no leader"), "fail"),
        (edited("write", error=None), "unknown"),
        # Another error than that of managers without a quorum.
        (edited("write", {"error": "no leader"}, error="connection refused"), "unknown"),
        # Refused while there was a quorum; another machine's words; no quorum was lost.
        (moved("write", {"error": "no leader"}, to=0.5), "unknown"),
        (edited("write", {"error": "no leader"}, node="manager1"), "unknown"),
        (edited("fault.injected", nodes=["manager1"]), "unknown"),
        (moved("fault.healed", to=3.5), "unknown"),
    ],
    ("quorum-lost", "workers-come-back"): [
        (last("came-back", nodes=["worker1"]), "fail"),
        # Two machines came back, and not the two workers; not as workers; not the same nodes.
        (last("came-back", nodes=["worker1", "manager2"]), "fail"),
        (with_other_roles, "fail"),
        (last("nodes", nodes=nodes({"worker1": "b"})[1]["nodes"]), "fail"),
        (before_all("came-back"), "unknown"),
        (before_all("joined"), "unknown"),
    ],
    ("autolock", "locked-out"): [
        (before_all("unlock"), "unknown"),
        (moved("unlock", to=99.0), "unknown"),
        (edited("unlock", {"case": "wrong-key"}, code=0), "fail"),
    ],
    ("autolock", "key-kept-apart"): [
        (last("kept", in_backup=True), "fail"),
        # One manager's backup is not both; a search that finds nothing at all is none.
        (none_of("kept", node="manager3"), "unknown"),
        (edited("kept", control=False), "unknown"),
        (edited("kept", control=None), "unknown"),
    ],
    ("autolock", "unlocked"): [
        (last("restore", code=1), "fail"),
        (in_vain(none_of("answers")), "fail"),
        (none_of("answers"), "unknown"),
        (edited("restore", node="manager2"), "unknown"),
        (before_all("write"), "unknown"),
        (before_all("restore"), "unknown"),
    ],
    ("hot", "hot-restores"): [
        (last("entries", found=[["c1", 1]]), "fail"),
        # Nothing had been decided, or nothing was decided while it was copied.
        (edited("hot-began", numbers=0), "unknown"),
        (none_of("entry", number=2), "unknown"),
        (no_decision_meanwhile, "unknown"),
        (moved("entries", to=7.5), "unknown"),
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


for where, edits in {
    # What was seen before anything was lost proves nothing of what was brought back.
    "same-swarm": moved("identity", {"when": "after"}, to=0.5),
    "same-node": moved("identity", {"when": "after"}, to=0.5),
    "same-secrets-and-configs": moved("identity", {"when": "after"}, to=0.5),
    "same-services": moved("identity", {"when": "after"}, to=0.5),
    "same-tokens": moved("identity", {"when": "before"}, to=99.0),
    "secret-readable": moved("read", to=0.5),
    "data-complete": none_of("fault.healed"),
    "whole-again": moved("nodes", to=0.5),
    # Nor does what was looked for before there was a backup.
    "backup-holds": moved("carried", to=0.5),
    "key-kept-apart": moved("kept", to=0.5),
}.items():
    for key in [key for key in BROKEN if key[1] == where]:
        BROKEN[key].append((edits, "unknown"))
for phase in ("disaster", "quorum-lost", "autolock"):
    BROKEN[phase, "whole-again"] += [
        (with_other_roles, "fail"),
        (edited("identity", node="another"), "unknown"),
    ]


STILL_PASSES = {
    ("2.8.*.*", "*: nodes exchanged"): NAMES_ALIKE,
    ("2.8.*.same-tokens", "identity: the later half of another cluster"): UNUSED,
    ("2.8.*.whole-again", "identity: all seen at the phase's beginning"): UNUSED,
    # The last node list decides; those of other managers, or of before, are not needed.
    ("2.8.*.[nw]*", "nodes: no* ?*"): ENOUGH,
    ("2.8.*.w*", "nodes: moments shuffled"): ENOUGH,
    ("2.8.*.[nw]*", "cut *"): ENOUGH,
    # What comes after the look, or after the last list, is another claim's.
    ("2.8.autolock.key-kept-apart", "cut *"): ENOUGH,
    ("2.8.quorum-lost.identities-kept", "nodes: * ?*"): ENOUGH,
    ("2.8.quorum-lost.identities-kept", "fault.injected: all*"): LATER,
    ("2.8.autolock.unlocked", "answers: all seen at the phase's beginning"): UNUSED,
    ("2.8.autolock.unlocked", "write: all seen at the phase's end"): LATER,
    # Two managers are restored; for all but that, one of them is enough.
    ("2.8.autolock.[lsw]*", "restore: no* ?*"): ENOUGH,
    ("2.8.hot.hot-restores", "entry: [nt]* ?*"): ENOUGH,
    # That there were new machines is told by their joining.
    ("2.8.quorum-lost.*", "fault.healed: *"): ENOUGH,
    # Of the offers only the last one's moment matters to the swarm's health.
    ("2.8.refusals.swarm-unharmed", "refusal: no* ?*"): ENOUGH,
    # The tenth is the backup that nobody broke.
    ("2.8.refusals.[nr]*", "refusal: not the one of number 10"): ENOUGH,
    ("2.8.trouble.*", "trouble: [am]*"): ALONE,
    ("2.8.trouble.not-begun", "trouble: not the one of number [4-6]"): ENOUGH,
}
"""What passes on a broken record of a real run, and why that is right."""


NEW_NAMES = {name: f"host-{name}" for name in NODES}
"""Host names, by which the inventory does not call its machines."""


def called_by_host(row: Row) -> Row:
    """What was seen on the new machines: they have the host names."""
    kind, data = row
    told = str(data)
    for name, host in NEW_NAMES.items():
        told = told.replace(f"'{name}'", f"'{host}'")
    return kind, ast.literal_eval(told)


def theirs(row: Row) -> Row:
    """The owner's own node list: under the inventory's names, with host names."""
    kind, data = row
    rows = [{**each, "host_name": NEW_NAMES[each["name"]]} for each in data["nodes"]]
    return kind, {**data, "nodes": rows}


NOT_THEIRS = {"backup-complete", "backup-holds", "all-was-lost"}
"""About the lab's own script, and about machines that are destroyed."""

NEW_MACHINES = {"node": "manager2", "nodes": [*NODES], "bytes": 4711}


def restored_elsewhere() -> Record:
    rows = RUNS["disaster"]
    kinds = [kind for kind, _ in rows]
    here, there = kinds.index("written-after") + 1, kinds.index("restore")
    before = [row for row in rows[:here] if row[0] not in {"backup", "leader-after-backup"}]
    after = [("elsewhere", NEW_MACHINES), *rows[there:]]
    taken: Row = ("their-backup", {"node": "manager2", "code": 0, "why": ""})
    return events(
        "2.8/disaster",
        *(theirs(row) if row[0] == "nodes" else row for row in before if row[0] != "carried"),
        taken,
        ("written-after", {"numbers": list(range(201, 211))}),
        *map(called_by_host, after),
        machines=[*NEW_NAMES.values()],
    )


def as_theirs(run: Record) -> Record:
    """The machines are managers and workers by what they were, whatever they are called."""
    ready = run.events[0]
    nodes_ = [{"name": host, "membership": NODES[name]} for name, host in NEW_NAMES.items()]
    done = [
        replace(e, data={**e.data, "theirs": True}) if e.kind == "restore" else e
        for e in run.events[1:]
    ]
    return Record((replace(ready, data={"nodes": nodes_}), *done))


def judged_elsewhere(edit: Edit = lambda run: run) -> dict[str, Verdict]:
    results = exercise.judge(edit(as_theirs(restored_elsewhere())), "disaster")
    return {r.id.rpartition(".")[2]: r.verdict for r in results}


def test_a_swarm_restored_on_other_machines_passes_all_but_what_is_about_the_first_ones() -> None:
    found = judged_elsewhere()
    assert {claim for claim, verdict in found.items() if verdict is not Verdict.PASS} == NOT_THEIRS
    assert {found[claim] for claim in NOT_THEIRS} == {Verdict.NOT_PROVABLE}


@pytest.mark.parametrize(
    ("claim", "edit", "verdict"),
    [
        ("restored", last("restore", code=1), "fail"),
        ("restored", last("restore", code=None), "fail"),
        ("restored", in_vain(none_of("answers")), "fail"),
        ("restored", none_of("answers"), "unknown"),
        ("restored", none_of("restore"), "unknown"),
        ("same-swarm", another("swarm"), "fail"),
        ("same-node", another("node"), "fail"),
        ("same-secrets-and-configs", another("configs"), "fail"),
        ("same-services", another("services"), "fail"),
        ("same-tokens", another("tokens"), "fail"),
        ("same-swarm", moved("identity", {"when": "after"}, to=0.5), "unknown"),
        ("secret-readable", last("read", digest="another"), "fail"),
        ("secret-readable", last("read", digest=None), "fail"),
        ("secret-readable", none_of("read"), "unknown"),
        ("data-complete", last("found", numbers=list(range(1, 200))), "fail"),
        ("data-complete", last("found", numbers=list(range(1, 211))), "fail"),
        ("data-complete", moved("elsewhere", to=99.0), "unknown"),
        ("data-complete", none_of("their-backup"), "unknown"),
        ("whole-again", last("nodes", nodes=nodes(names=["manager2"])[1]["nodes"]), "fail"),
        ("whole-again", none_of("joined"), "unknown"),
        ("new-machines-had-to-join", last("came-back", nodes=["host-worker1"]), "fail"),
        ("nothing-of-the-old", last("nodes", nodes=theirs(nodes())[1]["nodes"]), "fail"),
    ],
)
def test_a_swarm_restored_on_other_machines_that_is_another_one_does_not_pass(
    claim: str, edit: Edit, verdict: str
) -> None:
    assert judged_elsewhere(edit)[claim] == verdict


def test_an_owners_swarm_is_whole_again_when_it_is_as_large_as_it_was() -> None:
    def larger(run: Record) -> Record:
        ready = run.events[0]
        more = [*ready.data["nodes"], {"name": "host-worker3", "membership": "worker"}]
        return Record((replace(ready, data={"nodes": more}), *run.events[1:]))

    def with_its_row(run: Record) -> Record:
        rows = run.of("nodes")[-1].data["nodes"]
        row = {**rows[-1], "id": "worker3-b", "name": "host-worker3"}
        return last("nodes", nodes=[*rows, row])(larger(run))

    assert judged_elsewhere(larger)["whole-again"] is Verdict.FAIL
    assert judged_elsewhere(with_its_row)["whole-again"] is Verdict.PASS


def test_a_secret_that_nobody_could_read_before_is_not_provable_afterwards() -> None:
    def unread(run: Record) -> Record:
        return changed(none_of("read")(run), lambda e: e.kind == "secret", why="no container")

    def as_unread(run: Record) -> Record:
        return Record(
            tuple(
                replace(e, kind="secret-unread") if e.kind == "secret" else e for e in unread(run)
            )
        )

    assert judged_elsewhere(as_unread)["secret-readable"] is Verdict.NOT_PROVABLE


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
