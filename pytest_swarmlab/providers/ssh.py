"""Nodes that are reached with OpenSSH: what all such providers share."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pytest_swarmlab.errors import NotConverged, ProviderError
from pytest_swarmlab.providers import mux, shells
from pytest_swarmlab.providers.console import printable
from pytest_swarmlab.providers.host import ping as ping
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, Waiter, done, fatal, pending

if TYPE_CHECKING:
    from testinfra.host import Host

ENGINE = "/var/run/docker.sock"

RETRY_S = 0.5
"""Pause between two tries to connect to a node that is away, seconds."""

POLL_S = 0.2
"""Seconds between two tries of a node that does not answer."""

NOT_OPENED = "open failed"
"""A master connection's message for a forwarding that the other side refuses."""

PROHIBITED = "administratively prohibited"
"""Beside it, where a way to a port is forbidden there (RFC 4254, 5.1); of one to a socket OpenSSH's
server doesn't tell why."""

TROUBLES = (
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", "its host key is another than the one known for it:"
     " is it the same machine? If so, correct known_hosts"),
    ("host key is known for", "a host key isn't known, its own or a jump host's: add it to"
     " known_hosts (ssh-keyscan shows it, its owner confirms it)"),
    ("Host key verification failed", "its host key isn't known: add it to known_hosts"
     " (ssh-keyscan shows it, its owner confirms it)"),
    ("bad permissions", "others may read its private key, so ssh doesn't use it: chmod 0600 it"),
    ("error in libcrypto", "its private key is no file that ssh can read: is it damaged, or are its"
     " line ends those of Windows?"),
    ("invalid format", "its private key is no file that ssh can read: is it damaged, or is it the"
     " public one?"),
    ("Permission denied", "it refused the key: name the right user and key"),
    ("stdio forwarding failed", "the jump host opens no way to it: permit AllowTcpForwarding there,"
     " or correct the address"),
    (PROHIBITED, "its SSH server opens no way to its ports: permit AllowTcpForwarding there"),
    (NOT_OPENED, f"its SSH server opens no way to {ENGINE}: permit AllowTcpForwarding"
     " and AllowStreamLocalForwarding there, and is the engine's socket at that place?"),
    ("Could not resolve", "its name can't be resolved: correct its address"),
    ("Connection refused", "nothing listens at its SSH port, or the jump host's: start sshd, or"
     " correct the address"),
    ("timed out", "it doesn't answer: is it up, and the address right?"),
    ("No route to host", "it can't be reached: is it up, and the address right?"),
    ("Network is unreachable", "it can't be reached from here: correct the address"),
)  # fmt: skip
"""ssh's message → its meaning for a person, the most specific first."""

LONGEST_WORDS = 200
"""Characters of ssh's own message that are passed on."""


def host(config: Path, node: str, *, sudo: bool = False) -> Host:
    """The node, a host of that SSH configuration, for testinfra; `sudo`: its user isn't root."""
    import testinfra

    # No control connection of testinfra's own: it would outlive the run.
    found = testinfra.get_host(f"ssh://{node}", ssh_config=str(config), controlpersist=0, sudo=sudo)
    quoted = found.backend.get_command
    found.backend.get_command = lambda line, *words: shells.alike(quoted(line, *words))
    return found


def command(config: Path, node: str, argv: Sequence[str], *, sudo: bool = False) -> list[str]:
    """The local command that runs `argv` on the node, as root if `sudo` is permitted."""
    there = ["sudo", "--non-interactive", "--", *argv] if sudo else list(argv)
    return ["ssh", "-F", str(config), node, shells.joined(there)]


def trouble(said: str) -> str:
    """The meaning of ssh's complaint, in words for a person, with the line that shows it.

    An unknown complaint gives its last line alone. ssh's output may hold text of the other side:
    only printable characters are passed on.
    """
    lines = [printable(line) for line in said.splitlines()]
    for text, meaning in TROUBLES:
        if words := next((line for line in lines if text in line), None):
            return f"{meaning} (ssh: {words.removeprefix('ssh: ')[:LONGEST_WORDS]})"
    return next((line[:LONGEST_WORDS] for line in reversed(lines) if line), "ssh gave no reason")


def locked(key: str) -> bool:
    """Whether a private key has a passphrase: ssh does not say so when it may not ask for it."""
    shown = subprocess.run(
        ["ssh-keygen", "-y", "-P", "", "-f", key],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return b"incorrect passphrase" in shown.stderr


@dataclass(frozen=True)
class Access:
    """How one node is reached: its address, and whether its user needs sudo to be root.

    `direct`: whether this machine can open connections to that address itself; otherwise
    they are opened by the node's own SSH server.
    """

    address: str
    sudo: bool = False
    direct: bool = True


class SshLinks:
    """An SSH connection to each node, opened again whenever it breaks, and what runs over it.

    None outlives this process: each connection ends with the pipe that this process holds to it.
    """

    def __init__(
        self, directory: Path, config: Path, nodes: Mapping[str, Access], *, logs: Path
    ) -> None:
        """`directory`: an own one with a short path, for sockets.

        `config`: an SSH configuration with every node as a host and
        ``ControlPath <directory>/%n.mux``. `logs`: where ssh's complaints go, a file a node.
        """
        self._directory = directory
        self._config = config
        self._nodes = dict(nodes)
        self._logs = logs
        self._over = threading.Event()
        self._links = {name: _Link(self, name) for name in nodes}
        self._doors = [_EngineDoor(self, name) for name, access in nodes.items() if access.sudo]

    def open(self) -> None:
        """Begin to connect; `await_access` tells when a node answers."""
        self._logs.mkdir(parents=True, exist_ok=True)
        for thread in (*self._links.values(), *self._doors):
            thread.start()

    def address(self, node: str, access: Access) -> None:
        """Let clients reach a node at this address from now on; SSH keeps its own configuration."""
        self._nodes[node] = access

    def drop(self, node: str) -> None:
        """End a connection that leads nowhere any more: another is opened as soon as one can."""
        self._links[node].drop()

    def close(self) -> None:
        """End every connection. Idempotent."""
        if self._over.is_set():
            return
        self._over.set()
        for door in self._doors:
            door.end()
        for link in self._links.values():
            link.end()

    def host(self, node: str) -> Host:
        """The node for testinfra."""
        return host(self._config, node, sudo=self._nodes[node].sudo)

    def command(self, node: str, argv: Sequence[str]) -> list[str]:
        """An ssh command over the node's connection, or one of its own while that is down."""
        return command(self._config, node, argv, sudo=self._nodes[node].sudo)

    def engine_socket(self, node: str) -> Path:
        """Each connection to this socket is one to the node's engine."""
        return self._directory / f"{node}.engine"

    def control_socket(self, node: str) -> Path:
        """Where the node's master connection takes requests."""
        return self._directory / f"{node}.mux"

    def dial(self, node: str, port: int, timeout: float) -> socket.socket:
        """A TCP connection to the node, from here if its address can be reached from here.

        Raises OSError as connect(2) does, and ProviderError where the node's SSH server may open
        none: that says nothing about what listens at the port.
        """
        access = self._nodes[node]
        try:
            if access.direct:
                return socket.create_connection((access.address, port), timeout)
            return mux.forward(self.control_socket(node), access.address, port, timeout)
        except FileNotFoundError as error:
            raise ConnectionRefusedError(f"{node}:{port}: {node} has no SSH connection") from error
        except OSError as error:
            said = self._links[node].said()
            if not access.direct and PROHIBITED in said:
                raise ProviderError(f"{node}:{port} can't be asked: {trouble(said)}") from error
            raise type(error)(error.errno, f"{node}:{port}: {error.strerror or error}") from error

    def await_access(self, node: str, timeout: float, *, engine_runs: bool = False) -> None:
        """Return when the node's engine answers; ProviderError after `timeout` seconds.

        `engine_runs`: it has answered on the node itself, so that a way that SSH doesn't open is
        no matter of time.
        """
        link = self._links[node]
        answers = EngineAnswers(
            self.engine_socket(node), node, refused=link.not_opened if engine_runs else None
        )
        try:
            Waiter(every=POLL_S)(answers, within=timeout)
        except NotConverged as error:
            why = trouble(link.said())
            if error.fatal:
                raise ProviderError(f"{node} can't be used: {why}") from error
            raise ProviderError(f"{error}. {why}") from error

    def over(self) -> bool:
        """Whether the links are to end."""
        return self._over.is_set()

    def pause(self) -> None:
        """Wait a moment before the next try, unless it is over."""
        self._over.wait(RETRY_S)

    def log(self, node: str) -> Path:
        """ssh's messages for that node."""
        return self._logs / f"{node}.ssh.log"

    def master(self, node: str) -> list[str]:
        """The command that holds the node's connection: it ends with its standard input."""
        engine = f"{self.engine_socket(node)}:{ENGINE}"
        forward = (
            () if self._nodes[node].sudo else ("-o", "StreamLocalBindUnlink=yes", "-L", engine)
        )
        # At this level it says also why a forward was refused.
        own = ("-o", "ControlMaster=yes", "-o", "LogLevel=INFO")
        argv = ["ssh", "-F", str(self._config), *own, *forward]
        return [*argv, node, "exec cat"]


class _Link(threading.Thread):
    """Holds one node's master connection."""

    def __init__(self, links: SshLinks, node: str) -> None:
        super().__init__(name=f"link-{node}", daemon=True)
        self._links = links
        self._node = node
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        log = links.log(node)
        self._log_begins = log.stat().st_size if log.exists() else 0

    def run(self) -> None:
        """Connect, and again whenever the connection is lost."""
        while not self._links.over():
            # A connection that was killed leaves its socket, and ssh would not replace it.
            self._links.control_socket(self._node).unlink(missing_ok=True)
            with self._links.log(self._node).open("ab") as log, self._lock:
                if self._links.over():
                    return
                process = self._process = subprocess.Popen(
                    self._links.master(self._node),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    # Ctrl-C is for the run, which may have things to undo over this connection.
                    start_new_session=True,
                )
            process.wait()
            _close(process.stdin)
            self._links.pause()

    def drop(self) -> None:
        """End the connection, so that another is opened."""
        with self._lock:
            if self._process:
                self._process.kill()

    def end(self) -> None:
        """End the connection and wait until it has ended."""
        with self._lock:
            process = self._process
        if process:
            process.terminate()
            process.wait()
        if self.is_alive():
            self.join()

    def said(self) -> str:
        """ssh's messages so far."""
        log = self._links.log(self._node)
        if not log.exists():
            return ""
        return log.read_bytes()[self._log_begins :].decode(errors="replace")

    def not_opened(self) -> bool:
        """Whether it was refused a way, to the engine's socket first of all."""
        return NOT_OPENED in self.said()


class _EngineDoor(threading.Thread):
    """Listens in place of the engine's socket, for a node whose user may not open that.

    Each caller is connected by the CLI, through sudo: that costs a process, and so is done only
    where SSH can't forward the socket itself.
    """

    def __init__(self, links: SshLinks, node: str) -> None:
        super().__init__(name=f"engine-{node}", daemon=True)
        self._links = links
        self._node = node
        self._callers: list[subprocess.Popen[bytes]] = []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(links.engine_socket(node)))
        self._socket.listen(16)

    def run(self) -> None:
        """Give every caller an engine connection of its own."""
        argv = self._links.command(self._node, ["docker", "system", "dial-stdio"])
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            with caller:
                self._callers = [c for c in self._callers if c.poll() is None]
                if not self._links.over():
                    self._callers.append(
                        subprocess.Popen(
                            argv,
                            stdin=caller.fileno(),
                            stdout=caller.fileno(),
                            stderr=subprocess.DEVNULL,
                            start_new_session=True,
                        )
                    )

    def end(self) -> None:
        """Close the door and end who is still talking."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self.is_alive():
            self.join()
        self._socket.close()
        for caller in self._callers:
            caller.terminate()
            caller.wait()


def _close(pipe: IO[bytes] | None) -> None:
    if pipe:
        with contextlib.suppress(BrokenPipeError):
            pipe.close()


class EngineAnswers:
    """An engine answers a ping at its socket."""

    name = "the engine answers through SSH"

    def __init__(
        self, engine: Path, node: str, *, refused: Callable[[], bool] | None = None
    ) -> None:
        """`refused`: whether there is no way to it, and never will be."""
        self._engine = engine
        self._refused = refused
        self.node = node

    def __call__(self) -> Done[str] | Pending | Fatal:
        """Look once."""
        try:
            return done(ping(self._engine))
        except OSError as error:
            seen = str(error) or type(error).__name__
            return fatal(seen) if self._refused and self._refused() else pending(seen)
