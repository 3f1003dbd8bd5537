"""Draws the measurements of several phases side by side: a panel per figure, a bar per phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_swarmlab.reporting.pictures import canvas
from pytest_swarmlab.reporting.pictures.canvas import BLUE, INK, SOFT
from pytest_swarmlab.text import line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BAR = 0.3
FRAME = 0.75
UNSEEN = "–"


def svg(
    phases: Sequence[str], measures: Mapping[str, str], measured: Mapping[str, Mapping[str, Any]]
) -> str:
    """The picture as SVG text.

    `measures`: measurement → its heading. `measured`: phase → measurements, as in results.json;
    what is missing there, or is no number, is drawn as a dash.
    """
    with canvas.settings():
        return canvas.svg(_draw(phases, measures, measured))


def _draw(
    phases: Sequence[str], measures: Mapping[str, str], measured: Mapping[str, Mapping[str, Any]]
) -> Figure:
    height = FRAME + BAR * len(phases)
    figure = canvas.new_figure(height)
    panels = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    figure.subplots_adjust(0.11, 0.06, 0.985, 1 - 0.45 / height, wspace=0.28)
    places = range(len(phases))
    for axis, (name, heading) in zip(panels, measures.items(), strict=True):
        values = [_number(measured.get(phase, {}).get(name)) for phase in phases]
        axis.barh(places, [value or 0.0 for value in values], height=0.62, color=BLUE, alpha=0.85)
        axis.set_title(line(heading, 60), fontsize=9, color=INK, loc="left")
        # Room for the number behind the longest bar.
        axis.set_xlim(0, 1.35 * (max((v or 0.0 for v in values), default=0.0) or 1.0))
        for place, value in zip(places, values, strict=True):
            text = UNSEEN if value is None else f"{value:.3g}"
            axis.text(value or 0.0, place, f" {text}", va="center", color=INK)
        for spine in axis.spines.values():
            spine.set_visible(False)
        axis.tick_params(length=0, labelbottom=False, labelcolor=SOFT, labelsize=9)
    panels[0].set_yticks(list(places), [line(phase, 24) for phase in phases])
    # The first phase on top, as in the tables.
    panels[0].invert_yaxis()
    return figure


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
