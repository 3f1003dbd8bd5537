"""The nodes, by id, as surviving managers list them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from pytest_swarmlab.evidence.events import NodesSample, each
from pytest_swarmlab.evidence.readings.broken import faults, held_by
from pytest_swarmlab.evidence.record import Record

BLIND_AFTER_S = 1.0
"""Seconds without an answer from which nothing is known; managers are asked 5 × a second."""


@dataclass(frozen=True)
class Span:
    """`value` held from `began` to `ended`; `value` is "" while it is unknown."""

    began: float
    ended: float
    value: str

    @property
    def seconds(self) -> float:
        """Its duration in seconds."""
        return self.ended - self.began


def node_samples(record: Record, *, surviving: bool = True) -> list[NodesSample]:
    """Every sampled node list, errors included, oldest first.

    `surviving` leaves out the answers of a node while a fault holds it: that node may be wrong.
    """
    held = faults(record) if surviving else []
    return [
        sample
        for sample in each(record, NodesSample)
        if not held_by(sample.seen_from, sample.t, held)
    ]


def first_seen(
    record: Record, predicate: Callable[[NodesSample], bool], *, after: float | None = None
) -> NodesSample | None:
    """The first answer for which `predicate` holds, of those requested at `after` or later."""
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


def identities_of(record: Record, name: str) -> frozenset[str]:
    """Every id that is first listed under a node's name.

    Later a manager may list this node under another name, and another node under this one.
    """
    first: dict[str, str] = {}
    for sample in node_samples(record, surviving=False):
        for row in sample.nodes:
            first.setdefault(row.identity, row.name)
    return frozenset(id_ for id_, known_as in first.items() if known_as == name)


def node_state_at(record: Record, name: str, t: float) -> str | None:
    """The node's state ("ready", "unknown", "down" …) in the last answer known at `t`."""
    state, meant = None, identities_of(record, name)
    for sample in node_samples(record):
        if sample.t > t:
            break
        row = sample.one_of(meant)
        state = row.state if row else state
    return state


def node_spans(record: Record, name: str, attribute: str = "state") -> list[Span]:
    """The values of one column of a node ("state", "reachability") over time.

    A stretch of more than `BLIND_AFTER_S` without any answer is a span of its own with the
    value "": the managers could not tell, and the value before is not carried over it.
    """
    meant = identities_of(record, name)
    seen = [
        (sample.t, str(getattr(row, attribute)))
        for sample in node_samples(record)
        if sample.error is None and (row := sample.one_of(meant)) is not None
    ]
    spans: list[Span] = []
    for t, value in seen:
        if not spans:
            spans.append(Span(t, t, value))
        elif t - spans[-1].ended > BLIND_AFTER_S:
            spans += [Span(spans[-1].ended, t, ""), Span(t, t, value)]
        else:
            spans[-1] = replace(spans[-1], ended=t)
            if value != spans[-1].value:
                spans.append(Span(t, t, value))
    return spans


def in_state(meant: Collection[str], state: str) -> Callable[[NodesSample], bool]:
    """Whether a list shows the node of one of these ids in that state."""

    def holds(sample: NodesSample) -> bool:
        row = sample.one_of(meant)
        return row is not None and row.state == state

    return holds
