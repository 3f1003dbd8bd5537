"""Forwards a port of this machine to a node's, for programs that open connections themselves."""

from __future__ import annotations

import contextlib
import selectors
import socket
import socketserver
import threading
from typing import Self

from pytest_swarmlab.swarm.node import Node
from pytest_swarmlab.waiting.conditions import no_answer

DIAL_S = 10.0
"""Longest that a node may take to accept a connection, or a side to take data, seconds."""

LOOK_S = 0.2
"""Interval at which an idle connection checks whether the relay has ended, seconds."""

WAITING = 64
"""Callers in the queue of the listening socket; one more tries again after a second."""

CHUNK = 65536
"""Bytes that are forwarded at a time."""


class Relay:
    """Within its block, connections to `port` of the loopback are forwarded to that port of the
    node.

    Each connection is dialled anew from the client's place in the lab network (`Node.dial`): this
    machine needs no route to a node. A connection that can't be dialled, or that breaks, is closed.
    """

    def __init__(self, node: Node, port: int) -> None:
        self._node = node
        self._to = port
        self._over = threading.Event()
        relay = self

        class Caller(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                relay._carry(self.request)

        class Door(socketserver.ThreadingTCPServer):
            request_queue_size = WAITING

        self._server = Door(("127.0.0.1", 0), Caller)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(LOOK_S,), name=f"relay-{node.name}"
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        # Waits for every caller's thread.
        self._server.server_close()

    def _carry(self, near: socket.socket) -> None:
        with contextlib.suppress(*no_answer()), self._node.dial(self._to, DIAL_S) as far:
            near.settimeout(DIAL_S)
            _between(near, far, self._over)


def _between(near: socket.socket, far: socket.socket, over: threading.Event) -> None:
    """Forward data in both directions until both sides have ended or the relay ends. Raises
    OSError.
    """
    with selectors.DefaultSelector() as ready:
        for way in ((near, far), (far, near)):
            ready.register(way[0], selectors.EVENT_READ, way)
        while ready.get_map() and not over.is_set():
            for key, _ in ready.select(LOOK_S):
                from_, to = key.data
                if words := from_.recv(CHUNK):
                    to.sendall(words)
                else:
                    ready.unregister(from_)
                    to.shutdown(socket.SHUT_WR)
