"""Which kernel a run's nodes boot, and what is said when none does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_swarmlab.errors import HostError
from pytest_swarmlab.images import NodeDisk, NodeKernel
from pytest_swarmlab.images.manifest import KernelRecord, Manifest
from pytest_swarmlab.providers import console
from pytest_swarmlab.providers.uml import trial
from pytest_swarmlab.providers.uml.trial import RUNS, Trial

DEBIAN = KernelRecord("debian", "6.12.113", "Debian's user-mode-linux", (), "tuntap", True)
OWN = KernelRecord("own", "7.3.4-swarmlab", "Debian's linux-source", (), "vector", False)

AMX = (
    "Linux version 6.12.113",
    "Run /usr/local/lib/swarmlab/first as init process",
    "userspace - ptrace set fp regs failed, errno = 14",
    "Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b",
    "CPU: 0 UID: 0 PID: 1 Comm: first Not tainted 6.12.113",
    "Call Trace:",
    "[<60034d6a>] ? dump_stack_lvl+0x2d/0x40",
)
SECCOMP = "Checking that seccomp filters can be installed...OK"


@pytest.fixture
def disk(tmp_path: Path) -> NodeDisk:
    """A disk with Debian's kernel beside it."""
    return NodeDisk(
        tmp_path, Manifest("ab12", "stand-in", "trixie", DEBIAN, "26.1.5", (), {}, str(tmp_path))
    )


class Host:
    """A host on which some kernels start: (name, what is preloaded) → what they say."""

    def __init__(self, **said: tuple[str, ...]) -> None:
        self.said = said
        self.booted: list[str] = []

    def boot(self, kernel: NodeKernel, _: NodeDisk, *, preload: str = "") -> Trial:
        what = f"{kernel.record.name}{'_preload' if preload else ''}"
        self.booted.append(what)
        said = self.said[what]
        return Trial(kernel, preload, RUNS in said, said)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    """A host where everything starts, and a cache with the own kernel; both to be made worse."""
    host = Host(own=(SECCOMP, RUNS), debian=(RUNS,), debian_preload=(RUNS,))
    monkeypatch.setattr(trial, "boot", host.boot)
    monkeypatch.setattr(trial, "find_kernel", lambda _: NodeKernel(tmp_path, OWN))
    return host


def test_the_own_kernel_is_taken_where_it_is_built(
    host: Host, disk: NodeDisk, tmp_path: Path
) -> None:
    chosen, notices = trial.choose("auto", tmp_path, disk)
    assert (chosen.kernel.record, chosen.preload, chosen.seccomp) == (OWN, "", True)
    assert list(notices) == []
    assert host.booted == ["own"]
    assert str(chosen) == (
        "own kernel 7.3.4-swarmlab (Debian's linux-source), programs under seccomp"
    )
    assert chosen.origin == "own, compiled from Debian's linux-source; programs under seccomp"


def test_until_it_is_built_debians_serves_and_one_line_says_so(
    host: Host, disk: NodeDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "find_kernel", lambda _: None)
    chosen, (notice,) = trial.choose("auto", tmp_path, disk)
    assert chosen.kernel.record == DEBIAN
    assert "`make kernel`" in notice
    assert "every run after that uses it" in notice
    with pytest.raises(HostError, match=rf"run `.*/swarmlab --cache {tmp_path} kernel` once"):
        trial.choose("own", tmp_path, disk)
    assert host.booted == ["debian"]


def test_debians_kernel_can_be_asked_for(host: Host, disk: NodeDisk, tmp_path: Path) -> None:
    chosen, notices = trial.choose("debian", tmp_path, disk)
    assert (chosen.kernel.record, list(notices)) == (DEBIAN, [])
    assert host.booted == ["debian"]


def test_a_processor_that_debians_kernel_does_not_know_gets_the_library(
    host: Host, disk: NodeDisk, tmp_path: Path
) -> None:
    host.said["debian"] = AMX
    chosen, _ = trial.choose("debian", tmp_path, disk)
    assert host.booted == ["debian", "debian_preload"]
    assert chosen.preload
    assert "with a library for processors that it doesn't know" in str(chosen)


def test_a_host_without_seccomp_is_told_what_that_costs(
    host: Host, disk: NodeDisk, tmp_path: Path
) -> None:
    host.said["own"] = ("Checking that seccomp filters can be installed...missing", RUNS)
    chosen, (notice,) = trial.choose("auto", tmp_path, disk)
    assert chosen.mode == "programs under ptrace"
    assert notice.startswith("this host allows no seccomp filters")


def test_an_own_kernel_that_does_not_start_is_told_and_debians_taken(
    host: Host, disk: NodeDisk, tmp_path: Path
) -> None:
    host.said["own"] = ("check_ptrace : expected SIGSTOP, got status = 9",)
    chosen, (notice,) = trial.choose("auto", tmp_path, disk)
    assert chosen.kernel.record == DEBIAN
    assert "own kernel 7.3.4-swarmlab" in notice
    assert "'check_ptrace : expected SIGSTOP, got status = 9'" in notice
    with pytest.raises(HostError, match="no embedded machine starts on this host: own kernel"):
        trial.choose("own", tmp_path, disk)


def test_a_host_where_nothing_starts_is_told_in_one_sentence_without_a_trace(
    host: Host, disk: NodeDisk, tmp_path: Path
) -> None:
    host.said = {"own": ("ptrace: Operation not permitted",), "debian": AMX, "debian_preload": AMX}
    with pytest.raises(HostError) as refusal:
        trial.choose("auto", tmp_path, disk)
    said = str(refusal.value)
    assert "'ptrace: Operation not permitted'" in said
    assert "'userspace - ptrace set fp regs failed, errno = 14'" in said
    assert "Call Trace" not in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (AMX, AMX[2]),
        (("VFS: mounted", "Kernel panic - no init"), "Kernel panic - no init"),
        (("a", "swarmlab: the address can't be set"), "swarmlab: the address can't be set"),
        (("ptrace: not permitted", "expected SIGSTOP"), "ptrace: not permitted"),
        ((), "it said nothing"),
    ],
)  # fmt: skip
def test_the_line_of_a_console_that_matters(said: tuple[str, ...], cause: str) -> None:
    assert console.cause(said) == cause


def test_a_console_is_read_from_its_end_and_holds_nothing_unprintable(tmp_path: Path) -> None:
    path = tmp_path / "manager1.log"
    path.write_bytes(b"first\n" + b"x" * (2 * console.LARGEST) + b"\n\x1b[31mlast\x07\r\n\n\xff\n")
    lines = console.read(path)
    assert lines[1:] == ["[31mlast", "\N{REPLACEMENT CHARACTER}"]
    assert "first" not in lines
    assert console.read(tmp_path / "none") == []


def test_a_trial_knows_the_kernel_that_it_was(disk: NodeDisk) -> None:
    tried = Trial(disk.kernel, "", False, AMX)
    assert replace(tried, runs=True).mode == "programs under ptrace"
    assert str(tried).startswith(
        "Debian's kernel 6.12.113 (Debian's user-mode-linux) ended at boot"
    )
