"""Boots a kernel as far as its first program, to find out whether this host can run nodes.

It takes 0.2 s. What a host allows depends on its processor, its kernel, and the container around
this process, if any; so it is tried instead of guessed.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytest_swarmlab.errors import HostError
from pytest_swarmlab.images import NodeDisk, NodeKernel, find_kernel
from pytest_swarmlab.images.commands import as_root
from pytest_swarmlab.images.interpreter import PRELOAD_VARIABLE
from pytest_swarmlab.providers import console
from pytest_swarmlab.providers.uml.state import State

TRIAL_S = 20.0
"""Longest a boot to the first program may take, seconds; it takes 0.2 s on an idle machine."""

FIRST = "/usr/local/lib/swarmlab/first"
"""The first program, on the node disk."""

RUNS = "swarmlab: a first program runs"
"""Output of the first program."""

SECCOMP = "seccomp filters can be installed...OK"
"""The kernel's message for guest programs under seccomp; without it they run under ptrace."""

MEMORY_MIB = 128
"""Memory of a machine that is only tried, MiB.

Linux derives from it how many threads there may be. With 64 MiB Debian's kernel reached that number
while it mounted its root, in 7 of 300 boots, and panicked; with 128 MiB in none of 400.
"""


@dataclass(frozen=True)
class Trial:
    """The outcome of one boot: `preload` names the libraries that were loaded before the kernel's
    own.
    """

    kernel: NodeKernel
    preload: str
    runs: bool
    said: tuple[str, ...]

    @property
    def seccomp(self) -> bool:
        """Whether guest programs run under seccomp, which takes half the time of ptrace."""
        return any(SECCOMP in line for line in self.said)

    @property
    def mode(self) -> str:
        """How guest programs run, for people."""
        how = "seccomp" if self.seccomp else "ptrace"
        return f"programs under {how}" + (
            ", with a library for processors that it doesn't know" if self.preload else ""
        )

    @property
    def origin(self) -> str:
        """The kernel's origin and mode, to be shown beside its release."""
        record = self.kernel.record
        made = "own, compiled from " if record.name == "own" else ""
        return f"{made}{record.source}; {self.mode}"

    def __str__(self) -> str:
        """The kernel and how it runs, or why it doesn't, for people."""
        if self.runs:
            return f"{self.kernel}, {self.mode}"
        return f"{self.kernel} ended at boot with {console.cause(self.said)!r}"


def boot(kernel: NodeKernel, disk: NodeDisk, *, preload: str = "") -> Trial:
    """Boot that kernel on that disk, which is only read, until its first program prints.

    `preload`: libraries to load first, with spaces between them.
    """
    with _place() as place:
        argv = [
            # The kernel ends it when this process is killed.
            "setpriv", "--pdeathsig", "KILL", "--",
            str(kernel.program),
            f"ubd0r={disk.base}", "root=/dev/ubda", "ro", f"mem={MEMORY_MIB}M",
            "con0=null,fd:1", "con=null", "umid=trial", f"uml_dir={place}/",
            # Without `quiet`, which hides whether there is seccomp. The last `init` counts.
            *(word for word in kernel.record.words if word != "quiet"), f"init={FIRST}",
        ]  # fmt: skip
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={
                "TMPDIR": str(place),
                "PATH": os.environ.get("PATH", ""),
                PRELOAD_VARIABLE: preload,
            },
            start_new_session=True,
        )
        with process:
            try:
                said = _listen(process)
            finally:
                # Its guests share its session: none may outlive it.
                os.killpg(process.pid, signal.SIGKILL)
    found = tuple(console.lines(said))
    return Trial(kernel, preload, any(RUNS in line for line in found), found)


@contextmanager
def _place() -> Iterator[Path]:
    """A directory for one boot; when this process is killed, the next run removes it."""
    state, lock = State.create()
    try:
        yield state.path
    finally:
        state.remove()
        os.close(lock)


def _listen(process: subprocess.Popen[bytes]) -> bytes:
    """The machine's output until its first program prints, it ends, or its time is over."""
    assert process.stdout is not None  # noqa: S101 - it was asked for
    said, deadline = b"", time.monotonic() + TRIAL_S
    while RUNS.encode() not in said and (left := deadline - time.monotonic()) > 0:
        if select.select([process.stdout], [], [], left)[0]:
            read = os.read(process.stdout.fileno(), 65536)
            if not read:
                break
            said += read
    return said


def usable(kernel: NodeKernel, disk: NodeDisk) -> Trial:
    """Boot the kernel alone and, if that fails, with its library for such hosts."""
    trial = boot(kernel, disk)
    if not trial.runs and kernel.preload:
        again = boot(kernel, disk, preload=kernel.preload)
        return again if again.runs else trial
    return trial


def choose(wanted: str, cache: Path, disk: NodeDisk) -> tuple[Trial, Sequence[str]]:
    """The kernel for a run's nodes, and what a person should know of that choice, a line each.

    `wanted`: ``own``, ``debian``, or ``auto``: the own one if it is built and runs, else Debian's.
    Raises HostError when none of them runs here.
    """
    own = None if wanted == "debian" else find_kernel(cache)
    if wanted == "own" and own is None:
        raise HostError(
            f"the own kernel isn't built yet: run `{as_root('kernel', cache)}` once (about 8"
            " minutes on two cores), or leave out --swarmlab-kernel=own"
        )
    notices = []
    if wanted == "auto" and own is None:
        notices.append(
            f"nodes run on {disk.kernel}: `make kernel` or `swarmlab kernel` builds one with which"
            " they run twice as fast, once, in about 8 minutes on two cores; every run after that"
            " uses it"
        )
    candidates = [own] if own else []
    if wanted != "own":
        candidates.append(disk.kernel)
    tried: list[Trial] = []
    for kernel in candidates:
        trial = usable(kernel, disk)
        if trial.runs:
            notices += [f"{failed}; {kernel} runs here and is used" for failed in tried]
            if kernel is own and not trial.seccomp:
                notices.append(
                    "this host allows no seccomp filters: the nodes' programs run under ptrace,"
                    " which takes about twice the time"
                )
            return trial, notices
        tried.append(trial)
    raise HostError(
        f"no embedded machine starts on this host: {'; '.join(map(str, tried))}. `swarmlab doctor`"
        " tells more; --swarmlab-provider=dind, vagrant or inventory need none"
    )
