"""Cuts the power of an embedded machine of another process, or gives it back.

`python -P power.py GATE power-off|power-on NAME`. As a hypervisor's command does, it fails where
there is nothing to do.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pytest_swarmlab.providers.uml.gate import Gate


def main(path: str, do: str, name: str) -> None:
    """Ask the cluster's keeper."""
    gate = Gate(Path(path))
    on = do == "power-on"
    if gate.ask("status")["running"][name] == on:
        sys.exit(f"error: {name} is {'running' if on else 'off'} already")
    gate.ask(do, node=name)


if __name__ == "__main__":
    main(*sys.argv[1:])
