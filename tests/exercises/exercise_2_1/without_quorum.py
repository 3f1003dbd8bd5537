"""Services without a quorum, and changes after its return."""

from __future__ import annotations

from pytest_swarmlab import unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import FaultHealed, FaultInjected, Write, each
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Window,
    another_cluster,
    judged,
    members_of,
    never,
    not_asked,
    not_awaited,
    not_away,
    out_of_order,
)
from pytest_swarmlab.model import Judgement

from .declared import QUORUM_LOST, exercise
from .levels import levels
from .seen import first_lists, listed_managers

RETURN_S = 150.0
"""How soon changes must be accepted again once a quorum is back.

Usually within an election (0.02 to 20 s measured); on a busy machine more than 45 s were seen
once: gRPC waits up to two minutes before it tries a lost manager again.
"""


LEAST_S, LEAST_REQUESTS, LEAST_RATE = 1.0, 10, 5.0
"""How long, how often through each node, and how often a second at least, clients must have asked
while there was no quorum: the probe's 40 requests through two nodes take two seconds."""


@exercise.check(
    "service-answers",
    phases=QUORUM_LOST,
    title="Without a quorum the containers keep answering",
    expected="answers through every remaining node, all the time, and no failed request",
    hint="Without a quorum Swarm accepts no change, but stops no container either.",
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
    title="The return of one manager restores the quorum",
    expected="a change is accepted within 150 s of its engine's start, while no other manager is"
    " back",
    hint="`journalctl -u docker` on the returned manager: did it rejoin the Raft group?",
)
def changes_return(record: Record) -> Judgement:
    """From the first healed fault to the first accepted change after it."""
    faults = readings.faults(record)
    mended = sorted(
        (f for f in faults if f.healed is not None), key=lambda fault: fault.healed or 0.0
    )
    back = mended[0] if mended else None
    if back is None or back.healed is None or back.heal_began is None:
        return unknown("no manager returned")
    tried = [write for write in each(record, Write) if write.t > back.healed]
    if not tried:
        return unknown("no change was tried when a manager was back")
    accepted = next((write for write in tried if write.error is None), None)
    if accepted is None:
        return never("no change was accepted afterwards", not_awaited(record, back.healed))
    seconds = accepted.t - back.healed
    who = ", ".join(back.nodes)
    lacks = [
        f"{', '.join(other.nodes)} had returned, too"
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


@exercise.measure(phases=QUORUM_LOST)
def quorum_times(record: Record) -> dict[str, float | int | None]:
    """Seconds from the cause until changes were refused, and until they were accepted again."""
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
