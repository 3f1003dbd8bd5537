"""What ssh says is told in words for a person; a forward is asked for as OpenSSH wants it."""

from __future__ import annotations

import os
import re
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_swarmlab.providers import mux, shells
from pytest_swarmlab.providers.ssh import Access, SshLinks, command, host, trouble

FAILURE = 0x80000003
"""MUX_S_FAILURE of PROTOCOL.mux."""
PATIENCE_S = 20.0


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("@@@\nWARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!\nHost key verification failed.",
         "its host key is another"),
        ("No ED25519 host key is known\r\nHost key verification failed.\r\n", "isn't known"),
        ("root@192.0.2.1: Permission denied (publickey).", "it refused the key"),
        ("ssh: Could not resolve hostname nowhere: Name or service not known", "can't be resolved"),
        ("ssh: connect to host 192.0.2.1 port 22: Connection refused", "nothing listens"),
        ("ssh: connect to host 192.0.2.1 port 22: Connection timed out", "doesn't answer"),
        ("ssh: connect to host 192.0.2.1 port 22: No route to host", "can't be reached"),
        ("something\nnobody \x1b[31mforesaw\n\n", "nobody [31mforesaw"),
        ("", "ssh gave no reason"),
    ],
)  # fmt: skip
def test_a_complaint_of_ssh_is_told_in_words_for_a_person(said: str, meaning: str) -> None:
    told = trouble(said)
    assert meaning in told
    assert "ssh: ssh:" not in told


def test_a_command_is_quoted_once_for_the_shell_on_the_other_side() -> None:
    assert command(Path("c"), "n", ["echo", "it's"])[-1] == """echo 'it'"'"'s'"""
    assert command(Path("c"), "n", ["true"], sudo=True)[-1] == "sudo --non-interactive -- true"


WORDS = (
    "plain", "it's", 'a "b"', "back\\slash \\\\ two \\' \\n", "wow! !1 !!", "one\ntwo\r\n",
    "$HOME `id` $(id)", "é \N{GRINNING FACE}", "*?[a]{b,c}~", "%self =1 @x #no", "", " ", "\t",
    "a;b|c&d<e>f(g)^h", "\\0101", "%b %s \\x41",
)  # fmt: skip
"""What shells have their own ideas about."""

SHELLS = [
    name for name in ("sh", "bash", "zsh", "fish", "csh", "tcsh", "ksh") if shutil.which(name)
]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("sudo", [False, True])
def test_every_login_shell_gives_a_program_the_words_that_were_meant(
    shell: str, sudo: bool, tmp_path: Path
) -> None:
    show = [sys.executable, "-c", "import sys; print(ascii(sys.argv[1:]))"]
    (tmp_path / "sudo").write_text('#!/bin/sh\nshift 2\nexec "$@"\n', encoding="utf-8")
    (tmp_path / "sudo").chmod(0o755)
    for words in ([word] for word in (*WORDS, "".join(WORDS))):
        line = command(Path("c"), "n", [*show, *words], sudo=sudo)[-1]
        done = subprocess.run(
            [shell, "-c", line],
            env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.strip() == ascii(words), (line, done.stderr)


@pytest.mark.parametrize("word", WORDS)
def test_no_line_has_what_some_shell_reads_otherwise(word: str) -> None:
    line = command(Path("c"), "n", ["echo", word])[-1]
    assert "!" not in line
    assert "\n" not in line
    # fish: only before a backslash or a quote is it an escape in single quotes.
    assert not re.search(r"\\[\\']", line)


def test_a_line_that_testinfra_makes_is_one_for_every_shell_too(tmp_path: Path) -> None:
    for sudo in (False, True):
        backend = host(tmp_path / "config", "m1", sudo=sudo).backend
        assert "!" not in backend.get_command("echo %s", "wow!")
        assert "printf %b" in backend.get_command("echo %s", "a\\b")


def test_a_long_line_stays_as_it_is() -> None:
    assert shells.joined(["echo", "!" * 30_000]) == f"echo '{'!' * 30_000}'"


Answer = Callable[[socket.socket], None]


class Master:
    """A control socket whose master says hello, takes a request and two descriptors, answers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[bytes] = []
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        self._thread: threading.Thread | None = None

    def answers(self, answer: Answer) -> Path:
        self._thread = threading.Thread(target=self._serve, args=(answer,))
        self._thread.start()
        return self.path

    def _serve(self, answer: Answer) -> None:
        connection, _ = self._listening.accept()
        with connection:
            assert packet(connection) == struct.pack(">II", mux.HELLO, mux.VERSION)
            send(connection, struct.pack(">II", mux.HELLO, mux.VERSION))
            self.asked.append(packet(connection))
            got = [socket.recv_fds(connection, 1, 1)[1][0] for _ in range(2)]
            with socket.socket(fileno=got[0]) as inward, socket.socket(fileno=got[1]):
                answer(connection)
                inward.recv(16)

    def end(self) -> None:
        if self._thread:
            self._thread.join(5)
        self._listening.close()


@pytest.fixture
def master() -> Iterator[Master]:
    # Not below tmp_path: a Unix socket's path must be short.
    with tempfile.TemporaryDirectory() as directory:
        master = Master(Path(directory, "mux"))
        yield master
        master.end()


def packet(connection: socket.socket) -> bytes:
    (length,) = struct.unpack(">I", connection.recv(4))
    return connection.recv(length)


def send(connection: socket.socket, message: bytes) -> None:
    connection.sendall(struct.pack(">I", len(message)) + message)


def test_a_forward_is_a_connection_to_the_address_that_was_asked_for(master: Master) -> None:
    path = master.answers(lambda c: send(c, struct.pack(">III", mux.SESSION_OPENED, 1, 7)))
    with mux.forward(path, "192.0.2.10", 8080, 5) as forwarded:
        forwarded.sendall(b"hello")
    assert master.asked == [
        struct.pack(">III", mux.NEW_STDIO_FORWARD, 1, 0)
        + struct.pack(">I", 10) + b"192.0.2.10" + struct.pack(">I", 8080)
    ]  # fmt: skip


def test_a_forward_lasts_as_long_as_the_descriptor_that_tls_takes(master: Master) -> None:
    given_away = threading.Event()
    held: list[bool] = []

    def answer(control: socket.socket) -> None:
        send(control, struct.pack(">III", mux.SESSION_OPENED, 1, 7))
        given_away.wait(PATIENCE_S)
        readable, _, _ = select.select([control], [], [], 0)  # a closed one is
        held.append(not readable)

    forwarded = mux.forward(master.answers(answer), "192.0.2.10", 443, 5)
    with socket.socket(fileno=forwarded.detach()) as secured:
        del forwarded
        given_away.set()
        secured.sendall(b"hello")
        master.end()
    assert held == [True]


def test_what_the_far_side_can_not_reach_is_refused(master: Master) -> None:
    path = master.answers(lambda c: send(c, struct.pack(">III", FAILURE, 1, 0)))
    with pytest.raises(ConnectionRefusedError, match=r"192\.0\.2\.10:9 can't be reached"):
        mux.forward(path, "192.0.2.10", 9, 5)


def test_a_master_that_ends_is_refused(master: Master) -> None:
    path = master.answers(lambda c: c.shutdown(socket.SHUT_RDWR))
    with pytest.raises(ConnectionRefusedError, match="the SSH connection has ended"):
        mux.forward(path, "192.0.2.10", 9, 5)


def test_a_node_without_a_connection_is_no_silence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        mux.forward(tmp_path / "none", "192.0.2.10", 9, 5)


STAYS = """#!/bin/sh
echo "$*" "in session" $(ps -o sid= -p $$) >> "$FAKE/ran"
exec cat > /dev/null
"""


@pytest.mark.parametrize("sudo", [False, True])
def test_ctrl_c_does_not_reach_connections(
    monkeypatch: pytest.MonkeyPatch, short: Path, sudo: bool
) -> None:
    (short / "ssh").write_text(STAYS, encoding="utf-8")
    (short / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{short}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE", str(short))
    access = Access("192.0.2.1", sudo=sudo)
    links = SshLinks(short, short / "config", {"m1": access}, logs=short)
    links.open()
    wanted = ["exec cat", "dial-stdio"] if sudo else ["exec cat"]
    with socket.socket(socket.AF_UNIX) as engine:
        if sudo:
            engine.connect(str(links.engine_socket("m1")))
        ends = time.monotonic() + PATIENCE_S
        while not all(words in ran(short) for words in wanted):
            assert time.monotonic() < ends, ran(short)
            time.sleep(0.02)
    links.close()
    sessions = {line.rpartition(" ")[2] for line in ran(short).splitlines()}
    assert str(os.getsid(0)) not in sessions


def ran(directory: Path) -> str:
    """What this ssh was started with, and the session of each."""
    path = directory / "ran"
    return path.read_text(encoding="utf-8") if path.exists() else ""


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory with a path that is short enough for sockets."""
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        yield Path(made)
