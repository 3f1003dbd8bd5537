"""Which run a process belongs to. Light, since a session with workers needs it before any run."""

from __future__ import annotations

import secrets
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_swarmlab.config import LabConfig
from pytest_swarmlab.evidence.record import PARTS

if TYPE_CHECKING:
    from pytest_swarmlab.evidence.recorder import Recorder


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _new_id() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


@dataclass(frozen=True)
class Identity:
    """Which run a process belongs to: its id, its beginning on the monotonic clock, in seconds.

    Worker processes of pytest-xdist share one; `worker` tells them apart, "" is the run itself.
    """

    id: str = field(default_factory=_new_id)
    started: float = field(default_factory=time.monotonic)
    worker: str = ""

    def directory(self, config: LabConfig) -> Path:
        """Where everything that belongs to the run is written."""
        return config.reports / self.id

    def parts(self, config: LabConfig) -> Path:
        """Where each worker records its part."""
        return self.directory(config) / PARTS

    def begin(self, recorder: Recorder, *, provider: str, version: str) -> None:
        """Record the run's beginning: its id, its time, provider, version and command."""
        from pytest_swarmlab.evidence.events import RunStarted

        recorder.write(RunStarted(self.id, _now(), provider, version, tuple(sys.argv)))

    def finish(self, recorder: Recorder, *, exit_status: int) -> None:
        """Record the run's end and its exit status."""
        from pytest_swarmlab.evidence.events import RunFinished

        recorder.write(RunFinished(_now(), exit_status))
