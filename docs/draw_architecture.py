"""Draws docs/pictures/architecture.svg: the package's parts and who imports whom.

.venv/bin/python docs/draw_architecture.py       # make architecture
"""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from pathlib import Path

import grimp
import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Arc

ROOT = Path(__file__).parents[1]
PACKAGE = "pytest_swarmlab"
NOUNS = ("config", "model", "errors")
INK, SOFT, ARC = "#222222", "#666666", "#d55e00"
PICTURE = ROOT / "docs" / "pictures" / "architecture.svg"


def parts() -> list[str]:
    """The package's parts, from those that know most to those that know nothing."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (layers,) = (
        contract["layers"]
        for contract in project["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    )
    return [part.strip() for layer in layers for part in layer.split("|")]


def lines(part: str) -> int:
    """Lines of Python in a part: a module, or a package with all its modules."""
    path = ROOT / PACKAGE / part
    files = path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)


def imports() -> Counter[tuple[str, str]]:
    """(importing part, imported part) → how many modules of one import how many of the other."""
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)
    found: Counter[tuple[str, str]] = Counter()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            ends = [[*name.split("."), ""][1] for name in (module, imported)]
            if all(ends) and ends[0] != ends[1]:
                found[ends[0], ends[1]] += 1
    return found


def meaning(part: str) -> str:
    """The first line of a part's docstring."""
    path = ROOT / PACKAGE / part
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].rstrip(".")


def draw(order: list[str], used: Counter[tuple[str, str]]) -> Figure:
    """A line for each part: name, meaning, lines of code, and an arc to each part it imports."""
    figure = Figure(figsize=(11, 0.3 * len(order) + 0.5))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, 36)
    axes.set_ylim(-len(order), 1.2)
    axes.axis("off")
    place = {part: -number for number, part in enumerate(order)}
    for part, y in place.items():
        axes.text(3.3, y, part, ha="right", va="center", fontsize=10, weight="bold", color=INK)
        axes.text(3.7, y, meaning(part), va="center", fontsize=8, color=INK)
        axes.text(24.4, y, f"{lines(part):,}", ha="right", va="center", fontsize=8, color=SOFT)
    axes.text(24.4, 0.8, "lines", ha="right", fontsize=8, color=SOFT)
    axes.text(25.0, 0.8, f"imports, but of {', '.join(NOUNS)}", fontsize=8, color=SOFT)
    for (importer, imported), count in used.items():
        if imported in NOUNS:
            continue
        top, bottom = place[importer], place[imported]
        span = top - bottom
        axes.add_patch(
            Arc(
                (24.9, (top + bottom) / 2), 1.3 * span + 1, span, theta1=-90, theta2=90,
                color=ARC, alpha=0.6, linewidth=0.5 + count / 6,
            )
        )  # fmt: skip
    return figure


if __name__ == "__main__":
    mpl.rcParams |= {"svg.hashsalt": PACKAGE, "svg.fonttype": "none"}
    PICTURE.parent.mkdir(exist_ok=True)
    picture = draw(parts(), imports())
    FigureCanvasSVG(picture).print_svg(PICTURE, metadata={"Date": None})
