"""A task or a whole service was lost and recovered, judged on the record alone."""

from __future__ import annotations

from pytest_swarmlab import unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import each, last, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Window,
    judged,
    members_of,
    not_asked,
    not_each,
    not_written,
    out_of_order,
)
from pytest_swarmlab.model import Judgement

from .availability import IDLE_S, PAUSES_S, by_endpoint, strikes
from .declared import AWAY, KILLED, MOVED, RABBITMQ, REDIS, exercise
from .events import Away, Recovered, Replaced, Returning, Struck, Waiting
from .listed import of_another_cluster, running, tasks_of
from .setting import BROKER, CACHE, CATALOGUE, CUSTOMER, CUSTOMERS, DATABASE, RECOVERED_S, REPLICAS

# -- killed ----------------------------------------------------------------------------------------


@exercise.check(
    "each-replaced",
    phases=KILLED,
    title="Each killed task is replaced",
    expected=f"a new task in the killed task's slot, for each of {len(REPLICAS)} services",
    hint="`docker service ps`: is the restart condition `any`?",
)
def each_replaced(record: Record) -> Judgement:
    """By the tasks' ids."""
    struck = {e.what: e for e in each(record, Struck)}
    replaced = {e.what: e for e in each(record, Replaced)}
    missing = not_each(struck, REPLICAS, "killed a task of")
    missing += not_each(replaced, REPLICAS, "saw a new task of")
    wrong = []
    for name in struck.keys() & replaced.keys():
        was, is_ = struck[name], replaced[name]
        if is_.old != was.id or is_.new == was.id:
            wrong.append(f"{name}: no new task")
        missing += out_of_order((f"the kill of {name}", was.t), ("the new task", is_.t))
    return judged(f"{len(replaced)} of {len(struck)} replaced", wrong=wrong, missing=missing)


@exercise.check(
    "recovered-in-time",
    phases=KILLED,
    timed=True,
    title="After each kill the whole shop serves again in time",
    expected=f"at most {RECOVERED_S:.0f} s, through every node, and to each customer",
    hint="The time is restart delay + start + first healthy check: which of them is long?",
)
def recovered_in_time(record: Record) -> Judgement:
    """From the kill until the last customer's next order was acknowledged."""
    found = {strike.what: strike.window.seconds for strike in strikes(record)}
    missing = not_each(found, REPLICAS, "saw the end of the kill of")
    wrong = [f"{what} {s:.1f} s" for what, s in found.items() if s > RECOVERED_S]
    told = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in found.items())
    return judged(told or "none", wrong=wrong, missing=missing)


# -- away ------------------------------------------------------------------------------------------


@exercise.check(
    "really-away",
    phases=AWAY,
    title="The service was down while customers ordered, and runs again",
    expected="one task before, none while it was down, one at the end",
    hint="`docker service ps`: did it stop at all?",
)
def really_away(record: Record) -> Judgement:
    """As the managers list its tasks."""
    name = CACHE if each(record, Struck, what="redis-away") else BROKER
    struck, away = need(record, Struck, "no service was scaled down"), last(record, Away)
    returning, listed = last(record, Returning), tasks_of(record, name)
    if away is None or returning is None or not listed:
        return unknown("its stop, its return or its tasks were not recorded")
    parts = {
        "before": [s for s in listed if s.t <= struck.t],
        "while it was down": [s for s in listed if struck.t < s.asked and s.t <= away.t],
        "at the end": [s for s in listed if s.asked > returning.t],
    }
    counts = {when: len(running(part[-1])) for when, part in parts.items() if part}
    missing = not_each(counts, parts, "listed its tasks")
    missing += out_of_order(
        ("the scaling down", struck.t), ("its stop", away.t), ("its return", returning.t)
    )
    missing += of_another_cluster(listed)
    told = ", ".join(f"{count} {when}" for when, count in counts.items())
    wanted = {"before": 1, "while it was down": 0, "at the end": 1}
    return judged(told, holds=counts.items() <= wanted.items(), missing=missing)


def _while_away(record: Record) -> Window | None:
    """From its stop to its return; None unless both and the recovery were recorded."""
    away, returning, whole = last(record, Away), last(record, Returning), last(record, Recovered)
    if away is None or returning is None or whole is None:
        return None
    return Window(away.t, returning.t) if away.t < returning.t < whole.t else None


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
        return unknown("its stop or its return was not recorded")
    asked = [r for r in by_endpoint(record)[CATALOGUE] if r.sent in window and r.over in window]
    answered = [r for r in asked if r.ok]
    good = [r for r in answered if r.header is not None]
    answers = [str(r.header) for r in good]
    told = ", ".join(f"{answers.count(said)} {said}" for said in sorted(set(answers)))
    cached = [said for said in answers if said != "off"]
    missing = not_asked(good, through=members_of(record), window=window, pause=PAUSES_S[CATALOGUE])
    if len(good) < len(answered):
        missing.append(f"{len(answered) - len(good)} answers have no such header")
    return judged(
        told or "none", wrong=[f"{len(cached)} cached"] if cached else [], missing=missing
    )


@exercise.check(
    "kept-without-a-broker",
    phases=RABBITMQ,
    title="Without RabbitMQ orders are acknowledged, and wait in the database",
    expected="each customer's orders are acknowledged meanwhile, and none of those is processed",
    hint="Does the orders' service write to the outbox, or publish before it answers?",
)
def kept_without_a_broker(record: Record) -> Judgement:
    """Waiting orders are in the database; another check shows that each was processed later."""
    window, waiting = _while_away(record), last(record, Waiting)
    if window is None or waiting is None:
        return unknown("its stop, its return or the waiting orders were not recorded")
    # An order of the moment before the reading may have come later.
    until, counts, kept = waiting.t, [], 0
    missing = [] if until in window else ["the waiting orders were not counted while it was down"]
    for number in range(1, CUSTOMERS + 1):
        name = CUSTOMER.format(number)
        ledger = readings.ledger(record, name)
        entries = ledger.acknowledged if ledger else []
        counts.append(sum(e.sent in window and e.over in window for e in entries))
        kept += sum(e.sent >= window.began and e.over < until for e in entries)
        tried = ledger.entries if ledger else ()
        missing += [f"{name}: {x}" for x in not_written(tried, window=window, pause=IDLE_S)]
    told = f"{sum(counts)} acknowledged meanwhile, {waiting.orders} waited"
    return judged(told, holds=all(counts) and 0 < kept <= waiting.orders, missing=missing)


# -- moved -----------------------------------------------------------------------------------------


@exercise.check(
    "runs-elsewhere",
    phases=MOVED,
    title="The database runs on the other node",
    expected="one task on the old node before, one on the new one after",
    hint="`docker service ps shop_postgres`: does the other node have the label storage=nfs?",
)
def runs_elsewhere(record: Record) -> Judgement:
    """As the managers list it."""
    struck, listed = need(record, Struck, "it was not moved"), tasks_of(record, DATABASE)
    before = [s for s in listed if s.t <= struck.t]
    after = [s for s in listed if s.asked > struck.t]
    if not before or not after:
        return unknown("its tasks were not listed before it was moved and after")
    where = running(before[-1]), running(after[-1])
    told = f"from {', '.join(where[0]) or 'nowhere'} to {', '.join(where[1]) or 'nowhere'}"
    old, new = str(struck.old), str(struck.new)
    same = not {t.id for t in before[-1].tasks} & {t.id for t in after[-1].tasks}
    missing = ["the lists are not of one service"] if same else []
    return judged(told, holds=where == ([old], [new]) and old != new, missing=missing)
