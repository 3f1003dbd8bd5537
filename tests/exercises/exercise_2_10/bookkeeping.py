"""What became of orders and accounts, judged on the record alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from pytest_swarmlab import unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import Entries, Seen, each, last, need
from pytest_swarmlab.evidence.readings import Ledger
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import Window, judged, not_each, not_written, out_of_order
from pytest_swarmlab.model import Judgement

from .availability import IDLE_S, strikes, wanted
from .declared import COUNTED, PERSISTENCE, UNDER_LOAD, exercise
from .events import Acknowledged, Back, Consumed, Known, Removed, Stored, Waiting
from .setting import ACCOUNTS, CUSTOMERS, ENOUGH_ORDERS, LEDGERS

PENDING = 5
"""Orders that wait for a worker while the stack is away, at least."""


def _declare() -> None:
    for phase in UNDER_LOAD:

        def lost(record: Record, phase: str = phase) -> Judgement:
            return _none_lost(record, phase)

        def doubled(record: Record, phase: str = phase) -> Judgement:
            return _none_doubled(record, phase)

        def consumed(record: Record, phase: str = phase) -> Judgement:
            return _each_consumed(record, phase)

        exercise.check(
            "no-order-lost",
            phases=(phase,),
            title="No acknowledged order or account is lost",
            expected="each stands in the database under the id that its customer was told",
            hint="Is synchronous_commit on, and is an order answered only after COMMIT?",
        )(lost)
        exercise.check(
            "no-order-doubled",
            phases=(phase,),
            title="No order or account is there twice",
            expected="one row at most for each key, however often its customer asked",
            hint="`\\d orders`: is there a unique constraint over customer and idempotency key?",
        )(doubled)
        exercise.check(
            "each-order-consumed-once",
            phases=(phase,),
            title="Every order has been processed, once",
            expected="each acknowledged order has one row in `processed`",
            hint="`rabbitmqctl list_queues`, then the outbox: is its message published, and acked?",
        )(consumed)


def _ledgers(record: Record) -> dict[str, Ledger]:
    found = {name: readings.ledger(record, name) for name in LEDGERS}
    return {name: ledger for name, ledger in found.items() if ledger is not None}


def _none_lost(record: Record, phase: str) -> Judgement:
    ledgers = _ledgers(record)
    if not ledgers:
        return unknown("nobody ordered anything")
    told = sum(len(ledger.acknowledged) for ledger in ledgers.values())
    wrong = [
        f"{name}: {len(ledger.lost)} lost, such as {ledger.lost[0]}"
        for name, ledger in ledgers.items()
        if ledger.found is not None and ledger.lost
    ]
    seen = f"{told} acknowledged"
    return judged(seen, wrong=wrong, missing=_not_counted(record, phase, ledgers))


def _none_doubled(record: Record, phase: str) -> Judgement:
    ledgers = _ledgers(record)
    if not ledgers:
        return unknown("nobody ordered anything")
    wrong = []
    for name, ledger in ledgers.items():
        asked = {entry.number for entry in ledger.entries}
        if ledger.duplicated:
            wrong.append(f"{name}: twice: {ledger.duplicated[0]}")
        if strange := sorted({number for _, number in ledger.found or ()} - asked):
            wrong.append(f"{name}: there, and never asked for: {strange[0]}")
    found = sum(len(ledger.found or ()) for ledger in ledgers.values())
    missing = _not_counted(record, phase, ledgers)
    return judged(f"{found} rows", wrong=wrong, missing=missing)


def _each_consumed(record: Record, phase: str) -> Judgement:
    ledgers = _ledgers(record)
    told = {e.id for name, own in ledgers.items() if name != ACCOUNTS for e in own.acknowledged}
    looked = need(record, Consumed, "nobody looked what has been processed")
    times = _times(looked)
    wrong = _not_once(told, times)
    missing = _not_counted(record, phase, ledgers)
    missing += out_of_order(*_moments(record, phase), ("the look at what was processed", looked.t))
    return judged(f"{len(times)} orders", wrong=wrong, missing=missing)


def _not_once(told: set[Any], times: Mapping[str, int]) -> list[str]:
    wrong = []
    if never := [id_ for id_ in told if not times.get(str(id_))]:
        wrong.append(f"{len(never)} of those acknowledged never")
    if often := [id_ for id_, count in times.items() if count > 1]:
        wrong.append(f"{len(often)} more than once")
    return wrong


def _times(read: Consumed | Stored) -> Counter[str]:
    """Order → how often it has been processed; two rows of one id count together."""
    counts: Counter[str] = Counter()
    for id_, times in read.orders:
        counts[id_] += times
    return counts


def _moments(record: Record, phase: str) -> list[tuple[str, float | None]]:
    """The last thing that was struck, and when it had recovered."""
    final = wanted(phase)[-1]
    found = [strike for strike in strikes(record) if strike.what == final]
    began, ended = (found[-1].window.began, found[-1].window.ended) if found else (None, None)
    return [(f"{final} struck", began), (f"{final} recovered", ended)]


def _not_counted(record: Record, phase: str, ledgers: Mapping[str, Ledger]) -> list[str]:
    """What keeps the reading at the end from telling of orders before, during and after it."""
    missing = not_each(ledgers, LEDGERS, "wrote the ledger of")
    windows = [strike.window for strike in strikes(record)]
    missing += not_each((s.what for s in strikes(record)), wanted(phase), "saw the end of")
    for name, ledger in ledgers.items():
        looked = last(record, Entries, ledger=name)
        read = (f"the reading of {name}", looked.t if looked else None)
        missing += out_of_order(*_moments(record, phase), read)
        if looked is not None and looked.t <= max(entry.over for entry in ledger.entries):
            missing.append(f"{name} was read before its last entry was over")
        if windows:
            whole = Window(windows[0].began, max(window.ended for window in windows))
            if not any(entry.over <= whole.began for entry in ledger.acknowledged):
                missing.append(f"{name}: nothing was acknowledged before anything was struck")
            if not any(entry.over > windows[-1].began for entry in ledger.acknowledged):
                missing.append(f"{name}: nothing was acknowledged after the last was struck")
            missing += [
                f"{name}: {lack}"
                for lack in not_written(ledger.entries, window=whole, pause=IDLE_S)
            ]
    return missing


# -- counted and persistence ---------------------------------------------------------------------


@exercise.check(
    "a-thousand-orders",
    phases=COUNTED,
    title="Enough orders were acknowledged in the run",
    expected=f"at least {ENOUGH_ORDERS}",
    hint="Were some drills left out, or did the customers wait for answers for long?",
)
def a_thousand_orders(record: Record) -> Judgement:
    """Of few orders that none was lost says little."""
    told = need(record, Acknowledged, "nobody counted what was acknowledged")
    count = len(set(told.orders))
    return judged(f"{count} orders acknowledged", holds=count >= ENOUGH_ORDERS)


@exercise.check(
    "no-order-lost",
    phases=COUNTED + PERSISTENCE,
    title="No acknowledged order or account of the whole run is lost",
    expected="each stands in the database under the id that its customer was told",
    hint="Look for the first that is missing: in which drill was it placed?",
)
def no_order_lost(record: Record) -> Judgement:
    """Against what the customers remember."""
    told, stored = _told_and_stored(record)
    lost = set(told.orders) - set(_times(stored))
    gone = set(told.accounts) - set(stored.accounts)
    wrong = [
        f"{len(found)} {what} lost"
        for what, found in (("orders", lost), ("accounts", gone))
        if found
    ]
    counts = len(told.orders), len(told.accounts)
    seen = f"{counts[0]} orders and {counts[1]} accounts acknowledged"
    missing = [] if all(counts) else ["nothing was acknowledged"]
    return judged(seen, wrong=wrong, missing=missing + _in_order(record))


@exercise.check(
    "no-order-doubled",
    phases=COUNTED + PERSISTENCE,
    title="No order of the whole run is there twice",
    expected="as many keys as orders, and every key was sent by a customer",
    hint="`SELECT user_id, key, count(*) FROM orders GROUP BY 1, 2 HAVING count(*) > 1`.",
)
def no_order_doubled(record: Record) -> Judgement:
    """By their keys."""
    _, stored = _told_and_stored(record)
    rows = [id_ for id_, _ in stored.orders]
    if not rows:
        return unknown("no order was read")
    seen = f"{len(rows)} orders, {stored.keys} keys, {stored.unasked} that nobody sent"
    good = len(rows) == len(set(rows)) == stored.keys and stored.unasked == 0
    return judged(seen, holds=good, missing=_in_order(record))


@exercise.check(
    "each-order-consumed-once",
    phases=COUNTED + PERSISTENCE,
    title="Every order of the whole run has been processed, once",
    expected="each acknowledged order has one row in `processed`",
    hint="`rabbitmqctl list_queues`: are there messages that nobody acks?",
)
def each_order_consumed_once(record: Record) -> Judgement:
    """The effect of a message, not its delivery: that may come twice."""
    told, stored = _told_and_stored(record)
    times = _times(stored)
    if not times:
        return unknown("no order was read")
    wrong = _not_once(set(told.orders), times)
    return judged(f"{len(times)} orders", wrong=wrong, missing=_in_order(record))


@exercise.check(
    "nothing-half-kept",
    phases=COUNTED + PERSISTENCE,
    title="No order is kept in part",
    expected="none without items, none without a message, no effect without an order",
    hint="Are order, items and outbox written in one transaction?",
)
def nothing_half_kept(record: Record) -> Judgement:
    """What belongs together was committed together, however its service ended."""
    _, stored = _told_and_stored(record)
    if not stored.damaged:
        return unknown("nobody looked")
    wrong = [f"{count} {what}" for what, count in stored.damaged.items() if count]
    return judged(f"{len(stored.damaged)} kinds looked for", wrong=wrong, missing=_in_order(record))


@exercise.check(
    "waited-for-a-worker",
    phases=PERSISTENCE,
    title="Orders waited for a worker when the stack was removed, and nothing of it was left",
    expected=f"at least {PENDING} orders; no service, no container",
    hint="`docker stack ps shop`: was the worker at work still?",
)
def waited_for_a_worker(record: Record) -> Judgement:
    """What survives must have been at stake."""
    waiting = need(record, Waiting, "nobody looked what was waiting")
    removed = need(record, Removed, "the stack was not removed")
    left = removed.services, removed.containers
    seen = f"{waiting.orders} orders waited; {left[0]} services and {left[1]} containers were left"
    moments = [("the look at what waited", waiting.t), ("the removal", removed.t)]
    if back := last(record, Back):
        # Only then: a look at what is left is worth nothing when all is there again.
        moments += [("the stack's return", back.t)]
    missing = out_of_order(*moments)
    return judged(seen, holds=waiting.orders >= PENDING and left == (0, 0), missing=missing)


@exercise.check(
    "customers-known",
    phases=PERSISTENCE,
    title="Every customer can log in again",
    expected=f"{CUSTOMERS} of {CUSTOMERS}, each as who he was",
    hint="Is the users' table in the same database, and is the JWT's secret the same?",
)
def customers_known(record: Record) -> Judgement:
    """With the password of before."""
    removed = need(record, Removed, "the stack was not removed")
    back = need(record, Back, "the stack did not come back")
    seen = {e.customer: e.known for e in each(record, Known) if e.t > back.t}
    missing = out_of_order(("the removal", removed.t), ("the stack's return", back.t))
    missing += not_each(map(str, seen), map(str, range(1, CUSTOMERS + 1)), "logged in as customer")
    known = sum(seen.values())
    return judged(f"{known} of {len(seen)} known", holds=known == len(seen), missing=missing)


def _told_and_stored(record: Record) -> tuple[Acknowledged, Stored]:
    told = need(record, Acknowledged, "nobody counted what was acknowledged")
    return told, need(record, Stored, "nobody read what is stored")


def _in_order(record: Record) -> list[str]:
    """What was acknowledged was counted before it was read, and the stack was away between."""
    moments: list[tuple[str, Seen | None]] = [("what was acknowledged", last(record, Acknowledged))]
    if record.phase(exercise.phase(PERSISTENCE[0])).events:
        moments += [("the removal", last(record, Removed))]
        moments += [("the stack's return", last(record, Back))]
    moments += [("the reading", last(record, Stored))]
    return out_of_order(*((what, event.t if event else None) for what, event in moments))


@exercise.measure(phases=COUNTED + PERSISTENCE)
def counted(record: Record) -> dict[str, int | None]:
    """The figures of the whole run."""
    told, stored = last(record, Acknowledged), last(record, Stored)
    orders = set(told.orders) if told else set()
    times = _times(stored) if stored else None
    return {
        "acknowledged_orders": len(orders) if told else None,
        "lost_orders": len(orders - set(times)) if told and times is not None else None,
        "duplicated_orders": len(stored.orders) - stored.keys if stored else None,
        "accounts": len(told.accounts) if told else None,
    }


@exercise.measure(phases=UNDER_LOAD)
def written(record: Record) -> dict[str, float | int | None]:
    """What was acknowledged in a drill, and the longest time without an acknowledged order."""
    ledgers = [ledger for name, ledger in _ledgers(record).items() if name != ACCOUNTS]
    ends = sorted(entry.over for ledger in ledgers for entry in ledger.acknowledged)
    gaps = [after - before for before, after in pairwise(ends)]
    looked = bool(ledgers) and all(ledger.found is not None for ledger in ledgers)
    return {
        "acknowledged_orders": len(ends) if ledgers else None,
        "refused_orders": sum(len(x.entries) - len(x.acknowledged) for x in ledgers)
        if ledgers
        else None,
        "lost_orders": sum(len(ledger.lost) for ledger in ledgers) if looked else None,
        "duplicated_orders": sum(len(ledger.duplicated) for ledger in ledgers) if looked else None,
        "order_gap_s": round(max(gaps), 3) if gaps else None,
    }


_declare()
