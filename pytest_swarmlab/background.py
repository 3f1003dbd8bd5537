"""Threads that run beside a block: an error in one of them ends the block."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from pytest_swarmlab.errors import ClientError, SwarmlabError


class Background:
    """Threads that live no longer than a block, and keep the first error of any of them."""

    def __init__(self, name: str, *, threads: int) -> None:
        """`name`: who it is, for a person; `threads`: how many may be at work at once."""
        self._name = name
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._error: BaseException | None = None

    def start(self, do: Callable[..., None], *words: Any) -> Future[None]:
        """Call it in a thread of its own, as soon as one is free."""
        future = self._pool.submit(do, *words)
        future.add_done_callback(self._look)
        return future

    def _look(self, future: Future[None]) -> None:
        self._error = self._error or future.exception()

    @property
    def trouble(self) -> str | None:
        """The first error, in one sentence; None without an error."""
        if self._error is None:
            return None
        if isinstance(self._error, SwarmlabError):
            return f"{self._name}: {self._error}"
        return f"{self._name} ended early by {type(self._error).__name__}: {self._error}"

    def end(self, within: BaseException | None) -> None:
        """Wait for every thread. Raises ClientError if one of them had an error.

        `within`: the error that ended the block, if one did. That error is raised, and the thread's
        error is added to it as a note.
        """
        self._pool.shutdown(wait=True)
        if self.trouble is None:
            return
        if within is None:
            raise ClientError(self.trouble) from self._error
        within.add_note(self.trouble)
