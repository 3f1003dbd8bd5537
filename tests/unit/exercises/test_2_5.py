"""Every check of exercise 2.5 passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_swarmlab.evidence.record import Record
from tests.exercises.exercise_2_5 import drill
from tests.exercises.exercise_2_5.refusals import LATER as LATER_IS
from tests.exercises.exercise_2_5.refusals import REFUSED
from tests.exercises.exercise_2_5.verify import exercise
from tests.unit.records.breaker import ALONE, ENOUGH, NAMES_ALIKE
from tests.unit.records.editing import (
    LAB,
    Edit,
    changed,
    edited,
    in_vain,
    kind,
    last,
    moved,
    none_of,
    timed,
    without,
)
from tests.unit.records.judge import Broken, JudgeContract

Row = tuple[str, dict[str, Any]]
Timed = tuple[float, str, dict[str, Any]]

FIVE = LAB
WORDPRESS, DATABASE = "wp_wordpress", "wp_db"
SAID = {
    "syntax-error": "yaml: line 7: did not find expected ',' or ']'",
    "missing-secret": "secret not found: never_created",
    "port-clash": "port '8085' is already in use by service 'port-clash_first' as an ingress port",
    "unknown-driver": "no suitable node (missing plugin on 5 nodes)",
    "silent-nfs": "failed to mount local volume: mount :/srv/nfs: no route to host",
}


def tasks(service: str, *rows: tuple[str, str]) -> Row:
    listed = [
        {"id": id_, "slot": slot, "node": node, "state": "running", "desired": "running"}
        for slot, (id_, node) in enumerate(rows, 1)
    ]
    return "tasks", {"service": service, "seen_from": "manager1", "seconds": 0.0, "tasks": listed}


def replicas(count: int, mark: str = "a") -> Row:
    return tasks(WORDPRESS, *((f"{mark}{n}", FIVE[n]) for n in range(count)))


def replaced(count: int) -> Row:
    """Other tasks run, and those that ran before are listed as stopped."""
    kind_, data = replicas(count, "b")
    stopped = [
        {**row, "state": "shutdown", "desired": "shutdown"} for row in replicas(count)[1]["tasks"]
    ]
    return kind_, {**data, "tasks": [*data["tasks"], *stopped]}


def nodes(state: str = "ready", lost: str = "worker1") -> Row:
    rows = [
        {"id": name, "name": name, "role": name[:-1], "state": state if name == lost else "ready"}
        for name in FIVE
    ]
    return "nodes", {"seen_from": "manager1", "seconds": 0.0, "nodes": rows}


def at(t: float, *rows: Row) -> list[Timed]:
    """These rows from that moment on, a tenth of a second apart."""
    return [(t + number / 10, *row) for number, row in enumerate(rows)]


def reads(t: float) -> list[Timed]:
    """What was read through each node."""
    wanted = {"post": "A post", "picture": "d1ge57", "login": "known"}
    rows = [
        ("read", {"node": node, "what": what, "expected": told, "found": told, "error": None})
        for node in FIVE
        for what, told in wanted.items()
    ]
    return at(t, *rows)


def environment(service: str, *env: str) -> Row:
    return "environment", {"service": service, "env": list(env), "shows": []}


def entry(number: int, sent: float, error: str | None = None) -> Timed:
    what = "post" if number % 2 else "comment"
    return sent + 0.5, "entry", {
        "ledger": "entries", "number": number, "sent": sent, "seconds": 0.5,
        "id": None if error else f"{what} {number}", "error": error,
    }  # fmt: skip


def request(sent: float, status: int = 200) -> Timed:
    return sent + 0.2, "request", {
        "node": "manager1", "sent": sent, "seconds": 0.2, "status": status,
        "error": None, "url": "http://manager1:8080/", "port": 8080,
    }  # fmt: skip


FOUND = [["post 1", 1], ["comment 2", 2], ["post 7", 7], ["comment 8", 8]]


def under_load(*what: Timed) -> list[Timed]:
    """Something happens at 2 s; the writes of 3 to 9 s fail, those from 12 s on are acknowledged.

    What was written is read back at 20 s, the rest from 21 s on.
    """
    failing = [entry(3 + n, 3.0 + 2 * n, error="status 500 instead of 201") for n in range(4)]
    return [
        entry(1, 0.0),
        request(1.0),
        entry(2, 1.0),
        *what,
        *failing,
        request(3.5, 500),
        entry(7, 12.0),
        entry(8, 13.0),
        request(13.0),
        (20.0, "entries", {"ledger": "entries", "found": FOUND}),
        *reads(21.0),
    ]


def replayed(salts: str, *strangers: int) -> Row:
    tries = [
        {"node": FIVE[n % 5], "found": "a stranger" if n in strangers else "known"}
        for n in range(15)
    ]
    return "replayed", {"salts": salts, "tries": tries}


NOTHING = {"services": 0, "networks": 0, "containers": 0}


def refused(file: str, words: str) -> Row:
    by = f"a task, {LATER_IS[file]}" if file in LATER_IS else "docker stack deploy"
    code = {} if file in LATER_IS else {"code": 1}
    return "refused", {"file": file, "by": by, "said": words, **code}


def served(*requests: int) -> Row:
    rows = [{"task": f"a{n}", "node": FIVE[n], "requests": r} for n, r in enumerate(requests)]
    return "served", {"replicas": rows}


BEGUN: Timed = (2.0, "begun", {"what": "the drill's own act"})
POWER = {"fault": "power-off", "nodes": ["worker1"]}
ON_WORKER1 = tasks(DATABASE, ("d1", "worker1"))


def replacing(state: str = "preparing") -> Row:
    """The next task is there; the old one is not wanted any more and nobody knows what it does."""
    kind_, data = tasks(DATABASE, ("d1", "worker1"), ("d2", "worker2"))
    old, new = data["tasks"]
    rows = [{**old, "desired": "shutdown"}, {**new, "state": state}]
    return kind_, {**data, "tasks": rows}


ON_WORKER2 = replacing("running")


LOST: list[Timed] = [
    (0.5, "labelled", {"nodes": ["worker1", "worker2"]}),
    *at(1.5, ON_WORKER1, nodes()),
    (2.0, "fault.injected", {**POWER, "seconds": 0.0}),
    *at(4.0, ON_WORKER1, nodes()),
    *at(7.0, replacing(), nodes("down")),
    *at(10.0, ON_WORKER2, nodes("down")),
    *at(14.0, ON_WORKER2, nodes("down")),
    (16.0, "fault.healed", {**POWER, "seconds": 1.0}),
    *at(17.0, ON_WORKER2, nodes()),
    *at(20.5, ON_WORKER2, nodes()),
]

RUNS: dict[str, list[Timed]] = {
    "installed": [
        *at(1, tasks(DATABASE, ("d1", "worker1")), replicas(3)),
        (2, "installed", {"status": 200, "success": True, "said": "Success! Log In"}),
        *reads(3),
        *at(
            5,
            environment(
                DATABASE, "MYSQL_USER=wordpress", "MYSQL_PASSWORD_FILE=/run/secrets/db_password"
            ),
            environment(WORDPRESS, "WORDPRESS_AUTH_KEY_FILE=/run/secrets/wordpress_auth_key"),
        ),
    ],
    "db-recreated": under_load(BEGUN),
    "node-lost": under_load(*LOST),
    "rolled": [*at(0, replicas(3)), *under_load(BEGUN), *at(19, replaced(3))],
    "scaled": [*under_load(BEGUN), *at(19, replicas(5)), *at(23, served(2, 1, 1, 2, 1))],
    "salts": at(
        0,
        replayed("shared"),
        served(3, 3, 3),
        replayed("own", 0, 1, 3, 4, 6, 7, 9, 10, 12, 13),
        served(5, 5, 5),
    ),
    "refusals": [
        *at(0, *(refused(file, words) for file, words in SAID.items())),
        *at(1, *(("left", {"file": f, **NOTHING, "nodes": [*FIVE]}) for f in SAID)),
    ],
}
LOSSES = ("db-recreated", "node-lost", "rolled", "scaled")


def good(phase: str) -> Record:
    return timed(f"2.5/{phase}", *RUNS[phase])


def second_listing(service: str, *rows: tuple[str, str]) -> Edit:
    """The last listing of that service's tasks is this."""
    return last("tasks", {"service": service}, tasks=tasks(service, *rows)[1]["tasks"])


def never_back(run: Record) -> Record:
    return changed(run, lambda e: e.data.get("number") in {7, 8}, id=None, error="timeout")


def after_ages(run: Record) -> Record:
    return changed(run, lambda e: e.data.get("number") in {7, 8}, sent=999.0)


def entries_within(began: float, ended: float) -> Edit:
    """Nothing was written then."""
    return lambda run: without(
        run, lambda e: e.kind == "entry" and began <= e.data["sent"] <= ended
    )


def back_only_with_the_machine(run: Record) -> Record:
    run = changed(run, kind("entry", number=7), sent=16.5)
    return changed(run, kind("entry", number=8), sent=17.5)


def listed_again(run: Record) -> Record:
    """One of the lists while the machine was away says that it was not."""
    once = [e for e in run.of("tasks") if e.t == 14.0]
    return changed(run, lambda e: e in once, tasks=ON_WORKER1[1]["tasks"])


def another_node(run: Record) -> Record:
    """The machine is back as a node that was not there before."""
    back = [e for e in run.of("nodes") if e.t > 16.0]
    rows = [
        {**row, "id": "another"} if row["name"] == "worker1" else row for row in nodes()[1]["nodes"]
    ]
    return changed(run, lambda e: e in back, nodes=rows)


def listed_within(name: str, began: float, ended: float) -> Edit:
    """Nobody listed the tasks, or the nodes, then."""
    return lambda run: without(run, lambda e: e.kind == name and began <= e.t <= ended)


BROKEN: Broken = {
    ("installed", "replicas"): [
        (second_listing(WORDPRESS, ("a1", "manager1")), "fail"),
        (second_listing(DATABASE), "fail"),
        (none_of("tasks", service=DATABASE), "unknown"),
    ],
    ("installed", "installed"): [
        (edited("installed", success=False), "fail"),
        (edited("installed", status=500), "fail"),
    ],
    ("installed", "no-password-in-a-definition"): [
        (edited("environment", {"service": DATABASE}, env=["MYSQL_PASSWORD=hunter22"]), "fail"),
        (edited("environment", {"service": DATABASE}, env=["MYSQL_PASSWORD_FILE=hunter2"]), "fail"),
        (edited("environment", {"service": WORDPRESS}, shows=["db_password"]), "fail"),
        (edited("environment", {"service": WORDPRESS}, env=["WORDPRESS_DB_HOST=db"]), "unknown"),
        (none_of("environment", service=WORDPRESS), "unknown"),
    ],
    **{
        (phase, what): [
            (edited("read", {"what": what, "node": "worker2"}, found="another"), "fail"),
            (edited("read", {"what": what, "node": "worker2"}, found=None), "fail"),
            (none_of("read", what=what), "unknown"),
            (none_of("read", what=what, node="worker2"), "unknown"),
            # What was seen before it happened proves nothing of afterwards.
            (moved("read", {"what": what}, to=0.0), "unknown"),
            (moved("read", {"what": what, "node": "worker2"}, to=1.8), "unknown"),
            (edited("read", {"what": what}, found="", expected=""), "fail"),
        ]
        for phase in ("installed", *LOSSES)
        for what in ("post", "picture", "login")
    },
    **{
        (phase, "writes-come-back"): [
            (in_vain(never_back), "fail"),
            (never_back, "unknown"),
            (after_ages, "fail"),
            # Nobody wrote while it was broken, or before; or posts alone.
            (entries_within(2.0, 11.0), "unknown"),
            (entries_within(0.0, 2.0), "unknown"),
            (entries_within(13.0, 14.0), "unknown"),
        ]
        for phase in LOSSES
    },
    **{
        (phase, "no-write-lost"): [
            (edited("entries", found=[["post 1", 1]]), "fail"),
            (edited("entries", found=[*FOUND[:2], ["post 9", 7], FOUND[3]]), "fail"),
            (moved("entries", to=1.9), "unknown"),
            (moved("entries", to=11.0), "unknown"),
            (entries_within(0.0, 2.0), "unknown"),
            (entries_within(2.0, 11.0), "unknown"),
            (entries_within(12.0, 20.0), "unknown"),
        ]
        for phase in LOSSES
    },
    **{
        (phase, "no-write-doubled"): [
            (edited("entries", found=[*FOUND, ["post 9", 7]]), "fail"),
            (edited("entries", found=[["post 5", 3], ["post 6", 3]]), "fail"),
            (edited("entries", found=[]), "unknown"),
            (moved("entries", to=1.9), "unknown"),
            (moved("entries", to=11.0), "unknown"),
            (entries_within(2.0, 11.0), "unknown"),
        ]
        for phase in LOSSES
    },
    ("node-lost", "database-moves"): [
        (second_listing(DATABASE, ("d2", "worker1")), "fail"),
        (second_listing(DATABASE), "fail"),
        (edited("fault.injected", nodes=["worker2"]), "unknown"),
        # Only the last list says that it moved; on a node that hasn't the label.
        (listed_within("tasks", 7.0, 18.0), "unknown"),
        (listed_within("tasks", 16.0, 30.0), "unknown"),
        # It was back on the lost machine meanwhile; the last list is another service's.
        (listed_again, "fail"),
        (second_listing(DATABASE, ("x9", "worker2")), "unknown"),
        (edited("labelled", nodes=["worker1"]), "fail"),
        (moved("labelled", to=18.0), "unknown"),
        # The machine was never away, or back when the database moved.
        (listed_within("nodes", 7.0, 15.0), "unknown"),
    ],
    ("node-lost", "node-returns"): [
        (lambda run: changed(run, lambda e: e is run.last("nodes"), **nodes("down")[1]), "fail"),
        (listed_within("nodes", 7.0, 15.0), "unknown"),
        (listed_within("nodes", 16.0, 30.0), "unknown"),
        (listed_within("nodes", 0.0, 2.0), "unknown"),
        (another_node, "fail"),
    ],
    ("rolled", "every-replica-replaced"): [
        (second_listing(WORDPRESS, ("b0", "worker1"), ("b1", "worker2"), ("a2", "manager1")),
         "fail"),
        (second_listing(WORDPRESS, ("b0", "worker1")), "fail"),
        (moved("begun", to=19.5), "unknown"),
        (moved("begun", to=-1.0), "unknown"),
        # Other tasks, and no word of those that ran before: another service's.
        (last("tasks", tasks=replicas(3, "b")[1]["tasks"]), "unknown"),
    ],
    ("scaled", "five-run"): [
        (second_listing(WORDPRESS, ("a0", "worker1")), "fail"),
        (moved("tasks", to=1.0), "unknown"),
    ],
    ("scaled", "five-serve"): [
        (edited("served", replicas=served(3, 3, 0, 1, 1)[1]["replicas"]), "fail"),
        (edited("served", replicas=served(3, 3)[1]["replicas"]), "unknown"),
        # One log that was read five times; logs of before; of tasks that run no more.
        (edited("served", replicas=served(3)[1]["replicas"] * 5), "unknown"),
        (moved("served", to=1.0), "unknown"),
        (last("tasks", tasks=replicas(5, "z")[1]["tasks"]), "unknown"),
    ],
    ("salts", "shared-salts"): [
        (edited("replayed", {"salts": "shared"}, **replayed("shared", 3)[1]), "fail"),
        (edited("replayed", {"salts": "shared"}, tries=replayed("shared")[1]["tries"][:11]),
         "unknown"),
        (edited("replayed", {"salts": "shared"}, tries=[{"found": None}] * 15), "unknown"),
        (none_of("replayed", salts="shared"), "unknown"),
        # All connections came to one replica.
        (edited("served", replicas=served(15, 0, 0)[1]["replicas"]), "unknown"),
        (edited("served", replicas=served(15)[1]["replicas"]), "unknown"),
        (moved("served", to=9.0), "unknown"),
    ],
    ("salts", "own-salts"): [
        (edited("replayed", {"salts": "own"}, **replayed("own")[1]), "fail"),
        (edited("replayed", {"salts": "own"}, **replayed("own", *range(15))[1]), "unknown"),
        (none_of("replayed", salts="own"), "unknown"),
    ],
    **{
        ("refusals", file): [
            (edited("refused", {"file": file}, said=""), "fail"),
            (edited("refused", {"file": file}, said="rpc error"), "fail"),
            (none_of("refused", file=file), "unknown"),
            # It was taken all the same, or another state's words are told.
            (edited("refused", {"file": file}, code=0, by="a task, running"), "fail"),
        ]
        for file in SAID
    },
    ("refusals", "nothing-left"): [
        (edited("left", {"file": "port-clash"}, services=1), "fail"),
        (edited("left", {"file": "silent-nfs"}, networks=1), "fail"),
        (edited("left", {"file": "unknown-driver"}, containers=1), "fail"),
        (none_of("left", file="port-clash"), "unknown"),
        (edited("left", {"file": "port-clash"}, nodes=["manager1"]), "unknown"),
        (moved("left", {"file": "port-clash"}, to=-0.5), "unknown"),
        (none_of("refused", file="port-clash"), "unknown"),
    ],
}  # fmt: skip


STILL_PASSES = {
    ("2.5.*.*", "read: nodes exchanged"): NAMES_ALIKE,
    # The author's writes say for a reading of something else only that the site was back.
    ("2.5.*.[lp]*", "entry: none ?*"): ENOUGH,
    # One manager's lists show it, and half of the time that the machine was away.
    ("2.5.node-lost.[dn]*", "nodes: none ?*"): ENOUGH,
    # A list of tasks names their containers, and the list of connections the tasks.
    ("2.5.*.*", "[st]*: the later half of another cluster"): ALONE,
    # The other list is the database's.
    ("2.5.scaled.five-serve", "tasks: not *"): ENOUGH,
    # The first trial is the one with shared salts.
    ("2.5.salts.shared-salts", "cut *"): ENOUGH,
    ("2.5.salts.shared-salts", "[rs]*: not *"): ENOUGH,
}
"""What passes on a broken record of a real run, and why that is right."""


class TestJudge(JudgeContract):
    exercise = exercise
    phases = RUNS
    good = staticmethod(good)
    broken = BROKEN


def test_every_bad_file_is_deployed_and_judged() -> None:
    assert (
        {path.stem for path in drill.BAD.iterdir()}
        == set(REFUSED)
        == {*drill.AT_ONCE, *drill.LATER}
    )


def test_a_loss_is_measured_from_its_beginning_to_the_first_write_after_the_last_failure() -> None:
    found = exercise.measurements(good("db-recreated"))["db-recreated"]
    assert found == {
        "longest_gap_s": 12.0,
        "recovered_s": 10.5,
        "acknowledged_writes": 4,
        "failed_writes": 4,
        "lost_writes": 0,
        "duplicated_writes": 0,
        "probes": 3,
        "probe_errors": 1,
    }


def test_writes_that_never_failed_are_back_with_the_first_that_began_afterwards() -> None:
    run = changed(good("rolled"), lambda e: e.kind == "entry", id="post 2", error=None)
    found = exercise.measurements(run)["rolled"]
    assert found["recovered_s"] == pytest.approx(3.5 - run.of("begun")[0].t)


def test_a_database_that_is_back_only_with_its_machine_has_not_moved_in_time() -> None:
    claim = "2.5.node-lost.writes-come-back"
    # Where nobody waited in vain the lab has failed, and the machine was given its power for that.
    for edit, verdict in (
        (in_vain(back_only_with_the_machine), "fail"),
        (back_only_with_the_machine, "unknown"),
    ):
        found = {r.id: r.verdict for r in exercise.judge(edit(good("node-lost")), "node-lost")}
        assert found[claim] == verdict


def test_nobody_who_looked_is_not_nothing_lost() -> None:
    found = exercise.measurements(none_of("entries")(good("scaled")))["scaled"]
    assert (found["lost_writes"], found["duplicated_writes"]) == (None, None)
