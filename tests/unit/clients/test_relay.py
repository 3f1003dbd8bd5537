"""A relay carries what either side sends, and leaves nothing behind."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_swarmlab.clients.relay import CHUNK, Relay
from tests.unit.fakes import Lab


@contextmanager
def echoing(lab: Lab) -> Iterator[None]:
    """Behind worker1's ports somebody says everything back, and ends when the caller has."""

    def answer() -> None:
        while True:
            try:
                caller, _ = door.accept()
            except OSError:
                return
            with caller:
                while words := caller.recv(CHUNK):
                    caller.sendall(words)

    with socket.create_server(("127.0.0.1", 0)) as door:
        lab.machines.listens["worker1"] = door.getsockname()
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield
        finally:
            door.shutdown(socket.SHUT_RDWR)
            thread.join()


def call(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def test_what_is_sent_comes_back_through_the_node_to_the_last_byte(lab: Lab) -> None:
    said = bytes(range(256)) * 4096
    with echoing(lab), Relay(lab["worker1"], 8080) as relay, call(relay.port) as caller:
        heard = bytearray()
        listening = threading.Thread(target=lambda: heard.extend(_all_of(caller)))
        listening.start()
        caller.sendall(said)
        caller.shutdown(socket.SHUT_WR)
        listening.join()
        assert bytes(heard) == said


def _all_of(caller: socket.socket) -> bytes:
    return b"".join(iter(lambda: caller.recv(CHUNK), b""))


def test_who_calls_for_a_node_that_is_not_there_is_hung_up_on(lab: Lab) -> None:
    lab.machines.listens["worker1"] = ("127.0.0.1", 1)
    with Relay(lab["worker1"], 8080) as relay, call(relay.port) as caller:
        assert _all_of(caller) == b""


def test_at_its_end_nobody_speaks_or_listens_any_more(lab: Lab) -> None:
    before = threading.active_count()
    with echoing(lab):
        with Relay(lab["worker1"], 8080) as relay:
            caller = call(relay.port)
            caller.sendall(b"x")
            assert caller.recv(1) == b"x"
        with caller:
            assert _all_of(caller) == b""
    assert threading.active_count() == before
    with socket.socket() as late:
        assert late.connect_ex(("127.0.0.1", relay.port)) != 0
