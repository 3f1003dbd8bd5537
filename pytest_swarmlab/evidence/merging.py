"""Brings the records of several workers together in the one of their run, while they grow."""

from __future__ import annotations

import itertools
import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.evidence import record
from pytest_swarmlab.evidence.record import PARTS, Record
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Event

PERIOD_S = 0.5
"""Between two looks at what workers have recorded: how late a person hears of it."""

OF_THE_RUN = ("exercise.selected", "cluster.wanted")
"""Kinds that every worker records with the same content; they are taken over once."""


def whole(run_directory: Path) -> Record:
    """A run's record, with what its workers recorded and nobody took over any more.

    That is left where the process that led them was killed: half a second of each, and how they
    tidied up. Nothing is written: a run that is still going on is read as it is now. Raises
    ConfigError for a record, or a part of it, that can't be used.
    """
    own = Record.load(run_directory / "events.jsonl")
    left_out = [own.left_out] if own.left_out else []
    known = {_content(e) for e in own.of(*OF_THE_RUN)}
    left: list[Event] = []
    for path in _parts(run_directory / PARTS):
        part = Record.load(path)
        if part.left_out:
            left_out.append(f"{path.name}: {part.left_out}")
        mine = [e for e in part if e.kind not in OF_THE_RUN]
        # Within each worker they were taken over in their order.
        taken = sum(e.worker == path.stem for e in own)
        left += mine[taken:]
        for event in part.of(*OF_THE_RUN):
            if _content(event) not in known:
                known.add(_content(event))
                left.append(replace(event, worker=""))
    left.sort(key=lambda event: event.t)
    events = itertools.chain(own, left)
    numbered = (replace(event, seq=number) for number, event in enumerate(events))
    return Record(tuple(numbered), "; ".join(left_out))


def _parts(directory: Path) -> list[Path]:
    paths = sorted(directory.glob("*.jsonl"))
    size = sum(path.stat().st_size for path in paths if path.is_file())
    if size > record.LARGEST:
        raise ConfigError(
            f"what lies in {directory} has {size // 2**20} MiB, more than the"
            f" {record.LARGEST // 2**20} of any run: no run writes that"
        )
    return paths


def _content(event: Event) -> str:
    """The event's content without its worker."""
    return json.dumps([event.kind, event.data], sort_keys=True)


class Merger:
    """Takes events over from ``<parts>/<worker>.jsonl``, within each worker in their order.

    Between workers they come in the order of their times but for `PERIOD_S`. What is there at
    the beginning is taken over at once. The run's record holds all of a part once it was stopped,
    and then the parts are removed.
    """

    def __init__(self, parts: Path, recorder: Recorder) -> None:
        self._parts = parts
        self._recorder = recorder
        self._read: dict[Path, int] = {}
        self._of_the_run: set[str] = set()
        self._take_over()
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="merger")
        self._following = self._pool.submit(self._follow)

    def stop(self) -> None:
        """Take over what is left when the workers have ended. Idempotent."""
        if self._over.is_set():
            return
        self._over.set()
        self._pool.shutdown()
        self._following.result()
        self._take_over()
        shutil.rmtree(self._parts)

    def _follow(self) -> None:
        while not self._over.wait(PERIOD_S):
            self._take_over()

    def _take_over(self) -> None:
        found = [event for part in sorted(self._parts.iterdir()) for event in self._new(part)]
        for event in sorted(found, key=lambda event: event.t):
            if event.kind in OF_THE_RUN:
                if _content(event) in self._of_the_run:
                    continue
                self._of_the_run.add(_content(event))
                event = replace(event, worker="")
            self._recorder.adopt(event)

    def _new(self, part: Path) -> list[Event]:
        """Its events since it was last read; a line that is still being written comes later."""
        with part.open("rb") as file:
            file.seek(self._read.get(part, 0))
            whole, _, _ = file.read().rpartition(b"\n")
        if not whole:
            return []
        self._read[part] = self._read.get(part, 0) + len(whole) + 1
        return [Event(**json.loads(line)) for line in whole.split(b"\n")]
