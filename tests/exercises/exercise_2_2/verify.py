"""What must be true of a leader's loss, judged on the record alone.

Bounds are swarmkit's own (tick 1 s, election timeout 10 to 19 ticks, node heartbeat 5 s × 3,
doubled after a change of leader), as collected in the lab's facts and seen on the embedded cluster.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from pytest_swarmlab import Exercise, failed, unknown
from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import Raft, each
from pytest_swarmlab.evidence.readings import Fault, Request
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Window,
    another_cluster,
    judged,
    never,
    nodes_of,
    not_asked,
    not_away,
    not_sampled,
    not_the_leader,
    not_while,
    on_no_node,
    out_of_order,
)
from pytest_swarmlab.model import Capability, Judgement

from .. import identities, whose

ROLE, SERVICE = "test-service", "test-ha"
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

identities.declare(exercise, FAILURES + DEMOTION)

EARLIEST_ELECTION_S, LATEST_ELECTION_S, LATEST_SECOND_ROUND_S = 5.0, 30.0, 45.0
LATEST_TIMEOUT_S = 19.0
"""The longest election timeout: a split vote costs one more."""
DOWN_AFTER_ELECTION_S = 45.0
RESTORED_S = 90.0
HANDOVER_S = 5.0
COARSEST_S = 1.0
COARSEST_OF_THEIRS_S = 2.0
"""Of a cluster that has all of somebody's services at work: 1.2 s were seen, on two cores."""
LONGEST_SILENCE_S = 5.0
SETTLING_S = 15.0
STARTING_S = 3.0
LEAST_RATE = 10.0


def the_service(record: Record) -> str:
    """Whom clients asked."""
    return whose.named(record, ROLE, SERVICE)


def the_replicas(record: Record) -> int:
    """How many of it there are."""
    return whose.replicas(record, ROLE, REPLICAS)


def watched(fault: Fault) -> Window:
    """From a second before the fault until it was mended: by then its outcome was to be known."""
    mended = math.inf if fault.heal_began is None else fault.heal_began
    return Window(fault.began - COARSEST_S, mended)


def coarsest_s(record: Record) -> float:
    """Longest pause between two node lists of one manager, seconds."""
    return COARSEST_OF_THEIRS_S if whose.is_somebodys(record, ROLE) else COARSEST_S


def the_fault(record: Record) -> Fault:
    """What was done to the leader; raises Unseen when nothing was."""
    fault = readings.fault(record)
    if fault is None:
        raise Unseen("nothing was done to the leader")
    return fault


def survivors(record: Record, fault: Fault, *, role: str = "") -> set[str]:
    """Nodes, of that role if given, in the last list before the fault that it does not take away.

    A demotion takes none away: of the managers it leaves the others. Raises Unseen when nobody
    listed the nodes, or not all that the cluster has.
    """
    before = [s for s in readings.node_samples(record) if s.nodes and s.t <= fault.began]
    listed = before[-1].nodes if before else ()
    if missed := set(nodes_of(record)) - {node.name for node in listed}:
        raise Unseen(f"before the fault nobody listed {', '.join(sorted(missed))}")
    away = () if fault.kind in readings.NOT_STOPPING and role != "manager" else fault.nodes
    return {node.name for node in listed if node.name not in away and role in {"", node.role}}


def not_watched(record: Record, until: float | None) -> list[str]:
    """What keeps a claim about the leader's loss from being shown, up to its outcome.

    The leader was not what was lost, it was not really lost, or a surviving manager was not asked
    from before the fault until `until` (None: until the fault was mended).
    """
    fault = the_fault(record)
    samples = readings.node_samples(record)
    window = watched(fault)
    if until is not None:
        window = Window(window.began, until)
    lacks = not_sampled(
        samples,
        by=survivors(record, fault, role="manager"),
        window=window,
        pause=coarsest_s(record),
    )
    lacks += not_the_leader(record, fault, within=COARSEST_S)
    if fault.kind not in readings.NOT_STOPPING:
        lacks += not_away(record, fault, until=window.ended)
    return lacks + another_cluster(samples)


def outcome(began: float, seconds: float | None) -> float | None:
    """The moment of what came so many seconds after the fault began."""
    return None if seconds is None else began + seconds


@exercise.check(
    "sampled",
    phases=FAILURES + DEMOTION,
    title="The surviving managers were asked all along, until the outcome was known",
    expected="each is asked every 200 ms, and never more than 1 s passes without a question",
    hint="The machine was too busy to measure: end what else runs on it and run again.",
)
def sampled(record: Record) -> Judgement:
    """Times are only as good as the sampling; when it is mended, nobody promised to look on."""
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
        "; ".join(told) or "nobody was asked twice",
        missing=[
            *not_sampled(samples, by=managers, window=window, pause=coarsest_s(record)),
            *another_cluster(samples),
        ],
    )


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
        return unknown(f"{seen}: nothing is wrong with that, but it shows no failover in time")
    return judged(seen, holds=rounds > 1 and seconds <= LATEST_SECOND_ROUND_S, missing=lacks)


def campaigns(record: Record, elected: str) -> int | None:
    """How many terms were campaigned for up to the one that this leader was first elected for.

    By the survivors' own logs, which begin before the failure and end after the mending; None when
    they do not tell of that election.
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
    title="The old leader is seen as unreachable",
    expected="as soon as there is a leader to ask, 5 s later at most",
    hint="`docker node ls` on a survivor: MANAGER STATUS of the lost node.",
)
def old_leader_unreachable(record: Record) -> Judgement:
    """Reachability is the new leader's own view of its peers."""
    began = the_fault(record).began
    seconds, elected = readings.leader_unreachable_s(record), readings.leader_elected_s(record)
    if elected is None:
        return unknown("no other leader was seen, who could tell")
    if seconds is None:
        until = began + elected + HANDOVER_S
        return never("it was never shown as unreachable", not_watched(record, until))
    later = seconds - elected
    return judged(
        f"unreachable {seconds:.1f} s after the failure, {later:.1f} s after the election",
        holds=later <= HANDOVER_S,
        missing=not_watched(record, outcome(began, seconds)),
    )


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
    began = the_fault(record).began
    seconds, elected = readings.node_down_s(record), readings.leader_elected_s(record)
    if elected is None:
        return unknown("no other leader was seen, who could tell")
    if seconds is None:
        until = began + elected + DOWN_AFTER_ELECTION_S
        return never("it was never shown as down", not_watched(record, until))
    return judged(
        f"down {seconds:.1f} s after the failure, {seconds - elected:.1f} s after the election",
        holds=seconds - elected <= DOWN_AFTER_ELECTION_S,
        missing=not_watched(record, outcome(began, seconds)),
    )


@exercise.check(
    "replicas-restored",
    phases=FAILURES,
    timed=True,
    title="All replicas run again on the surviving nodes",
    expected="within 90 s of the failure, and before the lost node is back",
    hint="`docker service ps test-ha`: are there nodes with room for the lost task?",
)
def replicas_restored(record: Record) -> Judgement:
    """Only tasks on other nodes than the lost one, which ran one itself, count."""
    fault, service, replicas = the_fault(record), the_service(record), the_replicas(record)
    seconds = readings.replicas_restored_s(record, replicas, service)
    ran = [
        sample
        for sample in readings.task_samples(record, service)
        if sample.error is None and sample.t <= fault.began
    ]
    lacks = not_away(record, fault, until=outcome(fault.began, seconds) or math.inf)
    lists = readings.node_samples(record)
    lacks += another_cluster(lists) + on_no_node(readings.task_samples(record, service), lists)
    on_lost = [task for task in ran[-1].tasks if task.node in fault.nodes] if ran else []
    if not any(task.running for task in on_lost):
        lacks.append(f"no replica was seen to run on {', '.join(fault.nodes)} before the fault")
    if seconds is None:
        lacks += not_watched(record, fault.began + RESTORED_S)
        return never(f"{replicas} running tasks were not seen again", lacks)
    lacks += out_of_order(
        ("the last replica", outcome(fault.began, seconds)),
        ("the mending", math.inf if fault.heal_began is None else fault.heal_began),
    )
    told = f"{replicas} of {replicas} after {seconds:.1f} s"
    return judged(told, holds=seconds <= RESTORED_S, missing=lacks)


def not_asked_all_along(record: Record) -> list[str]:
    """Through which surviving node clients did not ask before the fault, or while it was on."""
    fault, asked = the_fault(record), readings.requests(record)
    through, window = survivors(record, fault), watched(fault)
    return not_asked(asked, through=through, window=window, rate=LEAST_RATE) + not_asked(
        asked, through=through, window=Window(fault.began, window.ended)
    )


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
    title="No request to the surviving replicas is lost",
    expected="no error but one replica's share of the requests through each node: to the lost"
    " replica, in the first 15 s, and to its replacement, in the moment it starts",
    hint="More than that share: a surviving replica, or a node's load balancer, failed.",
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
    if not errors:
        return judged(f"not one of {len(asked)} requests failed", missing=lacks)
    moments = [(began, began + SETTLING_S)]
    moments += [(first - STARTING_S, last + STARTING_S) for first, last in starts(record)]
    explained, told = 0, []
    for first, last in moments:
        # Requests under way when the replica went count as sent to it.
        within = [request for request in asked if request.over >= first and request.sent <= last]
        failing = [request for request in within if not request.ok]
        if excess := more_than_a_share(within, the_replicas(record)):
            return failed(f"{len(errors)} of {len(asked)} requests failed; {excess}")
        explained += len(failing)
        if failing:
            told.append(f"{len(failing)} up to {failing[-1].sent - began:.1f} s after the failure")
    seen = f"{len(errors)} of {len(asked)} requests failed: {', '.join(told) or 'at other times'}"
    if explained < len(errors):
        return failed(f"{seen}; {len(errors) - explained} when every replica should have answered")
    return judged(f"{seen}; through each node no more than one replica's share", missing=lacks)


def more_than_a_share(asked: Sequence[Request], replicas: int) -> str | None:
    """Through which node more requests failed than one replica's share, and how many; or None."""
    for node in sorted({request.node for request in asked if not request.ok}):
        through = [request for request in asked if request.node == node]
        failing = [index for index, request in enumerate(through) if not request.ok]
        span = failing[-1] - failing[0] + 1
        if len(failing) > math.ceil(span / replicas):
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
    fault, samples = the_fault(record), readings.node_samples(record)
    lists = [sample for sample in samples if sample.nodes]
    if fault.healed is None or fault.heal_began is None or not lists:
        return unknown("the old leader was not mended")
    last, led = lists[-1], readings.leader_before(record, fault.began)
    row = last.node(fault.nodes[0])
    lacks = not_watched(record, fault.heal_began)
    lacks += out_of_order(("the mending", fault.healed), ("the last node list", last.asked))
    # Between the mending and the last list nobody else may have led unseen: an election takes 5 s.
    lacks += not_sampled(
        samples,
        by=survivors(record, fault, role="manager"),
        window=Window(fault.heal_began, last.asked),
        pause=EARLIEST_ELECTION_S,
    )
    if row is None or (row.state, row.reachability) != ("ready", "reachable"):
        return never(f"{fault.nodes[0]} is {row.state if row else 'gone'} at the end", lacks)
    leaders = [change.name for change in readings.leader_changes(record) if change.t > fault.began]
    seen = "leaders since the failure: " + (" → ".join(leaders) or "none")
    if not leaders or led in leaders or last.leader != leaders[-1]:
        return failed(seen)
    return judged(f"{fault.nodes[0]} is back as a follower; {seen}", missing=lacks)


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
    fault, seconds = the_fault(record), readings.leader_elected_s(record)
    if seconds is None:
        return never("no other leader was seen", not_watched(record, fault.began + HANDOVER_S))
    return judged(
        f"another leader {seconds:.1f} s after the demotion was asked for",
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


@exercise.measure(phases=FAILURES)
def failover(record: Record) -> Mapping[str, Any]:
    """Seconds since the failure, and what clients saw."""
    return readings.failover_measurements(
        record, wanted=the_replicas(record), service=the_service(record)
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
