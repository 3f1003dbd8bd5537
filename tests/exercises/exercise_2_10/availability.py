"""Which requests were answered during each fault, judged on the record alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pytest_swarmlab import unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import each
from pytest_swarmlab.evidence.readings import Request
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Tried,
    Window,
    judged,
    members_of,
    not_asked,
    not_awaited,
    not_each,
    not_written,
)
from pytest_swarmlab.model import Judgement

from .declared import NODES, UNDER_LOAD, exercise
from .events import Recovered, Struck
from .setting import (
    ACCOUNT,
    CATALOGUE,
    ENDPOINTS,
    LEDGERS,
    ORDER,
    PAGES,
    PATHS,
    PREDICTED,
    REPLICAS,
    RETURN,
)

PAUSES_S = {PAGES: 5.0, CATALOGUE: 3.0}
"""Longest pause through one node, of clients that come to it every second."""
IDLE_S = 5.0
"""Longest that no order, and no sign-up, may be under way: the pause between two is 2 s at most."""


@dataclass(frozen=True)
class Strike:
    """A fault, from just before it until everything served again."""

    what: str
    window: Window


def strikes(record: Record) -> list[Strike]:
    """Every fault of the record from which the shop has recovered."""
    found = []
    for struck in each(record, Struck):
        recovered = each(record, Recovered, what=struck.what)
        over = next((e.t for e in recovered if e.t > struck.t), None)
        if over is not None:
            found.append(Strike(struck.what, Window(struck.t, over)))
    return found


def unended_since(record: Record) -> float:
    """When the first fault began whose end was neither seen nor waited for in vain.

    Infinity if there is none. Of a run that was killed then, what fails later says nothing.
    """
    over = {strike.window.began for strike in strikes(record)}
    left = (struck.t for struck in each(record, Struck) if struck.t not in over)
    return min((t for t in left if not_awaited(record, t)), default=math.inf)


def wanted(phase: str) -> list[str]:
    """The faults of a phase."""
    if phase == "killed":
        return list(REPLICAS)
    return [phase, RETURN] if phase in NODES else [phase]


def endpoint(request: Request) -> str | None:
    """Which endpoint a request was for."""
    path = urlsplit(request.url).path
    for name, begins in PATHS.items():
        if path == "/" if name == PAGES else path.startswith(begins):
            return name
    return None


def by_endpoint(record: Record) -> dict[str, list[Request]]:
    """The phase's requests, by endpoint."""
    found: dict[str, list[Request]] = {name: [] for name in ENDPOINTS}
    for request in readings.requests(record):
        if (name := endpoint(request)) is not None:
            found[name].append(request)
    return found


def outage_s(asked: Sequence[Request], window: Window) -> float:
    """The longest time without a good answer in which a request failed; 0 when none failed.

    Only requests count that were under way within the window; the good answer before it and the
    one after it bound the time.
    """
    failed = [r for r in asked if not r.ok and window.meets(r.sent, r.over)]
    good = sorted(r.over for r in asked if r.ok)
    longest = 0.0
    for request in failed:
        before = max((t for t in good if t <= request.over), default=window.began)
        after = min((t for t in good if t > request.over), default=window.ended)
        longest = max(longest, after - before)
    return longest


def _declare() -> None:
    for phase in UNDER_LOAD:

        def judge(record: Record, phase: str = phase) -> Judgement:
            return _as_predicted(record, phase)

        exercise.check(
            "served-as-predicted",
            phases=(phase,),
            timed=True,
            title="Each endpoint is down no longer than predicted",
            expected=_expected(phase),
            hint="`docker service ps`: when was the task replaced? Then the gateway's log: which"
            " upstream gave no answer?",
        )(judge)


def _expected(phase: str) -> str:
    told = []
    for what in wanted(phase):
        bounds = [f"{name} down for at most {s:.0f} s" for name, s in PREDICTED[what].items()]
        told.append(f"{what}: {', '.join(bounds) or 'no request fails'}")
    rest = "no other request fails"
    return "; ".join([*told, rest])


def _as_predicted(record: Record, phase: str) -> Judgement:
    """By fault and endpoint; outside of faults every request must have been answered."""
    found, asked = strikes(record), by_endpoint(record)
    written = _written(record, asked)
    missing = not_each((strike.what for strike in found), wanted(phase), "saw the end of")
    wrong, told = [], []
    for strike in found:
        # Itself among them.
        meanwhile = [o for o in found if strike.window.meets(o.window.began, o.window.ended)]
        for name in ENDPOINTS:
            longest = outage_s(asked[name], strike.window)
            allowed = max(PREDICTED[other.what].get(name, 0.0) for other in meanwhile)
            if longest > allowed:
                wrong.append(
                    f"{strike.what}: {name} down for {longest:.1f} s, {allowed:.0f} allowed"
                )
            elif longest and name in PREDICTED[strike.what]:
                told.append(f"{strike.what}: {name} {longest:.1f} s")
        missing += _unseen(record, asked, strike.window)
        for name, tried in written.items():
            window = _before(strike.window, IDLE_S)
            lacks = not_written(tried, window=window, pause=IDLE_S)
            missing += [f"{name}: {lack}" for lack in lacks]
    told_until = unended_since(record)
    outside = [
        request
        for requests in asked.values()
        for request in requests
        if not request.ok
        and request.over < told_until
        and not any(strike.window.meets(request.sent, request.over) for strike in found)
    ]
    if outside:
        wrong.append(f"{len(outside)} requests failed while there was no fault: {_first(outside)}")
    total = sum(map(len, asked.values()))
    failed = sum(not r.ok for requests in asked.values() for r in requests)
    if not total:
        return unknown("no request was sent")
    seen = f"{failed} of {total} requests failed"
    if told:
        seen += f"; down: {', '.join(told)}"
    return judged(seen, wrong=wrong, missing=list(dict.fromkeys(missing)))


def _first(failed: Sequence[Request]) -> str:
    first = failed[0]
    path = urlsplit(first.url).path
    return f"{path} through {first.node}, {first.error or first.status}, second {first.sent:.1f}"


def _unseen(record: Record, asked: Mapping[str, Sequence[Request]], window: Window) -> list[str]:
    """The gaps in requests through nodes that were not lost.

    Clients must have asked just before the fault: a later one may have been unable to connect.
    """
    # A fault with an id is a killed task: its node stays.
    gone = {struck.node for struck in each(record, Struck) if not struck.id}
    through = [name for name in members_of(record) if name not in gone]
    missing = []
    for name, pause in PAUSES_S.items():
        lacks = not_asked(asked[name], through=through, window=_before(window, pause), pause=pause)
        missing += [f"{name}: {lack}" for lack in lacks]
    return missing


def _written(record: Record, asked: Mapping[str, Sequence[Request]]) -> dict[str, Sequence[Tried]]:
    """Each customer's orders and the sign-ups: what was tried, and the requests for it."""
    found: dict[str, Sequence[Tried]] = {
        f"requests for {name}": asked[name] for name in (ACCOUNT, ORDER)
    }
    for name in LEDGERS:
        ledger = readings.ledger(record, name)
        found[name] = ledger.entries if ledger else ()
    return found


def _before(window: Window, seconds: float) -> Window:
    return Window(window.began - seconds, window.ended)


@exercise.measure(phases=UNDER_LOAD)
def served(record: Record) -> dict[str, Any]:
    """By endpoint: requests, failed ones, how long answers took, and the longest outage."""
    found: dict[str, Any] = {}
    for name, asked in by_endpoint(record).items():
        struck = [outage_s(asked, strike.window) for strike in strikes(record)]
        found |= {
            f"{name}_requests": len(asked),
            f"{name}_failed": sum(not request.ok for request in asked),
            f"{name}_p50_s": readings.answered_within_s(asked, 50),
            f"{name}_p95_s": readings.answered_within_s(asked, 95),
            f"{name}_p99_s": readings.answered_within_s(asked, 99),
            f"{name}_outage_s": round(max(struck), 3) if struck else None,
        }
    return found


exercise.compare(
    phases=UNDER_LOAD,
    measures={f"{name}_outage_s": f"{name}: no good answer, s" for name in ENDPOINTS},
)


_declare()
