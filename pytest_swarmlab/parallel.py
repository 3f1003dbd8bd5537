"""One call for each of several things, all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def at_once(do: Callable[[T], R], things: Iterable[T]) -> list[R]:
    """Call `do` with each of them in a thread of its own; returns the results in their order.

    The first error, in that order, is raised when all calls have ended.
    """
    things = list(things)
    with ThreadPoolExecutor(max(1, len(things))) as pool:
        return [future.result() for future in [pool.submit(do, thing) for thing in things]]
