"""What must be true of a leader's loss, judged on the record alone.

Bounds are swarmkit's own (tick 1 s, election timeout 10 to 19 ticks, node heartbeat 5 s × 3,
doubled after a change of leader), as collected in the lab's facts and seen on the embedded cluster.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from pytest_swarmlab import Exercise, failed, passed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.readings import Fault, Request
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Capability, Judgement

SERVICE = "test-ha"
REPLICAS = 5
FAILURES = ("graceful-stop", "kill-9", "power-off")
DEMOTION = ("demotion",)

exercise = Exercise(
    "2.2",
    "Test de failover manager",
    module=__name__,
    titles={
        "graceful-stop": "The leader's engine is stopped",
        "kill-9": "The leader's engine is killed (kill -9)",
        "power-off": "The leader's machine loses power",
        "demotion": "The leader is demoted: the contrast",
    },
    needs={"power-off": (Capability.CHANGE, Capability.POWER_OFF)},
)

EARLIEST_ELECTION_S, LATEST_ELECTION_S, LATEST_SECOND_ROUND_S = 5.0, 30.0, 45.0
DOWN_AFTER_ELECTION_S = 45.0
RESTORED_S = 90.0
HANDOVER_S = 5.0
COARSEST_S = 1.0
LONGEST_SILENCE_S = 5.0
SETTLING_S = 15.0
STARTING_S = 3.0
LEAST_RATE = 10.0


@exercise.check(
    "sampled",
    phases=FAILURES + DEMOTION,
    title="The surviving managers were asked all along, until the outcome was known",
    expected="each is asked every 200 ms, and never more than 1 s passes without a question",
    hint="The machine was too busy to measure: end what else runs on it and run again.",
)
def sampled(record: Record) -> Judgement:
    """Times are only as good as the sampling."""
    fault = readings.fault(record)
    down = readings.node_down_s(record) or SETTLING_S
    if fault is None:
        return unknown("nothing was done to the leader")
    # Until the outcome is known; nobody promised to look on when it has been mended.
    mended = fault.heal_began if fault.heal_began is not None else math.inf
    window = (fault.began - COARSEST_S, min(fault.began + down, mended))
    told, coarsest = [], 0.0
    for manager in sorted(survivors(record, fault, role="manager")):
        inside = (
            sample.asked
            for sample in readings.node_samples(record)
            if sample.seen_from == manager and window[0] <= sample.asked <= window[1]
        )
        asked = sorted((*window, *inside))
        gaps = sorted(b - a for a, b in pairwise(asked))
        coarsest = max(coarsest, gaps[-1])
        told.append(
            f"{manager} every {gaps[len(gaps) // 2] * 1000:.0f} ms, {gaps[-1]:.2f} s at most"
        )
    if not told:
        return unknown("no manager survived")
    return passed("; ".join(told)) if coarsest <= COARSEST_S else unknown("; ".join(told))


def survivors(record: Record, fault: Fault, *, role: str = "") -> set[str]:
    """Nodes, of that role if given, in the last list before the fault that it does not hold."""
    before = [s for s in readings.node_samples(record) if s.nodes and s.t <= fault.began]
    return {
        node.name
        for node in (before[-1].nodes if before else ())
        if node.name not in fault.nodes and role in {"", node.role}
    }


@exercise.check(
    "leader-elected",
    phases=FAILURES,
    timed=True,
    title="The survivors elect another leader",
    expected="5 to 30 s after the failure; up to 45 s when the first vote was split",
    hint="Look for `became candidate` in the survivors' engine logs; are both reachable on 2377?",
)
def leader_elected(record: Record) -> Judgement:
    """The election timeout is 10 to 19 s, and the two survivors can tie once."""
    seconds = readings.leader_elected_s(record)
    if seconds is None:
        return failed("no other leader was seen")
    change = readings.leader_changes(record)[-1]
    seen = f"{change.name} leads {seconds:.1f} s after the failure"
    if EARLIEST_ELECTION_S <= seconds <= LATEST_ELECTION_S:
        return passed(seen)
    if LATEST_ELECTION_S < seconds <= LATEST_SECOND_ROUND_S and (rounds := campaigns(record)) > 1:
        return passed(f"{seen}, in {rounds} rounds of votes")
    return failed(seen)


def campaigns(record: Record) -> int:
    """How many terms were campaigned for after the failure, by the survivors' own logs."""
    return len({event.data.get("term") for event in record.of("raft", what="candidate")})


@exercise.check(
    "old-leader-unreachable",
    phases=FAILURES,
    timed=True,
    title="The old leader is seen as unreachable",
    expected="as soon as there is a leader to ask, 5 s later at most",
    hint="`docker node ls` on a survivor: MANAGER STATUS of the lost node.",
)
def old_leader_unreachable(record: Record) -> Judgement:
    """Reachability is the new leader's own view of its peers."""
    seconds, elected = readings.leader_unreachable_s(record), readings.leader_elected_s(record)
    if seconds is None or elected is None:
        return failed("it was never shown as unreachable")
    later = seconds - elected
    seen = f"unreachable {seconds:.1f} s after the failure, {later:.1f} s after the election"
    return passed(seen) if seconds - elected <= HANDOVER_S else failed(seen)


@exercise.check(
    "node-down",
    phases=FAILURES,
    timed=True,
    title="The lost node is declared down",
    expected="within 45 s of the election: three missed heartbeats, doubled after a new leader",
    hint="`docker node ls` on a survivor: STATUS of the lost node.",
)
def node_down(record: Record) -> Judgement:
    """First `unknown`, because leadership changed, then `down`."""
    seconds, elected = readings.node_down_s(record), readings.leader_elected_s(record)
    if seconds is None or elected is None:
        return failed("it was never shown as down")
    seen = f"down {seconds:.1f} s after the failure, {seconds - elected:.1f} s after the election"
    return passed(seen) if seconds - elected <= DOWN_AFTER_ELECTION_S else failed(seen)


@exercise.check(
    "replicas-restored",
    phases=FAILURES,
    timed=True,
    title="Five replicas run again on the surviving nodes",
    expected="within 90 s of the failure",
    hint="`docker service ps test-ha`: are there nodes with room for the lost task?",
)
def replicas_restored(record: Record) -> Judgement:
    """Only tasks on other nodes than the lost one count."""
    seconds = readings.replicas_restored_s(record, REPLICAS, SERVICE)
    if seconds is None:
        return failed("five running tasks were not seen again")
    seen = f"5 of 5 after {seconds:.1f} s"
    return passed(seen) if seconds <= RESTORED_S else failed(seen)


@exercise.check(
    "service-answers",
    phases=FAILURES + DEMOTION,
    needs=(Capability.IPVS,),
    timed=True,
    title="The service goes on answering through every surviving node",
    expected="through no node more than 5 s without a good answer, at 10 requests a second or more",
    hint="Which node has the gap? Gossip must take a dead replica out of its load balancer.",
)
def service_answers(record: Record) -> Judgement:
    """The longest gap is looked for through each node by itself."""
    asked = readings.requests(record)
    if len(asked) < 2:
        return unknown("nobody asked")
    rate = (len(asked) - 1) / (asked[-1].sent - asked[0].sent)
    if rate < LEAST_RATE:
        return unknown(f"only {rate:.1f} requests a second were sent")
    fault = readings.fault(record)
    missed = survivors(record, fault) - {request.node for request in asked} if fault else set()
    if fault is None or missed:
        return unknown(
            f"nobody asked through {', '.join(sorted(missed)) or 'a cluster with a fault'}"
        )
    gaps = readings.longest_gap_by_node(record)
    node, gap = max(gaps.items(), key=lambda item: item[1].seconds)
    errors = readings.request_errors(record)
    seen = (
        f"{len(asked)} requests at {rate:.0f} a second, {len(errors)} errors,"
        f" longest gap {gap.seconds:.2f} s through {node}"
    )
    return passed(seen) if gap.seconds <= LONGEST_SILENCE_S else failed(seen)


@exercise.check(
    "surviving-replicas-lose-nothing",
    phases=FAILURES,
    needs=(Capability.IPVS,),
    title="No request to the surviving replicas is lost",
    expected="no error but one request in five through each node: to the lost replica, in the"
    " first 15 s, and to its replacement, in the moment it starts",
    hint="More than that share: a surviving replica, or a node's load balancer, failed.",
)
def surviving_replicas_lose_nothing(record: Record) -> Judgement:
    """Each node deals connections out in turn: of any five in a row one goes to the same replica.

    (IPVS round robin, the scheduler that Swarm always uses.) If more fail between the first
    error and the last, a request to a replica that still lives was lost. Without a health
    check Swarm sends requests to a new replica before its program listens.
    """
    began, asked = readings.fault_at(record), readings.requests(record)
    if began is None or not asked:
        return unknown("no failure under load was recorded")
    errors = [request for request in asked if not request.ok]
    if not errors:
        return passed(f"not one of {len(asked)} requests failed")
    moments = [(began, began + SETTLING_S)]
    moments += [(first - STARTING_S, last + STARTING_S) for first, last in starts(record)]
    explained, told = 0, []
    for first, last in moments:
        # Requests under way when the replica went count as sent to it.
        within = [request for request in asked if request.over >= first and request.sent <= last]
        failing = [request for request in within if not request.ok]
        if excess := more_than_a_share(within):
            return failed(f"{len(errors)} of {len(asked)} requests failed; {excess}")
        explained += len(failing)
        if failing:
            told.append(f"{len(failing)} up to {failing[-1].sent - began:.1f} s after the failure")
    seen = f"{len(errors)} of {len(asked)} requests failed: {', '.join(told) or 'at other times'}"
    if explained < len(errors):
        return failed(f"{seen}; {len(errors) - explained} when every replica should have answered")
    return passed(f"{seen}; through each node no more than one replica's share")


def more_than_a_share(asked: Sequence[Request]) -> str | None:
    """Through which node more requests failed than one replica's share, and how many; or None."""
    for node in sorted({request.node for request in asked if not request.ok}):
        through = [request for request in asked if request.node == node]
        failing = [index for index, request in enumerate(through) if not request.ok]
        span = failing[-1] - failing[0] + 1
        if len(failing) > math.ceil(span / REPLICAS):
            return f"through {node} {len(failing)} of {span} in a row"
    return None


def starts(record: Record) -> list[tuple[float, float]]:
    """When each container that was not there before the failure was first seen at work, and when
    it was first seen to run: it answers somewhere between, which took 8 s on a busy machine."""
    fault_at = readings.fault_at(record) or 0.0
    known: dict[str, float] = {}
    running: dict[str, float] = {}
    for sample in readings.task_samples(record, SERVICE):
        for task in sample.tasks:
            if task.container and task.state in {"starting", "running"}:
                known.setdefault(task.container, sample.t)
            if task.container and task.state == "running":
                running.setdefault(task.container, sample.t)
    return [(t, running.get(who, t)) for who, t in known.items() if t > fault_at]


@exercise.check(
    "old-leader-follows",
    phases=FAILURES,
    title="The old leader comes back and does not take leadership back",
    expected="ready and reachable again, and never leader since the failure",
    hint="`docker node ls` after the restart; has an election taken place in between?",
)
def old_leader_follows(record: Record) -> Judgement:
    """Raft has no preference for a former leader.

    One that was away campaigns when it returns, until the leader reaches it; that can unseat
    the leader, whose office then goes to a survivor: only they have the whole log.
    """
    fault = readings.fault(record)
    changes = readings.leader_changes(record)
    samples = [s for s in readings.node_samples(record) if s.error is None and s.nodes]
    if fault is None or fault.healed is None or not samples:
        return unknown("the old leader was not mended")
    old = samples[-1].node(fault.nodes[0])
    if old is None or (old.state, old.reachability) != ("ready", "reachable"):
        return failed(f"{fault.nodes[0]} is {old.state if old else 'gone'} at the end")
    leaders = [change.name for change in changes if change.t > fault.began]
    seen = "leaders since the failure: " + (" → ".join(leaders) or "none")
    if leaders and fault.nodes[0] not in leaders and samples[-1].leader == leaders[-1]:
        return passed(f"{fault.nodes[0]} is back as a follower; {seen}")
    return failed(seen)


@exercise.check(
    "leadership-handed-over",
    phases=DEMOTION,
    timed=True,
    title="A demoted leader hands leadership over",
    expected="another leader within 5 s, without an election timeout",
    hint="Demotion must be asked of a manager: `docker node demote <leader>`.",
)
def leadership_handed_over(record: Record) -> Judgement:
    """Only a demotion transfers leadership; a graceful stop does not."""
    seconds = readings.leader_elected_s(record)
    if seconds is None:
        return failed("no other leader was seen")
    seen = f"another leader {seconds:.1f} s after the demotion was asked for"
    return passed(seen) if seconds <= HANDOVER_S else failed(seen)


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
    if not asked:
        return unknown("nobody asked")
    seen = f"{len(errors)} of {len(asked)} requests failed"
    return failed(seen) if errors else passed(seen)


@exercise.measure(phases=FAILURES)
def failover(record: Record) -> Mapping[str, Any]:
    """Seconds since the failure, and what clients saw."""
    return readings.failover_measurements(record, wanted=REPLICAS, service=SERVICE)


@exercise.measure(phases=DEMOTION)
def handover(record: Record) -> Mapping[str, Any]:
    """Seconds since the demotion was asked for."""
    return {
        "leader_elected_s": readings.leader_elected_s(record),
        "probes": len(readings.requests(record)),
        "probe_errors": len(readings.request_errors(record)),
        "longest_gap_s": readings.longest_gap_s(record),
    }
