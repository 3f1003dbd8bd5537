"""Hosts that are not like this one: a processor with a larger state, and calls that are forbidden.

The kernels are real and boot for real. Only what such a host answers is made here.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_swarmlab.config import default_cache
from pytest_swarmlab.images import NodeDisk, NodeKernel, find_disk, find_kernel
from pytest_swarmlab.providers import console
from pytest_swarmlab.providers.uml import trial
from tests.hosts.forbid import PTRACE, SECCOMP

NO_XSAVE, AVX512, AMX = 0, 2696, 11008
"""Size of a processor's state, bytes: none, the largest that Linux 6.12 knows, one with AMX."""

SOURCE = Path(__file__).with_name("processor.c")


@pytest.fixture(scope="module")
def disk() -> NodeDisk:
    """The node disk, with Debian's kernel beside it."""
    disk = find_disk(default_cache())
    assert disk, "there is no node disk: make setup"
    return disk


@pytest.fixture(scope="module")
def own() -> NodeKernel:
    """The own kernel."""
    kernel = find_kernel(default_cache())
    if kernel is None:
        pytest.skip("the own kernel isn't built here: make kernel")
    return kernel


@pytest.fixture(params=[NO_XSAVE, AVX512, AMX], ids=["no-xsave", "avx512", "amx"])
def state(request: pytest.FixtureRequest) -> int:
    """How large a processor's state is on the host."""
    return int(request.param)


@pytest.fixture
def host(state: int, tmp_path: Path) -> str:
    """The library that answers as such a host does."""
    if shutil.which("gcc") is None:
        pytest.skip("there is no compiler for the host that is made here: apt-get install gcc")
    library = tmp_path / "host.so"
    options = ["-Wall", "-Werror", "-O2", "-fPIC", "-shared", f"-DSTATE={state}"]
    subprocess.run(["gcc", *options, "-o", str(library), str(SOURCE)], check=True)
    return str(library)


def sizes(tried: trial.Trial) -> set[int]:
    """The sizes of the states that were set."""
    return {int(line.split()[4]) for line in tried.said if line.startswith("host: a state of")}


def test_debians_kernel_starts_where_it_knows_the_state_or_has_its_library(
    disk: NodeDisk, host: str, state: int
) -> None:
    plain = trial.boot(disk.kernel, disk, preload=host)
    helped = trial.boot(disk.kernel, disk, preload=f"{disk.kernel.preload} {host}")
    assert (plain.runs, sizes(plain)) == (state != AMX, {AVX512} if state else set()), plain
    assert (helped.runs, sizes(helped)) == (True, {state} if state else set()), helped
    if not plain.runs:
        assert console.cause(plain.said) == "userspace - ptrace set fp regs failed, errno = 14"


def test_the_own_kernel_asks_the_host_for_the_size(
    own: NodeKernel, disk: NodeDisk, host: str, state: int
) -> None:
    # Under seccomp it sets no state at all: the size comes with each signal.
    under_ptrace = NodeKernel(own.path, replace(own.record, words=("seccomp=off",)))
    tried = trial.boot(under_ptrace, disk, preload=host)
    assert (tried.runs, sizes(tried)) == (True, {state} if state else set()), tried


TRY = """
from pytest_swarmlab.config import default_cache
from pytest_swarmlab.errors import HostError
from pytest_swarmlab.images import find_disk
from pytest_swarmlab.providers.uml import trial
try:
    tried, notices = trial.choose("auto", default_cache(), find_disk(default_cache()))
    print(tried, *notices, sep="\\n")
except HostError as error:
    print(error)
"""


def choose_where_forbidden(*numbers: int) -> list[str]:
    """What is said of the choice of a kernel on a host that forbids these calls."""
    words = ",".join(map(str, numbers))
    argv = [sys.executable, "-m", "tests.hosts.forbid", words, sys.executable, "-c", TRY]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.usefixtures("own")
def test_where_seccomp_is_forbidden_the_own_kernel_runs_under_ptrace_and_says_so() -> None:
    tried, notice = choose_where_forbidden(SECCOMP)
    assert tried.startswith("own kernel ")
    assert tried.endswith("programs under ptrace")
    assert notice.startswith("this host allows no seccomp filters")


@pytest.mark.usefixtures("own")
def test_where_ptrace_is_forbidden_the_own_kernel_does_without() -> None:
    (tried,) = choose_where_forbidden(PTRACE)
    assert tried.startswith("own kernel ")
    assert tried.endswith("programs under seccomp")


def test_where_both_are_forbidden_one_sentence_says_so(disk: NodeDisk) -> None:
    (said,) = choose_where_forbidden(SECCOMP, PTRACE)
    assert said.startswith("no embedded machine starts on this host: ")
    assert f"Debian's kernel {disk.kernel.record.release}" in said
    assert "Operation not permitted" in said
