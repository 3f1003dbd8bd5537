"""Words that a cluster, a file or another program may say, and records in which it says them."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from random import Random
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from hypothesis import settings
from hypothesis import strategies as st

from pytest_swarmlab.errors import ConfigError, Unusable
from pytest_swarmlab.evidence.record import Record

EVIL = "<b id=evil>'\"&{{7*8191}}[bold]\\"
"""What would do something in a page, a template or rich's markup."""

ODD = (
    EVIL, "\x1b[2J\x1b]0;title\x07", "\u202egnp.exe", "\x00", "\ud800", "\u2028", "\r\n", "", " ",
    "]]>", "--", "nan", "-1", "9" * 400, "1e999", "2026-13-45T99:99:99Z", "x" * 20_000, "%s%n",
    "$(id)", "../../etc/passwd", "null", "\ufeff", "\u0301" * 50, "\N{GRINNING FACE}",
    "\x1b]8;;http://example.org\x1b\\link", "\x1bP$q\x1b\\", "\x9b31m", "\a\b\v\f", "\tcell\t",
    "\ufffe\uffff", "漢字" * 100, "\u202e\u2066\u200f", "[/]", "\\[red]\\",
    "[link=http://example.org]x[/link]",
)  # fmt: skip

UNSEEN = frozenset("\x1b\x00\x07\x08\x0b\x0c\x7f\x9b\x9d\u200f\u202e\u2028\u2029\u2066\ufeff")
"""What must be in nothing that a person is shown: it moves a cursor, or hides how a text reads."""

WORDS = st.sampled_from(ODD[:10]) | st.text(st.characters(), max_size=40)
"""Surrogates, bidirectional marks and control characters among them."""

SAID = st.sampled_from(ODD) | st.text(st.characters(), max_size=60)
"""The same, with large ones, and such as look like something else."""


def _trees(floats: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | st.integers() | floats | WORDS | st.just(10**400),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
        max_leaves=12,
    )


JSON = _trees(st.floats())
"""Whatever JSON can hold."""

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)

PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: SAID,
    int: st.integers(),
    float: NUMBERS,
    bool: st.booleans(),
    types.NoneType: st.none(),
    Any: _trees(NUMBERS),
}


def instances(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Events of that type, or what one holds, with any values of its fields' types."""
    hints = get_type_hints(kind, include_extras=True)
    names = [f.name for f in fields(kind) if not f.kw_only]
    return st.builds(kind, **{name: _values(hints[name]) for name in names})


def _values(hint: Any) -> st.SearchStrategy[Any]:
    if hint in PLAIN:
        return PLAIN[hint]
    if get_origin(hint) is Annotated:
        return _values(get_args(hint)[0])
    if get_origin(hint) in {Union, types.UnionType}:
        return st.one_of(*map(_values, get_args(hint)))
    if get_origin(hint) is tuple and get_args(hint)[-1] is Ellipsis:
        return st.lists(_values(get_args(hint)[0]), max_size=3).map(tuple)
    if get_origin(hint) is tuple:
        return st.tuples(*map(_values, get_args(hint)))
    if get_origin(hint) is Mapping:
        return st.dictionaries(WORDS, _values(get_args(hint)[1]), max_size=3)
    return instances(hint)


def shapes(good: Any) -> st.SearchStrategy[Any]:
    """That JSON, which a program really says, with some of it left out, null or anything else."""
    seeds = st.randoms(use_true_random=False)
    return st.builds(_reshaped, st.just(good), seeds, st.lists(JSON, min_size=1, max_size=4))


def _reshaped(good: Any, random: Random, values: list[Any]) -> Any:
    for value in values:
        good = _with(good, random, value)
    return good


def _with(there: Any, random: Random, value: Any) -> Any:
    """What is there, with that value at a random place in it, or nothing in that place."""
    keys: list[Any] = []
    if isinstance(there, dict) and random.random() < 0.9:
        keys = sorted(there)
    elif isinstance(there, list) and random.random() < 0.9:
        keys = list(range(len(there)))
    if not keys:
        # Values of any kind are rarely the numbers that numbers are compared or divided with.
        number = isinstance(there, int | float) and random.random() < 0.5
        return random.choice((10**400, -(10**400), 0, -1, 1e308)) if number else value
    place = random.choice(keys)
    left_out = random.random() < 0.2
    if isinstance(there, dict):
        rest = {key: each for key, each in there.items() if key != place}
        return rest if left_out else {**rest, place: _with(there[place], random, value)}
    new = [] if left_out else [_with(there[place], random, value)]
    return [*there[:place], *new, *there[place + 1 :]]


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


def few() -> settings:
    """For what takes a second, such as a page with its pictures."""
    return settings(max_examples=max(5, settings().max_examples // 10))


def refusal(do: Callable[[], object]) -> str:
    """The sentence that it is refused with; "" where it is not. Any other error is none."""
    try:
        do()
    except (ConfigError, Unusable) as error:
        return str(error)
    return ""
