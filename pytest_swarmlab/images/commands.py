"""Runs the host's commands so that none outlives the build."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO

from pytest_swarmlab.errors import BuildError
from pytest_swarmlab.images.progress import PartReport

# setpriv ends unshare when this process dies, unshare ends its child, and as that
# one is PID 1 of a namespace, the kernel ends all the rest. Mounts go with theirs.
ISOLATED = (
    "setpriv",
    "--pdeathsig",
    "KILL",
    "--",
    "unshare",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
)
"""Puts a command in mount and PID namespaces that end with this process."""

SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Debian's directories of mkfs and similar programs, which a user's PATH may lack."""

QUOTED_LINES = 5
"""How much of a failed command's output its error quotes."""

FULL = "No space left on device"

DPKG_FORCE = "security-mac,downgrade,unsafe-io"
"""dpkg's own defaults, and that it need not flush each file to the host's disk, which it does 6,500
times for an image of few packages: what a power failure spoils of a build is built again."""


class Commands:
    """Commands that run side by side, in whatever threads, so that one call ends them all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._ended = False

    @contextmanager
    def hold(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """One of them until the block ends; killed at once where the others have been."""
        with self._lock:
            self._running.add(process)
            if self._ended:
                _kill(process)
        try:
            yield
        finally:
            with self._lock:
                self._running.remove(process)

    def end(self) -> None:
        """Kill those that run, and those that are started from now on."""
        with self._lock:
            self._ended = True
            for process in self._running:
                _kill(process)


COMMANDS: ContextVar[Commands | None] = ContextVar("COMMANDS", default=None)
"""The group of running commands to which a new command belongs, so that all can be ended."""


def search_path() -> str:
    """Where the builder looks for commands."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), *SBIN))


def as_root(built: str, cache: Path) -> str:
    """The command by which root builds the disk, the kernel or the image for this user.

    sudo has another PATH and another home, so it names the program and the cache.
    """
    program = Path(sys.executable).with_name("swarmlab")
    words = [str(program), "--cache", str(cache), built]
    return shlex.join(words if os.geteuid() == 0 else ["sudo", *words])


def missing_packages(commands: Mapping[str, str]) -> list[str]:
    """The packages of those commands (command → Debian package) that this machine has not."""
    there = search_path()
    lacking = {package for name, package in commands.items() if not shutil.which(name, path=there)}
    return sorted(lacking)


@contextmanager
def started(
    argv: Sequence[str],
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | IO[bytes] = subprocess.STDOUT,
    namespaces: Sequence[str] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """A running command in namespaces of its own (`namespaces` adds some); killed on the way out.

    One of `COMMANDS`, so another thread may kill it too.
    It is in a session of its own, so that Ctrl-C reaches this process alone, which then
    ends the command.
    """
    process = subprocess.Popen(
        [*ISOLATED, *namespaces, *argv],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env={
            **os.environ,
            "PATH": search_path(),
            "LC_ALL": "C.UTF-8",
            "DEBIAN_FRONTEND": "noninteractive",
            "DPKG_FORCE": DPKG_FORCE,
        },
        start_new_session=True,
    )
    try:
        with (COMMANDS.get() or Commands()).hold(process):
            yield process
    finally:
        _kill(process)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the first process of a command's namespaces, which takes all others there along.

    `unshare` waits for that one: when it ends itself, nothing of the command is left that could
    write to a directory which is being removed.
    """
    if process.poll() is not None:
        return
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        first = [int(pid) for pid in children.read_text(encoding="ascii").split()]
        for pid in first:
            os.kill(pid, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        first = []
    if not first:
        process.kill()


def run(
    argv: Sequence[str],
    report: PartReport,
    *,
    on_line: Callable[[str], None] | None = None,
    explain: Callable[[str], str] | None = None,
    quoted: int = QUOTED_LINES,
) -> list[str]:
    """Run a command to its end and return the last lines of its output.

    Each line goes to the report and to `on_line`. Raises BuildError when the command ends with
    anything but 0: with the first reason that `explain` found in a line ("" where a line tells
    none), else quoting the end of the output (`quoted` lines).
    """
    report.log(f"$ {shlex.join(argv)}")
    last: deque[str] = deque(maxlen=quoted)
    full, why = False, ""
    with started(argv) as process:
        for raw in process.stdout or ():
            line = raw.decode("utf-8", "replace").rstrip()
            last.append(line)
            full = full or FULL in line
            report.log(line)
            if on_line:
                on_line(line)
            if explain:
                why = why or explain(line)
        code = process.wait()
    if code:
        if why:
            raise BuildError(why)
        if full:
            raise disk_full()
        said = " | ".join(last) or "it printed nothing"
        raise BuildError(f"`{shlex.join(argv)}` ended with {code}: {said}")
    return list(last)


def in_root(root: Path, argv: Sequence[str]) -> list[str]:
    """The command that runs `argv` inside `root`, with a /proc of its own."""
    script = 'mkdir -p "$0/proc" && mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'
    return ["sh", "-c", script, str(root), *argv]


def disk_full() -> BuildError:
    """The error of a build that ran out of space."""
    return BuildError(
        "the disk with the cache ran full during the build, and what was built was removed:"
        " free some space, or put the cache elsewhere"
    )
