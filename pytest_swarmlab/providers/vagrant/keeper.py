"""Waits for the end of a run, however it ends, and then restores its machines.

Runs as a process of its own; its standard input is a pipe that the run holds.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pytest_swarmlab.providers.restoring import Restored, restored
from pytest_swarmlab.providers.vagrant.ledger import RunState, restore

RESTORE_S = 900.0
"""Longest that is tried, seconds. A `vagrant up` that a killed run left behind ends before:
Vagrant itself gives a machine 300 s to boot."""

RETRY_S = 3.0
"""Pause between two tries, seconds: each costs the start of Vagrant."""


def main(path: Path) -> int:
    """Return 0 when everything is restored, 1 when that failed."""
    sys.stdin.buffer.read()
    state = RunState(path)
    if state.ledger().kept:
        return 0
    # Vagrant refuses while a command of the killed run still works on a machine.
    condition = Restored("the machines are as they were found", lambda: restore(state))
    return restored(state, condition, every=RETRY_S, within=RESTORE_S)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
