"""Waits for the end of a run, however it ends, and then restores its machines.

Runs as a process of its own; its standard input is a pipe that the run holds.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pytest_swarmlab.errors import SwarmlabError
from pytest_swarmlab.providers.vagrant.ledger import Restored, RunState
from pytest_swarmlab.waiting.waiter import Waiter

RESTORE_S = 900.0
"""Longest that is tried, seconds. A `vagrant up` that a killed run left behind ends before:
Vagrant itself gives a machine 300 s to boot."""

RETRY_S = 3.0
"""Pause between two tries, seconds: each costs the start of Vagrant."""


def main(path: Path) -> int:
    """Return 0 when everything is restored, 1 when that failed."""
    sys.stdin.buffer.read()
    state = RunState(path)
    try:
        if state.ledger().kept:
            return 0
        Waiter(every=RETRY_S)(Restored(state), within=RESTORE_S)
    except SwarmlabError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    state.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
