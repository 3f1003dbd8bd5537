"""What must be true of a swarm with one to five managers, judged on the record alone."""

from pytest_swarmlab import Exercise, failed, passed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.readings import Request
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Capability, Event, Judgement, quorum, tolerance

exercise = Exercise(
    "2.1",
    "Promotion de workers en managers",
    module=__name__,
    titles={
        "one-manager": "One manager",
        "two-managers": "Two managers",
        "three-managers": "Three managers",
        "target-picture": "The lab's target picture",
        "five-managers": "Five managers",
        "as-found": "The cluster as it was found",
    },
    needs={"five-managers": (Capability.CHANGE, Capability.POWER_OFF), "as-found": ()},
)

MANAGERS = {
    "one-manager": 1,
    "two-managers": 2,
    "three-managers": 3,
    "target-picture": 3,
    "five-managers": 5,
    "as-found": 3,
}
"""Phase → managers."""

QUORUM_LOST = ("one-manager", "two-managers", "three-managers")
RETURN_S = 150.0
"""How soon changes must be accepted again once a quorum is back.

Usually within an election (0.02 to 20 s measured); on a busy machine more than 45 s were seen
once: gRPC waits up to two minutes before it tries a lost manager again.
"""


def managers_of(record: Record) -> int | None:
    """How many managers the phase that this record is of begins with."""
    phases = {event.phase for event in record}
    return next((n for name, n in MANAGERS.items() if exercise.phase(name) in phases), None)


@exercise.check(
    "membership",
    phases=tuple(MANAGERS),
    title="The managers are there, one leads, all are reachable and ready",
    expected="as many managers as the phase's name says, exactly 1 leader",
    hint="`docker node ls` on a manager: the column MANAGER STATUS.",
)
def membership(record: Record) -> Judgement:
    """The first node list of the phase that every manager agrees on."""
    wanted = managers_of(record)
    listing = next((s for s in readings.node_samples(record) if s.nodes), None)
    if listing is None or wanted is None:
        return unknown("no manager listed the nodes")
    managers = [n for n in listing.nodes if n.reachability]
    leaders = [n.name for n in managers if n.leader]
    unfit = [n.name for n in listing.nodes if n.state != "ready" or n.reachability == "unreachable"]
    seen = (
        f"managers: {', '.join(n.name for n in managers)}; leader: {', '.join(leaders) or 'none'};"
        f" not ready: {', '.join(unfit) or 'none'}"
    )
    good = len(managers) == wanted and len(leaders) == 1 and not unfit
    return passed(seen) if good else failed(seen)


@exercise.check(
    "one-view",
    phases=tuple(MANAGERS),
    title="Every manager tells the same story",
    expected="the same cluster id and the same number of managers from each of them",
    hint="`docker info` on each manager: Swarm, ClusterID and Managers.",
)
def one_view(record: Record) -> Judgement:
    """What `docker info` says on each machine that manages, at the start of the phase."""
    views = [e.data for e in record.of("info", control=True)]
    if not views:
        return unknown("no manager told its view")
    stories = {(v.get("cluster"), v.get("managers")) for v in views}
    seen = f"told by {len(views)}: " + ", ".join(
        f"cluster {str(cluster)[:8]}, managers: {managers}" for cluster, managers in stories
    )
    wanted = managers_of(record)
    same = len(stories) == 1 and len(views) == wanted and views[0].get("managers") == wanted
    return passed(seen) if same else failed(seen)


@exercise.check(
    "tolerance",
    phases=QUORUM_LOST,
    title="Changes are accepted as long as a majority is there, and only so long",
    expected="with N managers, ⌊(N−1)/2⌋ losses are borne and one more is not",
    hint="Quorum is ⌊N/2⌋+1: which managers were up when the change was tried?",
)
def tolerance_holds(record: Record) -> Judgement:
    """The last change tried at every level of loss must have ended as the formula says."""
    return _decided_as_expected(record, tolerance(managers_of(record) or 0) + 1)


@exercise.check(
    "losses-borne",
    phases=("five-managers",),
    title="Two of five managers may be lost",
    expected="a change is accepted while two of five have no power",
    hint="Quorum is 3: were the other three reachable from each other?",
)
def losses_borne(record: Record) -> Judgement:
    """As many as are tolerated, and no more, are taken away."""
    return _decided_as_expected(record, tolerance(managers_of(record) or 0))


def _decided_as_expected(record: Record, losses: int) -> Judgement:
    """Changes ended as quorum says at every level of loss, and that many losses were reached."""
    told, wrong = [], []
    for level, part in levels(record):
        managers, lost = level.data["managers"], level.data["lost"]
        writes = part.of("write")
        if not writes:
            return unknown(f"with {lost} of {managers} lost no change was tried")
        accepted = writes[-1].data.get("error") is None
        told.append(f"{lost} of {managers} lost: {'accepted' if accepted else 'refused'}")
        if accepted is not (managers - lost >= quorum(managers)):
            wrong.append(told[-1])
    if wrong:
        return failed("; ".join(wrong))
    seen = "; ".join(told) or "no manager was lost"
    most = max((level.data["lost"] for level, _ in levels(record)), default=0)
    if most < losses:
        return unknown(f"{seen}; {losses} losses were never reached")
    return passed(seen)


def levels(record: Record) -> list[tuple[Event, Record]]:
    """Every change of how many managers are lost, with what was recorded until the next."""
    marks = record.of("quorum")
    ends = [mark.seq for mark in marks[1:]] + [record.events[-1].seq + 1] if marks else []
    return [
        (mark, Record(tuple(e for e in record if mark.seq <= e.seq < end)))
        for mark, end in zip(marks, ends, strict=True)
    ]


@exercise.check(
    "service-answers",
    phases=QUORUM_LOST,
    title="Without a quorum the containers go on answering",
    expected="at least one request through every remaining node, and none failed",
    hint="Swarm decides nothing without a quorum, but stops nothing either.",
)
def service_answers(record: Record) -> Judgement:
    """Requests made while changes were refused."""
    listing = next((sample for sample in readings.node_samples(record) if sample.nodes), None)
    asked: list[Request] = []
    remaining: set[str] = set()
    for level, part in levels(record):
        managers, lost = level.data["managers"], level.data["lost"]
        if managers - lost < quorum(managers):
            asked += readings.requests(part)
            gone = {
                name
                for event in record.of("fault.injected")
                if event.seq < level.seq
                for name in event.data["nodes"]
            }
            remaining |= {node.name for node in listing.nodes} - gone if listing else set()
    through = {request.node for request in asked}
    if not asked or not remaining <= through:
        missed = ", ".join(sorted(remaining - through)) or "any node"
        return unknown(f"nobody asked through {missed} while the quorum was lost")
    errors = [request for request in asked if not request.ok]
    seen = f"{len(asked)} requests through {', '.join(sorted(through))}, {len(errors)} failed"
    return failed(seen) if errors else passed(seen)


@exercise.check(
    "changes-return",
    phases=QUORUM_LOST,
    timed=True,
    title="One manager back is enough",
    expected="a change is accepted within 150 s of its engine's return",
    hint="`journalctl -u docker` on the returned manager: did it rejoin the raft group?",
)
def changes_return(record: Record) -> Judgement:
    """From the first healed fault to the first accepted change after it."""
    healed = record.first("fault.healed")
    if healed is None:
        return unknown("no manager was brought back")
    accepted = next((e for e in record.of("write", error=None) if e.t > healed.t), None)
    if accepted is None:
        return failed("no change was accepted any more")
    seconds = accepted.t - healed.t
    seen = f"a change was accepted {seconds:.1f} s after {healed.data['nodes'][0]} was back"
    return passed(seen) if seconds <= RETURN_S else failed(seen)


@exercise.check(
    "last-manager-stays",
    phases=("one-manager",),
    title="The last manager can't be demoted",
    expected="HTTP 400, attempting to demote the last manager of the swarm",
    hint="Promote another node first.",
)
def last_manager_stays(record: Record) -> Judgement:
    """The engine's own words."""
    refusal = record.need("refusal", "it was not tried")
    seen = f"HTTP {refusal.data['code']}: {refusal.data['said']}"
    good = refusal.data["code"] == 400 and "last manager" in refusal.data["said"]
    return passed(seen) if good else failed(seen)


@exercise.check(
    "picture",
    phases=("target-picture", "as-found"),
    title="The cluster is the one in the lab's picture",
    expected="manager1, manager2 and manager3 manage, worker1 and worker2 work",
    hint="`docker node ls`; the lab's text leaves worker1 a manager, its picture does not.",
)
def picture(record: Record) -> Judgement:
    """Names and roles in the last node list."""
    listings = [s for s in readings.node_samples(record) if s.nodes]
    if not listings:
        return unknown("no manager listed the nodes")
    roles = {n.name: n.role for n in listings[-1].nodes}
    seen = ", ".join(f"{name} {role}" for name, role in sorted(roles.items()))
    wanted = {f"manager{n}": "manager" for n in (1, 2, 3)} | {
        f"worker{n}": "worker" for n in (1, 2)
    }
    return passed(seen) if roles == wanted else failed(seen)


@exercise.measure(phases=QUORUM_LOST)
def quorum_times(record: Record) -> dict[str, float | int | None]:
    """How long until changes were refused, and accepted again, in seconds since the cause."""
    refused = next((e for e in record.of("write") if e.data.get("error")), None)
    healed = record.first("fault.healed")
    back = healed and next((e for e in record.of("write", error=None) if e.t > healed.t), None)
    broken = [e for e in record.of("fault.injected") if refused and e.t < refused.t]
    return {
        "refused_s": round(refused.t - broken[-1].t, 2) if refused and broken else None,
        "accepted_again_s": round(back.t - healed.t, 2) if back and healed else None,
        "probes": len(readings.requests(record)),
        "probe_errors": len(readings.request_errors(record)),
    }
