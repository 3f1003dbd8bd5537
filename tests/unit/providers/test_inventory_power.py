"""Machines are turned off and on by their owner's commands, and never left off."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.model import Capability
from pytest_swarmlab.providers.inventory import powered_off
from pytest_swarmlab.providers.inventory.file import load
from pytest_swarmlab.providers.inventory.powered_off import Machine, PoweredOff, reap, run
from pytest_swarmlab.providers.inventory.provider import InventoryMachines, InventoryProvider
from pytest_swarmlab.providers.inventory.switch import Switch
from pytest_swarmlab.waiting.waiter import Done, Pending, Waiter, done, pending

SSH = """#!/bin/sh
case "$*" in "-G "*) echo "hostname 192.0.2.7"; exit 0 ;; esac
while [ $# -gt 2 ]; do shift; done
[ -e "$FAKE/up/$1" ] || exit 255
echo "$1 $2" >>"$FAKE/ran"
case "$2" in *cat) exec cat ;; esac
"""
"""An ssh that reaches a machine while there is a file of its name, and notes what it is to run."""

NAMES = ("m1", "w1")
PATIENCE_S = 30.0


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two machines that are files: off removes one, which fails where it is off, on makes it."""
    for directory in ("bin", "up"):
        (tmp_path / directory).mkdir()
    (tmp_path / "bin" / "ssh").write_text(SSH, encoding="utf-8")
    (tmp_path / "bin" / "ssh").chmod(0o755)
    for name in NAMES:
        (tmp_path / "up" / name).touch()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE", str(tmp_path))
    yield tmp_path
    for state in PoweredOff.all():  # Of a test that failed.
        if state.file.exists() and state.inventory().parent == tmp_path and not state.alive():
            state.remove()


def inventory(
    fake: Path, power: str = "{off: [rm, 'up/{name}'], on: [touch, 'up/{name}']}"
) -> Path:
    """Its file; the commands run where that is."""
    path = fake / "cluster.yml"
    path.write_text(
        f"power: {power}\nnodes:\n"
        "  - {name: m1, role: manager}\n  - {name: w1, role: worker}\n",
        encoding="utf-8",
    )
    return path


def switch(path: Path) -> Switch:
    return Switch(load(path), dict.fromkeys(NAMES, "192.0.2.7"))


def up(fake: Path) -> set[str]:
    return {path.name for path in (fake / "up").iterdir()}


def ran(fake: Path) -> list[str]:
    """What was run on machines, other than the question whether they answer."""
    said = (
        (fake / "ran").read_text(encoding="utf-8").splitlines() if (fake / "ran").exists() else []
    )
    return [line for line in said if not line.endswith(" true")]


def listed(path: Path) -> list[PoweredOff]:
    return [s for s in PoweredOff.all() if s.file.exists() and s.inventory() == path]


class Holds:
    """Something is so at last."""

    node = None

    def __init__(self, name: str, looks: Callable[[], bool]) -> None:
        self.name = name
        self._looks = looks

    def __call__(self) -> Done[None] | Pending:
        return done(None) if self._looks() else pending("not yet")


def wait(name: str, looks: Callable[[], bool]) -> None:
    Waiter(every=0.05)(Holds(name, looks), within=PATIENCE_S)


def test_a_machine_is_turned_off_and_on_and_nothing_is_left_of_it(fake: Path) -> None:
    path = inventory(fake)
    mine = switch(path)
    mine.turn_off("m1", [["set", "a timer"]])
    mine.turn_off("m1", [])  # It is off: the command would fail.
    assert up(fake) == {"w1"}
    mine.turn_on("m1")
    mine.turn_on("m1")
    assert up(fake) == set(NAMES)
    assert mine.off == {"m1"}
    mine.settle("m1")
    assert ran(fake) == ["m1 set 'a timer'"]
    assert mine.off == set()
    mine.turn_on("m1")
    mine.settle("m1")
    mine.end()
    mine.end()
    assert listed(path) == []


def test_a_machine_that_was_not_turned_off_is_not_turned_on(fake: Path) -> None:
    path = inventory(fake, power="{off: [rm, 'up/{name}'], on: ['false', '{name}']}")
    mine = switch(path)
    mine.turn_on("m1")
    mine.settle("m1")
    mine.end()
    assert listed(path) == []


def test_what_is_still_off_at_the_end_is_turned_on(fake: Path) -> None:
    path = inventory(fake)
    mine = switch(path)
    for name in NAMES:
        mine.turn_off(name, [])
    assert up(fake) == set()
    mine.end()
    assert up(fake) == set(NAMES)
    assert listed(path) == []


def test_a_command_that_fails_is_told_and_what_was_not_off_is_no_matter(fake: Path) -> None:
    path = inventory(
        fake, power="{off: [sh, -c, 'echo refused >&2; exit 3', '{name}'], on: ['false', '{name}']}"
    )
    mine = switch(path)
    with pytest.raises(
        ProviderError, match=r"^m1 can't be turned off: `sh` ended with 3: refused$"
    ):
        mine.turn_off("m1", [])
    mine.turn_on("m1")  # Its command fails as well, of a machine that answers.
    mine.settle("m1")
    mine.end()
    assert listed(path) == []


def test_a_machine_that_can_not_be_turned_on_is_told_at_once_and_at_the_end(
    fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_swarmlab.providers.inventory.switch.END_S", 1.0)
    path = inventory(fake, power="{off: [rm, 'up/{name}'], on: [ls, 'nowhere/{name}']}")
    mine = switch(path)
    mine.turn_off("m1", [])
    with pytest.raises(
        ProviderError, match=r"m1 can't be turned on again: `ls` ended with 2: .*nowh"
    ):
        mine.turn_on("m1")
    assert mine._keeper is not None
    keeper = mine._keeper.pid
    with pytest.raises(ProviderError, match=r"m1 could not be turned on again.*swarmlab gc"):
        mine.end()
    os.kill(keeper, signal.SIGKILL)
    os.waitpid(keeper, 0)
    (state,) = listed(path)
    with pytest.raises(ProviderError, match=r"m1 can't be turned on again"):
        reap(path)
    (fake / "up" / "m1").touch()  # Its owner has turned it on.
    assert reap(path) == ["m1"]
    assert not state.path.exists()


def test_a_machine_that_goes_on_answering_was_not_turned_off(
    fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(powered_off, "GONE_S", 0.1)
    state, lock = PoweredOff.create()
    os.close(lock)
    state.begin(fake / "cluster.yml")
    machine = Machine("m1", off=("true",), on=("true",), answers=("ssh", "m1", "true"))
    with pytest.raises(ProviderError, match="m1 still answers 0 s after `true`"):
        state.turn_off(machine)
    assert list(state.machines()) == ["m1"]
    state.remove()


OWNER = """
import sys
from pathlib import Path
from pytest_swarmlab.providers.inventory.file import load
from pytest_swarmlab.providers.inventory.switch import Switch

mine = Switch(load(Path(sys.argv[1])), {"m1": "192.0.2.7", "w1": "192.0.2.7"})
mine._kept()
print(mine._keeper.pid, flush=True)
mine.turn_off("m1", [["set", "a timer"]])
print("off", flush=True)
sys.stdin.read()
"""
"""A run that tells its keeper's process, turns a machine off, and goes on."""


def owner(path: Path) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def kill(process: subprocess.Popen[str]) -> None:
    with process:
        process.kill()


def ended(pid: int) -> bool:
    """Whether it holds no lock any more."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return True
    return "State:\tZ" in status


def test_a_killed_run_leaves_no_machine_off_and_none_without_its_timers(fake: Path) -> None:
    path = inventory(fake)
    process, _ = owner(path)
    assert process.stdout is not None
    assert process.stdout.readline() == "off\n"
    assert up(fake) == {"w1"}
    kill(process)
    wait("the machine is on, and nothing is left", lambda: not listed(path))
    assert up(fake) == set(NAMES)
    assert ran(fake) == ["m1 set 'a timer'"]


def test_a_run_that_is_killed_while_the_power_is_being_cut_leaves_no_machine_off(
    fake: Path,
) -> None:
    slow = "touch begun; sleep 1; rm up/{name}; echo off >>log"
    path = inventory(
        fake, power=f"{{off: [sh, -c, '{slow}'], on: [sh, -c, 'echo on >>log; touch up/{{name}}']}}"
    )
    process, _ = owner(path)
    wait("the command has begun", (fake / "begun").exists)
    kill(process)
    wait("nothing is left", lambda: not listed(path))
    assert (fake / "log").read_text(encoding="utf-8") == "off\non\n"
    assert up(fake) == set(NAMES)


def test_what_a_killed_run_and_its_killed_keeper_left_off_the_next_run_turns_on(fake: Path) -> None:
    path = inventory(fake)
    process, keeper = owner(path)
    assert process.stdout is not None
    assert process.stdout.readline() == "off\n"
    assert reap(path) == []  # Its run lives.
    os.kill(keeper, signal.SIGKILL)
    kill(process)
    wait("both have ended", lambda: ended(keeper))
    assert up(fake) == {"w1"}
    assert reap(fake / "another.yml") == []
    assert InventoryProvider(path, may_change=True).reap()[0] == "m1"
    assert up(fake) == set(NAMES)
    assert ran(fake) == ["m1 set 'a timer'"]
    assert listed(path) == []


@pytest.mark.parametrize("whole", [True, False])
def test_a_machine_that_stays_off_hinders_none_that_only_looks(
    fake: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    path = inventory(fake, power="{off: [rm, 'up/{name}'], on: ['false', '{name}']}")
    state, lock = PoweredOff.create()
    os.close(lock)
    state.begin(path)
    (fake / "up" / "m1").unlink()
    off = Machine("m1", off=("true",), on=("false",), answers=("ssh", "m1", "true"))
    state.turn_off(off)
    told = f"m1 can't be turned on again: `false` ended with 1 (it is listed in {state.path})"

    def reached(*_: object) -> None:
        raise ProviderError("it goes on")

    monkeypatch.setattr(InventoryProvider, "_reached", reached)
    provider = InventoryProvider(path, may_change=whole, whole=whole)
    with pytest.raises(ProviderError, match=re.escape(told if whole else "it goes on")):
        provider.attach("", logs=fake)
    assert [each.path for each in listed(path)] == [state.path]


def test_another_keeper_takes_the_place_of_one_that_was_killed(fake: Path) -> None:
    path = inventory(fake)
    mine = switch(path)
    mine.turn_off("m1", [])
    assert mine._keeper is not None
    mine._keeper.kill()
    mine._keeper.wait()
    mine.turn_on("m1")
    mine.settle("m1")
    assert up(fake) == set(NAMES)
    mine.end()
    assert listed(path) == []


def test_a_keeper_that_is_killed_while_it_is_asked_is_told(fake: Path) -> None:
    path = inventory(
        fake,
        power="{off: [sh, -c, 'kill -9 $PPID', '{name}'], on: [sh, -c, 'touch up/{name}']}",
    )
    mine = switch(path)
    with pytest.raises(ProviderError, match="turns machines off and on has ended"):
        mine.turn_off("m1", [])
    mine.turn_on("m1")
    mine.settle("m1")
    mine.end()
    assert listed(path) == []


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["sh", "-c", "echo one; echo two >&2; exit 4"], r"^`sh` ended with 4: two$"),
        (["sh", "-c", "exit 5"], r"^`sh` ended with 5$"),
        (["sh", "-c", "printf 'a\\033[31m\\342\\200\\256b\\377\\n\\n'; exit 1"],
         "^`sh` ended with 1: a\\[31mb\N{REPLACEMENT CHARACTER}$"),
        (["sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x; exit 1"],
         r"^`sh` ended with 1: x{200}$"),
        (["sh", "-c", "kill -9 $$"], r"^`sh` ended with -9$"),
        (["/nowhere/virsh", "secret"], r"^`virsh` can't be run: No such file or directory$"),
        (["./power.sh"], r"^`power.sh` can't be run: Permission denied$"),
    ],
)  # fmt: skip
def test_a_command_that_fails_is_one_sentence_with_its_last_line(
    tmp_path: Path, argv: list[str], said: str
) -> None:
    (tmp_path / "power.sh").touch(0o600)
    with pytest.raises(ProviderError, match=said):
        run(argv, tmp_path)


def test_a_command_that_hangs_is_ended_with_all_its_processes(tmp_path: Path) -> None:
    line = "sleep 600 & echo $! >pid; echo waits for the lock; wait"
    with pytest.raises(ProviderError, match="`sh` did not end in 1 s: waits for the lock"):
        run(["sh", "-c", line], tmp_path, within=1.0)
    left = Path("/proc", (tmp_path / "pid").read_text(encoding="utf-8").strip(), "status")
    wait(
        "it has ended", lambda: not left.exists() or "(zombie)" in left.read_text(encoding="utf-8")
    )


def test_a_machine_that_a_command_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    run(["sh", "-c", "sleep 600 & echo $! >pid"], tmp_path, within=30.0)
    pid = int((tmp_path / "pid").read_text(encoding="utf-8"))
    os.kill(pid, signal.SIGKILL)


@pytest.fixture
def made(fake: Path) -> Iterator[Callable[..., InventoryMachines]]:
    machines: list[InventoryMachines] = []

    def make(path: Path, *, may_change: bool = True) -> InventoryMachines:
        machines.append(InventoryMachines(load(path), may_change=may_change, logs=fake))
        return machines[-1]

    yield make
    for each in machines:
        each.stop()


def test_power_is_what_the_inventory_and_the_permission_give(
    fake: Path, made: Callable[..., InventoryMachines]
) -> None:
    path = inventory(fake)
    assert made(path).controls == {Capability.CHANGE, Capability.POWER_OFF}
    only_looks = made(path, may_change=False)
    assert only_looks.controls == set()
    for act in (only_looks.power_off, only_looks.power_on):
        with pytest.raises(ProviderError, match="nobody here can cut a machine's power"):
            act("m1")
    path.write_text("nodes: [{name: m1, role: manager}]\n", encoding="utf-8")
    without = made(path)
    assert without.controls == {Capability.CHANGE}
    with pytest.raises(ProviderError, match=r"an inventory's `power: \{off, on\}` names"):
        without.power_off("m1")
    assert up(fake) == set(NAMES)


def test_the_connection_to_a_machine_that_lost_its_power_is_opened_anew(
    fake: Path, made: Callable[..., InventoryMachines]
) -> None:
    machines = made(inventory(fake))
    machines._links.open()
    wait("it is connected", lambda: ran(fake).count("m1 exec cat") == 1)
    machines.timers["m1"]["a.timer"] = ("set", "a timer")
    machines.power_off("m1")
    machines.power_on("m1")
    wait("it is connected again", lambda: ran(fake).count("m1 exec cat") == 2)
    machines.stop()
    assert "m1 set 'a timer'" in ran(fake)
    assert ran(fake).count("w1 exec cat") == 1
