"""Draws repeated measurements: a strip per figure, a dot per repetition over what was predicted."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_swarmlab.reporting.pictures import canvas
from pytest_swarmlab.reporting.pictures.canvas import (
    BLUE,
    GREEN,
    GRID,
    INK,
    SOFT,
    VERMILLION,
)
from pytest_swarmlab.text import line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STRIP = 0.95
FRAME = 0.35
UNSEEN = "nothing was measured"


def svg(measures: Mapping[str, Sequence[str]], measured: Mapping[str, Any]) -> str:
    """The picture as SVG text.

    `measures`: measurement → its heading, and the name of the one that predicts it. `measured`:
    the phase's measurements, as in results.json; what is no number is left out.
    """
    with canvas.settings():
        return canvas.svg(_draw(measures, measured))


def _draw(measures: Mapping[str, Sequence[str]], measured: Mapping[str, Any]) -> Figure:
    height = FRAME + STRIP * len(measures)
    figure = canvas.new_figure(height)
    panels = figure.subplots(len(measures), 1, squeeze=False)[:, 0]
    figure.subplots_adjust(0.02, 0.3 / height, 0.985, 1 - 0.3 / height, hspace=1.1)
    for axis, (name, (heading, prediction)) in zip(panels, measures.items(), strict=True):
        values = list(_numbers(measured.get(name)).values())
        _strip(axis, line(heading, 90), values, _numbers(measured.get(prediction)))
    return figure


def _strip(axis: Axes, heading: str, values: list[float], bounds: Mapping[str, float]) -> None:
    low, high = bounds.get("from"), bounds.get("to")
    if low is not None and high is not None:
        axis.axvspan(low, high, color=GREEN, alpha=0.16, lw=0)
        heading += f"; predicted {low:.1f} to {high:.1f}"
    inside = [low is None or high is None or low <= value <= high for value in values]
    colours = [BLUE if each else VERMILLION for each in inside]
    axis.scatter(values, [0.0] * len(values), s=46, color=colours, alpha=0.75, zorder=3)
    told = UNSEEN
    if values:
        middle = statistics.median(values)
        axis.plot([middle, middle], [-0.55, 0.55], color=INK, lw=1.4, zorder=4)
        told = f"{min(values):.2f} to {max(values):.2f}, median {middle:.2f} ({len(values)} times)"
    axis.set_title(f"{heading}; measured {told}", fontsize=9, color=INK, loc="left")
    axis.set_xlim(0, 1.08 * max([*values, high or 0.0, 1.0]))
    axis.set_ylim(-1, 1)
    axis.set_yticks([])
    axis.grid(axis="x", color=GRID, lw=0.6)
    for side in ("left", "right", "top"):
        axis.spines[side].set_visible(False)
    axis.tick_params(length=0, labelcolor=SOFT, labelsize=8)


def _numbers(value: Any) -> dict[str, float]:
    found = value.items() if isinstance(value, Mapping) else ()
    return {
        str(name): float(each)
        for name, each in found
        if isinstance(each, int | float) and not isinstance(each, bool)
    }
