"""Several calls: all at once, or one after the other though some fail."""

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


def each_tried(calls: Iterable[Callable[[], object]]) -> None:
    """Make these calls in their order, each of them whatever ends those before it, also Ctrl-C.

    The last error is raised when all have been made, with those before it as its context: an
    ExitStack whose block has ended well would forget these.
    """
    if calls := list(calls):
        try:
            calls[0]()
        finally:
            each_tried(calls[1:])
