"""Lanes of a timeline: who led, each node's state, the replicas that ran."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_swarmlab.evidence.events import kind_of_fault
from pytest_swarmlab.evidence.readings import Fault, Span
from pytest_swarmlab.reporting.pictures.canvas import (
    BLUE,
    DARK_GREEN,
    GREEN,
    INK,
    ORANGE,
    PAPER,
    SMALL,
    SOFT,
    VERMILLION,
    bar,
    blind,
    margin,
    row_name,
)
from pytest_swarmlab.reporting.timeline import NodeLane, ServiceLane, Timeline
from pytest_swarmlab.text import duration, line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WORDS = {
    "leader": "leader",
    "leaderless": "no leader · {s}",
    "leaderless_short": "no leader",
    "silent": "no leader known · {s}",
    "silent_short": "not known",
    "replicas": "replicas",
    "replicas_of": "running of {wanted}",
}
STATE_FILL = {"ready": "#cbe8dd", "unknown": "#f6d58c", "down": VERMILLION, "disconnected": ORANGE}
STATE_INK = {"ready": "#0b5c45", "unknown": "#6b4a00", "down": "#ffffff"}


def node_lanes(axis: Axes, timeline: Timeline) -> None:
    """The leader's lane, and one for each node."""
    rows = len(timeline.nodes) + 1
    axis.set_ylim(rows - 0.42, -0.6)
    row_name(axis, 0, WORDS["leader"], bold=True)
    ends = {span.ended: span.value for span in timeline.leaders if span.value}
    begins = {span.began: span.value for span in timeline.leaders if span.value}

    def around(span: Span) -> bool:
        return ends.get(span.began) == begins.get(span.ended)

    for span in timeline.leaders:
        if span.value:
            bar(axis, span, 0, fill=BLUE, ink=PAPER, words=(line(span.value, 24),), bold=True)
        else:
            # The same leader before and after: nobody could say, and it may have won an election.
            key = "silent" if around(span) else "leaderless"
            words = (WORDS[key].format(s=duration(span.seconds)), WORDS[f"{key}_short"])
            blind(axis, span, 0)
            bar(axis, span, 0, fill="none", ink=VERMILLION, words=words, bold=True)
    for row, lane in enumerate(timeline.nodes, 1):
        _node_lane(axis, row, lane, timeline)


def _node_lane(axis: Axes, row: int, lane: NodeLane, timeline: Timeline) -> None:
    kinds = dict.fromkeys(line(kind_of_fault(f.kind).flag, 16) for f in lane.faults)
    row_name(axis, row, line(lane.name, 13), below=", ".join(kinds))
    for span in lane.states:
        if not span.value:
            blind(axis, span, row)
            continue
        fill = STATE_FILL.get(span.value, "#dfe5ea")
        ink = STATE_INK.get(span.value, INK)
        bar(axis, span, row, fill=fill, ink=ink, words=(line(span.value, 20),))
    for span in lane.leads:
        axis.barh(row + 0.33, span.seconds, left=span.began, height=0.1, color=BLUE, zorder=4)
    for fault in lane.faults:
        length = fault_end(fault, timeline) - fault.began
        axis.barh(row - 0.34, length, left=fault.began, height=0.12, color=INK, zorder=4)


def service_lane(axis: Axes, lane: ServiceLane) -> None:
    """Running and wanted replicas."""
    top = max(lane.wanted, *lane.running, 1) * 1.2
    axis.set_ylim(0, top)
    axis.axhline(lane.wanted, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=2)
    axis.fill_between(
        lane.times, lane.running, step="post", color=STATE_FILL["ready"], linewidth=0, zorder=3
    )
    axis.step(lane.times, lane.running, where="post", color=GREEN, linewidth=1.8, zorder=4)
    for span in lane.blind:
        # Only the upper part: the service itself may well be running under it.
        blind(axis, span, top / 2, top)
    _side(axis, WORDS["replicas"], WORDS["replicas_of"].format(wanted=lane.wanted))
    changes = [0] + [
        i for i in range(1, len(lane.running)) if lane.running[i] != lane.running[i - 1]
    ]
    left, right = axis.get_xlim()
    free = left
    for index in changes:
        t, count = lane.times[index], lane.running[index]
        unseen = next((s for s in lane.blind if s.began - 0.5 <= t < s.ended), None)
        at = max(t, unseen.ended if unseen and unseen.began - t < 1.5 else t)
        ends = min((s.began for s in lane.blind if s.began > at), default=right)
        if at < free or at > right or ends - at < 0.025 * (right - left):
            continue
        free = at + (right - left) * 0.03
        axis.annotate(
            str(count),
            (at, count),
            xytext=(6, -4),
            textcoords="offset points",
            va="top",
            fontsize=9,
            fontweight="bold",
            color=DARK_GREEN if count >= lane.wanted else VERMILLION,
            zorder=7,
        )


def fault_end(fault: Fault, timeline: Timeline) -> float:
    """When its mending began; the timeline's end if that was not seen."""
    return fault.heal_began if fault.heal_began is not None else timeline.ended


def _side(axis: Axes, name: str, below: str) -> None:
    margin(axis, name, "axes fraction", 0.62, size=9.0, colour=INK)
    margin(axis, below, "axes fraction", 0.62, size=SMALL, down=12)
