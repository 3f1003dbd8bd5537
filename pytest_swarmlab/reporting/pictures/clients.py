"""The panel of a timeline in which every request of the clients is a dot."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_swarmlab.evidence.readings import Span
from pytest_swarmlab.reporting.pictures.canvas import (
    BLUE,
    GRID,
    INK,
    PAPER,
    ROOM,
    SMALL,
    SOFT,
    VERMILLION,
    WORD,
    inches,
    margin,
)
from pytest_swarmlab.reporting.timeline import Timeline
from pytest_swarmlab.text import duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WORDS = {"answers": "answered in", "failed": "failed", "gap": "longest gap {s}"}
FAILED_AT = 0.89
"""Height of the row of failed requests, as a fraction of the panel."""

ANSWERS = 0.76
"""Part of the panel, from below, that the answers have."""

NOTABLE_S = 0.5
"""A stretch without an answer that is worth a mark."""

ANSWERS_AT = 0.64
"""Height of their name."""


def client_panel(axis: Axes, timeline: Timeline) -> None:
    """Answers by how long they took, failures in a row above."""
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
            margin(axis, text, "axes fraction", at, size=SMALL)
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
    margin(axis, name, "axes fraction", FAILED_AT, size=9.0, colour=colour)
    # Where no tick's own label stands.
    taken = [math.log(tick / low) / math.log(high / low) * 0.76 for tick in ticks]
    free = [y for y in (0.66, 0.58, 0.5, 0.42) if all(abs(y - t) > 0.09 for t in taken)]
    margin(axis, WORDS["answers"], "axes fraction", free[0] if free else 0.66, size=9.0, colour=INK)


def _gap(axis: Axes, gap: Span) -> None:
    """The longest stretch without an answer, named."""
    axis.axvspan(gap.began, gap.ended, 0, 0.78, color=VERMILLION, alpha=0.16, linewidth=0, zorder=1)
    right = axis.get_xlim()[1]
    text = WORDS["gap"].format(s=duration(gap.seconds))
    fits = (right - gap.ended) * ROOM / _length(axis) > inches(text, WORD) + 0.15
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


def _length(axis: Axes) -> float:
    left, right = axis.get_xlim()
    return float(right - left)
