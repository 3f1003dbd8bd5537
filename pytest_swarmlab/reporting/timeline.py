"""One drill as a picture needs it: lanes, bands, dots and moments. Pure data, nothing is drawn.

Times are seconds after the begin of the first fault (of the phase, when nothing was broken).
The extraction itself is in `pytest_swarmlab.evidence.readings`.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import (
    Milestone,
    NodesSample,
    Request,
    TasksSample,
    each,
    kind_of_fault,
)
from pytest_swarmlab.evidence.readings import Fault, Span
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.text import duration, line

WORDS = {
    "fault": "{nodes} {what}",
    "many": "{count} machines",
    "healed": "{nodes} {what}",
    "heal_text": "{nodes}: {what}; it took {seconds}",
    "lost_text": "{name} can't list the nodes: {error}",
    "leader": "{name} elected leader",
    "leader_text": "{name} is leader instead of {previous}, {seconds} after the fault",
    "unreachable": "{name} unreachable",
    "unreachable_text": "{name} is listed as Unreachable",
    "state": "{name} {state}",
    "state_text": "{name} is listed as {state}",
    "back": "{name} ready again",
    "back_text": "{name} is Ready again",
    "restored": "{wanted} again",
    "restored_text": "{wanted} of {service} on other nodes",
    "replicas": "{count} replicas",
    "replica": "1 replica",
    "gap": "clients: longest gap {seconds}",
    "gap_text": "Clients: no answer through any node for {seconds}",
    "errors_first": "First request that fails, through {node}: {error}",
    "errors_last": "Last request that fails, through {node}: {error} ({count} in all)",
    "operator": "harness",
    "clients": "clients",
}
BLIND = 1.0
"""Seconds without an answer after which a lane shows an unknown state."""

NAME = 24
"""Characters of a node's name that fit a lane."""

NAMED = 3
"""Nodes of one fault that a flag names; more are counted."""


@dataclass(frozen=True)
class NodeLane:
    """A node over time.

    `states` and `reachability`: what the surviving managers said, "" while they could not tell.
    `leads`: when it was leader. `faults`: the bands that hold this node.
    """

    name: str
    role: str
    states: tuple[Span, ...]
    reachability: tuple[Span, ...]
    leads: tuple[Span, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class ServiceLane:
    """How many replicas ran: `running[i]` holds from `times[i]` to the next; `wanted` in all.

    `blind`: stretches longer than a second without any answer.
    """

    service: str
    times: tuple[float, ...]
    running: tuple[int, ...]
    wanted: int
    blind: tuple[Span, ...]


@dataclass(frozen=True)
class Dot:
    """One client request: when it was sent, how long it took in seconds, whether it succeeded."""

    t: float
    seconds: float
    ok: bool
    node: str


@dataclass(frozen=True)
class Moment:
    """An instant worth a name. `label` is for the picture ("" for the table only)."""

    t: float
    kind: str
    label: str
    text: str
    seen_by: str


@dataclass(frozen=True)
class Timeline:
    """A drill, ready to be drawn. `zero` is the run's second that all times count from."""

    phase: str
    zero: float
    began: float
    ended: float
    fault: str
    nodes: tuple[NodeLane, ...]
    leaders: tuple[Span, ...]
    service: ServiceLane | None
    faults: tuple[Fault, ...]
    dots: tuple[Dot, ...]
    gap: Span | None
    moments: tuple[Moment, ...]


def build_timeline(record: Record, phase: str) -> Timeline:
    """The timeline of one phase's events."""
    held = readings.faults(record)
    times = _watched(record, held)
    zero = held[0].began if held else min(times, default=0.0)
    lanes = _lanes(record, zero, held)
    gap = readings.longest_gap(record)
    return Timeline(
        phase=phase,
        zero=zero,
        began=min(times, default=0.0) - zero,
        ended=max(times, default=0.0) - zero,
        fault=held[0].kind if held else "",
        nodes=lanes,
        leaders=_shift(readings.leader_spans(record), zero),
        service=_service(record, zero),
        faults=tuple(_shift_fault(f, zero) for f in held),
        dots=tuple(Dot(r.sent - zero, r.seconds, r.ok, r.node) for r in readings.requests(record)),
        gap=Span(gap.began - zero, gap.ended - zero, "") if gap else None,
        moments=tuple(sorted(_moments(record, zero, held), key=lambda m: m.t)),
    )


def fault_label(fault: Fault) -> str:
    """A fault in a few words: its nodes, and what was done to them."""
    return WORDS["fault"].format(nodes=_few(fault), what=kind_of_fault(fault.kind).flag)


def _few(fault: Fault) -> str:
    if len(fault.nodes) > NAMED:
        return WORDS["many"].format(count=len(fault.nodes))
    return line(", ".join(fault.nodes), 60)


def led_before(timeline: Timeline) -> str:
    """Name of the leader at the first fault; "" if no manager named one."""
    led = [span.value for span in timeline.leaders if span.value and span.began <= 0]
    return line(led[-1], NAME) if led else ""


def new_leader(timeline: Timeline) -> tuple[str, float] | None:
    """Name of the first other leader, and seconds after the fault; None if none was seen."""
    changed = next((m for m in timeline.moments if m.kind == "leader"), None)
    if changed is None:
        return None
    name = next((s.value for s in timeline.leaders if s.began >= changed.t - 0.001), "")
    return line(name, NAME), changed.t


def is_leaderless(timeline: Timeline) -> bool:
    """Whether the leader was lost and no other one was seen."""
    lost = next((m for m in timeline.moments if m.kind == "lost"), None)
    unreachable = any(m.kind == "unreachable" for m in timeline.moments)
    if new_leader(timeline) is not None or (lost is None and not unreachable):
        return False
    if not timeline.leaders:
        return True
    # While the leader leads on, a manager's late answer is no loss of it.
    last = timeline.leaders[-1]
    held = {name for fault in timeline.faults for name in fault.nodes}
    return last.value in held or (lost is not None and last.ended <= lost.t)


def _watched(record: Record, held: Sequence[Fault]) -> list[float]:
    """When something was watched or done: a drill's preparations are not part of the picture."""
    times = [e.t for e in record.of(NodesSample.kind, TasksSample.kind, Request.kind)]
    for fault in held:
        times += [t for t in (fault.began, fault.injected, fault.healed) if t is not None]
    return times or [e.t for e in record]


def wanted_replicas(record: Record) -> int:
    """Replicas before the fault: the default number to be restored."""
    began = readings.fault_at(record)
    counts = readings.replicas_over_time(record, _watched_service(record))
    before = [c.running for c in counts if began is None or c.t <= began]
    return before[-1] if before else max((c.running for c in counts), default=0)


def _lanes(record: Record, zero: float, held: Sequence[Fault]) -> tuple[NodeLane, ...]:
    roles: dict[str, str] = {}
    for sample in readings.node_samples(record):
        for row in sample.nodes:
            roles.setdefault(row.name, row.role)
    leads = readings.leader_spans(record)
    # Managers first, then by name, as the lab draws them.
    order = sorted(roles, key=lambda name: (roles[name] != "manager", name))
    return tuple(
        NodeLane(
            name,
            roles[name],
            _shift(readings.node_spans(record, name), zero),
            _shift(readings.node_spans(record, name, "reachability"), zero),
            _shift((s for s in leads if s.value == name), zero),
            tuple(_shift_fault(f, zero) for f in held if name in f.nodes),
        )
        for name in order
    )


def _watched_service(record: Record) -> str | None:
    """The service with the most samples: another one may have a single sample."""
    asked = Counter(sample.service for sample in readings.task_samples(record))
    return asked.most_common(1)[0][0] if asked else None


def _service(record: Record, zero: float) -> ServiceLane | None:
    service = _watched_service(record)
    counts = readings.replicas_over_time(record, service)
    if service is None or not counts:
        return None
    return ServiceLane(
        service,
        tuple(c.t - zero for c in counts),
        tuple(c.running for c in counts),
        wanted_replicas(record),
        tuple(
            Span(a.t - zero, b.t - zero, "")
            for a, b in itertools.pairwise(counts)
            if b.t - a.t > BLIND
        ),
    )


def _moments(record: Record, zero: float, held: Sequence[Fault]) -> Iterable[Moment]:
    for fault in held:
        nodes, few = line(", ".join(fault.nodes), 60), _few(fault)
        known = kind_of_fault(fault.kind)
        text = WORDS["fault"].format(nodes=nodes, what=known.flag)
        yield Moment(fault.began - zero, "fault", fault_label(fault), text, WORDS["operator"])
        if fault.healed is not None and fault.heal_began is not None:
            what = known.healed
            text = WORDS["heal_text"].format(
                nodes=nodes, what=what, seconds=duration(fault.healed - fault.heal_began)
            )
            label = WORDS["healed"].format(nodes=few, what=what)
            # Named when mending begins: the cluster sees the node come back before it is over.
            yield Moment(fault.heal_began - zero, "healed", label, text, WORDS["operator"])
    for milestone in each(record, Milestone):
        text = line(milestone.text, 60)
        yield Moment(milestone.t - zero, "milestone", text, text, WORDS["operator"])
    yield from _leader_moments(record, zero)
    for name in dict.fromkeys(name for fault in held for name in fault.nodes):
        yield from _node_moments(record, zero, name)
    yield from _service_moments(record, zero)
    yield from _client_moments(record, zero)


def _leader_moments(record: Record, zero: float) -> Iterable[Moment]:
    for change in readings.leader_changes(record)[1:]:
        t, name = change.t - zero, line(change.name, NAME)
        yield Moment(
            t,
            "leader",
            WORDS["leader"].format(name=name),
            WORDS["leader_text"].format(
                name=name, previous=line(change.previous, NAME), seconds=duration(t)
            ),
            line(change.seen_from, NAME),
        )
    began = readings.fault_at(record)
    if began is None:
        return
    refused = next(
        (s for s in readings.node_samples(record) if s.error is not None and s.asked >= began), None
    )
    if refused is not None:
        name = line(refused.seen_from, NAME)
        text = WORDS["lost_text"].format(name=name, error=line(refused.error, 160))
        yield Moment(refused.t - zero, "lost", "", text, name)
    old = readings.leader_before(record, began)
    after = readings.leader_unreachable_s(record)
    if old is not None and after is not None:
        name = line(old, NAME)
        yield Moment(
            after,
            "unreachable",
            WORDS["unreachable"].format(name=name),
            WORDS["unreachable_text"].format(name=name),
            _observer(record, began + after),
        )


def _node_moments(record: Record, zero: float, name: str) -> Iterable[Moment]:
    spans = [s for s in readings.node_spans(record, name) if s.value]
    shown, was_down = line(name, NAME), False
    for before, span in itertools.pairwise(spans):
        if before.value == span.value:
            continue
        state = line(span.value, NAME)
        # Every node is unknown for a moment after an election: only a return from down is a flag.
        was_down = was_down or before.value == "down"
        back = span.value == "ready"
        yield Moment(
            span.began - zero,
            "back" if back else span.value if span.value in ("down", "unknown") else "state",
            ""
            if span.value == "unknown" or (back and not was_down)
            else WORDS["back" if back else "state"].format(name=shown, state=state),
            WORDS["back_text" if back else "state_text"].format(
                name=shown, state=state.capitalize()
            ),
            _observer(record, span.began),
        )


def _service_moments(record: Record, zero: float) -> Iterable[Moment]:
    wanted = wanted_replicas(record)
    restored = readings.first_restored(record, wanted, _watched_service(record)) if wanted else None
    first = readings.fault(record)
    if restored is None or first is None or not first.stops:
        return
    yield Moment(
        restored.t - zero,
        "restored",
        WORDS["restored"].format(wanted=_replicas(wanted)),
        WORDS["restored_text"].format(wanted=_replicas(wanted), service=line(restored.service, 40)),
        line(restored.seen_from, NAME),
    )


def _replicas(count: int) -> str:
    return WORDS["replica" if count == 1 else "replicas"].format(count=count)


def _client_moments(record: Record, zero: float) -> Iterable[Moment]:
    failed = sorted(readings.request_errors(record), key=lambda r: r.over)
    if not failed:
        return
    for key, request in (("errors_first", failed[0]), ("errors_last", failed[-1])):
        text = WORDS[key].format(
            node=line(request.node, NAME),
            error=line(request.error or f"status {request.status}", 120),
            count=len(failed),
        )
        yield Moment(request.over - zero, "errors", "", text, WORDS["clients"])
    gap = readings.longest_gap(record)
    if gap is not None:
        text = WORDS["gap_text"].format(seconds=duration(gap.seconds))
        yield Moment(gap.began - zero, "gap", "", text, WORDS["clients"])


def _observer(record: Record, t: float) -> str:
    """The managers that gave the answer at that moment."""
    sample = next((s for s in readings.node_samples(record) if abs(s.t - t) < 0.002), None)
    return line(sample.seen_from, NAME) if sample else ""


def _shift(spans: Iterable[Span], zero: float) -> tuple[Span, ...]:
    return tuple(Span(s.began - zero, s.ended - zero, s.value) for s in spans)


def _shift_fault(fault: Fault, zero: float) -> Fault:
    return Fault(
        fault.kind,
        fault.nodes,
        fault.began - zero,
        fault.injected - zero,
        None if fault.heal_began is None else fault.heal_began - zero,
        None if fault.healed is None else fault.healed - zero,
    )
