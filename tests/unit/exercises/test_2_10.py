"""Every check of exercise 2.10 passes on a good run's record and fails on a broken one's."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from pytest_swarmlab.evidence.readings import Request
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import Window
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.model import Capability, Verdict
from pytest_swarmlab.swarm.stack_files import substituted
from pytest_swarmlab.waiting.waiter import Waiter
from tests.exercises import nfs
from tests.exercises.exercise_2_10 import perform
from tests.exercises.exercise_2_10.availability import outage_s, wanted
from tests.exercises.exercise_2_10.bookkeeping import IN_PART
from tests.exercises.exercise_2_10.books import Books
from tests.exercises.exercise_2_10.client import Shop
from tests.exercises.exercise_2_10.declared import TITLES, UNDER_LOAD
from tests.exercises.exercise_2_10.drill import differing
from tests.exercises.exercise_2_10.forged import tokens
from tests.exercises.exercise_2_10.guarded import FORGED, REFUSED
from tests.exercises.exercise_2_10.guarded import PATHS as TOKEN_PATHS
from tests.exercises.exercise_2_10.labs_file import ENDS, PORTS
from tests.exercises.exercise_2_10.setting import (
    ACCOUNTS,
    CLOSED,
    CUSTOMERS,
    ENDPOINTS,
    KILLED_TOGETHER,
    LEDGERS,
    PORT,
    PREDICTED,
    PUBLISHED,
    REPLICAS,
    RETURN,
    ROLLED,
    ROLLED_AFTER,
)
from tests.exercises.exercise_2_10.trials import Trials
from tests.exercises.exercise_2_10.verify import exercise
from tests.exercises.exercise_2_10.visited import PICTURED, STEPS
from tests.exercises.stack_on_nfs import environments
from tests.unit.fakes import Lab
from tests.unit.records.breaker import ALONE, ANY_ORDER, ENOUGH, LATER, NAMES_ALIKE, SOONER, UNUSED
from tests.unit.records.editing import (
    LAB,
    Edit,
    changed,
    edited,
    events,
    in_vain,
    kind,
    last,
    moved,
    none_of,
    timed,
    without,
)
from tests.unit.records.identities import certificate_taken, roles, who
from tests.unit.records.judge import Broken, JudgeContract

Timed = tuple[float, str, dict[str, Any]]

STRUCK, RECOVERED, EACH = 10.0, 18.0, 10.0
"""When the first thing is struck and has recovered; the next follow ten seconds apart."""
LOST = "worker2"
NODE_PHASES = ("power-off", "cut-off", "leader-lost")
PATHS = {"pages": "/", "catalogue": "/api/products?limit=12", "orders": "/api/orders"}


def end(phase: str) -> float:
    """When the last thing that is struck in a phase has recovered."""
    return RECOVERED + EACH * (len(wanted(phase)) - 1)


def request(sent: float, node: str, path: str, status: int = 200, **more: Any) -> Timed:
    return sent + 0.1, "request", {
        "node": node, "sent": sent, "seconds": 0.1, "status": status, "error": None,
        "url": f"http://{node}:8080{path}", "port": 8080, **more,
    }  # fmt: skip


def visits(phase: str) -> Iterator[Timed]:
    """Who only looks comes through every node each second; orders go through one."""
    through = [n for n in LAB if phase not in NODE_PHASES or n != LOST]
    for second in range(int(end(phase)) + 3):
        for place, node in enumerate(through):
            sent = second + place / 10
            yield request(sent, node, PATHS["pages"])
            yield request(sent + 0.02, node, PATHS["catalogue"], header="off")
        yield request(second + 0.7, through[second % len(through)], PATHS["orders"], 201)
        yield request(second + 0.8, through[second % len(through)], "/api/me")


def entries(phase: str) -> Iterator[Timed]:
    over = end(phase) + 4
    for name in LEDGERS:
        found = []
        for number in range(1, int(over) // 2):
            sent = 2.0 * number - 1
            id_ = f"{name} {number}"
            found.append([id_, number])
            yield sent + 0.5, "entry", {
                "ledger": name, "number": number, "sent": sent, "seconds": 0.5, "id": id_,
                "error": None,
            }  # fmt: skip
        yield over + 1, "entries", {"ledger": name, "found": found}
        if name != ACCOUNTS:
            continue
    orders = [
        [f"{name} {number}", 1]
        for name in LEDGERS
        if name != ACCOUNTS
        for number in range(1, int(over) // 2)
    ]
    yield over + 2, "consumed", {"mark": "m", "orders": orders}


def tasks(t: float, name: str, mark: str, count: int, old: str = "", on: str = "worker1") -> Timed:
    """`count` tasks run; those of `old` are listed as stopped."""

    def rows(mark: str, state: str) -> list[dict[str, Any]]:
        many = count if state == "running" else REPLICAS[name]
        return [
            {"id": f"{mark}{n}", "slot": n, "node": on, "state": state, "desired": state,
             "node_id": on, "container": f"{name}{n}"}
            for n in range(many)
        ]  # fmt: skip

    listed = rows(mark, "running") + (rows(old, "shutdown") if old else [])
    return t, "tasks", {
        "service": f"shop_{name}", "seen_from": "manager1", "seconds": 0.0, "tasks": listed,
    }  # fmt: skip


def nodes(t: float, state: str, leader: str = "manager1") -> Timed:
    rows = [
        {"id": f"id-{n}", "name": n, "role": n[:-1], "state": state if n == LOST else "ready",
         "leader": n == leader}
        for n in LAB
    ]  # fmt: skip
    return t, "nodes", {"seen_from": "manager3", "seconds": 0.0, "nodes": rows}


def strike(what: str, number: int = 0, **more: Any) -> Iterator[Timed]:
    yield STRUCK + EACH * number, "struck", {"what": what, **more}
    yield RECOVERED + EACH * number, "recovered", {"what": what}


def of_phase(phase: str) -> Iterator[Timed]:
    if phase == "killed":
        for number, name in enumerate(REPLICAS):
            yield from strike(name, number, id=f"old-{name}", node="worker1")
            replaced = {"what": name, "old": f"old-{name}", "new": f"new-{name}"}
            yield STRUCK + EACH * number + 4, "replaced", replaced
    elif phase in ("redis-away", "rabbitmq-away"):
        name = phase.removesuffix("-away")
        yield tasks(9.0, name, "a", 1)
        yield from strike(phase)
        yield tasks(11.0, name, "a", 0, old="a")
        yield 11.5, "away", {"what": phase}
        yield 15.5, "waiting", {"what": phase, "orders": 2 * CUSTOMERS}
        yield 16.0, "returning", {"what": phase}
        yield tasks(19.0, name, "b", 1, old="a")
    elif phase == "database-moved":
        yield tasks(9.0, "postgres", "a", 1)
        yield from strike(phase, old="worker1", new="worker2")
        yield tasks(19.0, "postgres", "b", 1, old="a", on="worker2")
    elif phase in NODE_PHASES:
        led = LOST if phase == "leader-lost" else "manager1"
        yield nodes(9.0, "ready", led)
        yield from strike(phase, node=LOST)
        yield from strike(RETURN, number=1, node=LOST)
        held = [*LAB] if phase == "cut-off" else [LOST]
        fault = {"fault": phase, "nodes": held, "seconds": 0.2}
        yield 11.0, "fault.injected", fault
        for t in (15.0, 16.0, 17.0):
            yield nodes(t, "down")
        yield 19.5, "fault.healed", fault
        yield nodes(20.5, "ready")
        if phase == "leader-lost":
            here = roles(LAB[:3], LAB[3:])
            for t in (0.5, 21.0):
                yield t, *who(here)
    elif phase == "disk-full":
        yield from strike(phase)
        yield from filled()
    elif phase == "rolled":
        yield from strike(phase)
        for name in ROLLED:
            yield tasks(9.0, name, "a", REPLICAS[name])
            yield tasks(19.0, name, "b", REPLICAS[name], old="a")
    elif phase == "bad-update":
        yield from strike(phase)
        yield tasks(9.0, "orders-service", "a", 3)
        yield tasks(19.0, "orders-service", "a", 3)
        yield 19.0, "rolled-back", {"state": "rollback_completed", "same": True, "differs": []}


def filled() -> Iterator[Timed]:
    """Twice every node is asked; the second time all refuse."""
    fault = {"fault": "disk-full", "nodes": ["manager1"], "seconds": 0.2}
    yield 9.0, "room", {"when": "before", "free_kib": 300_000}
    yield 11.0, "fault.injected", fault
    for turn, t in enumerate((12.0, 14.0), 1):
        for node in LAB:
            status = 201 if turn == 1 and node == "worker1" else 503
            error = "" if status == 201 else "unavailable"
            yield t, "asked-full", {
                "turn": turn, "node": node, "key": f"key-{node}", "status": status, "error": error,
                "clear": status == 503,
            }  # fmt: skip
    yield 14.5, "no-room", {"before": 0, "after": 2, "said": "PANIC:  No space left on device"}
    yield 15.0, "room", {"when": "full", "free_kib": 0}
    yield 16.0, "fault.healed", fault
    yield 16.5, "room", {"when": "freed", "free_kib": 290_000}
    yield 19.0, "asked-again", {"rows": {f"key-{node}": 1 for node in LAB}}


def everything(t: float, mark: str = "a") -> list[Timed]:
    return [tasks(t, name, mark, count) for name, count in REPLICAS.items()]


TOLD = {"orders": [f"o{n}" for n in range(1200)], "accounts": ["u1", "u2"]}
STORED = {
    "when": "at last",
    "orders": [[f"o{n}", 1] for n in range(1201)],
    "keys": 1201,
    "unasked": 0,
    "accounts": ["u1", "u2", "u3"],
    "damaged": dict.fromkeys(IN_PART, 0),
}


def rows(phase: str) -> list[Timed]:
    if phase == "deployed":
        health = [
            (12.0, "health", {
                "node": "worker1", "service": f"shop_{name}", "container": f"{name}{n}",
                "health": "healthy",
            })
            for name, count in REPLICAS.items()
            for n in range(count)
        ]  # fmt: skip
        followed = [
            (20.0, "followed", {"node": node, "order": "o1", "status": "processed"}) for node in LAB
        ]
        return [
            (0.0, "begun", {}),
            *everything(10.0),
            (11.0, "ready", {"services": len(REPLICAS)}),
            *health,
            (15.0, "ordered", {"order": "o1"}),
            *followed,
        ]
    if phase == "visited":
        return list(visits_in_a_browser())
    if phase == "security":
        return guarded()
    if phase == "bad-input":
        return bad_input()
    if phase == "load":
        return raised()
    if phase == "literal":
        ended = [
            (5.0, "ended", {
                "service": name, "state": "failed", "exit_code": 1, "said": f"x\n{words} in it\n",
            })
            for name, words in ENDS.items()
        ]  # fmt: skip
        visited = [
            (9.0, "visited", {"node": node, "port": port, "status": None, "error": "refused"})
            for node in LAB
            for port in PORTS
        ]
        return [(1.0, "deployed", {}), *ended, *visited]
    if phase == "counted":
        return [(0.0, "acknowledged", TOLD), (1.0, "stored", STORED)]
    if phase == "persistence":
        known = [(9.0, "known", {"customer": n, "known": True}) for n in range(1, CUSTOMERS + 1)]
        return [
            (0.0, "waiting", {"what": "persistence", "orders": 10}),
            (1.0, "acknowledged", TOLD),
            (2.0, "removed", {"services": 0, "containers": 0}),
            *everything(7.0),
            (8.0, "back", {}),
            *known,
            (10.0, "stored", STORED),
        ]
    return [*visits(phase), *entries(phase), *of_phase(phase)]


def visits_in_a_browser() -> Iterator[Timed]:
    """A visit through each node, a step a second."""
    yield 0.0, "browser", {"version": "chromium 1"}
    for place, node in enumerate(LAB):
        began = 10.0 * place
        for number, name in enumerate(STEPS, 1):
            step: dict[str, Any] = {"node": node, "name": name, "began": began, "seconds": 1.0}
            if name in PICTURED:
                title = f"{node}: {name}"
                yield began + number - 0.1, "attachment", {
                    "title": title, "media": "image/jpeg", "content": "",
                }  # fmt: skip
                step["picture"] = title
            yield began + number, "visit-step", step
        yield began + 9, "visit-order", {"node": node, "order": f"o-{node}"}
        yield began + 9, "orders-shown", {"node": node, "orders": [f"o-{node}"]}
    yield 60.0, "visitors-books", {"orders": [[f"o-{node}", 1] for node in LAB]}


def guarded() -> list[Timed]:
    environment = [
        (1.0, "environment", {
            "service": f"shop_{name}", "env": ["DATABASE_URL_FILE=/run/secrets/db_url", "PORT=80"],
            "shows": [],
        })
        for name in REPLICAS
    ]  # fmt: skip
    looked = [
        (2.0, "looked", {
            "node": LAB[(place + n) % len(LAB)], "service": f"shop_{name}",
            "container": f"{name}{n}", "lines": 9, "defined": [], "logged": [],
        })
        for place, (name, count) in enumerate(REPLICAS.items())
        for n in range(count)
    ]  # fmt: skip
    said = {
        "redis": {
            "without": "NOAUTH Authentication required.",
            "wrong": "WRONGPASS",
            "right": "PONG",
        },
        "rabbitmq": {
            "without": "ProbableAuthenticationError",
            "wrong": "AuthenticationError",
            "right": "let in",
        },
    }
    knocked = [
        (3.0, "knocked", {"at": at, "how": how, "said": words})
        for at, each in said.items()
        for how, words in each.items()
    ]
    dialled = [
        (4.0, "dialled", {"node": node, "port": port, "open": port == PORT})
        for node in LAB
        for port in (*CLOSED, PORT)
    ]
    shown = [
        (5.0, "token", {"what": what, "path": path, "status": 200 if what == "good" else 401})
        for what in (*FORGED, "good")
        for path in TOKEN_PATHS
    ]
    wire = {
        "node": "worker1", "database": "worker2", "packets": 900, "esp": 300, "vxlan": 20,
        "kept": 0, "open": 4, "queries": 4, "pages": 4,
    }  # fmt: skip
    return [*environment, *looked, *knocked, *dialled, *shown, (6.0, "wire", wire)]


KEPT_ORDERS = [f"k{number}" for number in range(5)]


def bad_input() -> list[Timed]:
    refused = [
        (1.0, "refused", {"case": case, "status": statuses[0], "error": "no", "clear": True})
        for case, statuses in REFUSED.items()
    ]
    once = {
        "answers": [[201, "o1"], [200, "o1"], [200, "o1"]],
        "rows": 1, "other": 409, "code": "key_reused",
    }  # fmt: skip
    return [
        *refused,
        (2.0, "kept", {"when": "after bad input", "before": [5, 9, 2], "after": [5, 9, 2]}),
        (3.0, "at-once", once),
        (4.0, "read-only", {
            "status": 503, "error": "unavailable", "rows": 0, "afterwards": 1, "said": 1,
        }),
        (5.0, "broker-full", {
            "refuses": True, "takes": True, "acknowledged": KEPT_ORDERS,
            "meanwhile": [[id_, 0] for id_ in KEPT_ORDERS],
            "afterwards": [[id_, 1] for id_ in KEPT_ORDERS], "held_s": 3.2,
        }),
    ]  # fmt: skip


EARLY = {1: 20, 2: 40, 4: 80, 8: 82, 16: 76}
"""Visitors → good answers in their step; eight get no more done than four."""
GROWING = {1: 20, 2: 40, 4: 60, 8: 80, 16: 100, 32: 120, 64: 140, 128: 160}
"""As many visitors as are tried at all get more done than half of them."""


def raised(answers: dict[int, int] = EARLY) -> list[Timed]:
    """Ten seconds a step."""
    made: list[Timed] = []
    for place, (visitors, many) in enumerate(answers.items()):
        began = 20.0 * place
        made += [
            request(began + 9 * n / many, LAB[n % 5], PATHS["orders"], 201) for n in range(many)
        ]
        step = {"visitors": visitors, "began": began, "ended": began + 10}
        made.append((began + 11, "step", step))
    return made


def good(phase: str) -> Record:
    return timed(exercise.phase(phase), *rows(phase))


def unanswered(since: float, until: float) -> Edit:
    """Every request that is sent in this time is given up after five seconds."""
    return lambda run: changed(
        run,
        lambda e: e.kind == "request" and since <= e.data["sent"] <= until,
        status=None,
        error="timed out",
        seconds=5.0,
    )


def silent_once(run: Record) -> Record:
    """One of the answers does not say whether it is from the cache."""
    away, back = run.need("away", "").t, run.need("returning", "").t
    wanted = kind("request")
    asked = [e for e in run if wanted(e) and away < e.data["sent"] < back - 1]
    one = next(e for e in asked if "/api/products" in e.data["url"])
    return changed(run, lambda e: e is one, header=None)


def before(name: str, where: dict[str, Any], /, **data: Any) -> Edit:
    """Something else was seen first, and then what the record has."""

    def edit(run: Record) -> Record:
        first = next(e for e in run if kind(name, **where)(e))
        other = replace(first, data={**first.data, **data})
        at = run.events.index(first)
        return Record((*run.events[:at], other, *run.events[at:]))

    return edit


def never_whole_again(run: Record) -> Record:
    """Of the first fault on no order is taken, and there is no end of it."""
    began = run.of("struck")[0].t
    return failing(PATHS["orders"], began, math.inf)(without(run, kind("recovered")))


def failing(path: str, since: float, until: float) -> Edit:
    """Every request for that path that is sent in this time is answered with 503."""
    return lambda run: changed(
        run,
        lambda e: (
            e.kind == "request"
            and e.data["url"].partition("8080")[2].startswith(path)
            and (path != "/" or e.data["url"].endswith("8080/"))
            and since <= e.data["sent"] <= until
        ),
        status=503,
    )


def said(run: Record, name: str, key: str, **where: Any) -> list[Any]:
    """What the last event of that kind has of that; nothing where there is none."""
    event = run.last(name, **where)
    return list(event.data[key]) if event else []


def one_lost(run: Record) -> Record:
    found = said(run, "entries", "found", ledger="orders-1")
    return edited("entries", {"ledger": "orders-1"}, found=found[1:])(run)


def one_twice(run: Record) -> Record:
    found = said(run, "entries", "found", ledger="orders-1")
    again = [*found, *(["another", number] for _, number in found[:1])]
    return edited("entries", {"ledger": "orders-1"}, found=again)(run)


def never_consumed(run: Record) -> Record:
    return edited("consumed", orders=said(run, "consumed", "orders")[1:])(run)


def consumed_twice(run: Record) -> Record:
    orders = said(run, "consumed", "orders")
    return edited("consumed", orders=[*orders, *orders[:1]])(run)


def nobody_through(node: str) -> Edit:
    return lambda run: without(run, kind("request", node=node))


def nobody_at(path: str) -> Edit:
    """No request for that path is known."""
    return lambda run: without(
        run, lambda e: e.kind == "request" and e.data["url"].endswith(f"8080{path}")
    )


def nobody_before(name: str, t: float = STRUCK) -> Edit:
    """Of what clients did nothing is known that was sent before that moment."""
    return lambda run: without(run, lambda e: e.kind == name and e.data["sent"] < t)


def of_all(name: str, count: int = 1) -> dict[str, Any]:
    return {"tasks": tasks(0, name, "a", count)[2]["tasks"]}


def of_another_cluster(run: Record) -> Record:
    """The last list of tasks, or of nodes, is another cluster's: its nodes have other ids."""
    for name, rows, id_ in (("tasks", "tasks", "node_id"), ("nodes", "nodes", "id")):
        other = [{**row, id_: f"other {row[id_]}"} for row in said(run, name, rows)]
        run = last(name, **{rows: other})(run)
    return run


def ready_for_a_moment(run: Record) -> Record:
    """Of three lists while it was away the second says that it was ready."""
    seen = [
        e for e in run if e.kind == "nodes" and nodes(0, "down")[2]["nodes"][-1] in e.data["nodes"]
    ]
    return changed(run, lambda e: e is seen[1], nodes=nodes(0, "ready")[2]["nodes"])


def few_of_one_customer(run: Record) -> Record:
    """The broker is away for longer, and one customer orders only at the beginning of that."""
    run = moved("away", to=10.5)(moved("returning", to=17.9)(run))
    mine = kind("entry", ledger="orders-2")
    return without(run, lambda e: mine(e) and 12.0 < e.data["sent"] < 20.0)


def complaining(what: str) -> Edit:
    """A page complains of something."""

    def edit(run: Record) -> Record:
        at = run.first("visit-order", node="worker1")
        if at is None:
            return run
        told = replace(at, kind="page-trouble", data={"node": "worker1", "what": what, "said": "x"})
        return Record(tuple(each for e in run for each in ((e, told) if e is at else (e,))))

    return edit


STUCK = edited("visit-step", {"node": "worker1", "name": "order"}, error="Timeout exceeded")
NOBODY = edited("browser", version="", lack="there is no browser")


BROKEN: Broken = {
    ("visited", "visit-whole"): [
        (STUCK, "fail"),
        (none_of("visit-step", node="worker1"), "unknown"),
        (none_of("visit-step", name="processed", node="worker1"), "unknown"),
        # He sees his order before he has ordered.
        (moved("visit-step", {"name": "see", "node": "worker1"}, to=34.5), "unknown"),
        (none_of("attachment", title="worker2: basket"), "unknown"),
        (edited("visit-step", {"name": "basket"}, picture=None), "unknown"),
        (NOBODY, "not_provable"),
    ],
    ("visited", "order-shown"): [
        (edited("orders-shown", {"node": "worker1"}, orders=[]), "fail"),
        (edited("orders-shown", {"node": "worker1"}, orders=["o-worker1", "o-worker2"]), "fail"),
        (none_of("orders-shown", node="worker1"), "unknown"),
        (none_of("visit-order", node="worker1"), "unknown"),
        (edited("orders-shown", orders=None), "unknown"),
        (NOBODY, "not_provable"),
    ],
    ("visited", "order-kept"): [
        (edited("visitors-books", orders=[[f"o-{node}", 1] for node in LAB[1:]]), "fail"),
        (edited("visitors-books", orders=[[f"o-{node}", 2] for node in LAB]), "fail"),
        (edited("visitors-books", orders=[[f"o-{node}", 1] for node in (*LAB, "x")]), "fail"),
        (none_of("visit-order", node="worker1"), "fail"),
        (moved("visitors-books", to=20.0), "unknown"),
        (lambda run: edited("visitors-books", orders=[])(none_of("visit-order")(run)), "unknown"),
        (NOBODY, "not_provable"),
    ],
    ("visited", "page-without-errors"): [
        (complaining("console"), "fail"),
        (complaining("request"), "fail"),
        (none_of("visit-step", node="worker1"), "unknown"),
        (STUCK, "unknown"),
        (NOBODY, "not_provable"),
    ],
    ("deployed", "replicas"): [
        (of_another_cluster, "unknown"),
        (edited("tasks", {"service": "shop_frontend"}, **of_all("frontend", 2)), "fail"),
        (none_of("tasks", service="shop_redis"), "unknown"),
        (moved("tasks", {"service": "shop_redis"}, to=0.0), "unknown"),
    ],
    ("deployed", "healthy"): [
        # Of another cluster, or of a task that is no more.
        (edited("health", {"container": "redis0"}, container="another"), "unknown"),
        (edited("health", {"container": "redis0"}, health="starting"), "fail"),
        (edited("health", {"container": "redis0"}, health="not checked"), "fail"),
        (none_of("health", container="redis0"), "unknown"),
    ],
    ("deployed", "ready-in-time"): [
        (moved("ready", to=500.0), "fail"),
        (edited("ready", services=3), "unknown"),
    ],
    ("deployed", "first-order"): [
        (edited("followed", {"node": "worker1"}, status="accepted"), "fail"),
        (none_of("followed", node="worker1"), "unknown"),
        (moved("followed", to=14.0), "unknown"),
    ],
    ("killed", "each-replaced"): [
        (edited("replaced", {"what": "redis"}, new="old-redis"), "fail"),
        (none_of("replaced", what="redis"), "unknown"),
        (none_of("struck", what="redis"), "unknown"),
    ],
    ("killed", "recovered-in-time"): [
        (moved("recovered", {"what": "rabbitmq"}, to=200.0), "fail"),
        (none_of("recovered", what="redis"), "unknown"),
    ],
    ("redis-away", "really-away"): [
        (of_another_cluster, "unknown"),
        (edited("tasks", **of_all("redis")), "fail"),
    ],
    ("redis-away", "without-a-cache"): [
        (nobody_through("worker1"), "unknown"),
        (moved("returning", to=30.0), "unknown"),
        (edited("request", header="hit"), "fail"),
        (edited("request", header=None), "unknown"),
        # One answer of many.
        (silent_once, "unknown"),
    ],
    ("rabbitmq-away", "really-away"): [
        (of_another_cluster, "unknown"),
        (edited("tasks", **of_all("rabbitmq")), "fail"),
    ],
    ("rabbitmq-away", "kept-without-a-broker"): [
        (few_of_one_customer, "unknown"),
        (moved("returning", to=30.0), "unknown"),
        (edited("waiting", orders=3), "fail"),
        (none_of("entry", ledger="orders-2"), "fail"),
        (moved("waiting", to=17.0), "unknown"),
    ],
    ("database-moved", "runs-elsewhere"): [
        (last("tasks", tasks=tasks(0, "postgres", "b", 1, old="a")[2]["tasks"]), "fail"),
        (last("tasks", tasks=tasks(0, "postgres", "b", 1, on="worker2")[2]["tasks"]), "unknown"),
    ],
    ("leader-lost", "another-leads"): [
        (of_another_cluster, "unknown"),
        (moved("fault.healed", to=40.0), "unknown"),
        (edited("nodes", nodes=nodes(0, "down", LOST)[2]["nodes"]), "fail"),
        (edited("nodes", nodes=nodes(0, "down")[2]["nodes"]), "unknown"),
    ],
    ("disk-full", "really-full"): [
        (edited("room", {"when": "full"}, free_kib=20_000), "fail"),
        (edited("room", {"when": "freed"}, free_kib=0), "fail"),
        # It was never larger than that.
        (edited("room", {"when": "before"}, free_kib=4), "fail"),
        (edited("no-room", before=2), "fail"),
        (none_of("room", when="full"), "unknown"),
        (moved("room", {"when": "full"}, to=17.0), "unknown"),
        (moved("room", {"when": "before"}, to=15.5), "unknown"),
        (moved("no-room", to=10.5), "unknown"),
        (edited("fault.injected", fault="stop-units"), "unknown"),
    ],
    ("disk-full", "refused-without-room"): [
        (edited("asked-full", {"turn": 2, "node": "worker1"}, status=201), "fail"),
        (edited("asked-full", {"turn": 2, "node": "worker1"}, status=None), "fail"),
        (edited("asked-full", {"turn": 2, "node": "worker1"}, clear=False), "fail"),
        (edited("asked-full", {"turn": 1, "node": "worker2"}, status=500), "fail"),
        (none_of("asked-full", turn=2, node="worker1"), "unknown"),
        (moved("asked-full", {"turn": 2}, to=17.0), "unknown"),
    ],
    ("disk-full", "ordered-later"): [
        (edited("asked-again", rows={f"key-{node}": 2 for node in LAB}), "fail"),
        (edited("asked-again", rows={f"key-{node}": 0 for node in LAB}), "fail"),
        (edited("asked-again", rows={"key-worker1": 1}), "unknown"),
        (moved("asked-again", to=15.5), "unknown"),
    ],
    ("disk-full", "back-in-time"): [(moved("recovered", to=80.0), "fail")],
    ("rolled", "every-task-replaced"): [
        (of_another_cluster, "unknown"),
        (edited("tasks", {"service": "shop_frontend"}, **of_all("frontend", 3)), "fail"),
        (none_of("tasks", service="shop_orders-worker"), "unknown"),
    ],
    ("bad-update", "takes-itself-back"): [
        (of_another_cluster, "unknown"),
        (moved("tasks", to=19.5), "unknown"),
        (edited("rolled-back", state="paused"), "fail"),
        (edited("rolled-back", same=False), "fail"),
        (edited("rolled-back", differs=["Env"]), "fail"),
        (edited("rolled-back", differs="Env"), "unknown"),
        (last("tasks", **of_all("orders-service", 2)), "fail"),
    ],
    ("security", "no-secret-in-a-definition"): [
        (edited("environment", {"service": "shop_redis"}, shows=["redis_password"]), "fail"),
        (edited("environment", {"service": "shop_redis"}, env=["REDIS_URL=redis://x"]), "fail"),
        (none_of("environment", service="shop_redis"), "unknown"),
        (edited("environment", env=[]), "unknown"),
        (before("environment", {"service": "shop_redis"}, shows=["redis_password"]), "fail"),
    ],
    ("security", "no-secret-in-a-container-s-definition"): [
        # Not one of its tasks' containers; not one on a node.
        (none_of("looked", container="frontend0"), "unknown"),
        (edited("looked", {"node": "worker1"}, node="worker2"), "unknown"),
        (edited("looked", {"container": "redis0"}, defined=["redis_password"]), "fail"),
        (none_of("looked", service="shop_redis"), "unknown"),
    ],
    ("security", "no-secret-in-a-log"): [
        # Not one of its tasks' containers; not one on a node.
        (none_of("looked", container="frontend0"), "unknown"),
        (edited("looked", {"node": "worker1"}, node="worker2"), "unknown"),
        (edited("looked", {"container": "postgres0"}, logged=["db_url"]), "fail"),
        (none_of("looked", service="shop_redis"), "unknown"),
        (edited("looked", lines=0), "unknown"),
        # The engine did not give this service's logs.
        (edited("looked", {"service": "shop_orders-service"}, lines=0), "unknown"),
    ],
    ("security", "redis-refuses"): [
        (edited("knocked", {"at": "redis", "how": "without"}, said="PONG"), "fail"),
        (edited("knocked", {"at": "redis", "how": "wrong"}, said="no such host"), "unknown"),
        (edited("knocked", {"at": "redis", "how": "without"}, said=""), "unknown"),
        (edited("knocked", {"at": "redis", "how": "right"}, said="NOAUTH"), "unknown"),
        (none_of("knocked", at="redis", how="wrong"), "unknown"),
        (before("knocked", {"at": "redis", "how": "without"}, said="PONG"), "fail"),
    ],
    ("security", "rabbitmq-refuses"): [
        (edited("knocked", {"at": "rabbitmq", "how": "without"}, said="let in"), "fail"),
        (edited("knocked", {"at": "rabbitmq", "how": "right"}, said="gaierror"), "unknown"),
        (none_of("knocked", at="rabbitmq"), "unknown"),
    ],
    ("security", "nothing-else-published"): [
        (edited("dialled", {"node": "worker1", "port": 5432}, open=True), "fail"),
        (none_of("dialled", node="worker1"), "unknown"),
        (edited("dialled", {"node": "worker1", "port": PORT}, open=False), "unknown"),
        (none_of("dialled", node="worker1", port=PORT), "unknown"),
        (before("dialled", {"node": "worker1", "port": 5432}, open=True), "fail"),
    ],
    ("security", "forged-tokens-refused"): [
        (edited("token", {"what": "unsigned", "path": "/api/me"}, status=200), "fail"),
        (edited("token", {"what": "expired", "path": "/api/orders"}, status=500), "fail"),
        (edited("token", {"what": "good"}, status=401), "unknown"),
        (none_of("token", what="forged"), "unknown"),
        (before("token", {"what": "unsigned", "path": "/api/me"}, status=200), "fail"),
        (before("token", {"what": "good", "path": "/api/me"}, status=401), "unknown"),
    ],
    ("security", "backend-encrypted"): [
        (edited("wire", kept=3), "fail"),
        (edited("wire", open=0), "unknown"),
        (edited("wire", esp=0), "unknown"),
        (edited("wire", queries=0), "unknown"),
        (edited("wire", node="worker2"), "unknown"),
    ],
    ("bad-input", "refused-clearly"): [
        (edited("refused", {"case": "no items"}, status=201), "fail"),
        (edited("refused", {"case": "no items"}, status=500), "fail"),
        (edited("refused", {"case": "no items"}, clear=False), "fail"),
        (none_of("refused", case="no items"), "unknown"),
        (before("refused", {"case": "no items"}, status=201), "fail"),
    ],
    ("bad-input", "nothing-stored"): [
        (edited("kept", after=[6, 9, 2]), "fail"),
        (moved("kept", to=0.5), "unknown"),
    ],
    ("bad-input", "one-key-one-order"): [
        (edited("at-once", rows=2), "fail"),
        (edited("at-once", answers=[[201, "o1"], [201, "o2"]]), "fail"),
        (edited("at-once", answers=[[201, "o1"], [0, ""]]), "fail"),
        (edited("at-once", other=200), "fail"),
        # Acknowledged without an id.
        (edited("at-once", answers=[[201, ""], [200, ""]]), "fail"),
    ],
    ("bad-input", "not-kept-not-acknowledged"): [
        (edited("read-only", status=201), "fail"),
        (edited("read-only", rows=1), "fail"),
        (edited("read-only", afterwards=0), "fail"),
        # Refused for another reason: the connections were closed, say.
        (edited("read-only", said=0), "unknown"),
        (edited("read-only", said=0, status=201), "fail"),
    ],
    ("bad-input", "broker-full-kept"): [
        (edited("broker-full", afterwards=[[id_, 1] for id_ in KEPT_ORDERS[1:]]), "fail"),
        (edited("broker-full", afterwards=[[id_, 2] for id_ in KEPT_ORDERS]), "fail"),
        (edited("broker-full", meanwhile=[[id_, 1] for id_ in KEPT_ORDERS]), "fail"),
        (edited("broker-full", meanwhile=[]), "fail"),
        (edited("broker-full", acknowledged=KEPT_ORDERS[1:]), "fail"),
        (edited("broker-full", acknowledged=[], meanwhile=[], afterwards=[]), "unknown"),
        (edited("broker-full", refuses=False), "unknown"),
        # Before the orders' service would have published any of them.
        (edited("broker-full", held_s=0.1), "unknown"),
    ],
    ("leader-lost", "identities-kept"): [(certificate_taken, "fail")],
    ("load", "raised-until-the-knee"): [
        (nobody_through("worker1"), "unknown"),
        (lambda run: without(run, lambda e: 24.0 < e.data.get("sent", 0) < 28.0), "unknown"),
        (none_of("step", visitors=2), "unknown"),
        # While there were four visitors; or told before it was over.
        (edited("step", {"visitors": 8}, began=50.0), "unknown"),
        (moved("step", {"visitors": 1}, to=5.0), "unknown"),
        (lambda run: without(run, lambda e: e.data.get("visitors", 0) > 4), "unknown"),
        (lambda _: timed("2.10/load", *raised(GROWING)), "fail"),
        (edited("step", {"visitors": 8}, ended=60.0), "unknown"),
        (none_of("step", visitors=16), "unknown"),
    ],
    ("load", "no-error-up-to-the-knee"): [
        (nobody_through("worker1"), "unknown"),
        (lambda run: without(run, lambda e: 24.0 < e.data.get("sent", 0) < 28.0), "unknown"),
        (none_of("step", visitors=2), "unknown"),
        # While there were four visitors; or told before it was over.
        (edited("step", {"visitors": 8}, began=50.0), "unknown"),
        (moved("step", {"visitors": 1}, to=5.0), "unknown"),
        (failing(PATHS["orders"], 20.0, 21.0), "fail"),
        # Sent within the step, and given up after it.
        (unanswered(28.0, 29.5), "fail"),
    ],
    ("literal", "nobody-served"): [
        # Before all of them had ended.
        (moved("visited", to=3.0), "unknown"),
        (none_of("ended", service="redis"), "unknown"),
        (edited("visited", {"node": "worker1", "port": 80}, status=200, error=None), "fail"),
        (none_of("visited", node="worker1"), "unknown"),
        (moved("visited", to=0.5), "unknown"),
    ],
    **{
        ("literal", f"{name}-never-starts"): [
            (edited("ended", {"service": name}, said="it runs"), "fail"),
            (edited("ended", {"service": name}, exit_code=0), "fail"),
            (none_of("ended", service=name), "unknown"),
            (moved("ended", {"service": name}, to=0.5), "unknown"),
        ]
        for name in ENDS
    },
    ("counted", "a-thousand-orders"): [
        (edited("acknowledged", orders=TOLD["orders"][:999]), "fail"),
    ],
    ("persistence", "waited-for-a-worker"): [
        (moved("removed", to=9.0), "unknown"),
        (edited("waiting", orders=0), "fail"),
        (edited("removed", containers=1), "fail"),
        (moved("waiting", to=3.0), "unknown"),
    ],
    ("persistence", "customers-known"): [
        (moved("back", to=1.5), "unknown"),
        (edited("known", {"customer": 2}, known=False), "fail"),
        (before("known", {"customer": 2}, known=False), "fail"),
        (none_of("known", customer=2), "unknown"),
    ],
    ("persistence", "replicas"): [
        (of_another_cluster, "unknown"),
        (edited("tasks", {"service": "shop_frontend"}, **of_all("frontend", 2)), "fail"),
        (moved("tasks", {"service": "shop_redis"}, to=1.5), "unknown"),
    ],
    **{
        (phase, "node-gone-and-back"): [
            (ready_for_a_moment, "unknown"),
            (moved("struck", {"what": phase}, to=12.0), "unknown"),
            (edited("nodes", nodes=nodes(0, "ready", LOST)[2]["nodes"]), "fail"),
            (in_vain(last("nodes", nodes=nodes(0, "down")[2]["nodes"])), "fail"),
            (last("nodes", nodes=nodes(0, "down")[2]["nodes"]), "unknown"),
        ]
        for phase in NODE_PHASES
    },
    **{
        (phase, "served-as-predicted"): [
            (failing(PATHS["pages"], 0.0, 200.0), "fail"),
            # Before anything was struck.
            (failing(PATHS["orders"], 2.0, 3.0), "fail"),
            (nobody_through("worker1"), "unknown"),
            (none_of("entry", ledger="orders-3"), "unknown"),
            (nobody_before("request"), "unknown"),
            (nobody_before("entry"), "unknown"),
            # Who orders says so, and nobody saw a request of his.
            (nobody_at("/api/orders"), "unknown"),
            (nobody_at("/api/me"), "unknown"),
            # Nobody saw the end of what was struck, or it did not come.
            (never_whole_again, "unknown"),
            (in_vain(never_whole_again), "fail"),
        ]
        for phase in UNDER_LOAD
    },
    **{
        (phase, "no-order-lost"): [
            (one_lost, "fail"),
            (none_of("entries", ledger="orders-1"), "unknown"),
            (moved("entries", {"ledger": "orders-1"}, to=12.0), "unknown"),
            (none_of("entry", ledger="orders-1"), "unknown"),
        ]
        for phase in UNDER_LOAD
    },
    **{
        (phase, "no-order-doubled"): [
            (one_twice, "fail"),
            (none_of("entry", ledger="orders-1", number=1), "fail"),
            (none_of("entries", ledger="orders-1"), "unknown"),
        ]
        for phase in UNDER_LOAD
    },
    **{
        (phase, "each-order-consumed-once"): [
            (never_consumed, "fail"),
            (consumed_twice, "fail"),
            (moved("consumed", to=12.0), "unknown"),
        ]
        for phase in UNDER_LOAD
    },
}

for _phase in ("counted", "persistence"):
    BROKEN |= {
        (_phase, "no-order-lost"): [
            (edited("stored", orders=STORED["orders"][1:]), "fail"),  # type: ignore[index]
            (edited("stored", accounts=["u1"]), "fail"),
            (moved("stored", to=-1.0), "unknown"),
        ],
        (_phase, "no-order-doubled"): [
            (edited("stored", keys=1200), "fail"),
            (edited("stored", unasked=1), "fail"),
            (edited("stored", orders=[]), "unknown"),
        ],
        (_phase, "each-order-consumed-once"): [
            (edited("stored", orders=[*STORED["orders"], ["o1", 1]]), "fail"),  # type: ignore[misc]
            (edited("stored", orders=[["o1", 0]]), "fail"),
        ],
        (_phase, "nothing-half-kept"): [
            (edited("stored", damaged={"orders without items": 1}), "fail"),
            (edited("stored", damaged={}), "unknown"),
            (edited("stored", damaged={"orders without items": 0}), "unknown"),
        ],
    }


for _claim in (
    "no-order-lost",
    "no-order-doubled",
    "each-order-consumed-once",
    "nothing-half-kept",
):
    BROKEN["persistence", _claim] += [
        # The stack was not away, or what is stored was read before it was back.
        (lambda run: none_of("waiting")(moved("stored", to=1.5)(run)), "unknown"),
    ]


STILL_PASSES = {
    ("2.10.*.*", "*: nodes exchanged"): NAMES_ALIKE,
    ("2.10.*.*", "entr*: the later half of another cluster"): "an order's id is `no-order-lost`'s",
    # A killed task's id; whether it was that one is another claim's.
    ("2.10.killed.*", "struck: the later half of another cluster"): UNUSED,
    ("2.10.security.no-secret-in-a-*", "looked: the later half of another cluster"): ALONE,
    ("2.10.counted.a-thousand-orders", "acknowledged: all seen at the phase's end"): LATER,
    # A list of tasks names their containers; how long it took, the event itself.
    ("2.10.deployed.healthy", "tasks: all seen at the phase's beginning"): ALONE,
    ("2.10.deployed.ready-in-time", "ready: all seen at the phase's end"): ALONE,
    ("2.10.load.*", "request: moments shuffled"): ANY_ORDER,
    # One manager's lists show it; that it was mended, the fault's own events.
    ("2.10.*.node-gone-and-back", "nodes: none ?*"): ENOUGH,
    ("2.10.*.node-gone-and-back", "cut *entries"): ENOUGH,
    ("2.10.*.node-gone-and-back", "recovered: *"): ENOUGH,
    ("2.10.*.node-gone-and-back", "struck: not the one of number 2"): ENOUGH,
    ("2.10.leader-lost.another-leads", "nodes: none ?*"): ENOUGH,
    ("2.10.leader-lost.another-leads", "recovered: *"): ENOUGH,
    ("2.10.leader-lost.another-leads", "cut *"): ENOUGH,
    ("2.10.leader-lost.identities-kept", "fault.*: *"): UNUSED,
    ("2.10.leader-lost.identities-kept", "nodes: * ?*"): "that leadership moved is another claim's",
    # Its return need not be seen; where it is, it came after the removal.
    ("2.10.persistence.waited-for-a-worker", "back: *"): ENOUGH,
    ("2.10.persistence.waited-for-a-worker", "waiting: all seen at the phase's beginning"): SOONER,
}
"""What passes on a broken record of a real run, and why that is right."""


class TestJudge(JudgeContract):
    exercise = exercise
    phases = tuple(TITLES)
    good = staticmethod(good)
    broken = BROKEN


def test_what_an_earlier_version_recorded_of_a_rollback_is_judged_by_its_command() -> None:
    for same, verdict in ((True, Verdict.PASS), (False, Verdict.FAIL)):
        told = {"state": "rollback_completed", "same": same}
        earlier = Record(
            tuple(
                replace(e, data=told) if e.kind == "rolled-back" else e for e in good("bad-update")
            )
        )
        judged = {each.id: each.verdict for each in exercise.judge(earlier, "bad-update")}
        assert judged["2.10.bad-update.takes-itself-back"] is verdict


def test_each_field_counts_that_a_rollback_did_not_bring_back() -> None:
    before = {"Image": "orders:1", "Command": ["a"], "Env": ["A=1"], "Init": None}
    assert differing(before, dict(before)) == ()
    after = {"Image": "orders:1", "Command": ["a"], "Env": ["A=2"], "User": "0"}
    assert differing(before, after) == ("Env", "User")


def test_what_is_predicted_is_predicted_of_everything_that_is_struck() -> None:
    struck = {what for phase in UNDER_LOAD for what in wanted(phase)}
    assert struck == set(PREDICTED)
    assert {name for bounds in PREDICTED.values() for name in bounds} <= set(ENDPOINTS)


def test_every_service_is_killed_and_none_hides_the_outage_of_another() -> None:
    assert sorted(name for names in KILLED_TOGETHER for name in names) == sorted(REPLICAS)
    for names in KILLED_TOGETHER:
        failing = [endpoint for name in names for endpoint in PREDICTED[name]]
        assert len(failing) == len(set(failing))


@pytest.mark.parametrize(("path", "verdict"), [("/api/me", "pass"), (PATHS["pages"], "fail")])
def test_what_is_killed_together_may_have_the_outages_of_each_and_no_other(
    path: str, verdict: str
) -> None:
    began = STRUCK + EACH * list(REPLICAS).index("users-service")
    together = moved("struck", {"what": "redis"}, to=began + 0.1)(good("killed"))
    together = moved("recovered", {"what": "redis"}, to=began + RECOVERED - STRUCK + 0.1)(together)
    asked = failing(path, began + 1, began + 2)(together)
    found = {r.id: r.verdict for r in exercise.judge(asked, "killed")}
    assert found["2.10.killed.served-as-predicted"] == verdict


def test_what_is_rolled_later_waits_for_one_that_is_rolled_at_once() -> None:
    at_once = [name for name in ROLLED if name not in ROLLED_AFTER]
    assert len(at_once) == 3
    assert set(ROLLED_AFTER) < set(ROLLED)
    assert sorted(ROLLED_AFTER.values()) == sorted(at_once)


def test_orders_are_wanted_until_the_last_has_recovered_also_if_it_was_struck_before() -> None:
    around = list(REPLICAS)[-1]
    began = STRUCK + EACH * (len(REPLICAS) - 2) - 1
    nested = moved("struck", {"what": around}, to=began)(good("killed"))
    assert {r.verdict for r in exercise.judge(nested, "killed")} == {Verdict.PASS}
    over = RECOVERED + EACH * (len(REPLICAS) - 2)
    idle = without(
        nested, lambda e: e.kind == "entry" and e.data["ledger"] == ACCOUNTS and e.t > over
    )
    found = {r.id: r.verdict for r in exercise.judge(idle, "killed")}
    assert found["2.10.killed.no-order-lost"] is Verdict.UNKNOWN


def test_an_outage_is_the_time_without_a_good_answer_around_a_failure() -> None:
    def asked(over: float, *, ok: bool) -> Request:
        return Request(over, 0.0, "worker1", 200 if ok else 503, None, "http://worker1:8080/", 80)

    answers = [asked(t, ok=t not in (3.0, 4.0)) for t in (1.0, 2.0, 3.0, 4.0, 7.0, 30.0)]
    assert outage_s(answers, Window(0.0, 40.0)) == pytest.approx(5.0)
    assert outage_s(answers, Window(8.0, 40.0)) == 0.0
    assert outage_s([asked(3.0, ok=False)], Window(1.0, 9.0)) == pytest.approx(8.0)


def test_the_stack_has_what_the_drills_expect() -> None:
    stack = yaml.safe_load(perform.FILE.read_text(encoding="utf-8"))
    services = stack["services"]
    assert {name: each["deploy"]["replicas"] for name, each in services.items()} == REPLICAS
    assert {name for name, each in services.items() if each.get("ports")} == set(PUBLISHED)
    assert set(stack["secrets"]) == set(perform.values())
    external = {each["name"] for each in stack["configs"].values() if each.get("external")}
    assert external == set(perform.CONFIGS)


def test_every_bad_order_is_asked_for_and_judged(lab: Lab) -> None:
    shop = Shop(lab.swarm.nodes, lab.recorder)
    books = Books(perform.service(lab.swarm, "postgres"))
    people = [SimpleNamespace(token="", email=f"{n}@example.org") for n in "ab"]
    crowd: Any = SimpleNamespace(
        shop=shop, books=books, run="r", orders={"o1": "k"}, customers=people
    )
    trials = Trials(lab.swarm, crowd, {}, Waiter(), Evidence(lab.recorder))
    assert set(trials._bad()) == set(REFUSED)


def test_the_brokers_password_is_found_in_a_definition_by_itself(lab: Lab) -> None:
    """Its configuration has two lines, which stand nowhere as a whole."""
    given = perform.values()
    broker = given["rabbitmq_url"].decode().partition("shop:")[2].partition("@")[0]
    crowd: Any = SimpleNamespace()
    trials = Trials(lab.swarm, crowd, given, Waiter(), Evidence(lab.recorder))
    bare = {"Env": [f"RABBITMQ_DEFAULT_PASS={broker}"]}
    lab.settle().services = [
        {"Spec": {"Name": "shop_rabbitmq", "TaskTemplate": {"ContainerSpec": bare}}}
    ]
    (found,) = environments(lab.swarm, trials._shown())
    assert found["shows"] == ["the broker's password"]


def test_forged_tokens_differ_from_the_good_one_in_one_thing_each() -> None:
    made = tokens("s" * 32, "00000000-0000-4000-8000-000000000001")
    assert set(made) == {*FORGED, "good"}
    assert len(set(made.values())) == len(made)
    head, body, signature = made["good"].split(".")
    assert made["forged"].startswith(f"{head}.{body}.")
    assert made["changed"].endswith(f".{signature}")
    assert made["unsigned"].endswith(".")


@pytest.mark.parametrize(
    ("address", "subnet"),
    [
        ("192.168.56.10", "192.168.56.0/24"),
        ("172.19.0.10", "172.19.0.0/24"),
        ("2001:db8::10", "2001:db8::/64"),
        ("manager1", nfs.SUBNET),
    ],
)
def test_the_share_is_exported_to_the_server_s_own_network(
    lab: Lab, address: str, subnet: str
) -> None:
    server = lab["manager1"]
    server.address = address
    assert nfs.subnet_of(server) == subnet


@pytest.mark.parametrize("server", [perform.NFS_SERVER, "172.19.0.10"])
def test_the_stack_file_asks_the_lab_s_server_unless_another_is_named(server: str) -> None:
    env = {} if server == perform.NFS_SERVER else {"NFS_SERVER": server}
    stack = yaml.safe_load(perform.FILE.read_text(encoding="utf-8"))
    asked = [substituted(each["driver_opts"]["o"], env) for each in stack["volumes"].values()]
    assert [str(o).partition(",")[0] for o in asked] == [f"addr={server}"] * 2


def test_without_ipvs_only_the_lab_s_own_file_is_drilled() -> None:
    able = {str(c): c is not Capability.IPVS for c in Capability}
    record = events("", ("cluster.ready", {"capabilities": able}))
    provable = {
        check.id
        for check, result in zip(exercise.checks, exercise.judge(record), strict=True)
        if result.verdict is not Verdict.NOT_PROVABLE
    }
    assert provable == {f"2.10.literal.{name}-never-starts" for name in ENDS}
