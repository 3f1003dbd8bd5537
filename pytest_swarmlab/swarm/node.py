"""One machine of a cluster: testinfra, the Docker SDK and commands on it."""

from __future__ import annotations

import contextlib
import functools
import shlex
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_swarmlab import interrupt
from pytest_swarmlab.errors import CommandError, ProviderError
from pytest_swarmlab.evidence.events import Change, Command
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Capability, NodeSpec
from pytest_swarmlab.providers.base import Machines
from pytest_swarmlab.swarm import changes
from pytest_swarmlab.swarm.piping import piped
from pytest_swarmlab.waiting import conditions

if TYPE_CHECKING:
    import docker
    from testinfra.host import Host

ENGINE_S = 30
"""Longest an engine may take over one API call, seconds: above the 20 s after which a manager
without quorum gives up by itself (swarmkit's request timeout)."""

API = "1.44"
"""The engine API of this client: that of Docker 25. An inventory's engine may have an older one."""

OUT_OF_SEQUENCE = "update out of sequence"
"""A manager's refusal of a change to an object that has changed since the client read it, as nodes
and services do by themselves. Nothing was changed; the client reads and asks again.
"""

MOST_ASKED = 5
"""Attempts at a change that others overtake; two always sufficed."""


@dataclass(frozen=True)
class Output:
    """The result of a command on a node: its exit code and both streams as text."""

    code: int
    stdout: str
    stderr: str


class Node:
    """One machine of the cluster."""

    def __init__(self, spec: NodeSpec, machines: Machines, recorder: Recorder) -> None:
        self.name = spec.name
        self.address = spec.address
        self.goes_at_end = False
        """Whether the machine is removed at the run's end."""
        self._machines = machines
        self._recorder = recorder
        self._api: str | None = None

    def __repr__(self) -> str:
        return self.name

    def at(self, port: int) -> str:
        """Its address with that port, as a URL has it: an IPv6 address in brackets."""
        return f"{bracketed(self.address)}:{port}"

    @property
    def firewall(self) -> str:
        """The program whose rules are about the node's address."""
        return firewall(self.address)

    @functools.cached_property
    def host(self) -> Host:
        """The machine as a testinfra host: files, services, packages, sockets."""
        return self._machines.host(self.name)

    @property
    def engine(self) -> docker.DockerClient:
        """A Docker SDK client of this node's own engine."""
        self.heed_interrupt()
        return self._engine

    @functools.cached_property
    def _engine(self) -> docker.DockerClient:
        return self.new_engine(ENGINE_S)

    def new_engine(self, timeout: float) -> docker.DockerClient:
        """Another client, with a time limit of its own in seconds; the caller closes it."""
        import docker

        url = f"unix://{self._machines.engine_socket(self.name)}"
        client = docker.DockerClient(
            base_url=url,
            version=self._negotiated(url) if self.foreign else API,
            timeout=timeout,  # type: ignore[arg-type]  # requests takes fractions, the stub doesn't
        )
        if self.foreign:
            _watch(client.api, self.announce)
        return client

    def _negotiated(self, url: str) -> str:
        """The newest API that an inventory's engine and this client share."""
        import docker

        if self._api is None:
            with contextlib.closing(docker.APIClient(base_url=url, version="auto")) as client:
                self._api = min(API, client.api_version, key=_numbers)
        return self._api

    @property
    def foreign(self) -> bool:
        """Whether the machine is an inventory's: changes are announced, or refused."""
        return self._machines.foreign

    @property
    def timers(self) -> dict[str, tuple[str, ...]]:
        """Of an inventory's machine: unit → the command that sets this timer, of those set now."""
        return self._machines.timers[self.name]

    @property
    def goes_whole(self) -> bool:
        """Whether nothing on it need be undone at the run's end: the machine goes, with all of it.

        As expensive as a look at every node.
        """
        return self.goes_at_end and self._machines.go_whole()

    def heed_interrupt(self) -> None:
        """Raise a KeyboardInterrupt again that ends the block that asks, if the machine goes.

        Blocks undo on a node what they did there. What goes with its machine need not be undone:
        each such block ends at once, and the interrupt stays what ended it.
        """
        if (error := interrupt.unwinding()) and self.goes_whole:
            raise error

    def announce(self, what: str) -> None:
        """Record a change of an inventory's machine before it is made.

        `run`, `put` and the engine's client do so themselves. Raises ProviderError if changes are
        not permitted.
        """
        if not self.foreign:
            return
        if Capability.CHANGE not in self._machines.controls:
            raise ProviderError(f"`{what}` was not done on {self.name}: {Capability.CHANGE.lack}")
        self._recorder.write(Change(self.name, what, changes.undone(what)))

    def run(
        self,
        *argv: str,
        check: bool = True,
        title: str | None = None,
        stdin: bytes | None = None,
    ) -> Output:
        """Run a command on the machine as root and record it.

        `title`: what the output shows, if it is a deliverable such as the lab's screenshots.
        `stdin`: the command's input, which is not recorded. A change that a manager refuses because
        another one came between is sent again; each attempt is recorded. Raises CommandError for an
        exit code other than zero unless `check` is False, ProviderError when the machine can't be
        reached or may not be changed.
        """
        self.announce(shlex.join(argv))
        for _ in range(MOST_ASKED):
            output = self.look(*argv, check=False, title=title, stdin=stdin)
            if OUT_OF_SEQUENCE not in output.stderr:
                break
        if check and output.code:
            raise CommandError(self.name, argv, output.code, output.stdout, output.stderr)
        return output

    def look(
        self,
        *argv: str,
        check: bool = True,
        title: str | None = None,
        stdin: bytes | None = None,
    ) -> Output:
        """As `run`, for a command that changes nothing."""
        self.heed_interrupt()
        began = time.monotonic()
        if stdin is None:
            try:
                done = self.host.run(shlex.join(argv))
            except RuntimeError as error:  # testinfra's word for a failure on the way
                raise ProviderError(f"{self.name} can't be reached: {error}") from error
            # Nobody knows in which encoding a program there writes.
            streams = (done.stdout_bytes, done.stderr_bytes)
            output = Output(done.rc, *(stream.decode(errors="replace") for stream in streams))
        else:
            output = _decoded(self._piped(argv, stdin))
        self._recorder.write(
            Command(
                self.name,
                argv,
                code=output.code,
                stdout=output.stdout,
                stderr=output.stderr,
                seconds=round(time.monotonic() - began, 3),
                title=title,
            )
        )
        if check and output.code:
            raise CommandError(self.name, argv, output.code, output.stdout, output.stderr)
        return output

    def ask(self, *argv: str, within: float) -> Output:
        """Run a command that changes nothing and record nothing: its output may hold secrets.

        `within`: seconds. The caller records the part of the answer that may be kept. Raises
        ProviderError when there is no answer in time.
        """
        try:
            done = self._piped(argv, b"", within)
        except subprocess.TimeoutExpired as error:
            raise ProviderError(f"{self.name} gave no answer in {within:.0f} s") from error
        return _decoded(done)

    def log_of(self, container: str) -> str:
        """The output of a container of this node's engine; the engine's error if it is gone."""
        try:
            found = self.engine.containers.get(container)
            return str(found.logs().decode(errors="replace"))
        except conditions.no_answer() as error:
            return conditions.brief(error)

    def succeeds(self, *argv: str) -> conditions.Succeeds:
        """Condition: a command that changes nothing ends with exit code 0 on this machine."""
        return conditions.Succeeds(self, argv)

    def put(self, content: bytes, path: str) -> None:
        """Write a file on the machine. Raises CommandError when it can't be written."""
        self.heed_interrupt()
        self.announce(shlex.join(["write", path]))
        self._pass_through(("tee", "--", path), content)

    def get(self, path: str) -> bytes:
        """Read a file on the machine. Raises CommandError when it can't be read."""
        self.heed_interrupt()
        return self._pass_through(("cat", "--", path), b"")

    def pipe(
        self, argv: Sequence[str], to: Node, into: Sequence[str], *, most: int, within: float
    ) -> int:
        """Feed what a command prints here to a command on another machine; returns its bytes.

        It passes through this process and is kept nowhere on the way: what it holds may be secret.
        `argv` changes nothing. `most`: bytes; `within`: seconds. Raises ProviderError for more, for
        no end in that time, and for a command that fails.
        """
        self.heed_interrupt()
        to.announce(shlex.join(into))
        ours, theirs = self._machines, to._machines
        return piped(
            ours.command(self.name, argv), theirs.command(to.name, into), most=most, within=within
        )

    def _pass_through(self, argv: Sequence[str], content: bytes) -> bytes:
        done = self._piped(argv, content)
        if done.returncode:
            said = done.stderr.decode(errors="replace")
            raise CommandError(self.name, argv, done.returncode, "", said)
        return done.stdout

    def _piped(
        self, argv: Sequence[str], content: bytes, within: float | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        command = self._machines.command(self.name, argv)
        return subprocess.run(
            command, input=content, capture_output=True, timeout=within, check=False
        )

    def dial(self, port: int, timeout: float) -> socket.socket:
        """A TCP connection to the machine from the client's place in the lab network."""
        return self._machines.dial(self.name, port, timeout)

    def power_off(self) -> None:
        """Cut the machine's power. With it somebody's machine loses its timers until it is back."""
        self.announce(f"power off {self.name}")
        self._machines.power_off(self.name)

    def power_on(self) -> None:
        """Start it again on the disk it had; nothing where it was not turned off."""
        self.announce(f"power on {self.name}")
        self._machines.power_on(self.name)

    def await_access(self, timeout: float) -> None:
        """Return when the machine answers again, on fresh connections."""
        self.heed_interrupt()
        self.forget_connections()
        self._machines.await_access(self.name, timeout)

    def forget_connections(self) -> None:
        """Close what was connected to the engine: after a fault it leads nowhere."""
        if client := self.__dict__.pop("_engine", None):
            client.close()


def bracketed(address: str) -> str:
    """The address as it stands before a colon: one of IPv6 has colons of its own."""
    return f"[{address}]" if ":" in address else address


def firewall(address: str) -> str:
    """The program whose rules are about such an address."""
    return "ip6tables" if ":" in address else "iptables"


def _decoded(done: subprocess.CompletedProcess[bytes]) -> Output:
    out, err = (stream.decode(errors="replace") for stream in (done.stdout, done.stderr))
    return Output(done.returncode, out, err)


def _numbers(api: str) -> tuple[int, ...]:
    return tuple(int(number) for number in api.split("."))


def _watch(api: Any, announce: Callable[[str], None]) -> None:
    """Have every request that may change something announced before it is sent."""
    send = api.request

    def request(method: str, url: str, **how: Any) -> Any:
        if method.upper() not in {"GET", "HEAD"}:
            announce(f"{method.upper()} {urlsplit(url).path}")
        return send(method, url, **how)

    api.request = request
