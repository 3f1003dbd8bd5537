"""Draws a timeline: who led, each node's state, the replicas that ran, the clients' requests.

One picture per drill, as a self-contained SVG (no script, no link) or PNG, legible in a column of
1000 pixels and in print. Colours are Okabe and Ito's, told apart by colour-blind readers; states
are written out as well.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_swarmlab.reporting.pictures import canvas
from pytest_swarmlab.reporting.pictures.canvas import (
    BLIND_FILL,
    BLIND_HATCH,
    BLUE,
    GRID,
    INK,
    LEFT,
    RIGHT,
    ROOM,
    SOFT,
    VERMILLION,
)
from pytest_swarmlab.reporting.pictures.clients import client_panel
from pytest_swarmlab.reporting.pictures.flags import (
    MOMENT_INK,
    STRIP,
    arrange,
    draw_flags,
    flag_width,
    levels_of,
)
from pytest_swarmlab.reporting.pictures.lanes import STATE_FILL, fault_end, node_lanes, service_lane
from pytest_swarmlab.reporting.timeline import Moment, Timeline, is_leaderless, new_leader
from pytest_swarmlab.text import duration, line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WORDS = {
    "title": "{what} \N{EN DASH} {name} leads {s} later",
    "title_no_leader": "{what} \N{EN DASH} no new leader was seen",
    "title_calm": "What the cluster and its clients saw",
    "down": "node down after {s}",
    "restored": "replicas back after {s}",
    "clients": "{errors} of {count} requests failed",
    "gap": "longest gap {s}",
    "leader": "leader",
    "axis": "minutes:seconds after the fault",
    "axis_calm": "minutes:seconds",
    "blind": "no manager can tell",
    "fault": "fault on",
    "request": "request answered",
    "request_failed": "request failed",
}

FAULT_TINT = "#fdf2ea"

# Inches.
LANE = 0.34
SERVICE = 0.6
CLIENTS = 1.35
HEAD = 0.66
FOOT = 0.72
BETWEEN = 0.12


def svg(timeline: Timeline) -> str:
    """The picture as SVG text."""
    with canvas.settings():
        return canvas.svg(_draw(timeline))


def png(timeline: Timeline, *, dpi: int = 160) -> bytes:
    """The picture as PNG, for pages that take no SVG."""
    stream = io.BytesIO()
    with canvas.settings():
        _draw(timeline).savefig(stream, format="png", dpi=dpi, metadata={"Software": None})
    return stream.getvalue()


def _draw(timeline: Timeline) -> Figure:
    flags = [m for m in timeline.moments if m.label]
    # A little air, so that what happens at an edge can be seen.
    air = max(0.01 * (timeline.ended - timeline.began), 0.05)
    began, ended = timeline.began - air, timeline.ended + air
    inch = ROOM / (ended - began)
    reaches = arrange([((flag.t - began) * inch, flag_width(flag)) for flag in flags])
    levels = levels_of(reaches)
    strip = STRIP * (max(levels, default=0) + 1) + 0.12
    parts = [("strip", strip), ("lanes", LANE * (len(timeline.nodes) + 1) + 0.1)]
    if timeline.service is not None:
        parts.append(("service", SERVICE))
    if timeline.dots:
        parts.append(("clients", CLIENTS))
    height = HEAD + FOOT + sum(tall + BETWEEN for _, tall in parts) - BETWEEN

    figure = canvas.new_figure(height)
    top = height - HEAD
    axes: dict[str, Axes] = {}
    for name, tall in parts:
        place = (LEFT, (top - tall) / height, RIGHT - LEFT, tall / height)
        axes[name] = figure.add_axes(place)
        axes[name].set_xlim(began, ended)
        top -= tall + (0.0 if name == "strip" else BETWEEN)

    _heading(figure, timeline, height)
    for name, axis in axes.items():
        _frame(axis, timeline, flags, ticks=name == parts[-1][0], shaded=name != "strip")
    draw_flags(axes["strip"], flags, reaches, levels, strip)
    node_lanes(axes["lanes"], timeline)
    if timeline.service is not None:
        service_lane(axes["service"], timeline.service)
    if "clients" in axes:
        client_panel(axes["clients"], timeline)
    _legend(figure, timeline, height)
    return figure


def _heading(figure: Figure, timeline: Timeline, height: float) -> None:
    left = 0.012
    after = {m.kind: m for m in reversed(timeline.moments)}
    title = WORDS["title_calm"]
    if "fault" in after:
        title = after["fault"].label
        elected = new_leader(timeline)
        if elected is not None:
            name, after_s = elected
            title = WORDS["title"].format(what=title, name=name, s=duration(after_s))
        elif is_leaderless(timeline):
            title = WORDS["title_no_leader"].format(what=title)
    figure.text(left, 1 - 0.26 / height, title, fontsize=13, fontweight="bold", color=INK)
    figure.text(left, 1 - 0.49 / height, _facts(timeline, after), fontsize=9, color=SOFT)
    phase = line(timeline.phase, 60).replace("/", " · ")
    figure.text(RIGHT, 1 - 0.49 / height, phase, fontsize=9, color=SOFT, ha="right")


def _facts(timeline: Timeline, after: Mapping[str, Moment]) -> str:
    facts = [
        WORDS[key].format(s=duration(after[key].t)) for key in ("down", "restored") if key in after
    ]
    if timeline.dots:
        errors = sum(not dot.ok for dot in timeline.dots)
        count = f"{len(timeline.dots):,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
        facts.append(WORDS["clients"].format(errors=errors, count=count))
    if timeline.gap is not None:
        facts.append(WORDS["gap"].format(s=duration(timeline.gap.seconds)))
    return "  ·  ".join(facts)


def _frame(
    axis: Axes, timeline: Timeline, flags: Sequence[Moment], *, ticks: bool, shaded: bool
) -> None:
    canvas.time_axis(axis, ticks=ticks)
    if not shaded:
        return
    axis.grid(axis="x", color=GRID, linewidth=0.7, zorder=0)
    axis.set_axisbelow(True)
    for fault in timeline.faults:
        axis.axvspan(
            fault.began, fault_end(fault, timeline), color=FAULT_TINT, linewidth=0, zorder=-5
        )
    for flag in flags:
        axis.axvline(
            flag.t, color=MOMENT_INK.get(flag.kind, SOFT), linewidth=0.8, alpha=0.7, zorder=6
        )
    if ticks:
        axis.set_xlabel(WORDS["axis" if timeline.faults else "axis_calm"], labelpad=3)


def _legend(figure: Figure, timeline: Timeline, height: float) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    shown = dict.fromkeys(s.value for lane in timeline.nodes for s in lane.states if s.value)
    handles: list[Any] = [Line2D([], [], color=BLUE, linewidth=4, label=WORDS["leader"])]
    handles += [
        Patch(facecolor=STATE_FILL.get(state, "#dfe5ea"), label=line(state, 20)) for state in shown
    ]
    blind = any(not s.value for lane in timeline.nodes for s in lane.states)
    if blind:
        handles.append(
            Patch(facecolor=BLIND_FILL, edgecolor=BLIND_HATCH, hatch="////", label=WORDS["blind"])
        )
    if timeline.faults:
        handles.append(Line2D([], [], color=INK, linewidth=2.5, label=WORDS["fault"]))
    if timeline.dots:
        dots: dict[str, Any] = {"linestyle": "none", "markeredgecolor": "none"}
        handles.append(
            Line2D([], [], marker="o", markersize=4, color=BLUE, label=WORDS["request"], **dots)
        )
        handles.append(
            Line2D(
                [],
                [],
                marker="X",
                markersize=6,
                color=VERMILLION,
                label=WORDS["request_failed"],
                **dots,
            )
        )
    canvas.legend(figure, handles, height)
