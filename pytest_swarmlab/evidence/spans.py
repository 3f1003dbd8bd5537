"""Sets of spans of time, as sorted pairs of begin and end that neither touch nor overlap."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Sequence


def union(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same moments as spans that neither touch nor overlap, in order."""
    joined: list[tuple[float, float]] = []
    for began, ended in sorted(spans):
        if joined and began <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], ended))
        else:
            joined.append((began, ended))
    return joined


def without(
    spans: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """The moments of a union that are not in another one."""
    left = []
    for began, ended in spans:
        place = max(0, bisect.bisect_right(others, (began, math.inf)) - 1)
        for a, b in itertools.islice(others, place, None):
            if a >= ended:
                break
            if a > began:
                left.append((began, a))
            began = max(began, b)
        if began < ended:
            left.append((began, ended))
    return left


def within(spans: Sequence[tuple[float, float]], began: float, ended: float) -> float:
    """How many seconds of a union lie between these moments."""
    place = max(0, bisect.bisect_right(spans, (began, math.inf)) - 1)
    inside = itertools.takewhile(lambda span: span[0] < ended, spans[place:])
    return sum(max(0.0, min(b, ended) - max(a, began)) for a, b in inside)
