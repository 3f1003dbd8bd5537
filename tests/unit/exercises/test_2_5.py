"""Every check of exercise 2.5 passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_swarmlab.evidence.record import Record
from tests.exercises.exercise_2_5.drill import AT_ONCE, BAD, LATER
from tests.exercises.exercise_2_5.verify import REFUSED, exercise
from tests.unit.records.editing import Edit, changed, edited, events, kind, last, none_of
from tests.unit.records.judge import Broken, JudgeContract

Row = tuple[str, dict[str, Any]]

FIVE = ("manager1", "manager2", "manager3", "worker1", "worker2")
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


def nodes(state: str = "ready", lost: str = "worker1") -> Row:
    rows = [
        {"id": name, "name": name, "role": name[:-1], "state": state if name == lost else "ready"}
        for name in FIVE
    ]
    return "nodes", {"seen_from": "manager1", "seconds": 0.0, "nodes": rows}


def reads() -> list[Row]:
    """The node list, and what was read through each of them."""
    wanted = {"post": "A post", "picture": "d1ge57", "login": "known"}
    return [
        nodes(),
        *(
            ("read", {"node": node, "what": what, "expected": told, "found": told, "error": None})
            for node in FIVE
            for what, told in wanted.items()
        ),
    ]


def environment(service: str, *env: str) -> Row:
    return "environment", {"service": service, "env": list(env), "shows": []}


def entry(number: int, sent: float, error: str | None = None) -> Row:
    return "entry", {
        "ledger": "entries", "number": number, "sent": sent, "seconds": 0.5,
        "id": None if error else f"post {number}", "error": error,
    }  # fmt: skip


def request(sent: float, status: int = 200) -> Row:
    return "request", {"node": "manager1", "sent": sent, "seconds": 0.2, "status": status,
                       "error": None, "url": "http://manager1:8080/", "port": 8080}  # fmt: skip


def under_load(*what: Row) -> list[Row]:
    """Something happens at 2 s; the write of 3 s fails, those from 12 s on are acknowledged."""
    return [
        entry(1, 0.0),
        request(1.0),
        *what,
        entry(2, 3.0, error="status 500 instead of 201"),
        request(3.5, 500),
        entry(3, 12.0),
        request(13.0),
        ("entries", {"ledger": "entries", "found": [["post 1", 1], ["post 3", 3]]}),
        *reads(),
    ]


def replayed(salts: str, *strangers: int) -> Row:
    tries = [
        {"node": FIVE[n % 5], "found": "a stranger" if n in strangers else "known"}
        for n in range(15)
    ]
    return "replayed", {"salts": salts, "tries": tries}


def served(*requests: int) -> Row:
    rows = [{"task": f"a{n}", "node": FIVE[n], "requests": r} for n, r in enumerate(requests)]
    return "served", {"replicas": rows}


BEGUN: Row = ("begun", {"what": "the drill's own act"})
POWER = {"fault": "power-off", "nodes": ["worker1"], "seconds": 0.0}

RUNS: dict[str, list[Row]] = {
    "installed": [
        ("installed", {"status": 200, "success": True, "said": "Success! Log In"}),
        tasks(DATABASE, ("d1", "worker1")),
        replicas(3),
        *reads(),
        environment(
            DATABASE, "MYSQL_USER=wordpress", "MYSQL_PASSWORD_FILE=/run/secrets/db_password"
        ),
        environment(WORDPRESS, "WORDPRESS_AUTH_KEY_FILE=/run/secrets/wordpress_auth_key"),
    ],
    "db-recreated": under_load(BEGUN),
    "node-lost": [
        tasks(DATABASE, ("d1", "worker1")),
        nodes(),
        ("fault.injected", POWER),
        nodes("down"),
        *under_load()[:-len(reads())],
        tasks(DATABASE, ("d2", "worker2")),
        ("fault.healed", POWER),
        *reads(),
    ],
    "rolled": [replicas(3), *under_load(BEGUN), replicas(3, "b")],
    "scaled": [*under_load(BEGUN), replicas(5), served(2, 1, 1, 2, 1)],
    "salts": [replayed("shared"), replayed("own", 0, 1, 3, 4, 6, 7, 9, 10, 12, 13)],
    "refusals": [
        *(("refused", {"file": f, "by": "a task", "said": s}) for f, s in SAID.items()),
        *(("left", {"file": f, "services": 0, "networks": 0, "containers": 0}) for f in SAID),
    ],
}  # fmt: skip
LOSSES = ("db-recreated", "node-lost", "rolled", "scaled")


def good(phase: str) -> Record:
    return events(f"2.5/{phase}", *RUNS[phase])


def second_listing(service: str, *rows: tuple[str, str]) -> Edit:
    """The last listing of that service's tasks is this."""
    return last("tasks", {"service": service}, tasks=tasks(service, *rows)[1]["tasks"])


def never_back(run: Record) -> Record:
    return changed(run, kind("entry", number=3), id=None, error="timeout")


def after_ages(run: Record) -> Record:
    return changed(run, kind("entry", number=3), sent=999.0)


BROKEN: Broken = {
    ("installed", "replicas"): [
        (second_listing(WORDPRESS, ("a1", "manager1")), "fail"),
        (second_listing(DATABASE), "fail"),
        (none_of("tasks", service=DATABASE), "unknown"),
    ],
    ("installed", "installed"): [
        (edited("installed", success=False), "fail"),
        (edited("installed", status=500), "fail"),
        (none_of("installed"), "unknown"),
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
            (none_of("nodes"), "unknown"),
            (edited("read", {"what": what, "node": "worker2"}, found="another"), "fail"),
            (edited("read", {"what": what, "node": "worker2"}, found=None), "fail"),
            (none_of("read", what=what), "unknown"),
            (none_of("read", what=what, node="worker2"), "unknown"),
        ]
        for phase in ("installed", *LOSSES)
        for what in ("post", "picture", "login")
    },
    **{
        (phase, "writes-come-back"): [
            (never_back, "fail"),
            (after_ages, "fail"),
            (none_of("entry"), "unknown"),
        ]
        for phase in LOSSES
    },
    **{
        (phase, "no-write-lost"): [
            (edited("entries", found=[["post 1", 1]]), "fail"),
            (edited("entries", found=[["post 1", 1], ["post 9", 3]]), "fail"),
            (none_of("entries"), "unknown"),
            (none_of("entry"), "unknown"),
        ]
        for phase in LOSSES
    },
    **{
        (phase, "no-write-doubled"): [
            (edited("entries", found=[["post 1", 1], ["post 3", 3], ["post 4", 3]]), "fail"),
            (edited("entries", found=[["post 5", 2], ["post 6", 2]]), "fail"),
            (edited("entries", found=[]), "unknown"),
        ]
        for phase in LOSSES
    },
    ("node-lost", "database-moves"): [
        (second_listing(DATABASE, ("d2", "worker1")), "fail"),
        (second_listing(DATABASE), "fail"),
        (edited("fault.injected", nodes=["worker2"]), "unknown"),
        (none_of("tasks"), "unknown"),
    ],
    ("node-lost", "node-returns"): [
        (lambda run: changed(run, lambda e: e is run.last("nodes"), **nodes("down")[1]), "fail"),
        (none_of("fault.healed"), "fail"),
        (none_of("nodes"), "unknown"),
    ],
    ("rolled", "every-replica-replaced"): [
        (second_listing(WORDPRESS, ("b0", "worker1"), ("b1", "worker2"), ("a2", "manager1")),
         "fail"),
        (second_listing(WORDPRESS, ("b0", "worker1")), "fail"),
        (none_of("tasks"), "unknown"),
    ],
    ("scaled", "five-run"): [
        (second_listing(WORDPRESS, ("a0", "worker1")), "fail"),
        (none_of("tasks"), "unknown"),
    ],
    ("scaled", "five-serve"): [
        (edited("served", replicas=served(3, 3, 0, 1, 1)[1]["replicas"]), "fail"),
        (edited("served", replicas=served(3, 3)[1]["replicas"]), "unknown"),
        (none_of("served"), "unknown"),
    ],
    ("salts", "shared-salts"): [
        (edited("replayed", {"salts": "shared"}, **replayed("shared", 3)[1]), "fail"),
        (edited("replayed", {"salts": "shared"}, tries=replayed("shared")[1]["tries"][:11]),
         "unknown"),
        (edited("replayed", {"salts": "shared"}, tries=[{"found": None}] * 15), "unknown"),
        (none_of("replayed", salts="shared"), "unknown"),
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
        ]
        for file in SAID
    },
    ("refusals", "nothing-left"): [
        (edited("left", {"file": "port-clash"}, services=1), "fail"),
        (edited("left", {"file": "silent-nfs"}, networks=1), "fail"),
        (edited("left", {"file": "unknown-driver"}, containers=1), "fail"),
        (none_of("left", file="port-clash"), "unknown"),
    ],
}  # fmt: skip


class TestJudge(JudgeContract):
    exercise = exercise
    phases = RUNS
    good = staticmethod(good)
    broken = BROKEN


def test_every_bad_file_is_deployed_and_judged() -> None:
    assert {path.stem for path in BAD.iterdir()} == set(REFUSED) == {*AT_ONCE, *LATER}


def test_a_loss_is_measured_from_its_beginning_to_the_first_write_after_the_last_failure() -> None:
    found = exercise.measurements(good("db-recreated"))["db-recreated"]
    assert found == {
        "longest_gap_s": 12.0,
        "recovered_s": 10.5,
        "acknowledged_writes": 2,
        "failed_writes": 1,
        "lost_writes": 0,
        "duplicated_writes": 0,
        "probes": 3,
        "probe_errors": 1,
    }


def test_writes_that_never_failed_are_back_with_the_first_that_began_afterwards() -> None:
    run = changed(good("rolled"), kind("entry", number=2), id="post 2", error=None)
    found = exercise.measurements(run)["rolled"]
    began = run.of("begun")[0].t
    assert found["recovered_s"] == pytest.approx(3.5 - began)


def test_nobody_who_looked_is_not_nothing_lost() -> None:
    found = exercise.measurements(none_of("entries")(good("scaled")))["scaled"]
    assert (found["lost_writes"], found["duplicated_writes"]) == (None, None)
