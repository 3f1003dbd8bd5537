"""Turns machines off and on for a run, and on again when the run has ended, however it ended.

Runs as a process of its own; its standard input is a pipe that the run holds. Each line of it is a
request, and is answered by a line: `why` is empty, or says in a sentence why it could not be done.
As it does one thing after the other, no power is cut any more once it restores what is off.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from pytest_swarmlab.errors import SwarmlabError
from pytest_swarmlab.providers.inventory.powered_off import Machine, PoweredOff
from pytest_swarmlab.providers.restoring import Restored, restored

RESTORE_S = 900.0
"""Longest that is tried, seconds: the hypervisor may be away for a while."""

RETRY_S = 5.0


def main(path: Path) -> int:
    """Return 0 when nothing is off any more, 1 when something had to be left off."""
    state = PoweredOff(path)
    for line in sys.stdin.buffer:
        if not line.endswith(b"\n"):
            break  # The run was killed while it wrote.
        answer = _answer(state, line)
        with contextlib.suppress(BrokenPipeError):
            os.write(1, json.dumps(answer).encode() + b"\n")
    condition = Restored("the machines that were turned off are on again", state.restore)
    return restored(state, condition, every=RETRY_S, within=RESTORE_S)


def _answer(state: PoweredOff, line: bytes) -> dict[str, Any]:
    number, why = 0, ""
    try:
        request = json.loads(line)
        number = request["number"]
        if request["do"] == "off":
            state.turn_off(Machine.read(request["machine"]))
        elif request["do"] == "on":
            state.turn_on(request["name"])
        else:
            state.settle(request["name"])
    except SwarmlabError as error:
        why = str(error)
    except Exception as error:  # noqa: BLE001 - whatever it was: what is off must come on again
        why = f"{type(error).__name__}: {error}"
    return {"number": number, "why": why}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
