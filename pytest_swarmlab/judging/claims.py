"""The vocabulary of claims: the observations that a claim needs before it may pass.

A judge describes what it saw and collects what is wrong and what is missing; `judged` turns that
into a verdict. `never` is for an outcome that did not come, and `not_awaited` tells whether the
drill waited for it to the end. Every other function returns the missing observations, in words with
the moment; an empty list means that nothing is missing. Moments are seconds since the run began, as
`t` in events.jsonl.

Clients: `not_asked`, `not_written`. Observers: `not_sampled`. Single looks: `not_each`,
`not_while`, `out_of_order`. Which cluster: `nodes_of`, `members_of`, `another_cluster`,
`on_no_node`. Faults: `not_the_leader`, `not_away`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import ClusterReady, MachineSeen, Ping, Waited, each, need
from pytest_swarmlab.evidence.readings import Fault, NodesSample, Request, TasksSample
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.exercise import failed, passed, unknown
from pytest_swarmlab.model import Judgement, Membership

PAUSE_S = 1.0
"""Longest pause of a client at one node, or of an observer at one manager, that is no gap, seconds.
The probe asks each of five nodes four times a second and calls a request late that is sent a second
after it was due; the observer asks each manager five times a second.
"""


IN_VAIN = {"timeout", "fatal"}
"""How a wait ends whose condition was not met, in time or at all."""


@dataclass(frozen=True)
class Window:
    """The stretch of a run that a claim is about: from before the cause until after the outcome."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.ended - self.began

    def __contains__(self, t: float) -> bool:
        return self.began <= t <= self.ended

    def meets(self, began: float, ended: float) -> bool:
        """Whether what went on from then till then did so within it, at least in part."""
        return ended >= self.began and began <= self.ended

    def __str__(self) -> str:
        if math.isinf(self.ended):
            return f"from second {self.began:.1f} of the run on"
        return f"from second {self.began:.1f} to {self.ended:.1f} of the run"


class Sample(Protocol):
    """What a manager answered: a `NodesSample` or a `TasksSample`."""

    @property
    def seen_from(self) -> str:
        """The manager."""

    @property
    def asked(self) -> float:
        """When the question was sent."""


class Tried(Protocol):
    """An `Entry` or a `Request`, which lasts until it is acknowledged or given up."""

    @property
    def sent(self) -> float:
        """When it began."""

    @property
    def over(self) -> float:
        """When it was over."""


Moment = tuple[str, float | None]
"""An expected observation, in words, and its moment; None if it is missing."""


def judged(
    seen: str,
    *,
    holds: bool = True,
    wrong: Iterable[str] = (),
    missing: Iterable[str] = (),
    early: Iterable[str] = (),
) -> Judgement:
    """Turn what was seen, in words, into a verdict.

    Failed if the claim does not hold or anything is wrong: what was seen to be wrong stays wrong,
    however little was seen. Otherwise unknown if anything is missing, and passed if nothing is.

    `early`: what is missing before the look that `holds` is about, or that look itself. What comes
    too early shows nothing: the claim need not hold yet, and is unknown.
    """
    bad, lacks, too_early = list(wrong), list(missing), list(early)
    if bad or not (holds or too_early):
        return failed("; ".join([seen, *bad]))
    lacks = [*too_early, *lacks]
    return unknown("; ".join([seen, *lacks])) if lacks else passed(seen)


def never(seen: str, missing: Iterable[str] = ()) -> Judgement:
    """The outcome was not seen: failed; unknown if it may have come in a gap (`missing`)."""
    return judged(seen, missing=lacks) if (lacks := list(missing)) else failed(seen)


def not_awaited(record: Record, since: float) -> list[str]:
    """Whether no wait of the drill was in vain after that moment.

    Then nobody knows whether an outcome that was not seen would have come: the run was killed, its
    worker died, or the lab failed.
    """
    waits = each(record, Waited)
    if any(wait.t >= since and wait.outcome in IN_VAIN for wait in waits):
        return []
    return [f"no wait for it was in vain after second {since:.1f} of the run: it may have come yet"]


# -- clients and observers ----------------------------------------------------------------------


def pauses(moments: Iterable[float], window: Window, longest: float) -> list[Window]:
    """The stretches of more than `longest` seconds of the window without any of these moments.

    A window without any moment is one pause, however short it is.
    """
    within = sorted(t for t in moments if t in window)
    if not within:
        return [window]
    marks = [window.began, *within, window.ended]
    return [Window(a, b) for a, b in pairwise(marks) if b - a > longest]


def not_asked(
    requests: Sequence[Request],
    *,
    through: Iterable[str],
    window: Window,
    pause: float = PAUSE_S,
    rate: float = 0.0,
) -> list[str]:
    """The nodes through which clients paused for more than `pause` seconds within the window.

    `rate`: requests a second, over all nodes, that the window needs.
    """
    nodes = sorted(set(through))
    if not nodes:
        return ["there is no node to send requests through"]
    lacks = []
    for node in nodes:
        sent = (request.sent for request in requests if request.node == node)
        lacks += _longest(f"nobody asked through {node}", pauses(sent, window, pause))
    within = [request for request in requests if request.sent in window]
    if rate and len(within) < rate * window.seconds:
        found = len(within) / window.seconds
        lacks.append(f"only {found:.1f} requests a second were sent {window}")
    return lacks


def not_sampled(
    samples: Iterable[Sample], *, by: Iterable[str], window: Window, pause: float = PAUSE_S
) -> list[str]:
    """The managers whose samples have a gap of more than `pause` seconds within the window."""
    managers, known = sorted(set(by)), list(samples)
    if not managers:
        return ["there is no manager to ask"]
    lacks = []
    for manager in managers:
        asked = (sample.asked for sample in known if sample.seen_from == manager)
        lacks += _longest(f"nobody asked {manager}", pauses(asked, window, pause))
    return lacks


def not_written(entries: Iterable[Tried], *, window: Window, pause: float) -> list[str]:
    """The stretches of more than `pause` seconds of the window without a write under way.

    A write that waits for its acknowledgement is under way until that comes.
    """
    busy = sorted(
        (entry.sent, entry.over) for entry in entries if window.meets(entry.sent, entry.over)
    )
    if not busy:
        return _longest("nothing was written", [window])
    idle, since = [], window.began
    for sent, over in busy:
        if sent - since > pause:
            idle.append(Window(since, sent))
        since = max(since, over)
    if window.ended - since > pause:
        idle.append(Window(since, window.ended))
    return _longest("nothing was written", idle)


def _longest(what: str, found: list[Window]) -> list[str]:
    return [f"{what} {max(found, key=lambda each: each.seconds)}"] if found else []


# -- single looks -------------------------------------------------------------------------------


def not_each(seen: Iterable[str], wanted: Iterable[str], what: str) -> list[str]:
    """The `wanted` that are not in `seen`; `what`: the missing action, such as "asked"."""
    wanted = set(wanted)
    if not wanted:
        return [f"nobody {what} anything"]
    left = sorted(wanted - set(seen))
    return [f"nobody {what} {', '.join(left)}"] if left else []


def not_while(moments: Iterable[float], window: Window, what: str) -> list[str]:
    """Whether an action (`what`, such as "tried a change") happened within it."""
    return [] if any(t in window for t in moments) else [f"nobody {what} {window}"]


def out_of_order(*moments: Moment) -> list[str]:
    """The moments that are missing, or not later than the moment before them."""
    unseen = [f"nobody saw {what}" for what, t in moments if t is None]
    known = [(what, t) for what, t in moments if t is not None]
    return unseen + [
        f"{what} (second {t:.1f} of the run) does not follow {before} (second {earlier:.1f})"
        for (before, earlier), (what, t) in pairwise(known)
        if t <= earlier
    ]


# -- which cluster ------------------------------------------------------------------------------


def nodes_of(record: Record) -> list[str]:
    """Every machine of the cluster that the phase ran on. Raises Unseen if none are listed."""
    return [node.name for node in _machines(record)]


def members_of(record: Record) -> list[str]:
    """The machines that started in the swarm. Raises Unseen if none are listed."""
    return [node.name for node in _machines(record) if node.membership != Membership.OUTSIDE]


def _machines(record: Record) -> list[MachineSeen]:
    ready = need(record, ClusterReady, "the cluster's nodes were not recorded")
    nodes = [node for node in ready.nodes if node.name]
    if not nodes:
        raise Unseen("the cluster's nodes were not recorded")
    return nodes


def another_cluster(samples: Iterable[NodesSample]) -> list[str]:
    """Node lists that share no node, by id, with the first: they are of another cluster."""
    lists = [sample for sample in samples if sample.nodes]
    if not lists:
        return ["no manager listed the nodes"]
    known = {node.identity for node in lists[0].nodes}
    other = [s for s in lists if known.isdisjoint(node.identity for node in s.nodes)]
    return [
        f"{sample.seen_from}'s list of second {sample.t:.1f} is of another cluster"
        for sample in other[:1]
    ]


def on_no_node(tasks: Iterable[TasksSample], lists: Iterable[NodesSample]) -> list[str]:
    """Tasks on a node that no list has, by id: they are of another cluster."""
    known = {node.id for sample in lists for node in sample.nodes}
    return [
        f"the task {task.id} of second {sample.t:.1f} runs on a node that nobody listed"
        for sample in tasks
        for task in sample.tasks
        if task.running and task.node_id not in known
    ][:1]


# -- what was broken ----------------------------------------------------------------------------


def not_the_leader(record: Record, fault: Fault, *, within: float = PAUSE_S) -> list[str]:
    """Whether the fault held the leader, by the last node list before it, not older than that."""
    named = [s for s in readings.node_samples(record) if s.leading and s.t <= fault.began]
    if not named or fault.began - named[-1].t > within:
        return [f"nobody saw who led in the {within:.0f} s before the fault"]
    leading = named[-1].leading
    if leading is None or leading.name not in fault.nodes:
        return [f"{named[-1].leader} led, and the fault hit {', '.join(fault.nodes)}"]
    return []


def not_away(record: Record, fault: Fault, *, until: float) -> list[str]:
    """The fault's nodes that were not seen to be away while it was on, or were seen at work.

    Away: before the fault is healed, a manager that it does not hold lists the node as down or
    unreachable, or the node's engine gives no answer (`ping`). At work, up to `until`: its engine
    answers while the fault is on, or a manager lists it as ready and reachable after it was away.
    """
    on = Window(fault.began, math.inf if fault.heal_began is None else fault.heal_began)
    lacks = []
    for node in fault.nodes:
        pings = each(record, Ping, node=node)
        rows = [
            (sample, row)
            for sample in readings.node_samples(record)
            if (row := sample.node(node)) is not None
        ]
        gone = [e.t for e in pings if not e.answers] + [
            sample.t
            for sample, row in rows
            if row.state == "down" or row.reachability == "unreachable"
        ]
        first = min((t for t in gone if t in on), default=None)
        if first is None:
            lacks.append(f"nobody saw that {node} was gone {on}")
            continue
        there = [e.t for e in pings if e.answers and e.t > fault.injected] + [
            sample.asked
            for sample, row in rows
            if sample.asked > first
            and (row.state, row.reachability) in {("ready", "reachable"), ("ready", "")}
        ]
        if again := [t for t in there if t < min(until, on.ended)]:
            lacks.append(f"{node} was seen at work in second {min(again):.1f} of the run")
    return lacks
