"""Clients' requests during a leader's loss or demotion."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pytest_swarmlab import failed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.readings import Request
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import Window, judged, never, not_asked
from pytest_swarmlab.model import Capability, Judgement

from .declared import DEMOTION, FAILURES, exercise
from .seen import (
    COARSEST_S,
    not_asked_all_along,
    replicas_lost,
    the_fault,
    the_replicas,
    the_service,
)

LOST_WAY = "lost-way"
"""The finding (docs/findings.md)."""

Moment = tuple[float, float]
"""From when to when, seconds of the run."""

LONGEST_SILENCE_S = 5.0
SETTLING_S = 15.0
STARTING_S = 3.0
REUSED = 1
"""Requests through a node beyond the share that are nobody's loss. Swarm sets `conn_reuse_mode` 0
(moby, libnetwork/osl): a connection from a port that was used in the last two minutes goes where
the one before it went, in nobody's turn. A client of five requests a second uses 2 to 4 of 100
ports again. One drill had such a request: 7 failed of 17 in a row, with three replicas.
"""


@exercise.check(
    "service-answers",
    phases=FAILURES + DEMOTION,
    needs=(Capability.IPVS,),
    timed=True,
    title="The service goes on answering through every surviving node",
    expected="no gap of more than 5 s without a good answer through any node, at 10 requests a"
    " second or more",
    hint="Which node has the gap? Gossip must take a dead replica out of its load balancer.",
)
def service_answers(record: Record) -> Judgement:
    """The longest gap is looked for through each node by itself."""
    asked, lacks = readings.requests(record), not_asked_all_along(record)
    if not asked:
        return unknown("nobody asked")
    gaps = readings.longest_gap_by_node(record)
    node, gap = max(gaps.items(), key=lambda item: item[1].seconds)
    rate = (len(asked) - 1) / max(asked[-1].sent - asked[0].sent, COARSEST_S)
    errors = readings.request_errors(record)
    seen = (
        f"{len(asked)} requests at {rate:.0f} a second, {len(errors)} errors,"
        f" longest gap {gap.seconds:.2f} s through {node}"
    )
    if gap.seconds <= LONGEST_SILENCE_S:
        return judged(seen, missing=lacks)
    return never(seen, not_asked(asked, through=[node], window=Window(gap.began, gap.ended)))


@exercise.check(
    "surviving-replicas-lose-nothing",
    phases=FAILURES,
    needs=(Capability.IPVS,),
    title="Surviving replicas lose no request",
    expected="errors only up to one share of the requests through each node for each replica of the"
    " lost node: to the lost replica in the first 15 s, and to its replacement while it starts;"
    " one more for a client's port that is used again",
    hint="If more failed, a surviving replica or a node's load balancer failed.",
)
def surviving_replicas_lose_nothing(record: Record) -> Judgement:
    """Each node deals connections out in turn: with five replicas each gets one of five in a row.

    (IPVS round robin, the scheduler that Swarm always uses.) If more fail between the first
    error and the last, a request to a replica that still lives was lost. Without a health
    check Swarm sends requests to a new replica before its program listens.
    """
    began, asked = the_fault(record).began, readings.requests(record)
    errors = [request for request in asked if not request.ok]
    lacks = not_asked_all_along(record)
    # One where nobody saw any, which permits least.
    replicas, lost = the_replicas(record), max(1, replicas_lost(record))
    if lost >= replicas:
        return unknown("no replica survived: all of them ran on the lost node")
    if not errors:
        return judged(f"not one of {len(asked)} requests failed", missing=lacks)
    moments = [(began, began + SETTLING_S)]
    moments += [(first - STARTING_S, last + STARTING_S) for first, last in starts(record)]
    failing = [[each for each in within(asked, moment) if not each.ok] for moment in moments]
    told = [f"{len(f)} up to {f[-1].sent - began:.1f} s after the failure" for f in failing if f]
    seen = f"{len(errors)} of {len(asked)} requests failed: {', '.join(told) or 'at other times'}"
    if beyond := beyond_the_share(asked, moments, lost / replicas):
        ways = readings.lost_ways(record)
        elsewhere = [request for request in asked if request.node not in ways]
        if ways and not beyond_the_share(elsewhere, moments, lost / replicas):
            missing = "; ".join(way for lacking in ways.values() for way in lacking)
            return failed(f"{seen}; {beyond}; {missing}", finding=LOST_WAY)
        return failed(f"{seen}; {beyond}")
    whose = "one replica's share" if lost == 1 else f"the share of {lost} replicas"
    return judged(f"{seen}; through each node no more than {whose}", missing=lacks)


def within(asked: Sequence[Request], moment: Moment) -> list[Request]:
    """The requests of that time. Those under way at its beginning count: one that was under way
    when the replica went was sent to it."""
    first, last = moment
    return [request for request in asked if request.over >= first and request.sent <= last]


def beyond_the_share(
    asked: Sequence[Request], moments: Sequence[Moment], share: float
) -> str | None:
    """What failed beyond that share at these moments, or at others, in words; or None."""
    explained = set[int]()
    for moment in moments:
        meanwhile = within(asked, moment)
        if excess := more_than_a_share(meanwhile, share):
            return excess
        # Two that start at one time are no excuse for twice as many.
        explained |= {id(request) for request in meanwhile if not request.ok}
    others = sum(not request.ok for request in asked) - len(explained)
    return f"{others} when every replica should have answered" if others else None


def more_than_a_share(asked: Sequence[Request], share: float) -> str | None:
    """Through which node more than that share of the requests failed, and how many; or None."""
    for node in sorted({request.node for request in asked if not request.ok}):
        through = [request for request in asked if request.node == node]
        failing = [index for index, request in enumerate(through) if not request.ok]
        span = failing[-1] - failing[0] + 1
        if len(failing) > math.ceil(span * share) + REUSED:
            return f"through {node} {len(failing)} of {span} in a row"
    return None


def starts(record: Record) -> list[tuple[float, float]]:
    """When each container that was not there before the failure was first seen at work, and when
    it was first seen to run: it answers somewhere between, which took 8 s on a busy machine."""
    fault_at = readings.fault_at(record) or 0.0
    known: dict[str, float] = {}
    running: dict[str, float] = {}
    for sample in readings.task_samples(record, the_service(record)):
        for task in sample.tasks:
            if task.container and task.state in {"starting", "running"}:
                known.setdefault(task.container, sample.t)
            if task.container and task.state == "running":
                running.setdefault(task.container, sample.t)
    return [(t, running.get(who, t)) for who, t in known.items() if t > fault_at]
