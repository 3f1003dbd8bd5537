"""What a record says happened, as typed values: checks, measurements and pictures all read here.

Pure functions of a `Record`, usually one phase of it (``record.phase("2.2/power-off")``). All
times are seconds since the run began; a measurement (``…_s``) is seconds since the fault began.
None means that the record does not show it, never "zero".

Typed events: `faults`, `fault`, `fault_at`, `node_samples`, `task_samples`, `requests`.
Leader: `leader_before`, `leader_changes`, `leader_spans`.
Nodes: `first_seen`, `node_state_at`, `node_spans`.
Service: `replicas_over_time`, `first_restored`.
Clients: `request_errors`, `answered`, `longest_gap`, `longest_gap_by_node`, `ledger`.
Measurements: `leader_unreachable_s`, `leader_elected_s`, `node_down_s`, `node_back_s`,
`replicas_restored_s`, `longest_gap_s`; `failover_measurements` holds them all.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Event

T = TypeVar("T")

NOT_STOPPING = frozenset({"demote", "stop-units"})
"""Faults that take a role or another server away and leave the node's containers at work."""


@dataclass(frozen=True)
class Fault:
    """Something broken on purpose.

    `began` … `injected`: how long breaking took. `heal_began` … `healed`: how long repairing
    took; both None while it is on, or when the run ended before.
    """

    kind: str
    nodes: tuple[str, ...]
    began: float
    injected: float
    heal_began: float | None = None
    healed: float | None = None

    def on(self, t: float) -> bool:
        """Whether it was on, or being injected or healed, at that moment."""
        return self.began <= t and (self.healed is None or t <= self.healed)


@dataclass(frozen=True)
class NodeSeen:
    """One row of `docker node ls`; `reachability` is "" for a worker.

    A node is who its id says: managers may list one id under one name now and another then.
    """

    id: str
    name: str
    role: str
    availability: str
    state: str
    message: str
    address: str
    leader: bool
    reachability: str

    @property
    def identity(self) -> str:
        """Its id; its name in a record without ids."""
        return self.id or self.name


@dataclass(frozen=True)
class NodesSample:
    """The node list as one manager gave it at `t`, `seconds` after it was asked; or its error."""

    t: float
    seconds: float
    seen_from: str
    nodes: tuple[NodeSeen, ...]
    error: str | None

    @property
    def asked(self) -> float:
        """When the question was sent: what the answer shows is not older."""
        return self.t - self.seconds

    @cached_property
    def leading(self) -> NodeSeen | None:
        """The leader's row in this list."""
        return next((n for n in self.nodes if n.leader), None)

    @property
    def leader(self) -> str | None:
        """Name of the leader in this list."""
        return self.leading.name if self.leading else None

    def node(self, name: str) -> NodeSeen | None:
        """That node's row. A machine that rejoined has two rows: the live one counts."""
        rows = [n for n in self.nodes if n.name == name]
        return next((n for n in rows if n.state != "down"), rows[0] if rows else None)


@dataclass(frozen=True)
class TaskSeen:
    """One row of `docker service ps`; `node_id` is the node's own, `node` the name used here."""

    id: str
    slot: int | None
    node: str
    state: str
    desired: str
    error: str
    message: str
    container: str
    node_id: str = ""

    @property
    def running(self) -> bool:
        """Running, and meant to go on: what the manager last heard, true or not."""
        return self.state == "running" and self.desired == "running"


@dataclass(frozen=True)
class TasksSample:
    """A service's tasks as one manager gave them at `t`, `seconds` after it was asked."""

    t: float
    seconds: float
    seen_from: str
    service: str
    tasks: tuple[TaskSeen, ...]
    error: str | None

    @property
    def asked(self) -> float:
        """When the question was sent."""
        return self.t - self.seconds


@dataclass(frozen=True)
class Request:
    """One client request through `node`, sent at `sent` and over after `seconds`.

    `header`: the value of the answer's header that the probe was to note, if any.
    """

    sent: float
    seconds: float
    node: str
    status: int | None
    error: str | None
    url: str
    port: int | None
    header: str | None = None

    @property
    def over(self) -> float:
        """When its answer or its error was known."""
        return self.sent + self.seconds

    @property
    def ok(self) -> bool:
        """Answered with a status below 400 and no error."""
        return self.error is None and self.status is not None and 100 <= self.status < 400


@dataclass(frozen=True)
class LeaderChange:
    """At `t` the manager `seen_from` first showed `name` as leader, after `previous` (or None).

    `identity`: the leader's id, by which one leader is told from another.
    """

    t: float
    name: str
    previous: str | None
    seen_from: str
    identity: str = ""


@dataclass(frozen=True)
class Span:
    """`value` held from `began` to `ended`; `value` is "" while nobody could tell."""

    began: float
    ended: float
    value: str

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return self.ended - self.began


@dataclass(frozen=True)
class Replicas:
    """Running tasks per node at `t`.

    `by_node` is what the managers said. `running` leaves out nodes that a fault holds at `t`:
    their tasks stand as running until the managers notice that the node is gone.
    """

    t: float
    by_node: Mapping[str, int]
    running: int


@dataclass(frozen=True)
class Gap:
    """No request succeeded between `began` and `ended`.

    `closed` is False when the stretch reaches the first or the last request: the true gap may
    be longer.
    """

    began: float
    ended: float
    closed: bool

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.ended - self.began


@dataclass(frozen=True)
class Entry:
    """One write of a ledger, sent at `sent` and over after `seconds`; `id` if acknowledged."""

    number: int
    sent: float
    seconds: float
    id: str | None
    error: str | None

    @property
    def over(self) -> float:
        """When its acknowledgement or its error was known."""
        return self.sent + self.seconds


@dataclass(frozen=True)
class Ledger:
    """What became of a ledger's entries.

    `found`: id and number of each entry that was there at the end; None if nobody looked.
    """

    name: str
    entries: tuple[Entry, ...]
    found: tuple[tuple[str, int], ...] | None

    @property
    def acknowledged(self) -> list[Entry]:
        """Entries of which the other side said that it has them."""
        return [entry for entry in self.entries if entry.id is not None]

    @property
    def lost(self) -> list[int]:
        """Numbers that were acknowledged and are not there under the id that they were given."""
        there = set(self.found or ())
        return [e.number for e in self.acknowledged if (str(e.id), e.number) not in there]

    @property
    def duplicated(self) -> list[int]:
        """Numbers that are there more than once."""
        counts = Counter(number for _, number in self.found or ())
        return sorted(number for number, count in counts.items() if count > 1)

    @property
    def longest_gap(self) -> Gap | None:
        """The longest stretch between two acknowledgements; to the last write if none followed."""
        ends = sorted(entry.over for entry in self.acknowledged)
        if not ends:
            return None
        gaps = [Gap(a, b, closed=True) for a, b in itertools.pairwise(ends)]
        over = max(entry.over for entry in self.entries)
        if over > ends[-1]:
            gaps.append(Gap(ends[-1], over, closed=False))
        return max(gaps, key=lambda gap: gap.seconds, default=None)

    def stalled_s(self, record: Record) -> float | None:
        """The longest wait for an acknowledgement since the first fault began, seconds.

        None when nothing was acknowledged any more, or nothing was broken.
        """
        began = fault_at(record)
        if began is None:
            return None
        after = sorted(entry.over for entry in self.acknowledged if entry.over > began)
        gaps = [Gap(a, b, closed=True) for a, b in itertools.pairwise([began, *after])]
        return round(max(gap.seconds for gap in gaps), 3) if gaps else None


# -- typed events -------------------------------------------------------------------------------


def faults(record: Record) -> list[Fault]:
    """Every fault, in the order of injection, each with the healing that belongs to it."""
    found: list[Fault] = []
    for event in record.of("fault.injected", "fault.healed"):
        kind, nodes = _text(event.data.get("fault")), _names(event.data.get("nodes"))
        began = event.t - _number(event.data.get("seconds"))
        if event.kind == "fault.injected":
            found.append(Fault(kind, nodes, began, event.t))
            continue
        for index, known in enumerate(found):
            mine = known.kind == kind and (not nodes or set(nodes) & set(known.nodes))
            if mine and known.healed is None:
                found[index] = replace(known, heal_began=began, healed=event.t)
                break
    return found


def fault(record: Record) -> Fault | None:
    """The first fault: the one that measurements count from."""
    return next(iter(faults(record)), None)


def fault_at(record: Record) -> float | None:
    """When the first fault began."""
    first = fault(record)
    return None if first is None else first.began


def node_samples(record: Record, *, surviving: bool = True) -> list[NodesSample]:
    """Every sampled node list, errors included, oldest first.

    `surviving` leaves out what a node said while a fault held it: it may be the one that is wrong.
    """
    held = faults(record) if surviving else []
    found = (_once(event, _nodes_sample) for event in record.of("nodes"))
    return [sample for sample in found if not _held(sample.seen_from, sample.t, held)]


def task_samples(
    record: Record, service: str | None = None, *, surviving: bool = True
) -> list[TasksSample]:
    """Every sampled task list, errors included, oldest first; of one service if it is given."""
    held = faults(record) if surviving else []
    found = (_once(event, _tasks_sample) for event in record.of("tasks"))
    return [
        sample
        for sample in found
        if service in (None, sample.service) and not _held(sample.seen_from, sample.t, held)
    ]


def requests(record: Record, node: str | None = None) -> list[Request]:
    """Every client request, in the order of sending; through one node if it is given."""
    found = [_once(event, _request) for event in record.of("request")]
    return sorted((r for r in found if node in (None, r.node)), key=lambda r: r.sent)


# -- leader -------------------------------------------------------------------------------------


def leader_before(record: Record, t: float) -> str | None:
    """Name of the last leader seen before that moment."""
    led = _leading_before(record, t)
    return led.name if led else None


def _leading_before(record: Record, t: float) -> NodeSeen | None:
    seen = [s.leading for s in node_samples(record) if s.t <= t and s.leading]
    return seen[-1] if seen else None


def leader_changes(record: Record) -> list[LeaderChange]:
    """Each leader as it is first seen; the first entry is the one found at the start.

    A leader is another one when its id is. A late answer to a question asked before a change was
    known does not count as a change back.
    """
    changes: list[LeaderChange] = []
    for sample in node_samples(record):
        led = sample.leading
        if led is None or (changes and led.identity == changes[-1].identity):
            continue
        before = changes[-2].identity if len(changes) > 1 else None
        if changes and led.identity == before and sample.asked < changes[-1].t:
            continue
        previous = changes[-1].name if changes else None
        changes.append(LeaderChange(sample.t, led.name, previous, sample.seen_from, led.identity))
    return changes


def leader_spans(record: Record, *, blind_after: float = 1.0) -> list[Span]:
    """Who led from when to when, as surviving managers saw it.

    A reign ends with the last sample that shows it. What lies between two reigns, and any stretch
    of one that is longer than `blind_after` seconds without a sample that names it, has the value
    "": no manager could name a leader. Between two spans of one name there may have been another
    election that it won.
    """
    samples = [(s.t, s.leading.identity) for s in node_samples(record) if s.leading]
    changes = leader_changes(record)
    spans: list[Span] = []
    for index, change in enumerate(changes):
        end = changes[index + 1].t if index + 1 < len(changes) else math.inf
        seen = [t for t, led in samples if led == change.identity and change.t <= t < end]
        if spans and change.t > spans[-1].ended:
            spans.append(Span(spans[-1].ended, change.t, ""))
        spans.append(Span(change.t, change.t, change.name))
        for t in seen:
            if t - spans[-1].ended > blind_after:
                spans += [Span(spans[-1].ended, t, ""), Span(t, t, change.name)]
            else:
                spans[-1] = replace(spans[-1], ended=t)
    return spans


# -- nodes --------------------------------------------------------------------------------------


def first_seen(
    record: Record, predicate: Callable[[NodesSample], bool], *, after: float | None = None
) -> NodesSample | None:
    """The first answer for which `predicate` holds, asked for not before `after`."""
    return next(
        (
            sample
            for sample in node_samples(record)
            if sample.error is None
            and (after is None or sample.asked >= after)
            and predicate(sample)
        ),
        None,
    )


def node_state_at(record: Record, name: str, t: float) -> str | None:
    """The node's state ("ready", "unknown", "down" …) in the last answer known at `t`."""
    state = None
    for sample in node_samples(record):
        if sample.t > t:
            break
        row = sample.node(name)
        state = row.state if row else state
    return state


def node_spans(
    record: Record, name: str, attribute: str = "state", *, blind_after: float = 1.0
) -> list[Span]:
    """The values of one column of a node ("state", "reachability") over time.

    A stretch longer than `blind_after` seconds without any answer is a span of its own with the
    value "": the managers could not tell, and what was true before is not carried over it.
    """
    seen = [
        (sample.t, str(getattr(row, attribute)))
        for sample in node_samples(record)
        if sample.error is None and (row := sample.node(name)) is not None
    ]
    spans: list[Span] = []
    for t, value in seen:
        if not spans:
            spans.append(Span(t, t, value))
        elif t - spans[-1].ended > blind_after:
            spans += [Span(spans[-1].ended, t, ""), Span(t, t, value)]
        else:
            spans[-1] = replace(spans[-1], ended=t)
            if value != spans[-1].value:
                spans.append(Span(t, t, value))
    return spans


# -- service ------------------------------------------------------------------------------------


def replicas_over_time(record: Record, service: str | None = None) -> list[Replicas]:
    """Running tasks at each sample that was answered."""
    stopping = [f for f in faults(record) if f.kind not in NOT_STOPPING]
    counts = []
    for sample in task_samples(record, service):
        if sample.error is not None:
            continue
        by_node = Counter(task.node for task in sample.tasks if task.running)
        lost = sum(n for name, n in by_node.items() if _held(name, sample.t, stopping))
        counts.append(Replicas(sample.t, dict(by_node), by_node.total() - lost))
    return counts


def first_restored(record: Record, wanted: int, service: str | None = None) -> TasksSample | None:
    """The first answer, asked for after the fault, with `wanted` tasks running elsewhere.

    Elsewhere: not on the faulted nodes, even when they are back, nor on another that is down. After
    a demotion every node counts.
    """
    first = fault(record)
    if first is None:
        return None
    gone = set() if first.kind in NOT_STOPPING else set(first.nodes)
    lists = [sample for sample in node_samples(record) if sample.nodes]
    for sample in task_samples(record, service):
        if sample.error is None and sample.asked >= first.began:
            on = [task.node for task in sample.tasks if task.running and task.node not in gone]
            if len(on) >= wanted and len(on) - sum(map(on.count, _down(lists, sample.t))) >= wanted:
                return sample
    return None


def _down(lists: Sequence[NodesSample], t: float) -> set[str]:
    """The nodes that the last of these lists known at `t` shows as down."""
    place = bisect.bisect_right(lists, t, key=lambda sample: sample.t)
    return {n.name for n in lists[place - 1].nodes if n.state == "down"} if place else set()


# -- clients ------------------------------------------------------------------------------------


def request_errors(record: Record, node: str | None = None) -> list[Request]:
    """Requests that failed: refused, timed out, or answered with a status of 400 or more."""
    return [r for r in requests(record, node) if not r.ok]


def answered(record: Record, node: str | None = None) -> list[Request]:
    """Requests that succeeded."""
    return [r for r in requests(record, node) if r.ok]


def longest_gap(record: Record, node: str | None = None) -> Gap | None:
    """The longest stretch between two successive successful answers, through any node or one.

    Failures before the first or after the last success count up to the edge of the probe, so
    that a service that never comes back does not look well. None when nothing was asked.
    """
    return _longest_gap(requests(record, node))


def longest_gap_by_node(record: Record) -> dict[str, Gap]:
    """Node → the longest gap of the clients that came through it, by name."""
    asked: dict[str, list[Request]] = {}
    for request in requests(record):
        asked.setdefault(request.node, []).append(request)
    return {name: gap for name in sorted(asked) if (gap := _longest_gap(asked[name])) is not None}


def _longest_gap(asked: Sequence[Request]) -> Gap | None:
    if not asked:
        return None
    first, last = min(r.sent for r in asked), max(r.over for r in asked)
    answers = sorted(r.over for r in asked if r.ok)
    if not answers:
        return Gap(first, last, closed=False)
    gaps = [Gap(a, b, closed=True) for a, b in itertools.pairwise(answers)]
    failed_first = [r.sent for r in asked if not r.ok and r.over <= answers[0]]
    failed_last = [r.over for r in asked if not r.ok and r.over >= answers[-1]]
    if failed_first:
        gaps.append(Gap(min(failed_first), answers[0], closed=False))
    if failed_last:
        gaps.append(Gap(answers[-1], max(failed_last), closed=False))
    return max(gaps, key=lambda gap: gap.seconds, default=Gap(first, last, closed=False))


def ledger(record: Record, name: str) -> Ledger | None:
    """A ledger's entries and what was found of them at the end; None if it was never written."""
    entries = tuple(
        Entry(
            _integer(event.data.get("number")) or 0,
            _number(event.data.get("sent"), event.t),
            _number(event.data.get("seconds")),
            _error(event.data.get("id")),
            _error(event.data.get("error")),
        )
        for event in record.of("entry", ledger=name)
    )
    if not entries:
        return None
    last = record.last("entries", ledger=name)
    found = None if last is None else tuple(_pairs(last.data.get("found")))
    return Ledger(name, entries, found)


# -- measurements: seconds since the fault began ------------------------------------------------


def leader_elected_s(record: Record) -> float | None:
    """Until a surviving manager first shows a leader other than the old one."""
    began = fault_at(record)
    if began is None or (old := _leading_before(record, began)) is None:
        return None

    def another(sample: NodesSample) -> bool:
        return sample.leading is not None and sample.leading.identity != old.identity

    return _since(began, first_seen(record, another, after=began))


def leader_unreachable_s(record: Record) -> float | None:
    """Until a surviving manager first shows the old leader as unreachable."""
    began = fault_at(record)
    if began is None or (old := _leading_before(record, began)) is None:
        return None

    def unreachable(sample: NodesSample) -> bool:
        rows = (row for row in sample.nodes if row.identity == old.identity)
        return any(row.reachability == "unreachable" for row in rows)

    return _since(began, first_seen(record, unreachable, after=began))


def node_down_s(record: Record, name: str | None = None) -> float | None:
    """Until a surviving manager first shows the node (the faulted one) as down."""
    first = fault(record)
    if first is None or (target := name or next(iter(first.nodes), None)) is None:
        return None
    return _since(first.began, first_seen(record, _in_state(target, "down"), after=first.began))


def node_back_s(record: Record, name: str | None = None) -> float | None:
    """Until a surviving manager shows the node (the faulted one) as ready after it was healed."""
    first = fault(record)
    if first is None or first.heal_began is None:
        return None
    if (target := name or next(iter(first.nodes), None)) is None:
        return None
    left = first_seen(
        record,
        lambda s: (row := s.node(target)) is not None and row.state != "ready",
        after=first.began,
    )
    # A state left over from before the fault must not pass for a return.
    after = first.heal_began if left is not None else first.healed
    return _since(first.began, first_seen(record, _in_state(target, "ready"), after=after))


def replicas_restored_s(record: Record, wanted: int, service: str | None = None) -> float | None:
    """Until the wanted number of tasks run on nodes that are not the faulted one."""
    return _since(fault_at(record), first_restored(record, wanted, service))


def longest_gap_s(record: Record, node: str | None = None) -> float | None:
    """Length of `longest_gap`."""
    gap = longest_gap(record, node)
    return None if gap is None else round(gap.seconds, 3)


def failover_measurements(
    record: Record, *, wanted: int, service: str | None = None
) -> dict[str, float | int | dict[str, float] | None]:
    """The figures of one drill as they stand in results.json."""
    return {
        "leader_unreachable_s": leader_unreachable_s(record),
        "leader_elected_s": leader_elected_s(record),
        "node_down_s": node_down_s(record),
        "node_back_s": node_back_s(record),
        "replicas_restored_s": replicas_restored_s(record, wanted, service),
        "probes": len(requests(record)),
        "probe_errors": len(request_errors(record)),
        "longest_gap_s": longest_gap_s(record),
        "longest_gap_by_node_s": {
            name: round(gap.seconds, 3) for name, gap in longest_gap_by_node(record).items()
        },
    }


def _since(began: float | None, sample: NodesSample | TasksSample | None) -> float | None:
    return None if began is None or sample is None else round(sample.t - began, 3)


def _in_state(name: str, state: str) -> Callable[[NodesSample], bool]:
    def holds(sample: NodesSample) -> bool:
        row = sample.node(name)
        return row is not None and row.state == state

    return holds


def _held(name: str, t: float, by: Iterable[Fault]) -> bool:
    return any(name in f.nodes and f.on(t) for f in by)


# -- values of events: a record may be cut, old or forged, so nothing is taken on trust ---------


def _once(event: Event, read: Callable[[Event], T]) -> T:
    """What an event says, as typed values; kept with it, since every claim asks for it anew."""
    kept: T | None = vars(event).get(read.__name__)
    if kept is None:
        kept = vars(event)[read.__name__] = read(event)
    return kept


def _nodes_sample(event: Event) -> NodesSample:
    return NodesSample(
        event.t,
        _number(event.data.get("seconds")),
        _text(event.data.get("seen_from")),
        tuple(_node(row) for row in _rows(event.data.get("nodes"))),
        _error(event.data.get("error")),
    )


def _tasks_sample(event: Event) -> TasksSample:
    return TasksSample(
        event.t,
        _number(event.data.get("seconds")),
        _text(event.data.get("seen_from")),
        _text(event.data.get("service")),
        tuple(_task(row) for row in _rows(event.data.get("tasks"))),
        _error(event.data.get("error")),
    )


def _request(event: Event) -> Request:
    return Request(
        _number(event.data.get("sent"), event.t),
        _number(event.data.get("seconds")),
        _text(event.data.get("node")),
        _integer(event.data.get("status")),
        _error(event.data.get("error")),
        _text(event.data.get("url")),
        _integer(event.data.get("port")),
        _error(event.data.get("header")),
    )


def _node(row: Mapping[str, Any]) -> NodeSeen:
    get = row.get
    return NodeSeen(
        _text(get("id")),
        _text(get("name")),
        _text(get("role")),
        _text(get("availability")),
        _text(get("state")),
        _text(get("message")),
        _text(get("address")),
        get("leader") is True,
        _text(get("reachability")),
    )


def _task(row: Mapping[str, Any]) -> TaskSeen:
    get = row.get
    return TaskSeen(
        _text(get("id")),
        _integer(get("slot")),
        _text(get("node")),
        _text(get("state")),
        _text(get("desired")),
        _text(get("error")),
        _text(get("message")),
        _text(get("container")),
        _text(get("node_id")),
    )


def _rows(value: Any) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _pairs(value: Any) -> Iterable[tuple[str, int]]:
    for pair in value if isinstance(value, list | tuple) else ():
        if isinstance(pair, list | tuple) and len(pair) == 2:
            yield _text(pair[0]), _integer(pair[1]) or 0


def _names(value: Any) -> tuple[str, ...]:
    return tuple(_text(v) for v in value) if isinstance(value, list | tuple) else ()


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _error(value: Any) -> str | None:
    return None if value is None else str(value)


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any, default: float = 0.0) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return default
