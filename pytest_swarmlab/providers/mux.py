"""Opens connections to addresses that the far side of a running OpenSSH connection can reach.

It speaks OpenSSH's own multiplexing protocol (PROTOCOL.mux in its sources) to the control socket of
a master connection: a connection costs no process, and its failure is reported.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from pathlib import Path

HELLO, VERSION = 0x00000001, 4
NEW_STDIO_FORWARD, SESSION_OPENED = 0x10000008, 0x80000006


class Forwarded(socket.socket):
    """One end of a forwarded connection; the forward ends when it is really closed."""

    control: socket.socket | None = None

    def detach(self) -> int:
        """Give the descriptor away, as TLS wants; the forward lasts until its sides have ended.

        The master closes the control connection then.
        """
        control, self.control = self.control, None
        if control:
            threading.Thread(target=_until_ended, args=(control,), daemon=True).start()
        return super().detach()

    def _real_close(self) -> None:  # what close() does last
        if self.control:
            self.control.close()
        super()._real_close()  # type: ignore[misc]


def _until_ended(control: socket.socket) -> None:
    with control, contextlib.suppress(OSError):
        control.settimeout(None)
        while control.recv(64):
            pass


def forward(control: Path, address: str, port: int, timeout: float) -> socket.socket:
    """A connection to that address and port, opened by the far side of an SSH connection.

    `control`: the control socket of the connection's master. `timeout`: seconds, also left set
    on the socket. Raises OSError: TimeoutError when there was no answer in time,
    ConnectionRefusedError when the far side could not connect.
    """
    ours, theirs = socket.socketpair()
    with contextlib.ExitStack() as failing:
        failing.enter_context(ours)
        master = failing.enter_context(socket.socket(socket.AF_UNIX))
        master.settimeout(timeout)
        master.connect(str(control))
        with theirs:
            _send(master, struct.pack(">II", HELLO, VERSION))
            if _receive(master)[:4] != struct.pack(">I", HELLO):
                raise ConnectionError(f"{control} is no SSH connection's control socket")
            host = address.encode()
            asked = struct.pack(">III", NEW_STDIO_FORWARD, 1, 0)
            _send(master, asked + struct.pack(">I", len(host)) + host + struct.pack(">I", port))
            for _ in ("input", "output"):
                socket.send_fds(master, [b"\0"], [theirs.fileno()])
            (answer,) = struct.unpack(">I", _receive(master)[:4])
        if answer != SESSION_OPENED:
            raise ConnectionRefusedError(f"{address}:{port} can't be reached from there")
        failing.pop_all()
    dialled = Forwarded(fileno=ours.detach())
    dialled.control = master
    dialled.settimeout(timeout)
    return dialled


def _send(master: socket.socket, message: bytes) -> None:
    master.sendall(struct.pack(">I", len(message)) + message)


def _receive(master: socket.socket) -> bytes:
    (length,) = struct.unpack(">I", _exactly(master, 4))
    return _exactly(master, length)


def _exactly(master: socket.socket, length: int) -> bytes:
    got = b""
    while len(got) < length:
        if not (more := master.recv(length - len(got))):
            raise ConnectionRefusedError("the SSH connection has ended")
        got += more
    return got
