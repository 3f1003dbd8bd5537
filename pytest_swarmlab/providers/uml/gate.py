"""The client of the keeper's gate: one request, one answer, perhaps with a socket."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from pytest_swarmlab.errors import ProviderError

ANSWER_S = 30.0
"""Longest the keeper may take for a request that isn't a dial, seconds."""


class Gate:
    """Sends commands to one cluster's keeper through its Unix socket."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send the keeper a request; returns its answer.

        Raises ProviderError when the keeper is gone or could not do it.
        """
        try:
            with self._connect(ANSWER_S) as connection:
                connection.sendall(_line(do, arguments))
                with connection.makefile("rb") as lines:
                    answer: dict[str, Any] = json.loads(lines.readline() or b"{}")
        except OSError as error:
            raise ProviderError(
                f"the cluster is gone: its keeper doesn't answer at {self._path} ({error})"
            ) from error
        if not answer.get("ok"):
            raise ProviderError(f"{do} failed: {answer.get('error', 'the keeper ended')}")
        return answer

    def dial(self, node: str, port: int, timeout: float) -> socket.socket:
        """A TCP connection to a node, opened inside the cluster's network namespace."""
        with self._connect(timeout + ANSWER_S) as connection:
            connection.sendall(_line("dial", {"node": node, "port": port, "timeout": timeout}))
            text, descriptors, _, _ = socket.recv_fds(connection, 4096, 1)
        answer = json.loads(text or b"{}")
        if descriptors:
            dialled = socket.socket(fileno=descriptors[0])
            dialled.settimeout(timeout)
            return dialled
        raise _os_error(answer, node, port)

    def _connect(self, timeout: float) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        try:
            connection.connect(str(self._path))
        except OSError:
            connection.close()
            raise
        return connection


def _line(do: str, arguments: dict[str, Any]) -> bytes:
    return json.dumps({"do": do, **arguments}).encode() + b"\n"


def _os_error(answer: dict[str, Any], node: str, port: int) -> OSError:
    code = answer.get("errno")
    said = answer.get("error", "the keeper ended")
    # OSError picks the subclass (TimeoutError, ConnectionRefusedError …) from the number.
    return OSError(code, f"{node}:{port}: {said}") if code else OSError(f"{node}:{port}: {said}")
