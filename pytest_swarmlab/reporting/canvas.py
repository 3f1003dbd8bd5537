"""What all pictures have in common: colours, font, and how they become text.

Colours are Okabe and Ito's, told apart by colour-blind readers.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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


@contextmanager
def settings() -> Iterator[None]:
    """Our settings for one drawing; a name in a rare script must not end the run by a warning."""
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
