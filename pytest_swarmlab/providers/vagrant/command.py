"""The command `vagrant`: its questions and its answers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from pytest_swarmlab.errors import HostError, ProviderError
from pytest_swarmlab.providers.console import printable

RUNNING = "running"
OFF = frozenset({"poweroff", "shutoff", "aborted"})
"""States of VirtualBox and libvirt for a machine that `vagrant up` boots again."""

ABSENT = "not_created"

QUOTED_LINES = 5
"""How much of a failed command's output its error quotes."""

NO_VAGRANTFILE = "Vagrant::Errors::NoEnvironmentError"


class Vagrant:
    """Runs `vagrant` for the machines of one Vagrantfile. Every method may raise HostError.

    A machine's state is in the words of Vagrant's provider: ``running``, ``not_created``,
    ``poweroff`` (VirtualBox), ``shutoff`` (libvirt) and others.
    """

    def __init__(self, directory: Path, *, memory_mib: int | None = None) -> None:
        """`directory`: where the Vagrantfile is, or below; `memory_mib`: of machines it makes."""
        self.directory = directory
        self._environment = {**os.environ, "VAGRANT_NO_COLOR": "1"}
        if memory_mib is not None:
            self._environment["SWARMLAB_MEMORY"] = str(memory_mib)

    def states(self) -> dict[str, str]:
        """Every machine of the Vagrantfile → its state."""
        done = self._run(["status", "--machine-readable"])
        rows = [_fields(line) for line in done.stdout.splitlines()]
        for _, kind, *data in rows:
            if kind == "error-exit" and data[:1] == [NO_VAGRANTFILE]:
                raise HostError(
                    f"no Vagrantfile in {self.directory} or above it: run in the lab's directory"
                )
        if done.returncode:
            errors = [" ".join(data[1:]) for _, kind, *data in rows if kind == "error-exit"]
            raise HostError(f"`vagrant status` failed: {_said(errors or [done.stderr])}")
        return {target: data[0] for target, kind, *data in rows if kind == "state" and data}

    def ssh_config(self, machine: str) -> str:
        """How the machine is reached, as a block of an OpenSSH configuration.

        Raises ProviderError when Vagrant can't say, for example because it is off.
        """
        done = self._run(["ssh-config", machine])
        if done.returncode or f"Host {machine}" not in done.stdout.splitlines():
            said = _said([done.stderr, done.stdout])
            raise ProviderError(f"Vagrant doesn't say how {machine} is reached: {said}")
        return done.stdout.strip() + "\n"

    def up(self, machines: Sequence[str], *, provision: bool = True, log: Path) -> None:
        """Create or boot these; ProviderError with Vagrant's last words when it fails."""
        flags = [] if provision else ["--no-provision"]
        self._change(["up", *flags, *machines], log)

    def halt(self, machine: str, *, force: bool, log: Path) -> None:
        """Shut a machine down, or with `force` cut its power."""
        self._change(["halt", *(["--force"] if force else []), machine], log)

    def destroy(self, machines: Sequence[str], *, log: Path) -> None:
        """Remove these machines and their disks."""
        self._change(["destroy", "--force", *machines], log)

    def on(self, machine: str, command: str, *, log: Path) -> None:
        """Run a command line on a machine as its own user."""
        self._change(["ssh", machine, "--command", command], log)

    def _change(self, words: Sequence[str], log: Path) -> None:
        began = log.stat().st_size if log.exists() else 0
        with log.open("ab") as out:
            done = self._run(words, out=out.fileno())
        if done.returncode:
            with log.open("rb") as said:
                said.seek(began)
                text = said.read().decode("utf-8", "replace")
            raise ProviderError(
                f"`vagrant {' '.join(words)}` ended with {done.returncode}: {_said([text])}"
            )

    def _run(
        self, words: Sequence[str], *, out: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                ["vagrant", *words],
                cwd=self.directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if out is None else out,
                stderr=subprocess.PIPE if out is None else subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        except FileNotFoundError as error:
            raise HostError(
                "vagrant is missing: install Vagrant, and VirtualBox or libvirt"
                " (on Debian: apt-get install vagrant vagrant-libvirt)"
            ) from error


def _fields(line: str) -> tuple[str, str, *tuple[str, ...]]:
    """Target, kind and data of a line of machine-readable output: its first field is the time."""
    _, target, kind, *data = (*line.split(","), "", "", "")
    return target, kind, *(_plain(field) for field in data)


def _plain(field: str) -> str:
    return field.replace("%!(VAGRANT_COMMA)", ",").replace("\\n", "\n").replace("\\r", "")


def _said(texts: Iterable[str]) -> str:
    """The last words of what was printed; machines can have their say in it, so printable only."""
    lines = [printable(line) for t in texts for line in t.split("\n")]
    return " | ".join([line for line in lines if line][-QUOTED_LINES:]) or "it gave no reason"
