"""Orders and accounts as acknowledged and as stored, judged on the record alone."""

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
from .setting import ACCOUNTS, CUSTOMERS, ENOUGH_ORDERS, LEDGERS, PENDING

IN_PART = ("orders without items", "orders without a message", "messages without an order")
"""What an order that is stored in part leaves, as `Books.damaged` names it."""


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
            expected="each is in the database under the id that its customer got",
            hint="Is synchronous_commit on, and is an order answered only after COMMIT?",
        )(lost)
        exercise.check(
            "no-order-doubled",
            phases=(phase,),
            title="No order or account is stored twice",
            expected="at most one row for each key, however often the request was repeated",
            hint="`\\d orders`: is there a unique constraint over customer and idempotency key?",
        )(doubled)
        exercise.check(
            "each-order-consumed-once",
            phases=(phase,),
            title="Every order is processed once",
            expected="each acknowledged order has one row in `processed`",
            hint="`rabbitmqctl list_queues`, then the outbox: is its message published, and acked?",
        )(consumed)


def _ledgers(record: Record) -> dict[str, Ledger]:
    found = {name: readings.ledger(record, name) for name in LEDGERS}
    return {name: ledger for name, ledger in found.items() if ledger is not None}


def _none_lost(record: Record, phase: str) -> Judgement:
    ledgers = _ledgers(record)
    if not ledgers:
        return unknown("no order was recorded")
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
        return unknown("no order was recorded")
    wrong = []
    for name, ledger in ledgers.items():
        asked = {entry.number for entry in ledger.entries}
        if ledger.duplicated:
            wrong.append(f"{name}: twice: {ledger.duplicated[0]}")
        if strange := sorted({number for _, number in ledger.found or ()} - asked):
            wrong.append(f"{name}: stored without a request: {strange[0]}")
    found = sum(len(ledger.found or ()) for ledger in ledgers.values())
    missing = _not_counted(record, phase, ledgers)
    return judged(f"{found} rows", wrong=wrong, missing=missing)


def _each_consumed(record: Record, phase: str) -> Judgement:
    ledgers = _ledgers(record)
    told = {e.id for name, own in ledgers.items() if name != ACCOUNTS for e in own.acknowledged}
    looked = need(record, Consumed, "the processed orders were not read")
    times = _times(looked)
    wrong = _not_once(told, times)
    missing = _not_counted(record, phase, ledgers)
    missing += out_of_order(*_moments(record, phase), ("the reading of processed orders", looked.t))
    return judged(f"{len(times)} orders", wrong=wrong, missing=missing)


def _not_once(told: set[Any], times: Mapping[str, int]) -> list[str]:
    wrong = []
    if never := [id_ for id_ in told if not times.get(str(id_))]:
        wrong.append(f"{len(never)} acknowledged orders never")
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
    """The last fault, and the recovery from it."""
    final = wanted(phase)[-1]
    found = [strike for strike in strikes(record) if strike.what == final]
    began, ended = (found[-1].window.began, found[-1].window.ended) if found else (None, None)
    return [(f"the fault {final}", began), (f"the recovery from {final}", ended)]


def _not_counted(record: Record, phase: str, ledgers: Mapping[str, Ledger]) -> list[str]:
    """Why the final reading does not cover orders before, during and after the faults."""
    missing = not_each(ledgers, LEDGERS, "recorded the ledger of")
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
                missing.append(f"{name}: nothing was acknowledged before the first fault")
            if not any(entry.over > windows[-1].began for entry in ledger.acknowledged):
                missing.append(f"{name}: nothing was acknowledged after the last fault began")
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
    hint="Were drills left out, or did customers wait long for answers?",
)
def a_thousand_orders(record: Record) -> Judgement:
    """Few orders without a loss prove little."""
    told = need(record, Acknowledged, "the acknowledged orders were not recorded")
    count = len(set(told.orders))
    return judged(f"{count} orders acknowledged", holds=count >= ENOUGH_ORDERS)


@exercise.check(
    "no-order-lost",
    phases=COUNTED + PERSISTENCE,
    title="No acknowledged order or account of the whole run is lost",
    expected="each is in the database under the id that its customer got",
    hint="Look for the first missing order: in which drill was it placed?",
)
def no_order_lost(record: Record) -> Judgement:
    """Against the ids that the customers got."""
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
    title="No order of the whole run is stored twice",
    expected="as many keys as orders, and every key was sent by a customer",
    hint="`SELECT user_id, key, count(*) FROM orders GROUP BY 1, 2 HAVING count(*) > 1`.",
)
def no_order_doubled(record: Record) -> Judgement:
    """By their keys."""
    _, stored = _told_and_stored(record)
    rows = [id_ for id_, _ in stored.orders]
    if not rows:
        return unknown("no order was read")
    seen = f"{len(rows)} orders, {stored.keys} keys, {stored.unasked} keys that no customer sent"
    good = len(rows) == len(set(rows)) == stored.keys and stored.unasked == 0
    return judged(seen, holds=good, missing=_in_order(record))


@exercise.check(
    "each-order-consumed-once",
    phases=COUNTED + PERSISTENCE,
    title="Every order of the whole run is processed once",
    expected="each acknowledged order has one row in `processed`",
    hint="`rabbitmqctl list_queues`: are there messages without an ack?",
)
def each_order_consumed_once(record: Record) -> Judgement:
    """The effect of a message counts; it may be delivered twice."""
    told, stored = _told_and_stored(record)
    times = _times(stored)
    if not times:
        return unknown("no order was read")
    wrong = _not_once(set(told.orders), times)
    return judged(f"{len(times)} orders", wrong=wrong, missing=_in_order(record))


@exercise.check(
    "nothing-half-kept",
    phases=COUNTED + PERSISTENCE,
    title="No order is stored in part",
    expected="none without items, none without a message, no effect without an order",
    hint="Are order, items and outbox written in one transaction?",
)
def nothing_half_kept(record: Record) -> Judgement:
    """Rows that belong together are committed together, however their service ended."""
    _, stored = _told_and_stored(record)
    wrong = [f"{count} {what}" for what, count in stored.damaged.items() if count]
    missing = not_each(stored.damaged, IN_PART, "looked for") + _in_order(record)
    return judged(f"{len(stored.damaged)} kinds looked for", wrong=wrong, missing=missing)


@exercise.check(
    "waited-for-a-worker",
    phases=PERSISTENCE,
    title="The stack is removed completely while orders wait for a worker",
    expected=f"at least {PENDING} orders; no service, no container",
    hint="`docker stack ps shop`: did the worker still run?",
)
def waited_for_a_worker(record: Record) -> Judgement:
    """Only orders that wait then show that the removal loses none."""
    waiting = need(record, Waiting, "the waiting orders were not counted")
    removed = need(record, Removed, "the stack was not removed")
    left = removed.services, removed.containers
    seen = f"{waiting.orders} orders waited; {left[0]} services and {left[1]} containers were left"
    moments = [("the count of waiting orders", waiting.t), ("the removal", removed.t)]
    if back := last(record, Back):
        # A look at what is left proves nothing once everything is deployed again.
        moments += [("the stack's return", back.t)]
    missing = out_of_order(*moments)
    return judged(seen, holds=waiting.orders >= PENDING and left == (0, 0), missing=missing)


@exercise.check(
    "customers-known",
    phases=PERSISTENCE,
    title="Every customer can log in again",
    expected=f"{CUSTOMERS} of {CUSTOMERS}, each to the same account",
    hint="Is the users' table in the same database, and is the JWT secret the same?",
)
def customers_known(record: Record) -> Judgement:
    """With the earlier password."""
    removed = need(record, Removed, "the stack was not removed")
    back = need(record, Back, "the stack was not deployed again")
    seen = [e for e in each(record, Known) if e.t > back.t]
    missing = out_of_order(("the removal", removed.t), ("the stack's return", back.t))
    customers = (str(e.customer) for e in seen)
    missing += not_each(customers, map(str, range(1, CUSTOMERS + 1)), "logged in as customer")
    known = sum(e.known for e in seen)
    return judged(f"{known} of {len(seen)} logged in", holds=known == len(seen), missing=missing)


def _told_and_stored(record: Record) -> tuple[Acknowledged, Stored]:
    told = need(record, Acknowledged, "the acknowledged orders were not recorded")
    return told, need(record, Stored, "the stored orders were not read")


def _in_order(record: Record) -> list[str]:
    """Whether acknowledgements were counted, the stack removed and deployed, then orders read."""
    moments: list[tuple[str, Seen | None]] = [("the acknowledgements", last(record, Acknowledged))]
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
