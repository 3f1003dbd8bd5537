"""Parts of a build that don't need each other: made side by side, and ended together."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextvars import Token, copy_context
from typing import TypeVar

from pytest_swarmlab.images.commands import COMMANDS, Commands
from pytest_swarmlab.images.progress import BuildReport, PartReport

Made = TypeVar("Made")

AT_LEAST, AT_MOST = 2, 4
"""Parts that are made at once, however few or many processors there are.

Of two, one unpacks while the other waits for the network. With more than four, the disk's build
stage is what all wait for, and what is half made takes more room than the build has asked for.
"""


class Parts:
    """Makes parts in threads, as many at once as there are processors, begun in their order.

    The first error, of a part or of the block itself, ends every running command of both, and it
    is what the block raises: what the others say then is only that they were ended.
    """

    def __init__(self, report: BuildReport) -> None:
        """`report`: told of each part when it begins and ends."""
        self._report = report
        processors = len(os.sched_getaffinity(0))
        self._pool = ThreadPoolExecutor(min(max(AT_LEAST, processors), AT_MOST))
        self._commands = Commands()
        self._lock = threading.Lock()
        self._reason: BaseException | None = None
        self._before: Token[Commands | None] | None = None

    def __enter__(self) -> Parts:
        """From now on a command of this thread is ended with those of the parts."""
        self._before = COMMANDS.set(self._commands)
        return self

    def start(self, name: str, make: Callable[[PartReport], Made]) -> Future[Made]:
        """Make a part as soon as a thread is free; what it comes to is in the future."""
        return self._pool.submit(copy_context().run, self._make, name, make)

    def _make(self, name: str, make: Callable[[PartReport], Made]) -> Made:
        if self._reason is not None:
            raise CancelledError
        try:
            with self._report.part(name) as report:
                return make(report)
        except BaseException as error:
            self._end(error)
            raise

    def _end(self, reason: BaseException) -> None:
        with self._lock:
            self._reason = self._reason or reason
        self._commands.end()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Wait for every thread. Raises what went wrong first."""
        if error is not None:
            self._end(error)
        self._pool.shutdown(wait=True, cancel_futures=error is not None)
        if self._before is not None:
            COMMANDS.reset(self._before)
        # Who presses Ctrl-C is told that it was heard, whatever went wrong before.
        interrupted = error is not None and not isinstance(error, Exception)
        if self._reason is not None and self._reason is not error and not interrupted:
            raise self._reason
