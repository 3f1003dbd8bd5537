"""Draws a dashboard: its panels two in a row, each with its curves over the run's own time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from pytest_swarmlab.evidence.events import Curve
from pytest_swarmlab.reporting.pictures import canvas
from pytest_swarmlab.reporting.pictures.canvas import (
    BLUE,
    DARK_GREEN,
    GREEN,
    GRID,
    INK,
    ORANGE,
    SOFT,
    VERMILLION,
)
from pytest_swarmlab.text import clock, line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 2
ROW = 1.75
GAP = 0.3
COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, INK, "#CC79A7", "#56B4E9", DARK_GREEN)
"""One a line; a ninth begins again."""
NAMED = 8
"""Lines whose names are told; of more the others are counted."""

SCALES = {"percentunit": (100.0, " %"), "Bps": (1e-3, " kB/s"), "bytes": (1e-6, " MB")}
"""Unit of Grafana → what a value is multiplied by, and what stands after it."""
WORDS = {"s": " s", "d": " d", "h": " h", "reqps": "/s", "ops": "/s"}


def svg(curves: Sequence[Curve]) -> str:
    """The picture of one dashboard as SVG text; a panel's curves follow each other."""
    with canvas.settings():
        return canvas.svg(_draw(curves))


def _draw(curves: Sequence[Curve]) -> Figure:
    panels = [list(found) for _, found in groupby(curves, lambda curve: curve.panel)]
    rows = -(-len(panels) // COLUMNS)
    height = ROW * rows + GAP
    figure = canvas.new_figure(height)
    places = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
    figure.subplots_adjust(0.055, GAP / height, 0.985, 1 - 0.3 / height, wspace=0.13, hspace=0.62)
    seconds = [second for curve in curves for second in curve.seconds]
    began, ended = min(seconds, default=0.0), max(seconds, default=1.0)
    for axis, panel in zip(places, panels, strict=False):
        _panel(axis, panel, began, ended)
    for axis in places[len(panels) :]:
        axis.set_axis_off()
    return figure


def _panel(axis: Axes, curves: Sequence[Curve], began: float, ended: float) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    unit = curves[0].unit
    factor, after = SCALES.get(unit, (1.0, WORDS.get(unit, "")))
    for place, curve in enumerate(curves):
        axis.plot(
            curve.seconds,
            [value * factor for value in curve.values],
            color=COLOURS[place % len(COLOURS)],
            linewidth=1.1,
            label=line(curve.name, 24) if place < NAMED and curve.name else "_",
        )
    axis.set_title(line(curves[0].panel, 60), fontsize=9, color=INK, loc="left")
    axis.set_xlim(began, max(ended, began + 1))
    low, high = axis.get_ylim()
    # What is counted or shared out begins at nothing.
    axis.set_ylim(min(0.0, low), high if high > 0 else 1.0)
    axis.grid(axis="y", color=GRID, lw=0.6)
    for side in ("left", "right", "top"):
        axis.spines[side].set_visible(False)
    axis.tick_params(length=0, labelcolor=SOFT, labelsize=7.5)
    axis.xaxis.set_major_locator(MaxNLocator(6))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: clock(x)))
    axis.yaxis.set_major_locator(MaxNLocator(4))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}{after}"))
    if not any(curve.name for curve in curves):
        return
    more = len(curves) - NAMED
    axis.legend(
        loc="upper left",
        bbox_to_anchor=(-0.01, 1.04),
        ncols=4,
        fontsize=6.5,
        labelcolor=SOFT,
        frameon=False,
        handlelength=1.0,
        columnspacing=0.9,
        title=f"and {more} more" if more > 0 else None,
        title_fontsize=6.5,
    )
