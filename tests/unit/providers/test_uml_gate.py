"""The gate's client: what the keeper says is what its caller hears, silence included."""

from __future__ import annotations

import errno
import json
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.providers.uml.gate import Gate

Answer = Callable[[socket.socket, dict[str, Any]], None]


class Keeper:
    """Answers every request at a Unix socket as it is told to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[dict[str, Any]] = []
        self.answer: Answer = says(ok=True)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection, connection.makefile("rb") as lines:
                line = lines.readline()
                if not line:
                    return
                self.asked.append(json.loads(line))
                self.answer(connection, self.asked[-1])

    def end(self) -> None:
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(str(self.path))
        self._thread.join()
        self._socket.close()


def says(**answer: Any) -> Answer:
    return lambda connection, _: connection.sendall(json.dumps(answer).encode() + b"\n")


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    # Not below tmp_path: a Unix socket's path must be short.
    with tempfile.TemporaryDirectory() as directory:
        keeper = Keeper(Path(directory, "gate"))
        yield keeper
        keeper.end()


def test_a_request_carries_its_arguments_and_brings_the_answer(keeper: Keeper) -> None:
    keeper.answer = says(ok=True, kept=False)
    assert Gate(keeper.path).ask("power-off", node="manager1")["kept"] is False
    assert keeper.asked == [{"do": "power-off", "node": "manager1"}]


def test_what_the_keeper_could_not_do_is_said_in_its_words(keeper: Keeper) -> None:
    keeper.answer = says(ok=False, error="RuntimeError: manager1 is not running")
    with pytest.raises(ProviderError, match="pause failed: RuntimeError: manager1 is not running"):
        Gate(keeper.path).ask("pause", node="manager1")


def test_a_keeper_that_ends_without_an_answer_has_not_done_it(keeper: Keeper) -> None:
    keeper.answer = lambda *_: None
    with pytest.raises(ProviderError, match="keep failed: the keeper ended"):
        Gate(keeper.path).ask("keep")


def test_a_cluster_without_a_keeper_is_said_to_be_gone(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="the cluster is gone: its keeper doesn't answer at"):
        Gate(tmp_path / "gate").ask("status")


def test_a_dialled_connection_is_the_caller_s(keeper: Keeper) -> None:
    ours, theirs = socket.socketpair()

    def hand_over(connection: socket.socket, _: dict[str, Any]) -> None:
        socket.send_fds(connection, [b'{"ok": true}\n'], [theirs.fileno()])

    keeper.answer = hand_over
    with ours, theirs, Gate(keeper.path).dial("worker1", 8080, 1.5) as dialled:
        assert dialled.gettimeout() == 1.5
        dialled.sendall(b"hello")
        assert ours.recv(5) == b"hello"
    assert keeper.asked == [{"do": "dial", "node": "worker1", "port": 8080, "timeout": 1.5}]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ECONNREFUSED, ConnectionRefusedError),
        (errno.ETIMEDOUT, TimeoutError),
        (errno.EHOSTUNREACH, OSError),
        (None, OSError),
    ],
)
def test_a_connection_that_failed_raises_what_connect_would(
    keeper: Keeper, code: int | None, kind: type[OSError]
) -> None:
    keeper.answer = says(ok=False, errno=code, error="as the kernel says")
    with pytest.raises(kind, match=r"worker1:8080: as the kernel says"):
        Gate(keeper.path).dial("worker1", 8080, 1)


def test_a_keeper_that_ends_during_a_dial_is_an_error(keeper: Keeper) -> None:
    keeper.answer = lambda *_: None
    with pytest.raises(OSError, match="the keeper ended"):
        Gate(keeper.path).dial("worker1", 8080, 1)
