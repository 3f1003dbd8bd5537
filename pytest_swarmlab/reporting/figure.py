"""Draws a timeline: who led, how each node stood, how many replicas ran, how clients fared.

One picture per drill, as a self-contained SVG (no script, no link) or PNG, legible in a column of
1000 pixels and in print. Colours are Okabe and Ito's, told apart by colour-blind readers; states
are written out as well.
"""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_swarmlab.evidence.readings import Fault, Span
from pytest_swarmlab.reporting import canvas
from pytest_swarmlab.reporting.canvas import (
    BLUE,
    DARK_GREEN,
    GREEN,
    GRID,
    INK,
    ORANGE,
    PAPER,
    SOFT,
    VERMILLION,
)
from pytest_swarmlab.reporting.timeline import FAULTS, Moment, NodeLane, ServiceLane, Timeline
from pytest_swarmlab.text import clock, duration, line

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
    "leaderless": "no leader · {s}",
    "leaderless_short": "no leader",
    "silent": "no leader known · {s}",
    "silent_short": "not known",
    "replicas": "replicas",
    "replicas_of": "running of {wanted}",
    "answers": "answered in",
    "failed": "failed",
    "axis": "minutes:seconds after the fault",
    "axis_calm": "minutes:seconds",
    "blind": "no manager can tell",
    "fault": "fault on",
    "request": "request answered",
    "request_failed": "request failed",
}

FAULT_TINT = "#fdf2ea"
BLIND_FILL = "#f7f8f9"
BLIND_HATCH = "#c3ccd4"
STATE_FILL = {"ready": "#cbe8dd", "unknown": "#f6d58c", "down": VERMILLION, "disconnected": ORANGE}
STATE_INK = {"ready": "#0b5c45", "unknown": "#6b4a00", "down": "#ffffff"}
MOMENT_INK = {
    "fault": VERMILLION,
    "down": VERMILLION,
    "leader": BLUE,
    "unreachable": "#8a5a00",
    "restored": DARK_GREEN,
    "back": DARK_GREEN,
    "healed": INK,
}
LOUD = frozenset({"fault", "leader"})

# Inches.
WIDTH = 10.4
LANE = 0.34
STRIP = 0.235
SERVICE = 0.6
CLIENTS = 1.35
HEAD = 0.66
FOOT = 0.72
BETWEEN = 0.12
# Fractions of the width.
LEFT, RIGHT = 0.105, 0.988
ROOM = WIDTH * (RIGHT - LEFT)
# Points.
FLAG = 8.6
WORD = 8.0
SMALL = 7.5


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
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    flags = [m for m in timeline.moments if m.label]
    # A little air, so that what happens at an edge can be seen.
    air = max(0.01 * (timeline.ended - timeline.began), 0.05)
    began, ended = timeline.began - air, timeline.ended + air
    inch = ROOM / (ended - began)
    reaches = _arrange([((flag.t - began) * inch, _flag_width(flag)) for flag in flags])
    levels = _levels(reaches)
    strip = STRIP * (max(levels, default=0) + 1) + 0.12
    parts = [("strip", strip), ("lanes", LANE * (len(timeline.nodes) + 1) + 0.1)]
    if timeline.service is not None:
        parts.append(("service", SERVICE))
    if timeline.dots:
        parts.append(("clients", CLIENTS))
    height = HEAD + FOOT + sum(tall + BETWEEN for _, tall in parts) - BETWEEN

    figure = Figure(figsize=(WIDTH, height), facecolor=PAPER)
    FigureCanvasAgg(figure)
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
    _flags(axes["strip"], flags, reaches, levels, strip)
    _node_lanes(axes["lanes"], timeline)
    if timeline.service is not None:
        _service(axes["service"], timeline.service)
    if "clients" in axes:
        _clients(axes["clients"], timeline)
    _legend(figure, timeline, height)
    return figure


def _inches(text: str, size: float, *, bold: bool = False) -> float:
    """Width of a text as it will be drawn."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72


def _heading(figure: Figure, timeline: Timeline, height: float) -> None:
    left = 0.012
    after = {m.kind: m for m in reversed(timeline.moments)}
    title = WORDS["title_calm"]
    if "fault" in after:
        title = after["fault"].label
        changed = after.get("leader")
        if changed is not None:
            name = next((s.value for s in timeline.leaders if s.began >= changed.t - 0.001), "")
            title = WORDS["title"].format(what=title, name=line(name, 24), s=duration(changed.t))
        elif ("unreachable" in after or "lost" in after) and not _leads_on(timeline, after):
            title = WORDS["title_no_leader"].format(what=title)
    figure.text(left, 1 - 0.26 / height, title, fontsize=13, fontweight="bold", color=INK)
    figure.text(left, 1 - 0.49 / height, _facts(timeline, after), fontsize=9, color=SOFT)
    phase = line(timeline.phase, 60).replace("/", " · ")
    figure.text(RIGHT, 1 - 0.49 / height, phase, fontsize=9, color=SOFT, ha="right")


def _leads_on(timeline: Timeline, after: Mapping[str, Moment]) -> bool:
    """Whether the fault left the leader alone: then a manager's late answer means no loss of it."""
    if not timeline.leaders:
        return False
    last, lost = timeline.leaders[-1], after.get("lost")
    held = {name for fault in timeline.faults for name in fault.nodes}
    return last.value not in held and (lost is None or last.ended > lost.t)


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
    from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

    for spine in axis.spines.values():
        spine.set_visible(False)
    axis.tick_params(length=0, labelbottom=ticks, pad=5)
    axis.set_yticks([])
    left, right = axis.get_xlim()
    step = next((s for s in (1, 2, 5, 10, 20, 30, 60, 120, 300) if (right - left) / s <= 13), None)
    axis.xaxis.set_major_locator(MultipleLocator(step) if step else MaxNLocator(12))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: clock(x)))
    if not shaded:
        return
    axis.grid(axis="x", color=GRID, linewidth=0.7, zorder=0)
    axis.set_axisbelow(True)
    for fault in timeline.faults:
        axis.axvspan(
            fault.began, _fault_end(fault, timeline), color=FAULT_TINT, linewidth=0, zorder=-5
        )
    for flag in flags:
        axis.axvline(
            flag.t, color=MOMENT_INK.get(flag.kind, SOFT), linewidth=0.8, alpha=0.7, zorder=6
        )
    if ticks:
        axis.set_xlabel(WORDS["axis" if timeline.faults else "axis_calm"], labelpad=3)


def _fault_end(fault: Fault, timeline: Timeline) -> float:
    return fault.heal_began if fault.heal_began is not None else timeline.ended


# -- flags: named moments above the lanes -------------------------------------------------------


@dataclass(frozen=True)
class _Reach:
    """Where a flag's pole stands and what its text covers, in inches from the left."""

    pole: float
    begin: float
    end: float

    def crosses(self, other: _Reach) -> bool:
        """Whether this text lies over the other's pole."""
        return self.begin < other.pole < self.end and other.pole != self.pole

    def touches(self, other: _Reach) -> bool:
        """Whether both texts collide on one level."""
        return self.begin < other.end + 0.1 and other.begin < self.end + 0.1


def _flag_text(moment: Moment) -> str:
    return f"{clock(moment.t, tenths=True)}  {line(moment.label, 48)}"


def _flag_width(moment: Moment) -> float:
    return _inches(_flag_text(moment), FLAG, bold=moment.kind in LOUD) + 0.14


def _arrange(poles: Sequence[tuple[float, float]]) -> list[_Reach]:
    """Where the flags' texts lie; `poles`: place and width of each, in inches, left to right.

    The first ones fly to the right of their poles and the rest to the left. They part where the
    fewest texts would cross each other's poles, then where the flags need the least height.
    """
    arranged = []
    for parting in range(len(poles), -1, -1):
        reaches = [
            _Reach(x, x, x + width) if index < parting else _Reach(x, x - width, x)
            for index, (x, width) in enumerate(poles)
        ]
        clashes = sum(a.crosses(b) and b.crosses(a) for a, b in itertools.combinations(reaches, 2))
        outside = sum(reach.end > ROOM + 0.05 or reach.begin < -LEFT * WIDTH for reach in reaches)
        height = max(_levels(reaches), default=0)
        arranged.append(((outside, clashes, height, len(poles) - parting), reaches))
    return min(arranged, key=lambda each: each[0])[1]


def _levels(reaches: Sequence[_Reach]) -> list[int]:
    """How high each flag flies: above every pole that its text would cross."""
    levels: dict[int, int] = {}
    waiting = list(reversed(range(len(reaches))))
    while waiting:
        free = (
            i for i in waiting if all(j == i or not reaches[i].crosses(reaches[j]) for j in waiting)
        )
        index = next(free, waiting[0])
        mine = reaches[index]
        level = max((levels[j] + 1 for j in levels if mine.crosses(reaches[j])), default=0)
        while any(levels[j] == level and mine.touches(reaches[j]) for j in levels):
            level += 1
        levels[index] = level
        waiting.remove(index)
    return [levels[i] for i in range(len(reaches))]


def _flags(
    axis: Axes,
    flags: Sequence[Moment],
    reaches: Sequence[_Reach],
    levels: Sequence[int],
    strip: float,
) -> None:
    axis.set_ylim(0, strip)
    for flag, reach, level in zip(flags, reaches, levels, strict=True):
        y = 0.08 + STRIP * level
        colour = MOMENT_INK.get(flag.kind, SOFT)
        axis.plot([flag.t, flag.t], [0, y + 0.17], color=colour, linewidth=0.9, clip_on=False)
        leftwards = reach.end <= reach.pole
        axis.annotate(
            _flag_text(flag),
            (flag.t, y + 0.08),
            xytext=(-5 if leftwards else 5, 0),
            textcoords="offset points",
            ha="right" if leftwards else "left",
            va="center",
            fontsize=FLAG,
            fontweight="bold" if flag.kind in LOUD else "normal",
            color=colour,
            annotation_clip=False,
        )


# -- lanes --------------------------------------------------------------------------------------


def _node_lanes(axis: Axes, timeline: Timeline) -> None:
    rows = len(timeline.nodes) + 1
    axis.set_ylim(rows - 0.42, -0.6)
    _row_name(axis, 0, WORDS["leader"], bold=True)
    ends = {span.ended: span.value for span in timeline.leaders if span.value}
    begins = {span.began: span.value for span in timeline.leaders if span.value}

    def around(span: Span) -> bool:
        return ends.get(span.began) == begins.get(span.ended)

    for span in timeline.leaders:
        if span.value:
            _bar(axis, span, 0, fill=BLUE, ink=PAPER, words=(line(span.value, 24),), bold=True)
        else:
            # The same leader before and after: nobody could say, and it may have won an election.
            key = "silent" if around(span) else "leaderless"
            words = (WORDS[key].format(s=duration(span.seconds)), WORDS[f"{key}_short"])
            _blind(axis, span, 0)
            _bar(axis, span, 0, fill="none", ink=VERMILLION, words=words, bold=True)
    for row, lane in enumerate(timeline.nodes, 1):
        _node_lane(axis, row, lane, timeline)


def _node_lane(axis: Axes, row: int, lane: NodeLane, timeline: Timeline) -> None:
    kinds = dict.fromkeys(FAULTS.get(f.kind, line(f.kind, 16)) for f in lane.faults)
    _row_name(axis, row, line(lane.name, 13), below=", ".join(kinds))
    for span in lane.states:
        if not span.value:
            _blind(axis, span, row)
            continue
        fill = STATE_FILL.get(span.value, "#dfe5ea")
        ink = STATE_INK.get(span.value, INK)
        _bar(axis, span, row, fill=fill, ink=ink, words=(line(span.value, 20),))
    for span in lane.leads:
        axis.barh(row + 0.33, span.seconds, left=span.began, height=0.1, color=BLUE, zorder=4)
    for fault in lane.faults:
        length = _fault_end(fault, timeline) - fault.began
        axis.barh(row - 0.34, length, left=fault.began, height=0.12, color=INK, zorder=4)


def _row_name(axis: Axes, row: float, text: str, *, bold: bool = False, below: str = "") -> None:
    """A lane's name in the margin, with a small line under it."""
    lines = [(text, 4 if below else 0, 9.0, INK), (below, -6, SMALL - 0.3, VERMILLION)]
    for shown, up, size, colour in lines:
        axis.annotate(
            shown,
            (0, row),
            xycoords=("axes fraction", "data"),
            xytext=(-8, up),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=size,
            fontweight="bold" if bold else "normal",
            color=colour,
            annotation_clip=False,
        )


def _bar(
    axis: Axes,
    span: Span,
    row: float,
    *,
    fill: str,
    ink: str,
    words: Sequence[str],
    bold: bool = False,
) -> None:
    """A stretch of a lane with the first of `words` that fits inside."""
    length = max(span.seconds, 0.05)
    if fill != "none":
        axis.barh(row, length, left=span.began, height=0.56, color=fill, linewidth=0, zorder=3)
    left, right = axis.get_xlim()
    room = span.seconds * ROOM / (right - left) - 0.1
    text = next((w for w in words if _inches(w, WORD, bold=bold) < room), None)
    if not text:
        return
    axis.text(
        (span.began + span.ended) / 2,
        row,
        text,
        ha="center",
        va="center_baseline",
        fontsize=WORD,
        color=ink,
        fontweight="bold" if bold else "normal",
        zorder=7,
        bbox={"facecolor": BLIND_FILL if fill == "none" else fill, "edgecolor": "none", "pad": 1.2},
    )


def _blind(axis: Axes, span: Span, row: float, height: float = 0.56) -> None:
    """A stretch for which no manager gave an answer."""
    axis.barh(
        row,
        span.seconds,
        left=span.began,
        height=height,
        facecolor=BLIND_FILL,
        edgecolor=BLIND_HATCH,
        hatch="////",
        linewidth=0,
        zorder=5 if height > 1 else 3,
    )


def _service(axis: Axes, lane: ServiceLane) -> None:
    top = max(lane.wanted, *lane.running, 1) * 1.2
    axis.set_ylim(0, top)
    axis.axhline(lane.wanted, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=2)
    axis.fill_between(
        lane.times, lane.running, step="post", color=STATE_FILL["ready"], linewidth=0, zorder=3
    )
    axis.step(lane.times, lane.running, where="post", color=GREEN, linewidth=1.8, zorder=4)
    for span in lane.blind:
        # Only the upper part: the service itself may well be running under it.
        _blind(axis, span, top / 2, top)
    _side(axis, WORDS["replicas"], WORDS["replicas_of"].format(wanted=lane.wanted))
    changes = [0] + [
        i for i in range(1, len(lane.running)) if lane.running[i] != lane.running[i - 1]
    ]
    left, right = axis.get_xlim()
    free = left
    for index in changes:
        t, count = lane.times[index], lane.running[index]
        blind = next((s for s in lane.blind if s.began - 0.5 <= t < s.ended), None)
        at = max(t, blind.ended if blind and blind.began - t < 1.5 else t)
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


# -- clients ------------------------------------------------------------------------------------

FAILED_AT = 0.89
"""Height of the row of failed requests, as a fraction of the panel."""

ANSWERS = 0.76
"""Part of the panel, from below, that the answers have."""

NOTABLE_S = 0.5
"""A stretch without an answer that is worth a mark."""

ANSWERS_AT = 0.64
"""Height of their name."""


def _clients(axis: Axes, timeline: Timeline) -> None:
    from matplotlib.ticker import NullLocator

    good = [dot for dot in timeline.dots if dot.ok]
    bad = [dot for dot in timeline.dots if not dot.ok]
    slowest = max((dot.seconds for dot in good), default=0.1) * 1000
    fastest = min((dot.seconds for dot in good), default=0.001) * 1000
    low, high = max(0.1, min(2.0, fastest * 0.8)), max(slowest * 1.3, 150.0)
    axis.set_yscale("log")
    axis.set_ylim(low, low * (high / low) ** (1 / ANSWERS))
    axis.yaxis.set_major_locator(NullLocator())
    axis.yaxis.set_minor_locator(NullLocator())
    ticks = [tick for tick in (1, 10, 100, 1000, 10_000) if low * 1.3 <= tick <= high]
    for tick in ticks:
        axis.axhline(tick, color=GRID, linewidth=0.7, zorder=0)
        text = f"{tick} ms" if tick < 1000 else f"{tick // 1000} s"
        at = ANSWERS * math.log(tick / low) / math.log(high / low)
        if abs(at - ANSWERS_AT) > 0.1:  # else the row's name stands there
            _margin(axis, text, "axes fraction", at, size=SMALL)
    axis.axhspan(
        low * (high / low) ** ((ANSWERS + 0.02) / ANSWERS),
        axis.get_ylim()[1],
        color="#f4f6f8",
        linewidth=0,
        zorder=-4,
    )
    if timeline.gap is not None and timeline.gap.seconds > max(NOTABLE_S, 0.003 * _length(axis)):
        _gap(axis, timeline.gap)
    # Thousands of dots as vectors would make the report heavy: they become one small image.
    axis.scatter(
        [dot.t for dot in good],
        [dot.seconds * 1000 for dot in good],
        s=4.5,
        color=BLUE,
        alpha=0.5,
        linewidths=0,
        rasterized=True,
        zorder=4,
    )
    axis.scatter(
        [dot.t for dot in bad],
        [FAILED_AT] * len(bad),
        transform=axis.get_xaxis_transform(),
        s=30,
        marker="X",
        color=VERMILLION,
        edgecolors=PAPER,
        linewidths=0.6,
        zorder=8,
        rasterized=len(bad) > 500,
    )
    name = f"{WORDS['failed']}  {len(bad)}"
    colour = VERMILLION if bad else SOFT
    _margin(axis, name, "axes fraction", FAILED_AT, size=9.0, colour=colour)
    # Where no tick's own label stands.
    taken = [math.log(tick / low) / math.log(high / low) * 0.76 for tick in ticks]
    free = [y for y in (0.66, 0.58, 0.5, 0.42) if all(abs(y - t) > 0.09 for t in taken)]
    _margin(
        axis, WORDS["answers"], "axes fraction", free[0] if free else 0.66, size=9.0, colour=INK
    )


def _length(axis: Axes) -> float:
    left, right = axis.get_xlim()
    return float(right - left)


def _gap(axis: Axes, gap: Span) -> None:
    """The longest stretch without an answer, named."""
    axis.axvspan(gap.began, gap.ended, 0, 0.78, color=VERMILLION, alpha=0.16, linewidth=0, zorder=1)
    right = axis.get_xlim()[1]
    text = WORDS["gap"].format(s=duration(gap.seconds))
    fits = (right - gap.ended) * ROOM / _length(axis) > _inches(text, WORD) + 0.15
    axis.annotate(
        text,
        (gap.ended if fits else gap.began, 0.68),
        xycoords=("data", "axes fraction"),
        xytext=(4 if fits else -4, 0),
        textcoords="offset points",
        ha="left" if fits else "right",
        va="center",
        fontsize=WORD,
        color="#a34700",
        zorder=9,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.8, "alpha": 0.8},
    )


def _margin(
    axis: Axes,
    text: str,
    coords: Any,
    y: float,
    *,
    size: float,
    colour: str = SOFT,
    down: float = 0,
) -> None:
    """A text in the margin on the left."""
    axis.annotate(
        text,
        (0, y),
        xycoords=coords,
        xytext=(-8, -down),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=size,
        color=colour,
        annotation_clip=False,
    )


def _side(axis: Axes, name: str, below: str) -> None:
    _margin(axis, name, "axes fraction", 0.62, size=9.0, colour=INK)
    _margin(axis, below, "axes fraction", 0.62, size=SMALL, down=12)


# -- legend -------------------------------------------------------------------------------------


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
    figure.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=((LEFT + RIGHT) / 2, 0.02 / height),
        ncols=len(handles),
        frameon=False,
        fontsize=WORD,
        labelcolor=SOFT,
        handlelength=1.5,
        handletextpad=0.6,
        columnspacing=1.6,
    )
