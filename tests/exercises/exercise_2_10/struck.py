"""What was struck was struck, and is whole again, judged on the record alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_swarmlab import failed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.readings import TasksSample
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Window,
    judged,
    members_of,
    not_each,
    not_the_leader,
    out_of_order,
)
from pytest_swarmlab.model import Judgement

from .. import identities
from .availability import by_endpoint, strikes
from .declared import (
    AWAY,
    BAD_UPDATE,
    DEPLOYED,
    KILLED,
    LEADER,
    MOVED,
    NODES,
    PERSISTENCE,
    RABBITMQ,
    REDIS,
    exercise,
)
from .declared import ROLLED as ROLLED_PHASE
from .setting import (
    BROKER,
    CACHE,
    CATALOGUE,
    CUSTOMER,
    CUSTOMERS,
    DATABASE,
    NAME,
    ORDERS,
    RECOVERED_S,
    REPLICAS,
    ROLLED,
)

identities.declare(exercise, LEADER)

READY_S = 240.0
"""Images are on the nodes; PostgreSQL and RabbitMQ initialise their files on NFS."""
LEAST_UNCACHED = 5
"""Answers of the catalogue without a cache, at least: it is asked five times a second."""


def _full(name: str) -> str:
    return f"{NAME}_{name}"


def _listed(record: Record, name: str) -> list[TasksSample]:
    return [s for s in readings.task_samples(record, _full(name)) if s.error is None]


def _running(sample: TasksSample) -> list[str]:
    return sorted(task.node for task in sample.tasks if task.running)


# -- deployed ------------------------------------------------------------------------------------


@exercise.check(
    "replicas",
    phases=DEPLOYED + PERSISTENCE,
    title="Every service is at its count",
    expected=", ".join(f"{name} {count}/{count}" for name, count in REPLICAS.items()),
    hint="`docker stack ps shop --no-trunc`: why does a task not start?",
)
def replicas(record: Record) -> Judgement:
    """As `docker stack services` shows it."""
    told, good, missing = [], True, []
    began = record.last("removed") or record.first("begun")
    for name, count in REPLICAS.items():
        listed = _listed(record, name)
        if not listed:
            missing.append(f"nobody listed the tasks of {name}")
            continue
        running = len(_running(listed[-1]))
        told.append(f"{name} {running}/{count}")
        good = good and running == count
        moment = (f"the list of {name}'s tasks", listed[-1].asked)
        missing += out_of_order(("the beginning", began.t if began else None), moment)
    return judged(", ".join(told) or "nothing", holds=good, missing=missing)


@exercise.check(
    "healthy",
    phases=DEPLOYED,
    title="Every container says that it is healthy",
    expected=f"{sum(REPLICAS.values())} containers, each with a health check, all healthy",
    hint="`docker inspect` of the container, State.Health.Log; a service without a check has none.",
)
def healthy(record: Record) -> Judgement:
    """By each node's own engine."""
    ready = record.need("ready", "it was never ready")
    seen = {e.data["container"]: e.data for e in record.of("health") if e.t >= ready.t}
    counts = {
        name: sum(data["service"] == _full(name) for data in seen.values()) for name in REPLICAS
    }
    wrong = [
        f"{data['service']} on {data['node']}: {data['health']}"
        for data in seen.values()
        if data["health"] != "healthy"
    ]
    missing = [
        f"{counts[name]} containers of {name} were looked at"
        for name, count in REPLICAS.items()
        if counts[name] != count
    ]
    return judged(f"{len(seen)} containers", wrong=wrong, missing=missing)


@exercise.check(
    "ready-in-time",
    phases=DEPLOYED,
    timed=True,
    title="The whole shop is ready in time",
    expected=f"every replica serves through every node {READY_S:.0f} s after the preparation began",
    hint="Which service was last? `docker stack ps shop`; a `start_interval` shortens the wait.",
)
def ready_in_time(record: Record) -> Judgement:
    """Directories, labels, secrets, configs, and the stack."""
    began = record.need("begun", "nobody noted when it began")
    ready = record.need("ready", "it was never ready")
    seconds = ready.t - began.t
    missing = out_of_order(("the beginning", began.t), ("its end", ready.t))
    if ready.data.get("services") != len(REPLICAS):
        missing.append("not every service was waited for")
    return judged(f"ready after {seconds:.1f} s", holds=seconds <= READY_S, missing=missing)


@exercise.check(
    "first-order",
    phases=DEPLOYED,
    title="An order goes all the way",
    expected="accepted, then processed by a worker, and seen so through every node",
    hint="`docker service logs shop_orders-worker`: does it reach RabbitMQ, with which password?",
)
def first_order(record: Record) -> Judgement:
    """Gateway, orders, PostgreSQL, outbox, RabbitMQ, worker, and back."""
    ordered = record.need("ordered", "nobody ordered anything")
    seen = [e for e in record.of("followed", order=ordered.data["order"]) if e.t > ordered.t]
    wrong = [
        f"{e.data['node']}: {e.data['status']}" for e in seen if e.data["status"] != "processed"
    ]
    missing = not_each((str(e.data["node"]) for e in seen), members_of(record), "asked through")
    return judged(f"asked through {len(seen)} nodes", wrong=wrong, missing=missing)


@exercise.measure(phases=DEPLOYED)
def deployment(record: Record) -> dict[str, float | int | None]:
    """How long it took until everything served, and what the nodes' memory holds then."""
    began, ready = record.first("begun"), record.first("ready")
    used = [e.data["used_mib"] for e in record.of("memory")]
    return {
        "ready_s": round(ready.t - began.t, 1) if began and ready else None,
        "memory_mib": sum(used) if used else None,
    }


# -- killed --------------------------------------------------------------------------------------


@exercise.check(
    "each-replaced",
    phases=KILLED,
    title="Each killed task has a successor",
    expected=f"another task in the slot of the killed one, of each of {len(REPLICAS)} services",
    hint="`docker service ps`: is the restart condition `any`?",
)
def each_replaced(record: Record) -> Judgement:
    """By the tasks' ids."""
    struck = {str(e.data["what"]): e for e in record.of("struck")}
    replaced = {str(e.data["what"]): e for e in record.of("replaced")}
    missing = not_each(struck, REPLICAS, "killed a task of")
    missing += not_each(replaced, REPLICAS, "saw a successor in")
    wrong = []
    for name in struck.keys() & replaced.keys():
        was, is_ = struck[name], replaced[name]
        if is_.data["old"] != was.data["id"] or is_.data["new"] == was.data["id"]:
            wrong.append(f"{name}: no other task")
        missing += out_of_order((f"the kill of {name}", was.t), ("its successor", is_.t))
    return judged(f"{len(replaced)} of {len(struck)} replaced", wrong=wrong, missing=missing)


@exercise.check(
    "recovered-in-time",
    phases=KILLED,
    timed=True,
    title="After each kill the whole shop serves again in time",
    expected=f"at most {RECOVERED_S:.0f} s, through every node, and to each customer",
    hint="restart delay + start + first healthy check; which of them is long?",
)
def recovered_in_time(record: Record) -> Judgement:
    """From the kill until the last customer's next order was acknowledged."""
    found = {each.what: each.window.seconds for each in strikes(record)}
    missing = not_each(found, REPLICAS, "saw the end of the kill of")
    wrong = [f"{what} {s:.1f} s" for what, s in found.items() if s > RECOVERED_S]
    told = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in found.items())
    return judged(told or "none", wrong=wrong, missing=missing)


# -- away ----------------------------------------------------------------------------------------


@exercise.check(
    "really-away",
    phases=AWAY,
    title="It was away while customers came, and is back",
    expected="one task before, none while it was away, one at the end",
    hint="`docker service ps`: did it stop at all?",
)
def really_away(record: Record) -> Judgement:
    """As the managers list its tasks."""
    name = CACHE if record.of("struck", what="redis-away") else BROKER
    struck, away = record.need("struck", "nothing was taken away"), record.last("away")
    returning, listed = record.last("returning"), _listed(record, name)
    if away is None or returning is None or not listed:
        return unknown("nobody saw it go and come back, or listed its tasks")
    parts = {
        "before": [s for s in listed if s.t <= struck.t],
        "while it was away": [s for s in listed if struck.t < s.asked and s.t <= away.t],
        "at the end": [s for s in listed if s.asked > returning.t],
    }
    counts = {when: len(_running(part[-1])) for when, part in parts.items() if part}
    missing = not_each(counts, parts, "listed its tasks")
    missing += out_of_order(
        ("its going", struck.t), ("it away", away.t), ("its return", returning.t)
    )
    told = ", ".join(f"{count} {when}" for when, count in counts.items())
    wanted = {"before": 1, "while it was away": 0, "at the end": 1}
    return judged(told, holds=counts.items() <= wanted.items(), missing=missing)


def _while_away(record: Record) -> Window | None:
    away, returning = record.last("away"), record.last("returning")
    return Window(away.t, returning.t) if away and returning else None


@exercise.check(
    "without-a-cache",
    phases=REDIS,
    title="Without Redis the catalogue comes from the database",
    expected="every answer says `X-Cache: off`",
    hint="Does the products' service wait for Redis? Its time limit is 200 ms, then it gives up.",
)
def without_a_cache(record: Record) -> Judgement:
    """As the answers themselves say."""
    window = _while_away(record)
    if window is None:
        return unknown("nobody saw it go and come back")
    asked = [r for r in by_endpoint(record)[CATALOGUE] if r.sent in window and r.over in window]
    answers = [r.header for r in asked if r.ok and r.header is not None]
    told = ", ".join(f"{answers.count(each)} {each}" for each in sorted(set(answers)))
    cached = [each for each in answers if each != "off"]
    few = len(answers) < LEAST_UNCACHED
    missing = [f"only {len(answers)} answers were seen"] if few else []
    return judged(
        told or "none", wrong=[f"{len(cached)} cached"] if cached else [], missing=missing
    )


@exercise.check(
    "kept-without-a-broker",
    phases=RABBITMQ,
    title="Without RabbitMQ orders are acknowledged, and wait",
    expected="each customer's orders are acknowledged meanwhile, and none of those is processed",
    hint="Does the orders' service write to the outbox, or publish before it answers?",
)
def kept_without_a_broker(record: Record) -> Judgement:
    """What waits is in the database; the check of what was processed tells that it came through."""
    window, waiting = _while_away(record), record.last("waiting")
    if window is None or waiting is None:
        return unknown("nobody saw it go and come back, or looked what was waiting")
    counts = {}
    for number in range(1, CUSTOMERS + 1):
        ledger = readings.ledger(record, CUSTOMER.format(number))
        entries = ledger.acknowledged if ledger else []
        counts[str(number)] = sum(e.sent in window and e.over in window for e in entries)
    # Those of the moment before it was read may have come later.
    until = waiting.t
    kept = sum(
        entry.sent >= window.began and entry.over < until
        for number in range(1, CUSTOMERS + 1)
        if (ledger := readings.ledger(record, CUSTOMER.format(number)))
        for entry in ledger.acknowledged
    )
    told = f"{sum(counts.values())} acknowledged meanwhile, {waiting.data['orders']} waited"
    missing = [] if until in window else ["what was waiting was not looked at meanwhile"]
    served = all(counts.values())
    return judged(told, holds=served and 0 < kept <= waiting.data["orders"], missing=missing)


# -- moved ---------------------------------------------------------------------------------------


@exercise.check(
    "runs-elsewhere",
    phases=MOVED,
    title="The database runs on the other node",
    expected="one task on the old node before, one on the new one after",
    hint="`docker service ps shop_postgres`: has the other node the label storage=nfs?",
)
def runs_elsewhere(record: Record) -> Judgement:
    """As the managers list it."""
    struck, listed = record.need("struck", "it was not moved"), _listed(record, DATABASE)
    before = [s for s in listed if s.t <= struck.t]
    after = [s for s in listed if s.asked > struck.t]
    if not before or not after:
        return unknown("its tasks were not listed before it was moved and after")
    where = _running(before[-1]), _running(after[-1])
    told = f"from {', '.join(where[0]) or 'nowhere'} to {', '.join(where[1]) or 'nowhere'}"
    old, new = str(struck.data.get("old")), str(struck.data.get("new"))
    same = not {t.id for t in before[-1].tasks} & {t.id for t in after[-1].tasks}
    missing = ["the lists are not of one service"] if same else []
    return judged(told, holds=where == ([old], [new]) and old != new, missing=missing)


# -- nodes ---------------------------------------------------------------------------------------


@exercise.check(
    "node-gone-and-back",
    phases=NODES,
    title="The node was away for the others, and is back",
    expected="down while it was away, ready under the same id at the end",
    hint="`docker node ls`, and the node's console in the report's directory.",
)
def node_gone_and_back(record: Record) -> Judgement:
    """As the other managers list it."""
    fault, struck = readings.fault(record), record.need("struck", "nothing was struck")
    if fault is None or fault.heal_began is None or fault.healed is None:
        return unknown("no node was struck, or it was not mended")
    name = str(struck.data.get("node"))
    if name not in fault.nodes:
        return failed(f"{', '.join(fault.nodes)} was struck, not {name}")
    # A partition holds all of them; it is the others' word that counts.
    samples = readings.node_samples(record, surviving=False)
    lists = [s for s in samples if s.nodes and s.seen_from != name]
    before = [row for s in lists if s.t <= fault.began and (row := s.node(name))]
    while_on = [
        row for s in lists if s.asked > fault.injected and s.t <= fault.heal_began
        if (row := s.node(name))
    ]  # fmt: skip
    after = [row for s in lists if s.asked >= fault.healed and (row := s.node(name))]
    if not before or not while_on or not after:
        return unknown("nobody listed the nodes before, while it was away, and after")
    told = f"{name}: {while_on[-1].state} while it was away, {after[-1].state} at the end"
    same = before[-1].identity == after[-1].identity
    return judged(
        told,
        holds=while_on[-1].state == "down" and after[-1].state == "ready",
        wrong=[] if same else ["it is another node than before, by its id"],
    )


@exercise.check(
    "another-leads",
    phases=LEADER,
    title="Another manager leads",
    expected="the struck node led before, and another one while it was away",
    hint="`docker node ls` on the survivors.",
)
def another_leads(record: Record) -> Judgement:
    """As the survivors list it."""
    fault = readings.fault(record)
    if fault is None or fault.heal_began is None:
        return unknown("no node was struck, or it was not mended")
    led = [
        s.leader for s in readings.node_samples(record)
        if s.leader and s.asked > fault.injected and s.t <= fault.heal_began
    ]  # fmt: skip
    if not led:
        return unknown("nobody saw who led while it was away")
    told = f"{led[-1]} leads while {', '.join(fault.nodes)} is away"
    missing = not_the_leader(record, fault, within=5.0)
    return judged(told, holds=led[-1] not in fault.nodes, missing=missing)


# -- updated -------------------------------------------------------------------------------------


@exercise.check(
    "every-task-replaced",
    phases=ROLLED_PHASE,
    title="Every task of the rolled services is another one",
    expected=", ".join(f"{name}: {REPLICAS[name]} others" for name in ROLLED),
    hint="`docker service inspect`: UpdateStatus; was the update paused?",
)
def every_task_replaced(record: Record) -> Judgement:
    """By the tasks' ids, before and after."""
    struck = record.need("struck", "nothing was rolled")
    wrong, missing = [], []
    for name in ROLLED:
        before, after = _ids(_listed(record, name), struck.t)
        if before is None or after is None:
            missing.append(f"the tasks of {name} were not listed before and after")
        elif before & after or not len(before) == len(after) == REPLICAS[name]:
            wrong.append(
                f"{name}: {len(before)} before, {len(after)} after, {len(before & after)} the same"
            )
    return judged(f"{len(ROLLED)} services", wrong=wrong, missing=missing)


def _ids(listed: Sequence[TasksSample], t: float) -> tuple[set[str] | None, set[str] | None]:
    def last(samples: Iterable[TasksSample]) -> set[str] | None:
        found = list(samples)
        return {task.id for task in found[-1].tasks if task.running} if found else None

    return last(s for s in listed if s.t <= t), last(s for s in listed if s.asked > t)


@exercise.check(
    "takes-itself-back",
    phases=BAD_UPDATE,
    title="The update is rolled back by itself, and its predecessor runs",
    expected=f"rollback_completed; the definition of before; {REPLICAS[ORDERS]} tasks run",
    hint="`docker service inspect`: has the service `failure_action: rollback`?",
)
def takes_itself_back(record: Record) -> Judgement:
    """The stack file's own policy."""
    struck = record.need("struck", "nothing was updated")
    seen = record.need("rolled-back", "nobody looked what became of the update")
    listed = [s for s in _listed(record, ORDERS) if s.asked > struck.t]
    if not listed:
        return unknown("its tasks were not listed after the update")
    running = len(_running(listed[-1]))
    told = f"{seen.data['state']}; {running} run"
    good = seen.data["state"] == "rollback_completed" and running == REPLICAS[ORDERS]
    wrong = [] if seen.data["same"] else ["its definition is another one"]
    moments = out_of_order(("the update", struck.t), ("the look at it", seen.t))
    return judged(told, holds=good, wrong=wrong, missing=moments)
