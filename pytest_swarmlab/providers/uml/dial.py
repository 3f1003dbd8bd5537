"""Lets ssh reach a cluster's nodes from outside its namespace.

In an SSH configuration::

    ProxyCommand python -m pytest_swarmlab.providers.uml.dial GATE %n %p
    ProxyUseFdpass yes
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from pytest_swarmlab.providers.uml.gate import ANSWER_S, Gate


def main(gate: str, node: str, port: str) -> None:
    """Dial, and hand the connection over at standard output, as ssh wants it."""
    with Gate(Path(gate)).dial(node, int(port), ANSWER_S) as dialled:
        dialled.settimeout(None)
        with socket.socket(fileno=os.dup(1)) as ssh:
            socket.send_fds(ssh, [b"\0"], [dialled.fileno()])


if __name__ == "__main__":
    main(*sys.argv[1:])
