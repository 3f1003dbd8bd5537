"""Words that a cluster, a file or another program may say, and records in which it says them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import strategies as st

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Event

EVIL = "<b id=evil>'\"&{{7*7}}[bold]\\"
"""What would do something in a page, a template or rich's markup."""

ODD = (
    EVIL, "\x1b[2J\x1b]0;title\x07", "\u202egnp.exe", "\x00", "\ud800", "\u2028", "\r\n", "", " ",
    "]]>", "--", "nan", "-1", "9" * 400, "1e999", "2026-13-45T99:99:99Z", "x" * 1_000_000, "%s%n",
    "$(id)", "../../etc/passwd", "null", "\ufeff", "\u0301" * 50, "\N{GRINNING FACE}",
)  # fmt: skip

WORDS = st.sampled_from(ODD[:10]) | st.text(st.characters(), max_size=40)
"""Surrogates, bidirectional marks and control characters among them."""

SAID = st.sampled_from(ODD) | st.text(st.characters(), max_size=60)
"""The same, with large ones, and such as look like something else."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)

OURS = ("run.", "exercise.", "check", "phase.", "stage.", "fault.", "cluster.wanted", "measured")
"""Kinds of events in which nothing stands but our own words."""


def saying(record: Record, word: str, random: Random) -> Record:
    """The record as if the cluster had said that word here and there, beside or instead of its own.

    What we say ourselves stays as it is.
    """
    return Record(tuple(_event(event, word, random) for event in record))


def _event(event: Event, word: str, random: Random) -> Event:
    if event.kind.startswith(OURS):
        return event
    return replace(event, data=_said(event.data, word, random))


def _said(value: Any, word: str, random: Random) -> Any:
    change: Callable[[str], str] = random.choice((lambda _: word, lambda own: own + word))
    if isinstance(value, str):
        return change(value) if random.random() < 0.15 else value
    if isinstance(value, Mapping):
        return {key: _said(each, word, random) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_said(each, word, random) for each in value]
    return value
