"""Draws where a run's own time went: for each worker what it did, and below what that time held."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pytest_swarmlab.evidence.readings import Span
from pytest_swarmlab.evidence.time_spent import Block, Doing, Wait, WorkerTime
from pytest_swarmlab.reporting.pictures import canvas
from pytest_swarmlab.reporting.pictures.canvas import (
    BLUE,
    GRID,
    INK,
    LEFT,
    ORANGE,
    PAPER,
    RIGHT,
    SOFT,
    VERMILLION,
    WIDTH,
    WORD,
    bar,
    blind,
    row_name,
    time_axis,
)
from pytest_swarmlab.text import line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WORDS = {
    Doing.SET_UP: "set-up",
    Doing.DRILL: "drill",
    Doing.TEST: "test, outside of drills",
    Doing.TIDY_UP: "tidying up",
    Doing.BETWEEN: "nothing of this run's",
}
FILL = {
    Doing.SET_UP: "#bcd9ec",
    Doing.DRILL: "#cbe8dd",
    Doing.TEST: "#e3e8ec",
    Doing.TIDY_UP: "#f6d58c",
}
OUTSIDE = frozenset({Doing.BEFORE, Doing.BETWEEN, Doing.AFTER})
WAITS, FAULTS, COMMANDS = BLUE, VERMILLION, "#9aa7b2"
UNMET = ORANGE
SPENT = {
    "waiting": WAITS,
    "waited in vain": UNMET,
    "breaking, mending": FAULTS,
    "commands": COMMANDS,
}
DOES, HOLDS = "does", "with"

# Inches.
ROW = 0.36
BETWEEN = 0.16
HEAD = 0.12
FOOT = 0.74

NARROWEST = 0.0008
"""Part of the width below which a stretch can't be seen: it is left out."""


def svg(workers: Sequence[WorkerTime]) -> str:
    """The picture as SVG text."""
    with canvas.settings():
        return canvas.svg(_draw(workers))


def png(workers: Sequence[WorkerTime], *, dpi: int = 160) -> bytes:
    """The picture as PNG, for pages that take no SVG."""
    stream = io.BytesIO()
    with canvas.settings():
        _draw(workers).savefig(stream, format="png", dpi=dpi, metadata={"Software": None})
    return stream.getvalue()


def _draw(workers: Sequence[WorkerTime]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    ended = max((b.ended for worker in workers for b in worker.blocks), default=0.0) or 1.0
    tall = 2 * ROW
    height = HEAD + FOOT + len(workers) * (tall + BETWEEN) - BETWEEN
    figure = Figure(figsize=(WIDTH, height), facecolor=PAPER)
    FigureCanvasAgg(figure)
    top = height - HEAD
    for worker in workers:
        place = (LEFT, (top - tall) / height, RIGHT - LEFT, tall / height)
        axis = figure.add_axes(place)
        axis.set_xlim(0.0, ended)
        axis.set_ylim(1.5, -0.5)
        time_axis(axis, ticks=worker is workers[-1])
        axis.grid(axis="x", color=GRID, linewidth=0.7, zorder=0)
        axis.set_axisbelow(True)
        _worker(axis, worker, ended * NARROWEST)
        top -= tall + BETWEEN
    axis.set_xlabel("minutes:seconds since the run began", labelpad=3)
    _legend(figure, workers, height)
    return figure


def _worker(axis: Axes, worker: WorkerTime, narrowest: float) -> None:
    row_name(axis, 0, line(worker.worker, 13) or DOES, bold=True)
    row_name(axis, 1, HOLDS)
    for block in worker.blocks:
        if block.seconds < narrowest:
            continue
        if block.doing in OUTSIDE:
            blind(axis, _span(block), 0, 0.74)
            continue
        short = block.name.partition("/")[2] if block.doing is Doing.DRILL else ""
        words = [line(word, 60) for word in (_name(block), short) if word]
        bar(axis, _span(block), 0, fill=FILL[block.doing], ink=INK, words=words, height=0.74)
    _stretches(axis, worker.commands, COMMANDS, narrowest, zorder=1)
    _stretches(axis, worker.faults, FAULTS, narrowest, zorder=2)
    for wait in sorted(worker.waits, key=lambda w: w.outcome != "done"):
        if wait.seconds >= narrowest:
            _wait(axis, wait)


def _name(block: Block) -> str:
    """What stands in a block: of a test only its function, which says the most."""
    return block.name.rpartition("::")[2]


def _wait(axis: Axes, wait: Wait) -> None:
    fill = WAITS if wait.outcome == "done" else UNMET
    span = Span(wait.began, wait.ended, wait.condition)
    bar(axis, span, 1, fill=fill, ink=PAPER, words=[line(wait.condition, 80)])


def _stretches(
    axis: Axes,
    spans: Iterable[tuple[float, float]],
    colour: str,
    narrowest: float,
    *,
    zorder: int,
) -> None:
    for began, ended in spans:
        if ended - began >= narrowest:
            axis.barh(
                1, ended - began, left=began, height=0.56, color=colour, linewidth=0, zorder=zorder
            )


def _span(block: Block) -> Span:
    return Span(block.began, block.ended, block.name)


def _legend(figure: Figure, workers: Sequence[WorkerTime], height: float) -> None:
    from matplotlib.patches import Patch

    shown = {block.doing for worker in workers for block in worker.blocks}
    handles: list[Any] = [
        Patch(facecolor=fill, label=WORDS[doing]) for doing, fill in FILL.items() if doing in shown
    ]
    if shown & OUTSIDE:
        handles.append(
            Patch(
                facecolor=canvas.BLIND_FILL,
                edgecolor=canvas.BLIND_HATCH,
                hatch="////",
                label=WORDS[Doing.BETWEEN],
            )
        )
    unmet = any(wait.outcome != "done" for worker in workers for wait in worker.waits)
    handles += [
        Patch(facecolor=colour, label=name)
        for name, colour in SPENT.items()
        if colour != UNMET or unmet
    ]
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
