"""What all pictures have in common: colours, measures, parts of lanes, how they become text.

Colours are Okabe and Ito's, told apart by colour-blind readers.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_swarmlab.evidence.readings import Span
from pytest_swarmlab.text import clock

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1b2733"
SOFT = "#6b7885"
GRID = "#e3e8ec"
PAPER = "#ffffff"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
ORANGE = "#E69F00"
GREEN = "#009E73"
DARK_GREEN = "#00664b"
BLIND_FILL = "#f7f8f9"
BLIND_HATCH = "#c3ccd4"

# Inches.
WIDTH = 10.4
# Fractions of the width.
LEFT, RIGHT = 0.105, 0.988
ROOM = WIDTH * (RIGHT - LEFT)
# Points.
WORD = 8.0
SMALL = 7.5


@contextmanager
def settings() -> Iterator[None]:
    """matplotlib's settings for one drawing: a name in a rare script must not end the run by a
    warning.
    """
    import matplotlib

    ours: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "swarmlab",
        "font.family": "DejaVu Sans",
        "font.size": 8.6,
        "text.color": INK,
        "text.parse_math": False,
        "axes.edgecolor": GRID,
        "axes.labelcolor": SOFT,
        "xtick.color": SOFT,
        "ytick.color": SOFT,
        "hatch.linewidth": 0.6,
    }
    with warnings.catch_warnings(), matplotlib.rc_context(ours):
        warnings.simplefilter("ignore")
        yield


def new_figure(height: float) -> Figure:
    """An empty figure of the page's width. `height`: inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), facecolor=PAPER)
    # What measures and draws its text: without one, sizes are unknown before it is saved.
    FigureCanvasAgg(figure)
    return figure


def svg(figure: Figure) -> str:
    """A drawing as self-contained SVG text: no script, no link."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    # Readers without our font get their own; all of the usual ones are narrower, so labels fit.
    style = (
        '<style>text{font-family:"DejaVu Sans","Segoe UI","Helvetica Neue",Arial,'
        "sans-serif !important}</style>"
    )
    head, _, body = text[text.index("<svg") :].partition(">")
    return f"{head}>{style}{body}"


def time_axis(axis: Axes, *, ticks: bool) -> None:
    """A bare panel over time, in minutes:seconds; `ticks`: whether they are written under it."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

    for spine in axis.spines.values():
        spine.set_visible(False)
    axis.tick_params(length=0, labelbottom=ticks, pad=5)
    axis.set_yticks([])
    left, right = axis.get_xlim()
    step = next((s for s in (1, 2, 5, 10, 20, 30, 60, 120, 300) if (right - left) / s <= 13), None)
    axis.xaxis.set_major_locator(MultipleLocator(step) if step else MaxNLocator(12))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: clock(x)))


def inches(text: str, size: float, *, bold: bool = False) -> float:
    """Width of a text as it will be drawn."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72


def row_name(axis: Axes, row: float, text: str, *, bold: bool = False, below: str = "") -> None:
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


def bar(
    axis: Axes,
    span: Span,
    row: float,
    *,
    fill: str,
    ink: str,
    words: Sequence[str],
    bold: bool = False,
    height: float = 0.56,
) -> None:
    """A stretch of a lane with the first of `words` that fits inside."""
    length = max(span.seconds, 0.05)
    if fill != "none":
        axis.barh(row, length, left=span.began, height=height, color=fill, linewidth=0, zorder=3)
    left, right = axis.get_xlim()
    room = span.seconds * ROOM / (right - left) - 0.1
    text = next((w for w in words if inches(w, WORD, bold=bold) < room), None)
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


def blind(axis: Axes, span: Span, row: float, height: float = 0.56) -> None:
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


def margin(
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


def legend(figure: Figure, handles: Sequence[Any], height: float) -> None:
    """What colours and marks mean, in a row at the bottom; `height`: the picture's, inches."""
    figure.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=((LEFT + RIGHT) / 2, 0.02 / height),
        ncols=max(1, len(handles)),
        frameon=False,
        fontsize=WORD,
        labelcolor=SOFT,
        handlelength=1.5,
        handletextpad=0.6,
        columnspacing=1.6,
    )
