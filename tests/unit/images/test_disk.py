"""The cache: a disk is there whole or not at all, and is built once."""

from __future__ import annotations

import errno
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from pytest_swarmlab.errors import BuildError, ConfigError, HostError
from pytest_swarmlab.images import SilentReport, builder, ensure_disk, list_disks, remove_disk
from pytest_swarmlab.images.manifest import ImageRecord, KernelRecord, Manifest
from pytest_swarmlab.images.progress import BuildReport, PartReport
from pytest_swarmlab.images.recipe import DiskPlan

WAIT_S = 20
"""Longest that a test waits for another process, seconds."""


class Heard(SilentReport):
    """Keeps what was reported."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.lines: list[str] = []

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def log(self, line: str) -> None:
        self.lines.append(line)


def fake_build(plan: DiskPlan, target: Path, place: Path, report: BuildReport) -> Manifest:
    report.stage("Fake")
    report.log("built")
    (target / "base.img").write_bytes(b"disk")
    (target / "linux.uml").write_bytes(b"kernel")
    return Manifest(
        key=plan.key,
        origin=plan.origin,
        suite="trixie",
        kernel=KernelRecord("debian", "6.12", "Debian's linux 6.12", ("quiet",), "tuntap", True),
        engine_version="26.1.5",
        images=(ImageRecord("nginx:alpine", "stand-in", "Debian trixie: nginx 1", "sha256:1"),),
        packages={"nginx": "1"},
        place=str(place),
    )


def no_build(*_: object) -> Manifest:
    raise AssertionError("built again")


def test_a_disk_is_built_once_and_found_again(tmp_path: Path) -> None:
    first = ensure_disk(tmp_path, report=SilentReport(), build=fake_build)
    second = ensure_disk(tmp_path, report=SilentReport(), build=no_build)
    assert first == second
    assert first.path == tmp_path / "disks" / first.key
    assert first.kernel.record.words == ("quiet",)
    assert str(first.kernel) == "Debian's kernel 6.12 (Debian's linux 6.12)"
    assert first.images()[0]["origin"] == "stand-in"
    assert "built" in first.log.read_text(encoding="utf-8")


def test_each_origin_has_a_disk_of_its_own_and_can_be_removed(tmp_path: Path) -> None:
    one = ensure_disk(tmp_path, report=SilentReport(), build=fake_build)
    other = ensure_disk(tmp_path, origin="registry", report=SilentReport(), build=fake_build)
    assert {disk.key for disk in list_disks(tmp_path)} == {one.key, other.key}
    assert remove_disk(tmp_path, one.key) > 0
    assert [disk.key for disk in list_disks(tmp_path)] == [other.key]
    with pytest.raises(ConfigError, match="holds no disk"):
        remove_disk(tmp_path, one.key)


@pytest.mark.parametrize("error", [BuildError("no"), KeyboardInterrupt()])
def test_a_build_that_ends_early_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    def fails(plan: DiskPlan, target: Path, place: Path, report: BuildReport) -> Manifest:
        fake_build(plan, target, place, report)
        raise error

    with pytest.raises(type(error)) as raised:
        ensure_disk(tmp_path, report=SilentReport(), build=fails)
    left = {path for path in (tmp_path / "disks").iterdir() if path.name != ".lock"}
    if isinstance(error, BuildError):
        (log,) = left
        assert str(raised.value) == f"no (all that the build said: {log})"
        assert "built" in log.read_text(encoding="utf-8")
        ensure_disk(tmp_path, report=SilentReport(), build=fake_build)
        assert not log.exists()
    else:
        assert not left


def test_what_a_killed_build_left_is_removed_by_the_next(tmp_path: Path) -> None:
    leftover = tmp_path / "disks/.building-0123-1"
    (leftover / "work/node").mkdir(parents=True)
    heard = Heard()
    ensure_disk(tmp_path, report=heard, build=fake_build)
    assert not leftover.exists()
    assert any(leftover.name in line for line in heard.lines)


def test_an_unreadable_disk_says_what_to_do(tmp_path: Path) -> None:
    disk = ensure_disk(tmp_path, report=SilentReport(), build=fake_build)
    (disk.path / "manifest.json").write_text("{}", encoding="utf-8")
    assert list_disks(tmp_path) == []
    with pytest.raises(BuildError, match=r"remove .* and it will be built again"):
        ensure_disk(tmp_path, report=SilentReport(), build=no_build)


def test_a_cache_that_cannot_be_written_is_an_error_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "disks").write_text("in the way", encoding="utf-8")
    with pytest.raises(HostError, match="can't be written"):
        ensure_disk(tmp_path, report=SilentReport(), build=fake_build)


def test_a_moved_disk_says_what_to_do(tmp_path: Path) -> None:
    ensure_disk(tmp_path / "one", report=SilentReport(), build=fake_build)
    (tmp_path / "one").rename(tmp_path / "two")
    with pytest.raises(BuildError, match=r"was moved from .*move it back"):
        ensure_disk(tmp_path / "two", report=SilentReport(), build=no_build)


def _slow_builder(cache: Path, begun: Event, finish: Event) -> None:
    def slow(plan: DiskPlan, target: Path, place: Path, report: BuildReport) -> Manifest:
        begun.set()
        assert finish.wait(WAIT_S)
        return fake_build(plan, target, place, report)

    ensure_disk(cache, report=SilentReport(), build=slow)


class Telling(SilentReport):
    """Lets the first build finish as soon as the second says that it waits."""

    def __init__(self, finish: Event) -> None:
        self._finish = finish
        self.parts: list[str] = []

    @contextmanager
    def part(self, name: str) -> Iterator[PartReport]:
        self.parts.append(name)
        self._finish.set()
        yield self


def test_a_second_build_waits_and_takes_the_firsts_disk(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    begun, finish = context.Event(), context.Event()
    first = context.Process(target=_slow_builder, args=(tmp_path, begun, finish))
    first.start()
    try:
        assert begun.wait(WAIT_S)
        told = Telling(finish)
        disk = ensure_disk(tmp_path, report=told, build=no_build)
    finally:
        finish.set()
        first.join(WAIT_S)
    assert told.parts == ["Waiting for another build of the node disk"]
    assert disk.base.read_bytes() == b"disk"
    assert first.exitcode == 0


def test_a_killed_build_blocks_nobody(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    begun, finish = context.Event(), context.Event()
    first = context.Process(target=_slow_builder, args=(tmp_path, begun, finish))
    first.start()
    assert begun.wait(WAIT_S)
    first.kill()
    first.join(WAIT_S)
    start = time.monotonic()
    ensure_disk(tmp_path, report=SilentReport(), build=fake_build)
    assert time.monotonic() - start < WAIT_S
    assert [path.name for path in (tmp_path / "disks").glob(".building*")] == []


def test_a_full_disk_is_said_plainly(tmp_path: Path) -> None:
    with (
        pytest.raises(BuildError, match="ran full during the build"),
        builder.full_disk_explained(),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path))


def test_the_build_needs_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(HostError, match=rf"run `sudo /.*/swarmlab --cache {tmp_path} disk` once"):
        builder.preflight(tmp_path / "disks" / ".building-k-1")


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


@pytest.mark.usefixtures("as_root")
def test_a_missing_command_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="mmdebstrap is missing: install mmdebstrap"):
        builder.preflight(tmp_path)


@pytest.mark.usefixtures("as_root")
def test_missing_keys_and_missing_space_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "COMMANDS", {})
    monkeypatch.setattr(builder, "KEYRING", tmp_path / "none")
    with pytest.raises(HostError, match="install debian-archive-keyring"):
        builder.preflight(tmp_path)
    monkeypatch.setattr(builder, "KEYRING", tmp_path)
    monkeypatch.setattr(builder, "NEEDED_MIB", 2**40)
    with pytest.raises(HostError, match="free some space"):
        builder.preflight(tmp_path)
