"""The machines that a run has turned off, so that any process can turn them on again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any, ClassVar

from pytest_swarmlab.errors import ProviderError, SwarmlabError
from pytest_swarmlab.providers.console import printable
from pytest_swarmlab.providers.host import try_lock
from pytest_swarmlab.providers.uml.state import State
from pytest_swarmlab.waiting.waiter import Done, Pending, Waiter, done, pending

COMMAND_S = 180.0
"""Longest a command of the owner may take, seconds: `vagrant up` boots a machine and waits for it.
"""

GONE_S = 60.0
"""Longest a machine may answer after the command that cut its power, seconds; a management
controller takes some seconds for it."""

BACK_S = 600.0
"""Longest a machine may take to answer after a killed run, seconds: a server's own tests of its
memory take minutes."""

LOOK_S = 15.0
"""Longest that one try to reach it may take, seconds; ssh itself gives up after 3."""

UNREACHED = 255
"""How ssh ends where it reaches nobody."""

POLL_S = 0.5
LARGEST = 1 << 16
"""Bytes at the end of a command's output that are looked at."""

SHOWN = 200
"""Characters of its last line that are passed on."""


@dataclass(frozen=True)
class Machine:
    """A machine that is turned off, as argument lists of programs here.

    `answers` ends with 255 while the machine can't be reached. `owed`: what it is to do once it
    answers again: it loses the timers that it had. `powered`: whether it was turned on since.
    """

    name: str
    off: tuple[str, ...]
    on: tuple[str, ...]
    answers: tuple[str, ...]
    owed: tuple[tuple[str, ...], ...] = ()
    powered: bool = False

    @classmethod
    def read(cls, entry: dict[str, Any]) -> Machine:
        """As JSON has it."""
        lists = {key: tuple(entry[key]) for key in ("off", "on", "answers")}
        owed = tuple(tuple(argv) for argv in entry["owed"])
        return cls(entry["name"], **lists, owed=owed, powered=entry["powered"])

    def silent(self) -> bool:
        """Whether it does not answer now."""
        try:
            looked = subprocess.run(
                self.answers,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=LOOK_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return True
        return looked.returncode == UNREACHED


class PoweredOff(State):
    """A run's directory: its machines that are off, its SSH configuration, its keeper's log."""

    kind: ClassVar[str] = "-power"

    @property
    def file(self) -> Path:
        """Where the machines are listed."""
        return self.path / "machines.json"

    @property
    def log(self) -> Path:
        """Why a machine could not be turned on again."""
        return self.path / "keeper.log"

    def begin(self, inventory: Path) -> None:
        """List none of that inventory, whose directory is that of its commands."""
        self._write(inventory, {})

    def inventory(self) -> Path:
        """Whose machines they are. Raises OSError or ValueError where nobody has begun."""
        return Path(self._read()["inventory"])

    def machines(self) -> dict[str, Machine]:
        """Each by its name. Raises OSError or ValueError where nobody has begun."""
        return {entry["name"]: Machine.read(entry) for entry in self._read()["machines"]}

    def turn_off(self, machine: Machine) -> None:
        """Cut its power; returns when it no longer answers.

        It is listed before, and stays so until `settle`. Raises ProviderError.
        """
        self._put(machine)
        try:
            self._run(machine.off)
        except ProviderError as error:
            raise ProviderError(f"{machine.name} can't be turned off: {error}") from error
        try:
            Waiter(every=POLL_S)(Answers(machine, up=False), within=GONE_S)
        except SwarmlabError as error:
            raise ProviderError(
                f"{machine.name} still answers {GONE_S:.0f} s after `{_program(machine.off)}`,"
                " which is to cut its power, has ended well"
            ) from error

    def turn_on(self, name: str) -> None:
        """Give it power again; nothing where it has. Raises ProviderError."""
        machine = self.machines().get(name)
        if machine is None or machine.powered:
            return
        try:
            self._run(machine.on)
        except ProviderError as error:
            # Where it was not turned off after all, there is nothing to turn on.
            if machine.silent():
                raise ProviderError(f"{name} can't be turned on again: {error}") from error
        self._put(replace(machine, powered=True))

    def settle(self, name: str) -> None:
        """Have it do what it is owed, since it answers again; then it is listed no more.

        Raises ProviderError.
        """
        machine = self.machines().get(name)
        if machine is None:
            return
        for argv in machine.owed:
            try:
                self._run(argv)
            except ProviderError as error:
                raise ProviderError(f"{name} lacks the timers that it had: {error}") from error
        left = self.machines()
        del left[name]
        self._write(self.inventory(), left)

    def restore(self) -> list[str]:
        """Turn on what is listed and have it do what it is owed; returns the names.

        Each is tried; raises ProviderError that tells of those with which it failed.
        """
        names, failed = list(self.machines()), []
        for name in names:
            try:
                self.turn_on(name)
            except ProviderError as error:
                failed.append(str(error))
        for machine in self.machines().values():
            if machine.powered:
                try:
                    if machine.owed:
                        Waiter(every=POLL_S)(Answers(machine, up=True), within=BACK_S)
                    self.settle(machine.name)
                except SwarmlabError as error:
                    failed.append(str(error))
        if failed:
            raise ProviderError("; ".join(failed))
        return names

    def _run(self, argv: Sequence[str]) -> None:
        run(argv, self.inventory().parent)

    def _put(self, machine: Machine) -> None:
        self._write(self.inventory(), {**self.machines(), machine.name: machine})

    def _read(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
        return found

    def _write(self, inventory: Path, machines: dict[str, Machine]) -> None:
        """Replace the file as a whole: its writer may be killed at any moment."""
        entries = {
            "inventory": str(inventory),
            "machines": [asdict(machine) for machine in machines.values()],
        }
        new = self.file.with_suffix(".new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(entries, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.file)


class Answers:
    """A machine answers again, or no more."""

    def __init__(self, machine: Machine, *, up: bool) -> None:
        self._machine = machine
        self._up = up
        self.node = machine.name
        self.name = "the machine answers" if up else "the machine no longer answers"

    def __call__(self) -> Done[None] | Pending:
        """Look once."""
        if self._machine.silent() is self._up:
            return pending("it doesn't answer" if self._up else "it answers")
        return done(None)


def reap(inventory: Path | None = None) -> list[str]:
    """Turn on what killed runs have left off, of one inventory or of all; returns the names.

    A run's keeper does it; this is for one that was killed, too. Each is tried; raises
    ProviderError that tells of those with which it failed.
    """
    found, failed = [], []
    for state in PoweredOff.all():
        try:
            if inventory is None or state.inventory() == inventory:
                found += _reaped(state)
        except (OSError, ValueError):
            continue  # Another process has removed it.
        except ProviderError as error:
            failed.append(f"{error} (it is listed in {state.path})")
    if failed:
        raise ProviderError("; ".join(failed))
    return found


def _reaped(state: PoweredOff) -> list[str]:
    lock = os.open(state.path / "lock", os.O_RDWR)
    try:
        if not try_lock(lock):
            return []
        names = state.restore()
        state.remove()
    finally:
        os.close(lock)
    return names


def run(argv: Sequence[str], directory: Path, *, within: float = COMMAND_S) -> None:
    """Run a command here. Raises ProviderError of one sentence when it fails, or takes longer.

    What it leaves running, such as a machine, is left alone when it ends.
    """
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                argv,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                # No pipe: what it leaves running may hold it for ever.
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ProviderError(f"`{_program(argv)}` can't be run: {error.strerror}") from error
        try:
            code = process.wait(within)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise ProviderError(
                    f"`{_program(argv)}` did not end in {within:.0f} s{_last_line(said)}"
                ) from error
            raise
        if code:
            raise ProviderError(f"`{_program(argv)}` ended with {code}{_last_line(said)}")


def _program(argv: Sequence[str]) -> str:
    """What is told of a command: its arguments may hold a password."""
    return printable(Path(argv[0]).name)[:SHOWN]


def _last_line(said: IO[bytes]) -> str:
    said.seek(max(0, said.seek(0, os.SEEK_END) - LARGEST))
    text = said.read(LARGEST).decode("utf-8", "replace")
    lines: Iterator[str] = (printable(line) for line in reversed(text.splitlines()))
    last = next((line for line in lines if line), "")
    return f": {last[:SHOWN]}" if last else ""
