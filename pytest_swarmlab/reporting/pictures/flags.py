"""Flags: the named moments of a timeline, above its lanes. None covers another, nor its pole."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_swarmlab.reporting.pictures.canvas import (
    BLUE,
    DARK_GREEN,
    INK,
    LEFT,
    ROOM,
    SOFT,
    VERMILLION,
    WIDTH,
    inches,
)
from pytest_swarmlab.reporting.timeline import Moment
from pytest_swarmlab.text import clock, line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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

STRIP = 0.235
"""Height of one level, inches."""

FLAG = 8.6
"""Points."""


@dataclass(frozen=True)
class Reach:
    """Where a flag's pole stands and what its text covers, in inches from the left."""

    pole: float
    begin: float
    end: float

    def crosses(self, other: Reach) -> bool:
        """Whether this text lies over the other's pole."""
        return self.begin < other.pole < self.end and other.pole != self.pole

    def touches(self, other: Reach) -> bool:
        """Whether both texts collide on one level."""
        return self.begin < other.end + 0.1 and other.begin < self.end + 0.1


def _flag_text(moment: Moment) -> str:
    return f"{clock(moment.t, tenths=True)}  {line(moment.label, 48)}"


def flag_width(moment: Moment) -> float:
    """Inches that its text takes."""
    return inches(_flag_text(moment), FLAG, bold=moment.kind in LOUD) + 0.14


def arrange(poles: Sequence[tuple[float, float]]) -> list[Reach]:
    """Where the flags' texts lie; `poles`: place and width of each, in inches, left to right.

    The first ones fly to the right of their poles and the rest to the left. They part where the
    fewest texts would cross each other's poles, then where the flags need the least height.
    """
    arranged = []
    for parting in range(len(poles), -1, -1):
        reaches = [
            Reach(x, x, x + width) if index < parting else Reach(x, x - width, x)
            for index, (x, width) in enumerate(poles)
        ]
        clashes = sum(a.crosses(b) and b.crosses(a) for a, b in itertools.combinations(reaches, 2))
        outside = sum(reach.end > ROOM + 0.05 or reach.begin < -LEFT * WIDTH for reach in reaches)
        height = max(levels_of(reaches), default=0)
        arranged.append(((outside, clashes, height, len(poles) - parting), reaches))
    return min(arranged, key=lambda each: each[0])[1]


def levels_of(reaches: Sequence[Reach]) -> list[int]:
    """The height of each flag: above every pole that its text would cross."""
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


def draw_flags(
    axis: Axes,
    flags: Sequence[Moment],
    reaches: Sequence[Reach],
    levels: Sequence[int],
    strip: float,
) -> None:
    """Draw them in a strip of that height, in inches."""
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
