"""What the documentation points at is there."""

from __future__ import annotations

import ast
import html
import re
import shlex
from collections import Counter
from pathlib import Path

import pytest

from docs import draw_architecture
from pytest_swarmlab import cli
from pytest_swarmlab.plugin import LAB_EXERCISES

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("stacks/*/README.md")],
)
PLACES = ("", "pytest_swarmlab", "tests", "docs", "tests/exercises", "stacks/monitoring")
"""Where a path of CONTRIBUTING begins."""


def anchors(page: Path) -> set[str]:
    """The names by which its headings are linked to, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#{1,6} +(.+)$", text, flags=re.MULTILINE)
    found: Counter[str] = Counter()
    names = set()
    for heading in headings:
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")
        names.add(f"{name}-{found[name]}" if found[name] else name)
        found[name] += 1
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    lost = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


def blocks(page: Path, *languages: str) -> list[str]:
    """The page's blocks of code in these languages."""
    pattern = rf"^```(?:{'|'.join(languages)})\n(.*?)^```"
    text = page.read_text(encoding="utf-8")
    return re.findall(pattern, text, flags=re.DOTALL | re.MULTILINE)


def commands() -> list[tuple[str, str]]:
    """Every `swarmlab` command that a page shows in a block of its own, with the page's name."""
    return [
        (page.name, line.removeprefix("$ ").partition(" || ")[0])
        for page in PAGES
        for line in "\n".join(blocks(page, "console", "sh")).splitlines()
        if re.match(r"(\$ )?swarmlab ", line)
    ]


@pytest.mark.parametrize(("page", "line"), commands())
def test_a_command_is_understood_as_it_is_printed(page: str, line: str) -> None:
    del page
    _, *words = shlex.split(line, comments=True)
    own = words[: words.index("--")] if "--" in words else words
    parser, _ = cli._parser()
    assert parser.parse_args(own).command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_is_python(page: Path) -> None:
    for block in blocks(page, "python"):
        ast.parse(block)


def test_where_to_change_something_there_is_something() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("## Where do I change")[2].partition("\n## ")[0]
    paths = re.findall(r"`([\w./<>*]+(?:/|\.\w+))`", table)
    assert len(paths) > 30
    lost = []
    for path in paths:
        # `verify.py` alone is one of every exercise.
        pattern = re.sub("<[a-z]+>", "*", path if "/" in path else f"**/{path}")
        if not any(list((ROOT / place).glob(pattern.rstrip("/"))) for place in PLACES):
            lost.append(path)
    assert lost == []


def test_each_exercise_is_run_by_make_and_is_in_the_readme() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^EXERCISES := (.*)$", makefile, flags=re.MULTILINE)
    assert targets
    assert set(targets[1].split()) == set(LAB_EXERCISES)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| (\d+\.\d+) \|", readme, flags=re.MULTILINE)) == set(
        LAB_EXERCISES.values()
    )


def test_the_picture_of_the_architecture_has_today_s_parts() -> None:
    picture = draw_architecture.PICTURE.read_text(encoding="utf-8")
    told = [html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", picture)]
    for part in draw_architecture.parts():
        assert part in told, "run `make architecture`"
        assert draw_architecture.meaning(part) in told, "run `make architecture`"
