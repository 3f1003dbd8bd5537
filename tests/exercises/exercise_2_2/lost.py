"""The leader is lost: another one is elected, and the lost node's replicas are replaced.

Bounds are swarmkit's own (tick 1 s, election timeout 10 to 19 ticks, node heartbeat 5 s × 3,
doubled after a change of leader), as collected in the lab's facts and seen on the embedded cluster.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from pytest_swarmlab import unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import Raft, each
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    another_cluster,
    judged,
    never,
    not_away,
    not_sampled,
    on_no_node,
    out_of_order,
)
from pytest_swarmlab.model import Judgement

from .declared import DEMOTION, FAILURES, exercise
from .seen import (
    coarsest_s,
    not_watched,
    outcome,
    replicas_lost,
    restored_within_s,
    survivors,
    the_fault,
    the_replicas,
    the_service,
    watched,
)

EARLIEST_ELECTION_S, LATEST_ELECTION_S, LATEST_SECOND_ROUND_S = 5.0, 30.0, 45.0
LATEST_TIMEOUT_S = 19.0
"""The longest election timeout: a split vote costs one more."""
UNREACHABLE_S = 5.0
"""A new leader asks the others at once."""
DOWN_AFTER_ELECTION_S = 45.0


@exercise.check(
    "sampled",
    phases=FAILURES + DEMOTION,
    title="The surviving managers were sampled without a gap until the outcome",
    expected="a sample of each every 200 ms, and no gap of more than 1 s",
    hint="The machine was too busy to measure: end other programs on it and run again.",
)
def sampled(record: Record) -> Judgement:
    """Times are only as good as the sampling. After the healing no sample is needed."""
    fault = the_fault(record)
    window, samples = watched(fault), readings.node_samples(record)
    told = []
    managers = survivors(record, fault, role="manager")
    for manager in sorted(managers):
        asked = sorted(s.asked for s in samples if s.seen_from == manager and s.asked in window)
        gaps = sorted(b - a for a, b in pairwise(asked))
        if gaps:
            told.append(
                f"{manager} every {gaps[len(gaps) // 2] * 1000:.0f} ms, {gaps[-1]:.2f} s at most"
            )
    return judged(
        "; ".join(told) or "no manager was sampled twice",
        missing=[
            *not_sampled(samples, by=managers, window=window, pause=coarsest_s(record)),
            *another_cluster(samples),
        ],
    )


@exercise.check(
    "leader-elected",
    phases=FAILURES,
    timed=True,
    title="The surviving managers elect another leader",
    expected="5 to 30 s after the failure; up to 45 s when the first vote was split",
    hint="Look for `became candidate` in the survivors' engine logs; are both reachable on 2377?",
)
def leader_elected(record: Record) -> Judgement:
    """The election timeout is 10 to 19 s, and the two survivors can tie once."""
    began, seconds = the_fault(record).began, readings.leader_elected_s(record)
    if seconds is None:
        until = began + LATEST_SECOND_ROUND_S
        return never("no other leader was seen", not_watched(record, until))
    change = next(c for c in readings.leader_changes(record) if c.t > began)
    seen = f"{change.name} leads {seconds:.1f} s after the failure"
    lacks = not_watched(record, outcome(began, seconds))
    if seconds <= LATEST_ELECTION_S:
        return judged(seen, holds=seconds >= EARLIEST_ELECTION_S, missing=lacks)
    rounds = campaigns(record, change.name)
    if rounds is None:
        return unknown(f"{seen}, and no log tells in how many rounds of votes")
    seen += f", in {rounds} rounds of votes"
    # Each round that is split costs another timeout; how often that may happen has no bound.
    if rounds > 2 and seconds <= rounds * LATEST_TIMEOUT_S:
        return unknown(f"{seen}: split votes are legitimate, but this shows no failover in time")
    return judged(seen, holds=rounds > 1 and seconds <= LATEST_SECOND_ROUND_S, missing=lacks)


def campaigns(record: Record, elected: str) -> int | None:
    """How many terms had a candidate, up to the term in which this leader was first elected.

    By the survivors' logs, which begin before the failure and end after the healing; None when they
    don't show that election.
    """
    won = [role.term for role in each(record, Raft, what="leader", node=elected)]
    if not won:
        return None
    terms = {role.term for role in each(record, Raft, what="candidate")}
    return len({term for term in terms if term <= min(won)})


@exercise.check(
    "old-leader-unreachable",
    phases=FAILURES,
    timed=True,
    title="The surviving managers report the old leader as unreachable",
    expected="at most 5 s after the election of the new leader",
    hint="`docker node ls` on a survivor: MANAGER STATUS of the lost node.",
)
def old_leader_unreachable(record: Record) -> Judgement:
    """Reachability is the new leader's own view of its peers."""
    return _shown_after_election(
        record, "unreachable", readings.leader_unreachable_s(record), within=UNREACHABLE_S
    )


@exercise.check(
    "node-down",
    phases=FAILURES,
    timed=True,
    title="The new leader declares the lost node down",
    expected="within 45 s of the election: three missed heartbeats, doubled after a new leader",
    hint="`docker node ls` on a survivor: STATUS of the lost node.",
)
def node_down(record: Record) -> Judgement:
    """First `unknown`, because leadership changed, then `down`."""
    return _shown_after_election(
        record, "down", readings.node_down_s(record), within=DOWN_AFTER_ELECTION_S
    )


def _shown_after_election(
    record: Record, state: str, seconds: float | None, *, within: float
) -> Judgement:
    """Whether the new leader shows the lost node in that state within so many seconds.

    `seconds`: since the failure until it was first shown so; None if it never was.
    """
    began, elected = the_fault(record).began, readings.leader_elected_s(record)
    if elected is None:
        return unknown("no other leader was seen")
    if seconds is None:
        until = began + elected + within
        return never(f"it was never shown as {state}", not_watched(record, until))
    later = seconds - elected
    return judged(
        f"{state} {seconds:.1f} s after the failure, {later:.1f} s after the election",
        holds=later <= within,
        missing=not_watched(record, outcome(began, seconds)),
    )


@exercise.check(
    "replicas-restored",
    phases=FAILURES,
    timed=True,
    title="All replicas run again on the surviving nodes",
    expected="within 90 s of the failure, and before the lost node is back; on a cluster with"
    " other services, which all move at once, within 180 s",
    hint="`docker service ps test-ha`: are there nodes with room for the lost task?",
)
def replicas_restored(record: Record) -> Judgement:
    """Only tasks on other nodes than the lost one, which ran one itself, count."""
    fault, service, replicas = the_fault(record), the_service(record), the_replicas(record)
    bound = restored_within_s(record)
    seconds = readings.replicas_restored_s(record, replicas, service)
    lacks = not_away(record, fault, until=outcome(fault.began, seconds) or math.inf)
    lists = readings.node_samples(record)
    lacks += another_cluster(lists) + on_no_node(readings.task_samples(record, service), lists)
    if not replicas_lost(record):
        lacks.append(f"no replica was seen to run on {', '.join(fault.nodes)} before the fault")
    if seconds is None:
        lacks += not_watched(record, fault.began + bound)
        return never(f"{replicas} running tasks were not seen again", lacks)
    lacks += out_of_order(
        ("the last replica", outcome(fault.began, seconds)),
        ("the healing", math.inf if fault.heal_began is None else fault.heal_began),
    )
    told = f"{replicas} of {replicas} after {seconds:.1f} s"
    return judged(told, holds=seconds <= bound, missing=lacks)


@exercise.measure(phases=FAILURES)
def failover(record: Record) -> Mapping[str, Any]:
    """Seconds since the failure, and what clients saw."""
    return readings.failover_measurements(
        record, wanted=the_replicas(record), service=the_service(record)
    )
