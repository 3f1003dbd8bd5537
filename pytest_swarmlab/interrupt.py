"""Ctrl-C: whether it is what ends a block, and what it may not cut short."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


def unwinding() -> KeyboardInterrupt | None:
    """The Ctrl-C for which the caller's block ends: what it handles now, or what led to that."""
    return behind(sys.exception())


def behind(error: BaseException | None) -> KeyboardInterrupt | None:
    """The Ctrl-C that is that error, or that was handled when it arose."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return error
        error = error.__context__
    return None


@contextmanager
def deferred() -> Iterator[None]:
    """Ctrl-C within the block takes effect at the block's end, a second one at once."""
    once = _Once()
    try:
        yield
    finally:
        once.end()
        if once.heard:
            raise KeyboardInterrupt


def pass_by() -> Callable[[], None]:
    """Let the next Ctrl-C have no effect, since one ends the session already; returns what ends
    that. A further one takes effect at once.
    """
    return _Once().end


@contextmanager
def noted() -> Iterator[list[int]]:
    """Note each Ctrl-C within the block, which takes effect as without that.

    Hands over a list that is empty until there is one, also outside the main thread.
    """
    heard: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield heard
        return
    pass_on = before

    def hear(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        pass_on(number, frame)

    signal.signal(signal.SIGINT, hear)
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, before)


class _Once:
    """Hears one Ctrl-C in silence.

    Outside the main thread, and where somebody else listens, it hears nothing and changes nothing.
    """

    def __init__(self) -> None:
        self.heard = False
        self._listens = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._listens:
            signal.signal(signal.SIGINT, self._hear)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.heard:
            signal.default_int_handler(number, frame)
        self.heard = True

    def end(self) -> None:
        """Hear no more. Idempotent."""
        if self._listens:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._listens = False
