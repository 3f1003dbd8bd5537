"""The old leader is back, or was only demoted: who leads then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_swarmlab import failed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.readings import Fault
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Window,
    another_cluster,
    judged,
    never,
    not_awaited,
    not_sampled,
    not_while,
    out_of_order,
)
from pytest_swarmlab.model import Capability, Judgement

from .declared import DEMOTION, FAILURES, exercise
from .lost import EARLIEST_ELECTION_S
from .seen import not_asked_all_along, not_watched, outcome, survivors, the_fault, watched

HANDOVER_S = 5.0


@exercise.check(
    "old-leader-follows",
    phases=FAILURES,
    title="The old leader returns as a follower",
    expected="ready and reachable again, and not leader since the failure",
    hint="`docker node ls` after the restart; was there an election in between?",
)
def old_leader_follows(record: Record) -> Judgement:
    """Raft has no preference for a former leader.

    One that was away campaigns when it returns, until the leader reaches it; that can unseat
    the leader, whose office then goes to a survivor: only they have the whole log.
    """
    fault, samples = the_fault(record), readings.node_samples(record)
    lists = [sample for sample in samples if sample.nodes]
    if fault.healed is None or fault.heal_began is None or not lists:
        return unknown("the old leader's fault was not healed")
    last, led = lists[-1], readings.leader_before(record, fault.began)
    row = last.node(fault.nodes[0])
    lacks = not_watched(record, fault.heal_began)
    lacks += out_of_order(("the healing", fault.healed), ("the last node list", last.asked))
    # Between the mending and the last list nobody else may have led unseen: an election takes 5 s.
    lacks += not_sampled(
        samples,
        by=survivors(record, fault, role="manager"),
        window=Window(fault.heal_began, last.asked),
        pause=EARLIEST_ELECTION_S,
    )
    if row is None or (row.state, row.reachability) != ("ready", "reachable"):
        return never(
            f"{fault.nodes[0]} is {row.state if row else 'gone'} at the end",
            lacks + not_awaited(record, fault.healed),
        )
    leaders = [change.name for change in readings.leader_changes(record) if change.t > fault.began]
    seen = "leaders since the failure: " + (" → ".join(leaders) or "none")
    if leaders and led not in leaders and last.leader is None:
        seen += "; no manager names one at the end"
        return never(seen, lacks + not_awaited(record, fault.healed))
    if not leaders or led in leaders or last.leader != leaders[-1]:
        return failed(seen)
    return judged(f"{fault.nodes[0]} is back as a follower; {seen}", missing=lacks)


@exercise.check(
    "leadership-handed-over",
    phases=DEMOTION,
    timed=True,
    title="A demoted leader hands over leadership",
    expected="another leader within 5 s, without an election timeout",
    hint="Demotion must be asked of a manager: `docker node demote <leader>`.",
)
def leadership_handed_over(record: Record) -> Judgement:
    """Only a demotion transfers leadership; a graceful stop does not."""
    fault, seconds = the_fault(record), readings.leader_elected_s(record)
    if seconds is None:
        return never("no other leader was seen", not_watched(record, fault.began + HANDOVER_S))
    return judged(
        f"another leader {seconds:.1f} s after the request to demote",
        holds=seconds <= HANDOVER_S,
        missing=not_watched(record, outcome(fault.began, seconds)) + not_demoted(record, fault),
    )


def not_demoted(record: Record, fault: Fault) -> list[str]:
    """Whether no manager was seen to list the demoted one as a worker, before it was promoted."""
    window = watched(fault)
    demoted = [
        sample.t
        for sample in readings.node_samples(record, surviving=False)
        for node in sample.nodes
        if node.name in fault.nodes and node.role == "worker" and sample.asked >= fault.began
    ]
    lacks = not_while(demoted, window, f"saw {', '.join(fault.nodes)} as a worker")
    return lacks + another_cluster(readings.node_samples(record))


@exercise.check(
    "nothing-lost",
    phases=DEMOTION,
    needs=(Capability.IPVS,),
    title="No request is lost during a demotion",
    expected="0 errors: no container stops",
    hint="Which node and which second? `request` lines of events.jsonl.",
)
def nothing_lost(record: Record) -> Judgement:
    """Tasks don't move when a manager becomes a worker."""
    asked, errors = readings.requests(record), readings.request_errors(record)
    return judged(
        f"{len(errors)} of {len(asked)} requests failed",
        holds=not errors,
        missing=not_asked_all_along(record) + not_demoted(record, the_fault(record)),
    )


@exercise.measure(phases=DEMOTION)
def handover(record: Record) -> Mapping[str, Any]:
    """Seconds since the demotion was asked for."""
    return {
        "leader_elected_s": readings.leader_elected_s(record),
        "probes": len(readings.requests(record)),
        "probe_errors": len(readings.request_errors(record)),
        "longest_gap_s": readings.longest_gap_s(record),
    }
