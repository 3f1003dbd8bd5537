"""Who leads, as surviving managers see it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from pytest_swarmlab.evidence.events import NodeSeen
from pytest_swarmlab.evidence.readings.nodes import BLIND_AFTER_S, Span, node_samples
from pytest_swarmlab.evidence.record import Record


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


def leader_before(record: Record, t: float) -> str | None:
    """Name of the last leader seen before that moment."""
    led = leading_before(record, t)
    return led.name if led else None


def leading_before(record: Record, t: float) -> NodeSeen | None:
    """The row of the last leader seen before that moment."""
    seen = [s.leading for s in node_samples(record) if s.t <= t and s.leading]
    return seen[-1] if seen else None


def leader_changes(record: Record) -> list[LeaderChange]:
    """Each leader as it is first seen; the first entry is the leader at the start.

    A leader is another one when its id is. A late answer to a question that was sent before a known
    change does not count as a change back.
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


def leader_spans(record: Record) -> list[Span]:
    """Who led from when to when, as surviving managers saw it.

    A span ends with the last sample that shows the leader. Between two spans, and where more than
    `BLIND_AFTER_S` pass without a sample that names the leader, the value is "": no manager
    could name one. Between two spans of one name that node may have won another election.
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
            if t - spans[-1].ended > BLIND_AFTER_S:
                spans += [Span(spans[-1].ended, t, ""), Span(t, t, change.name)]
            else:
                spans[-1] = replace(spans[-1], ended=t)
    return spans
