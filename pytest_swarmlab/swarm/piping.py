"""Feeds what one command prints to another one, and keeps nothing of it."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from pytest_swarmlab.errors import ProviderError

PIECE = 1 << 16
"""Bytes that are passed on at a time."""


def piped(source: Sequence[str], sink: Sequence[str], *, most: int, within: float) -> int:
    """Run both commands here, and pass on what the first prints; returns how many bytes.

    `most`: bytes; `within`: seconds. What else the commands print is not read. Raises ProviderError
    for more, for no end in that time, and where one of them fails.
    """
    with (
        subprocess.Popen(
            source, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as giver,
        subprocess.Popen(
            sink, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as taker,
        _ended_after(within, giver, taker) as late,
    ):
        assert giver.stdout is not None  # noqa: S101 - both were asked for
        assert taker.stdin is not None  # noqa: S101
        try:
            size = _passed_on(giver.stdout, taker.stdin, most)
        except BaseException:
            giver.kill()
            taker.kill()
            raise
        finally:
            # One that has ended already does not want what is left.
            with contextlib.suppress(BrokenPipeError):
                taker.stdin.close()
        codes = giver.wait(), taker.wait()
        if late.is_set():
            raise ProviderError(f"it had not ended after {within:.0f} s")
    for code, what in zip(codes, ("sends", "receives"), strict=True):
        if code:
            raise ProviderError(f"the command that {what} it ended with {code}")
    return size


def _passed_on(source: IO[bytes], sink: IO[bytes], most: int) -> int:
    size = 0
    while piece := source.read(PIECE):
        size += len(piece)
        if size > most:
            raise ProviderError(f"it has more than {most >> 20} MiB")
        try:
            sink.write(piece)
        except BrokenPipeError:
            # Its exit code tells why. Closed, the other one ends as well.
            source.close()
            break
    return size


@contextmanager
def _ended_after(seconds: float, *processes: subprocess.Popen[bytes]) -> Iterator[threading.Event]:
    """Both are killed when the time is over, which is noted."""
    late = threading.Event()

    def end() -> None:
        late.set()
        for process in processes:
            process.kill()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
