"""How a stranger's program ended, by systemd's words; and that all of it is ended with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_swarmlab.submitted import limits
from pytest_swarmlab.submitted.limits import Limits, Ran
from pytest_swarmlab.waiting.waiter import Waiter
from tests.unit.fakes import Lab

Shell = Callable[[str, tuple[str, ...]], tuple[int, str, str]]

LIMITS = Limits(seconds=30, memory_mib=64, tasks=16, file_mib=8, disk_mib=100)


def node(*states: str, used: tuple[int, ...] = (1000,), says: str = "done\n") -> Shell:
    """A machine whose systemd tells these states of the unit, one after the other."""
    left, disk = list(states), list(used)

    def shell(_: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        match argv[:2]:
            case ("systemctl", "show"):
                return 0, (left.pop(0) if len(left) > 1 else left[0]), ""
            case ("df", _):
                return 0, f"   Used\n{disk.pop(0) if len(disk) > 1 else disk[0]}\n", ""
            case ("tail", _):
                return 0, says, ""
            case ("systemd-run", _):
                return 0, "", "Failed to start: no such file\n"
        return 0, "", ""

    return shell


def state(sub: str, result: str = "success", status: int = 0, load: str = "loaded") -> str:
    return f"LoadState={load}\nSubState={sub}\nResult={result}\nExecMainStatus={status}\n"


def ran(lab: Lab, shell: Shell) -> Ran:
    lab.shell = shell
    clock = iter(range(10_000))
    wait = Waiter(clock=lambda: float(next(clock)), sleep=lambda _: None)
    return limits.run(lab["worker1"], ("/bin/x", "-y"), where="/opt", wait=wait, limits=LIMITS)


def test_a_program_that_ends_is_known_by_its_exit_code_and_its_last_words(lab: Lab) -> None:
    assert ran(lab, node(state("running"), state("exited"))) == Ran(0, "", "done\n")
    assert ran(lab, node(state("failed", "exit-code", 3))).code == 3
    assert not ran(lab, node(state("failed", "exit-code", 3))).well


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (state("failed", "timeout"), "it had not ended after 30 s, and it was ended"),
        (state("failed", "oom-kill", 9), "it used more memory than 64 MiB, and it was ended"),
        (state("failed", "signal", 25), "it wrote a file or an output of more than 8 MiB"),
        (state("failed", "signal", 11), "the signal 11 ended it"),
        (state("failed", "core-dump", 6), "the signal 6 ended it"),
        (state("failed", "resources"), "it could not be started (resources)"),
        (state("failed", "exit-code", 203), "it could not be started: Failed to start: no such"),
        (state("dead", load="not-found"), "it could not be started: Failed to start: no such"),
        (state("running"), "it had not ended after 30 s, and it was ended"),
        ("", "it had not ended after 30 s, and it was ended"),
    ],
)
def test_what_was_ended_has_no_exit_code_and_a_reason(lab: Lab, told: str, why: str) -> None:
    found = ran(lab, node(told))
    assert found.code is None
    assert not found.well
    assert found.why.startswith(why)


def test_one_that_fills_the_disk_is_ended_before_its_time_is_over(lab: Lab) -> None:
    found = ran(lab, node(state("running"), used=(1000, 1050, 1101)))
    assert found.why == "it had written more than 100 MiB to the disk, and it was ended"


def test_limits_hold_for_all_that_it_starts_and_nothing_of_it_is_left(lab: Lab) -> None:
    ran(lab, node(state("exited")))
    (started,) = lab.commands("systemd-run")
    unit = next(word for word in started if word.startswith("--unit=")).partition("=")[2]
    for limit in ("RuntimeMaxSec=30", "MemoryMax=64M", "TasksMax=16", "LimitFSIZE=8M"):
        assert f"--property={limit}" in started
    assert started[-3:] == ("--", "/bin/x", "-y")
    assert ("worker1", "systemctl", "stop", unit) in lab.did
    assert lab.did[-1][1:4] == ("rm", "-f", "--")


def test_of_an_endless_output_only_the_end_is_read(lab: Lab) -> None:
    ran(lab, node(state("exited")))
    (read,) = lab.commands("tail")
    assert f"--bytes={limits.SHOWN}" in read
