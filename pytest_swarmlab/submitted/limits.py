"""Runs a stranger's program on a throw-away node, within limits on both machines.

It is a systemd unit of its own: processes that it starts can't leave the unit, and all of them are
ended together. Its output goes to a file on the node, of which a bounded end is read. So endless
output fills neither a connection nor memory, and a program that stops the engine or the network is
still waited for.
"""

from __future__ import annotations

import secrets
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_swarmlab.errors import NotConverged, ProviderError
from pytest_swarmlab.swarm.cluster import Node, Output
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, Waiter, done, fatal, pending

ASK_S = 20.0
"""Longest a node may take to say how far a program is; one that is choked takes longer."""

START_S = 60.0
"""Longest it may take to start a unit, or to stop one, which kills it after STOP_S."""

STOP_S = 10
"""Seconds from SIGTERM to SIGKILL."""

SHOWN = 4096
"""Bytes of an output's end that are kept."""

OUTPUTS = "/var/tmp/swarmlab-steps"  # noqa: S108 - a node's, which root alone uses
"""A directory on disk, since a node has little memory."""


@dataclass(frozen=True)
class Limits:
    """What a program may use.

    `file_mib`: of each file that it writes, its output among them; `disk_mib`: of the node's disk,
    in all that is written there meanwhile. `tasks`: processes and threads.
    """

    seconds: int = 300
    memory_mib: int = 512
    tasks: int = 256
    file_mib: int = 256
    disk_mib: int = 2048


SCRIPT = Limits()
"""A script of the lab takes seconds; a backup of its volumes half a minute."""

DEPLOY = Limits(seconds=120, file_mib=16, disk_mib=4096)
"""Deploying returns before images are unpacked, which takes room of the disk as well."""


@dataclass(frozen=True)
class Ran:
    """How a program ended.

    `code`: its exit code, or None if it did not end by itself; then `why` has the reason. `output`:
    the end of its output, both streams as they came.
    """

    code: int | None
    why: str
    output: str

    @property
    def well(self) -> bool:
        """Whether it ended as a program does that has done its work."""
        return self.code == 0


XFSZ = signal.SIGXFSZ
"""The signal for a file that grows too large (signal(7))."""

NOT_EXECUTABLE = 203
"""systemd's exit code for what could not be executed at all (systemd.exec(5), EXIT_EXEC)."""

ASKED = ("LoadState", "SubState", "Result", "ExecMainCode", "ExecMainStatus")
OVER = {"exited", "failed", "dead"}


def run(
    node: Node, argv: Sequence[str], *, where: str, wait: Waiter, limits: Limits = SCRIPT
) -> Ran:
    """Run it as root in the directory `where`, and wait until it has ended or was ended.

    Processes that it has left running are ended then, too. Raises ProviderError when the node can't
    be asked.
    """
    unit = f"swarmlab-step-{secrets.token_hex(4)}.service"
    output = f"{OUTPUTS}/{unit}"
    _tell(node, "mkdir", "--parents", "--mode=0700", "--", OUTPUTS)
    before = _used_mib(node)
    properties = {
        "RuntimeMaxSec": limits.seconds,
        "TimeoutStopSec": STOP_S,
        "MemoryMax": f"{limits.memory_mib}M",
        "MemorySwapMax": 0,
        "TasksMax": limits.tasks,
        "LimitFSIZE": f"{limits.file_mib}M",
        "LimitCORE": 0,
        "StandardOutput": f"file:{output}",
        "StandardError": f"file:{output}",
        "WorkingDirectory": where,
    }
    # Asked within bounds each time: a machine that is choked may not answer any more.
    started = node.ask(
        "systemd-run", f"--unit={unit}", "--quiet", "--service-type=exec", "--remain-after-exit",
        "--setenv=HOME=/root", "--setenv=LANG=C.UTF-8",
        *(f"--property={name}={value}" for name, value in properties.items()),
        "--", *argv, within=START_S,
    )  # fmt: skip
    ended = _Ended(node, unit, before, limits)
    try:
        told = wait(ended, within=limits.seconds + STOP_S + 2 * ASK_S)
        code, why = _result(told, limits, started)
    except NotConverged as error:
        code, why = None, f"{error.last}, and it was ended"
    # Also what it has left in the background.
    _tell(node, "systemctl", "stop", unit)
    _tell(node, "systemctl", "reset-failed", unit)
    said = node.ask("tail", f"--bytes={SHOWN}", "--", output, within=ASK_S).stdout
    _tell(node, "rm", "-f", "--", output)
    return Ran(code, why, said)


def _tell(node: Node, *argv: str) -> None:
    """Run a command in bounded time; its exit code does not matter."""
    node.ask(*argv, within=START_S)


class _Ended:
    """A unit has ended; finds systemd's account of it. Fatal once the disk is filled too far."""

    def __init__(self, node: Node, unit: str, before_mib: int, limits: Limits) -> None:
        self._node = node
        self._unit = unit
        self._before_mib = before_mib
        self._limits = limits
        self.node = node.name
        self.name = "the step has ended"

    def __call__(self) -> Done[dict[str, str]] | Pending | Fatal:
        """Look once."""
        words = (f"--property={name}" for name in ASKED)
        try:
            said = self._node.ask("systemctl", "show", *words, self._unit, within=ASK_S).stdout
            written = _used_mib(self._node) - self._before_mib
        except ProviderError as error:
            return pending(str(error))
        told = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
        if told.get("SubState") in OVER:
            return done(told, told["SubState"])
        if written > self._limits.disk_mib:
            return fatal(f"it had written more than {self._limits.disk_mib} MiB to the disk")
        return pending(f"it had not ended after {self._limits.seconds} s")


def _result(told: dict[str, str], limits: Limits, started: Output) -> tuple[int | None, str]:
    """Exit code, or why there is none, by systemd's words (systemd.exec(5), `$SERVICE_RESULT`)."""
    result, status = told.get("Result", ""), int(told.get("ExecMainStatus") or 0)
    if told.get("LoadState") != "loaded" or status == NOT_EXECUTABLE:
        return None, f"it could not be started: {' '.join(started.stderr.split())[-300:]}"
    if result == "timeout":
        return None, f"it had not ended after {limits.seconds} s, and it was ended"
    if result == "oom-kill":
        return None, f"it used more memory than {limits.memory_mib} MiB, and it was ended"
    if result in {"signal", "core-dump"}:
        if status == XFSZ:
            return None, f"it wrote a file or an output of more than {limits.file_mib} MiB"
        return None, f"the signal {status} ended it"
    if result in {"success", "exit-code"}:
        return status, ""
    return None, f"it could not be started ({result or 'no reason was given'})"


def _used_mib(node: Node) -> int:
    """Used bytes of the node's disk."""
    said = node.ask("df", "--block-size=1M", "--output=used", "/", within=ASK_S).stdout
    number = said.split()[-1] if said.split() else ""
    if not number.isdecimal():
        raise ProviderError(f"the used disk space of {node} can't be read: {said[:100]!r}")
    return int(number)
