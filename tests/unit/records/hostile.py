"""Words that a cluster, a file or another program may say, and records in which it says them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import strategies as st

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.evidence.record import Record

EVIL = "<b id=evil>'\"&{{7*8191}}[bold]\\"
"""What would do something in a page, a template or rich's markup."""

ODD = (
    EVIL, "\x1b[2J\x1b]0;title\x07", "\u202egnp.exe", "\x00", "\ud800", "\u2028", "\r\n", "", " ",
    "]]>", "--", "nan", "-1", "9" * 400, "1e999", "2026-13-45T99:99:99Z", "x" * 20_000, "%s%n",
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


MOST = 25
"""Events of a record in which something else is said: what fuzzes is to be quick."""


def saying(record: Record, word: str, seed: int) -> Record:
    """The record as if the cluster had said that word here and there, beside or instead of its own.

    `seed`: where that is.
    What we say ourselves stays as it is.
    """
    random = Random(seed)  # noqa: S311 - no secret depends on it
    events = list(record)
    theirs = [at for at, event in enumerate(events) if not event.kind.startswith(OURS)]
    for at in random.sample(theirs, min(MOST, len(theirs))):
        events[at] = replace(events[at], data=_said(events[at].data, word, random))
    return Record(tuple(events))


def _said(value: Any, word: str, random: Random) -> Any:
    change: Callable[[str], str] = random.choice((lambda _: word, lambda own: own + word))
    if isinstance(value, str):
        return change(value) if random.random() < 0.3 else value
    if isinstance(value, Mapping):
        return {key: _said(each, word, random) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_said(each, word, random) for each in value]
    return value


def refusal(do: Callable[[], object]) -> str:
    """The sentence that it is refused with; "" where it is not. Any other error is none."""
    try:
        do()
    except ConfigError as error:
        return str(error)
    return ""
