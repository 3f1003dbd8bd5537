"""Draws where a run's own time went: what each worker did, and below what that time contained."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pytest_swarmlab.evidence.readings import Span
from pytest_swarmlab.evidence.time_spent import Awaited, Block, Doing, Wait, WorkerTime
from pytest_swarmlab.reporting.pictures import canvas
from pytest_swarmlab.reporting.pictures.canvas import (
    BLUE,
    GRID,
    INK,
    LEFT,
    ORANGE,
    PAPER,
    RIGHT,
    VERMILLION,
    bar,
    blind,
    row_name,
    time_axis,
)
from pytest_swarmlab.text import duration, line

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
SPENT = {
    "waiting": BLUE,
    "waited in vain": ORANGE,
    "breaking, mending": VERMILLION,
    "commands": "#7d8b98",
}
ROWS = ("step", "spent on")

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
    ended = max((b.ended for worker in workers for b in worker.blocks), default=0.0) or 1.0
    tall = 2 * ROW
    height = HEAD + FOOT + len(workers) * (tall + BETWEEN) - BETWEEN
    figure = canvas.new_figure(height)
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
    row_name(axis, 0, line(worker.worker, 13) or ROWS[0], bold=True)
    row_name(axis, 1, ROWS[1])
    for block in worker.blocks:
        if block.seconds < narrowest:
            continue
        if block.doing in OUTSIDE:
            blind(axis, _span(block), 0, 0.74)
            continue
        # Of a test only its function, which says the most; of a drill at least its own name.
        name = line(block.name.rpartition("::")[2], 60)
        words = [f"{name} · {duration(block.seconds)}", name, name.rpartition("/")[2]]
        bar(axis, _span(block), 0, fill=FILL[block.doing], ink=INK, words=words, height=0.74)
        _part(axis, block.ended, 0)
    for wait in worker.waits:
        if wait.seconds >= narrowest:
            _wait(axis, wait)


def _part(axis: Axes, t: float, row: int) -> None:
    """Keep what ends there apart from what follows."""
    axis.plot([t, t], [row - 0.4, row + 0.4], color=PAPER, linewidth=0.8, zorder=6)


def _wait(axis: Axes, wait: Wait) -> None:
    name = line(wait.condition, 80)
    words = [f"{name} · {duration(wait.seconds)}", name, f"{name[:22]}…", f"{name[:10]}…"]
    span = Span(wait.began, wait.ended, wait.condition)
    bar(axis, span, 1, fill=SPENT[_spent(wait)], ink=PAPER, words=words)
    _part(axis, wait.ended, 1)


def _spent(wait: Wait) -> str:
    """Under which name the picture shows it."""
    if wait.outcome != "done":
        return "waited in vain"
    return {Awaited.FAULT: "breaking, mending", Awaited.COMMAND: "commands"}.get(
        wait.kind, "waiting"
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
    spent = {_spent(wait) for worker in workers for wait in worker.waits}
    handles += [Patch(facecolor=SPENT[name], label=name) for name in SPENT if name in spent]
    canvas.legend(figure, handles, height)
