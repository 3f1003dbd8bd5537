"""What must be true of a swarm with one to five managers, judged on the record alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_swarmlab import Exercise, failed, unknown
from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import (
    FaultHealed,
    FaultInjected,
    Info,
    Quorum,
    Write,
    each,
    need,
)
from pytest_swarmlab.evidence.readings import NodesSample
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Window,
    another_cluster,
    judged,
    members_of,
    not_asked,
    not_away,
    not_each,
    not_the_leader,
    out_of_order,
)
from pytest_swarmlab.model import Capability, Judgement, quorum, tolerance

from .. import identities
from .events import Refusal

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

CHANGED = tuple(name for name in MANAGERS if name != "as-found")
"""Where leaders change, or may."""

identities.declare(exercise, CHANGED)

QUORUM_LOST = ("one-manager", "two-managers", "three-managers")
RETURN_S = 150.0
"""How soon changes must be accepted again once a quorum is back.

Usually within an election (0.02 to 20 s measured); on a busy machine more than 45 s were seen
once: gRPC waits up to two minutes before it tries a lost manager again.
"""


REFUSED_S = 60.0
"""How soon a change must be refused without a quorum: its leader steps down within two election
timeouts, and a client that asks meanwhile is given up after 20 s."""

QUORUM_WORDS = ("leader", "deadline exceeded", "no answer in time", "raft:", "Unavailable")
"""How managers that can't decide say so: the text varies with the moment (moby#34988, #35039), and
some wait for a leader longer than our client does. Any other error refuses the change itself."""

LEAST_S, LEAST_REQUESTS, LEAST_RATE = 1.0, 10, 5.0
"""How long, how often through each node, and how often a second at least, clients must have asked
while there was no quorum: the probe's 40 requests through two nodes take two seconds."""


def managers_of(record: Record) -> int | None:
    """How many managers the phase that this record is of begins with."""
    phases = {event.phase for event in record}
    return next((n for name, n in MANAGERS.items() if exercise.phase(name) in phases), None)


def first_lists(record: Record) -> list[NodesSample]:
    """What the managers listed before anything was broken; raises Unseen when none did."""
    began = readings.fault_at(record)
    lists = [
        sample
        for sample in readings.node_samples(record, surviving=False)
        if sample.nodes and (began is None or sample.t < began)
    ]
    if not lists:
        raise Unseen("no manager listed the nodes before anything was broken")
    return lists


def not_before_the_fault(record: Record, what: str, t: float) -> list[str]:
    """Whether what was seen at `t` came only when something was broken already."""
    began = readings.fault_at(record)
    return [] if began is None else out_of_order((what, t), ("what was broken", began))


def listed_managers(record: Record) -> set[str]:
    """Names of the managers in the first of those lists."""
    return {node.name for node in first_lists(record)[0].nodes if node.reachability}


@exercise.check(
    "membership",
    phases=tuple(MANAGERS),
    title="The managers are there, one leads, all are reachable and ready",
    expected="as many managers as the phase's name says, exactly 1 leader, in each manager's list",
    hint="`docker node ls` on a manager: the column MANAGER STATUS.",
)
def membership(record: Record) -> Judgement:
    """The node list of every manager, with every machine that started in the swarm."""
    wanted, lists = managers_of(record), first_lists(record)
    told = {_members(sample): sample for sample in lists}
    wrong = [
        f"{sample.seen_from} lists otherwise: {seen}" for seen, sample in list(told.items())[1:]
    ]
    first = lists[0]
    managers = [n for n in first.nodes if n.reachability]
    unfit = [n for n in first.nodes if n.state != "ready" or n.reachability == "unreachable"]
    leaders = [n for n in managers if n.leader]
    return judged(
        _members(first),
        holds=len(managers) == wanted and len(leaders) == 1 and not unfit,
        wrong=wrong,
        missing=[
            *not_each({s.seen_from for s in lists}, listed_managers(record), "asked"),
            *not_each({node.name for node in first.nodes}, members_of(record), "found in the list"),
            *not_before_the_fault(record, "the last node list", lists[-1].t),
            *another_cluster(lists),
        ],
    )


def _members(sample: NodesSample) -> str:
    managers = [n for n in sample.nodes if n.reachability]
    leaders = [n.name for n in managers if n.leader]
    unfit = [n.name for n in sample.nodes if n.state != "ready" or n.reachability == "unreachable"]
    return (
        f"managers: {', '.join(n.name for n in managers)}; leader: {', '.join(leaders) or 'none'};"
        f" not ready: {', '.join(unfit) or 'none'}"
    )


@exercise.check(
    "one-view",
    phases=tuple(MANAGERS),
    title="Every manager tells the same story",
    expected="the same cluster id and the same number of managers from each of them",
    hint="`docker info` on each manager: Swarm, ClusterID and Managers.",
)
def one_view(record: Record) -> Judgement:
    """What `docker info` says on each machine that the managers list as one, and on no other."""
    views = {view.node: view for view in each(record, Info)}
    telling = {name: view for name, view in views.items() if view.control}
    if not telling:
        return unknown("no manager told its view")
    stories = {(view.cluster, view.managers) for view in telling.values()}
    seen = f"told by {len(telling)}: " + ", ".join(
        f"cluster {cluster[:8]}, managers: {managers}" for cluster, managers in stories
    )
    wanted, listed = managers_of(record), listed_managers(record)
    same = len(stories) == 1 and {managers for _, managers in stories} == {wanted}
    return judged(
        seen,
        holds=same,
        wrong=[
            f"{name} says that it is none" for name in sorted(listed & set(views) - set(telling))
        ],
        missing=[
            *not_each(telling, listed, "asked"),
            *not_before_the_fault(record, "the last view", max(v.t for v in telling.values())),
            *another_cluster(first_lists(record)),
            *("a manager told no cluster id" for cluster, _ in stories if not cluster),
        ],
    )


@exercise.check(
    "tolerance",
    phases=QUORUM_LOST,
    title="Changes are accepted as long as a majority is there, and only so long",
    expected="with N managers, ⌊(N−1)/2⌋ losses are borne and one more is not, within 60 s",
    hint="Quorum is ⌊N/2⌋+1: which managers were up when the change was tried?",
)
def tolerance_holds(record: Record) -> Judgement:
    """The last change tried at every level of loss must have ended as the formula says."""
    borne = tolerance(managers_of(record) or 0)
    reached = {level.lost for level in levels(record)}
    return _decided_as_expected(
        record,
        borne + 1,
        missing=[
            f"that {lost} are lost was never reached"
            for lost in range(1, borne + 1)
            if lost not in reached
        ],
    )


@exercise.check(
    "losses-borne",
    phases=("five-managers",),
    title="Two of five managers may be lost",
    expected="a change is accepted while two of five have no power",
    hint="Quorum is 3: were the other three reachable from each other?",
)
def losses_borne(record: Record) -> Judgement:
    """As many as are tolerated, and no more, are taken away, the leader among them."""
    first = readings.fault(record)
    return _decided_as_expected(
        record,
        tolerance(managers_of(record) or 0),
        missing=["nobody was lost"] if first is None else not_the_leader(record, first, within=5.0),
    )


@dataclass(frozen=True)
class Level:
    """A stretch in which so many of the managers are lost: those that faults hold."""

    lost: int
    managers: int
    window: Window
    gone: tuple[str, ...]
    writes: tuple[Write, ...]

    @property
    def quorum(self) -> bool:
        """Whether a majority is left."""
        return self.managers - self.lost >= quorum(self.managers)

    @property
    def refused(self) -> Write | None:
        """The last change that was tried, if the managers refused it for want of a quorum."""
        last = self.writes[-1] if self.writes else None
        return last if last and self._for_want_of_quorum(last) else None

    def _for_want_of_quorum(self, write: Write) -> bool:
        error = write.error
        if error is None:
            return False
        # A manager that is lost itself says nothing; a single one has nobody to ask instead.
        if write.node in self.gone:
            return self.managers == 1
        return any(word in error for word in QUORUM_WORDS)

    def not_held(self, listed: set[str]) -> list[str]:
        """Whether faults held others than as many of the listed managers as were to be lost."""
        if len(set(self.gone)) == self.lost and set(self.gone) <= listed:
            return []
        return [
            f"{self.lost} of {', '.join(sorted(listed))} were to be lost,"
            f" and faults held {', '.join(self.gone) or 'none'}"
        ]

    def told(self) -> str:
        """What became of the last change, in words."""
        error = self.writes[-1].error
        if error is None:
            how = "accepted"
        else:
            how = "refused" if self.refused else f"failed with {error!r}"
        return f"{self.lost} of {self.managers} lost: {how}"


def levels(record: Record) -> list[Level]:
    """Every change of how many managers are lost; each ends when the next is broken or mended."""
    marks, faults = each(record, Quorum), readings.faults(record)
    turns = sorted(
        [t for fault in faults for t in (fault.began, fault.heal_began) if t is not None]
        + [mark.t for mark in marks]
    )
    found = []
    for mark in marks:
        window = Window(mark.t, next((t for t in turns if t > mark.t), record.events[-1].t))
        found.append(
            Level(
                mark.lost,
                mark.managers,
                window,
                # Mended in the same tenth of a millisecond, it was mended before that was noted.
                tuple(
                    node
                    for fault in faults
                    if fault.injected <= mark.t and (fault.healed is None or mark.t < fault.healed)
                    for node in fault.nodes
                ),
                tuple(w for w in each(record, Write) if w.t in window),
            )
        )
    return found


def _decided_as_expected(record: Record, losses: int, missing: Sequence[str] = ()) -> Judgement:
    """Changes ended as quorum says at every level of loss, and that many losses were reached."""
    told, wrong, lacks = [], [], [*missing, *another_cluster(first_lists(record))]
    listed = listed_managers(record)
    for level in levels(record):
        if not level.writes:
            return unknown(f"with {level.lost} of {level.managers} lost no change was tried")
        told.append(level.told())
        accepted = level.writes[-1].error is None
        if accepted is not level.quorum:
            wrong.append(told[-1])
        elif not accepted and not level.refused:
            lacks.append("that is no word of managers without a quorum")
        elif level.refused and level.refused.t - level.window.began > REFUSED_S:
            wrong.append(f"{told[-1]} after {level.refused.t - level.window.began:.0f} s only")
        lacks += level.not_held(listed)
    most = max((level.lost for level in levels(record)), default=0)
    if most < losses:
        lacks.append(f"{losses} losses were never reached")
    for fault in readings.faults(record):
        # Until it is mended: it was to be away for each of the changes.
        lacks += not_away(record, fault, until=fault.heal_began or record.events[-1].t)
    if wrong:
        return failed("; ".join(wrong))
    return judged("; ".join(told) or "no manager was lost", missing=lacks)


@exercise.check(
    "service-answers",
    phases=QUORUM_LOST,
    title="Without a quorum the containers go on answering",
    expected="through every remaining node, all the time, and no request failed",
    hint="Swarm decides nothing without a quorum, but stops nothing either.",
)
def service_answers(record: Record) -> Judgement:
    """Requests made from the refusal of a change until a manager was brought back."""
    lost = [level for level in levels(record) if not level.quorum]
    if not lost or (refused := lost[0].refused) is None:
        return unknown("no change was refused for want of a quorum")
    window = Window(refused.t, lost[0].window.ended)
    listed = {node.name for node in first_lists(record)[0].nodes}
    remaining = (listed | set(members_of(record))) - set(lost[0].gone)
    asked = [request for request in readings.requests(record) if request.sent in window]
    errors = [request for request in asked if not request.ok]
    through = sorted({request.node for request in asked})
    lacks = not_asked(asked, through=remaining, window=window, rate=LEAST_RATE)
    lacks += another_cluster(first_lists(record))
    seldom = [n for n in remaining if sum(r.node == n for r in asked) < LEAST_REQUESTS]
    if window.seconds < LEAST_S or seldom:
        lacks.append(f"{len(asked)} requests in {window.seconds:.1f} s are too few")
    return judged(
        f"{len(asked)} requests through {', '.join(through)}, {len(errors)} failed",
        holds=not errors,
        missing=lacks,
    )


@exercise.check(
    "changes-return",
    phases=QUORUM_LOST,
    timed=True,
    title="One manager back is enough",
    expected="a change is accepted within 150 s of its engine's return, no other being back",
    hint="`journalctl -u docker` on the returned manager: did it rejoin the raft group?",
)
def changes_return(record: Record) -> Judgement:
    """From the first healed fault to the first accepted change after it."""
    faults = readings.faults(record)
    mended = sorted(
        (f for f in faults if f.healed is not None), key=lambda fault: fault.healed or 0.0
    )
    back = mended[0] if mended else None
    if back is None or back.healed is None or back.heal_began is None:
        return unknown("no manager was brought back")
    tried = [write for write in each(record, Write) if write.t > back.healed]
    if not tried:
        return unknown("no change was tried when a manager was back")
    accepted = next((write for write in tried if write.error is None), None)
    if accepted is None:
        return failed("no change was accepted any more")
    seconds = accepted.t - back.healed
    who = ", ".join(back.nodes)
    lacks = [
        f"{', '.join(other.nodes)} was back as well"
        for other in mended[1:]
        if other.heal_began is not None and other.heal_began < accepted.t
    ]
    lost = [level for level in levels(record) if not level.quorum]
    refused = lost[0].refused if lost else None
    lacks += out_of_order(
        ("a change refused for want of a quorum", refused.t if refused else None),
        ("the manager's return", back.heal_began),
        ("an accepted change", accepted.t - accepted.seconds),
    )
    lacks += another_cluster(first_lists(record))
    for level in levels(record):
        lacks += level.not_held(listed_managers(record))
    for other in faults:
        if other is not back:
            lacks += not_away(record, other, until=accepted.t)
    return judged(
        f"a change was accepted {seconds:.1f} s after {who} was back",
        holds=seconds <= RETURN_S,
        missing=lacks,
    )


@exercise.check(
    "last-manager-stays",
    phases=("one-manager",),
    title="The last manager can't be demoted",
    expected="HTTP 400, attempting to demote the last manager of the swarm",
    hint="Promote another node first.",
)
def last_manager_stays(record: Record) -> Judgement:
    """The engine's own words, while there is one."""
    refusal = need(record, Refusal, "it was not tried")
    listed = listed_managers(record)
    return judged(
        f"HTTP {refusal.code}: {refusal.said}",
        holds=refusal.code == 400 and "last manager" in refusal.said,
        missing=[
            *([] if len(listed) == 1 else [f"{len(listed)} managers were listed then"]),
            *out_of_order(
                ("the node list", first_lists(record)[0].t), ("the try to demote it", refusal.t)
            ),
            *not_before_the_fault(record, "the try to demote it", refusal.t),
        ],
    )


@exercise.check(
    "picture",
    phases=("target-picture", "as-found"),
    title="The cluster is the one in the lab's picture",
    expected="manager1, manager2 and manager3 manage, worker1 and worker2 work",
    hint="`docker node ls`; the lab's text leaves worker1 a manager, its picture does not.",
)
def picture(record: Record) -> Judgement:
    """Names and roles in the node list of every manager."""
    lists = first_lists(record)
    told = [{node.name: node.role for node in sample.nodes} for sample in lists]
    roles = told[-1]
    seen = ", ".join(f"{name} {role}" for name, role in sorted(roles.items()))
    wanted = {f"manager{n}": "manager" for n in (1, 2, 3)} | {
        f"worker{n}": "worker" for n in (1, 2)
    }
    return judged(
        seen,
        holds=all(each == wanted for each in told),
        missing=[
            *not_each({s.seen_from for s in lists}, listed_managers(record), "asked"),
            *another_cluster(lists),
        ],
    )


@exercise.measure(phases=QUORUM_LOST)
def quorum_times(record: Record) -> dict[str, float | int | None]:
    """How long until changes were refused, and accepted again, in seconds since the cause."""
    writes = each(record, Write)
    refused = next((write for write in writes if write.error), None)
    healed = next(iter(each(record, FaultHealed)), None)
    back = healed and next((w for w in writes if w.error is None and w.t > healed.t), None)
    broken = [made for made in each(record, FaultInjected) if refused and made.t < refused.t]
    return {
        "refused_s": round(refused.t - broken[-1].t, 2) if refused and broken else None,
        "accepted_again_s": round(back.t - healed.t, 2) if back and healed else None,
        "probes": len(readings.requests(record)),
        "probe_errors": len(readings.request_errors(record)),
    }
