"""A visitor ordered in a browser through every node, judged on the record alone."""

from __future__ import annotations

from typing import Any

from pytest_swarmlab import not_provable
from pytest_swarmlab.evidence.events import Attachment, each, last, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, members_of, not_each, out_of_order
from pytest_swarmlab.model import Judgement

from .declared import VISITED, exercise
from .events import Browser, OrdersShown, PageTrouble, VisitOrder, VisitorsBooks, VisitStep

STEPS = ("open", "sign up", "log in", "browse", "basket", "order", "see", "processed")
PICTURED = ("browse", "basket", "processed")
"""Steps of which there must be a picture."""


def _nobody(record: Record) -> Judgement | None:
    """Not provable without a browser on this machine; None where there was one."""
    browser = need(record, Browser, "it was not recorded whether there is a browser")
    return not_provable(browser.lack) if browser.lack else None


def _not_done(record: Record) -> list[str]:
    """The steps that failed or were not tried, and through which nodes."""
    done = {(e.node, e.name) for e in each(record, VisitStep) if e.error is None}
    return [
        lack
        for step in STEPS
        for lack in not_each(
            (node for node, name in done if name == step),
            members_of(record),
            f"did {step!r} through",
        )
    ]


@exercise.check(
    "visit-whole",
    phases=VISITED,
    timed=True,
    title="A visitor's browser completes every step, through every node",
    expected=f"{', '.join(STEPS)}; with pictures of {', '.join(PICTURED)}",
    hint="Look at the last picture of that node, and at the gateway's log at that moment.",
)
def visit_whole(record: Record) -> Judgement:
    """Found by role and name in the page, as by somebody who can't see it."""
    if nobody := _nobody(record):
        return nobody
    steps = each(record, VisitStep)
    wrong = [f"{e.node}, {e.name}: {e.error}" for e in steps if e.error is not None]
    pictures = {picture.title for picture in each(record, Attachment)}
    missing = _not_done(record)
    missing += [
        f"there is no picture of {e.name!r} through {e.node}"
        for e in steps
        if e.name in PICTURED and e.error is None and e.picture not in pictures
    ]
    nodes = {e.node for e in steps if e.name == STEPS[-1]}
    for node in sorted(nodes):
        done = {e.name: e.t for e in steps if e.node == node}
        missing += out_of_order(
            *((f"{name!r} through {node}", done[name]) for name in STEPS if name in done)
        )
    return judged(f"every step through {len(nodes)} nodes", wrong=wrong, missing=missing)


@exercise.check(
    "order-shown",
    phases=VISITED,
    timed=True,
    title="A visitor sees the order that was acknowledged",
    expected="the page of the visitor's orders lists this order and no other",
    hint="`GET /api/orders` with his token: does it list the order under the same id?",
)
def order_shown(record: Record) -> Judgement:
    """By the id that the shop told the page."""
    if nobody := _nobody(record):
        return nobody
    ordered = {e.node: e for e in each(record, VisitOrder)}
    shown = {e.node: e for e in each(record, OrdersShown)}
    wrong = [
        f"{node}: {told.order} was ordered, {', '.join(shown[node].orders) or 'nothing'} is shown"
        for node, told in ordered.items()
        if node in shown and set(shown[node].orders) != {told.order}
    ]
    missing = not_each(ordered, members_of(record), "ordered through")
    missing += not_each(shown, members_of(record), "looked at orders through")
    return judged(f"{len(shown)} orders", wrong=wrong, missing=missing)


@exercise.check(
    "order-kept",
    phases=VISITED,
    title="Orders from a browser are stored, and processed once",
    expected="each order that was acknowledged to a visitor, and no other order",
    hint="Did the page send an order twice, with two keys? `SELECT id, key FROM orders`.",
)
def order_kept(record: Record) -> Judgement:
    """By the database's own word. At the run's end they are counted again, with all others."""
    if nobody := _nobody(record):
        return nobody
    ordered = {e.order: e for e in each(record, VisitOrder)}
    books = need(record, VisitorsBooks, "the stored orders were not read")
    times = dict(books.orders)
    wrong = [
        f"{e.order}, through {e.node}, is lost" for e in ordered.values() if e.order not in times
    ]
    wrong += [f"{id_} was acknowledged to nobody" for id_ in times if id_ not in ordered]
    wrong += [f"{id_} was processed {count} times" for id_, count in books.orders if count != 1]
    missing = not_each((e.node for e in ordered.values()), members_of(record), "ordered through")
    for e in ordered.values():
        missing += out_of_order((f"the order through {e.node}", e.t), ("the reading", books.t))
    return judged(f"{len(times)} orders", wrong=wrong, missing=missing)


@exercise.check(
    "page-without-errors",
    phases=VISITED,
    timed=True,
    title="The page reports no error, and no request of it fails",
    expected="no error on its console, no exception, every request answered, each below 400",
    hint="The browser's developer tools: which errors do Console and Network show?",
)
def page_without_errors(record: Record) -> Judgement:
    """The browser reaches the nodes only, so a request to any other host fails."""
    if nobody := _nobody(record):
        return nobody
    troubles = each(record, PageTrouble)
    wrong = [f"{e.node}, {e.what}: {e.said}" for e in troubles[:3]]
    steps = each(record, VisitStep)
    return judged(
        f"{len(troubles)} errors in {len(steps)} steps", wrong=wrong, missing=_not_done(record)
    )


@exercise.measure(phases=VISITED)
def visits(record: Record) -> dict[str, Any]:
    """How long all visits took, each one, and each step at most."""
    steps = each(record, VisitStep)
    browser = last(record, Browser)
    if not steps:
        return {"browser": browser.version if browser else None, "visits_s": None}
    took = {
        node: sum(e.seconds for e in steps if e.node == node)
        for node in dict.fromkeys(e.node for e in steps)
    }
    slowest = {
        name: max((e.seconds for e in steps if e.name == name), default=None) for name in STEPS
    }
    return {
        "browser": browser.version if browser else None,
        "visits_s": round(max(e.began + e.seconds for e in steps) - min(e.began for e in steps), 1),
        "visit_s": {node: round(seconds, 1) for node, seconds in took.items()},
        "step_max_s": {name: found for name, found in slowest.items() if found is not None},
    }
