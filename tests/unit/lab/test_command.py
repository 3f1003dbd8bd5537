"""`swarmlab lab` finds exercises by number, and has built what machines start from."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from pytest_swarmlab import config
from pytest_swarmlab.config import LabConfig
from pytest_swarmlab.errors import ConfigError, HostError
from pytest_swarmlab.images import roots
from pytest_swarmlab.lab import EXERCISES, STACKS, command
from pytest_swarmlab.run.session import CONFIG

ALL = [f"2.{n}" for n in range(1, 1 + len(list(EXERCISES.glob("exercise_2_*"))))]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What pytest is given instead of being run."""
    given: list[str] = []

    def main(arguments: list[str], plugins: list[object]) -> pytest.ExitCode:
        assert [type(plugin) for plugin in plugins] == [command.Preparation]
        given.extend(arguments)
        return pytest.ExitCode.TESTS_FAILED

    monkeypatch.setattr(pytest, "main", main)
    monkeypatch.chdir(tmp_path)
    return given


def exercises(given: list[str]) -> list[str]:
    return [Path(each).name for each in given if Path(each).is_dir()]


def test_the_exercises_of_these_numbers_are_run_with_the_lab_s_own_configuration(
    given: list[str], tmp_path: Path
) -> None:
    assert command.run(["2.3", "2.1", "2.3"], ["--swarmlab-reuse"]) == 1
    assert given == [
        "-c", str(command.CONFIGURATION), f"--rootdir={tmp_path}",
        str(EXERCISES / "exercise_2_3"), str(EXERCISES / "exercise_2_1"), "--swarmlab-reuse",
    ]  # fmt: skip


def test_without_a_number_all_are_run(given: list[str]) -> None:
    command.run([], [])
    assert exercises(given) == [f"exercise_{n.replace('.', '_')}" for n in ALL]


@pytest.mark.parametrize("number", ["2.99", "", "..", "2_3", "exercise_2_3", "/etc"])
def test_a_number_that_the_lab_has_not_is_a_sentence(given: list[str], number: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        command.run(["2.3", number], [])
    assert str(refusal.value) == f"the lab has no exercise {number}: there are {', '.join(ALL)}"
    assert given == []


def test_what_exercises_need_lies_where_they_look() -> None:
    assert (EXERCISES / "exercise_2_3" / "verify.py").is_file()
    assert (STACKS / "quorum.yml").is_file()


class Machine:
    """This host, as far as builds go: what is in its cache, and what was built."""

    def __init__(self, cache: Path) -> None:
        self.there = {"disk", "kernel"}
        self.built: list[str] = []
        given: dict[str, str] = {"swarmlab_cache": str(cache)}
        self.config: LabConfig = config.read(given.get, given.get, rootdir=cache, environ={})

    def prepare(self, *, own_kernel: bool = False) -> None:
        command.prepare(self.config, own_kernel=own_kernel, console=Console(quiet=True))

    def find(self, what: str) -> object:
        return what if what in self.there else None


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path / "cache")

    def build(what: str) -> Any:
        return lambda *_, **__: machine.built.append(what)

    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(roots, "KEYRING", tmp_path)
    monkeypatch.setattr(command, "missing_packages", lambda _: [])
    monkeypatch.setattr(command, "find_disk", lambda *_, **__: machine.find("disk"))
    monkeypatch.setattr(command, "find_kernel", lambda _: machine.find("kernel"))
    monkeypatch.setattr(command, "ensure_disk", build("disk"))
    monkeypatch.setattr(command, "ensure_kernel", build("kernel"))
    return machine


@pytest.mark.parametrize(
    ("there", "own_kernel", "built"),
    [
        ({"disk", "kernel"}, True, []),
        (set(), True, ["disk", "kernel"]),
        (set(), False, ["disk"]),
        ({"disk"}, True, ["kernel"]),
        ({"disk"}, False, []),
        ({"kernel"}, True, ["disk"]),
    ],
)
def test_what_is_missing_is_built_and_nothing_else(
    machine: Machine, there: set[str], own_kernel: bool, built: list[str]
) -> None:
    machine.there = there
    machine.prepare(own_kernel=own_kernel)
    assert machine.built == built


def test_missing_system_packages_are_told_with_the_command_that_installs_them(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine.there = set()
    monkeypatch.setattr(command, "missing_packages", lambda wanted: [min(set(wanted.values()))])
    monkeypatch.setattr(roots, "KEYRING", tmp_path / "none")
    with pytest.raises(HostError) as refusal:
        machine.prepare()
    assert str(refusal.value) == (
        "system packages are missing: as root, run"
        " `apt-get install --no-install-recommends coreutils debian-archive-keyring iproute2`"
    )
    assert machine.built == []
    machine.there = {"disk", "kernel"}
    with pytest.raises(HostError, match=r"recommends iproute2`$"):
        machine.prepare()


def test_who_is_not_root_is_told_what_root_is_to_run(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    machine.prepare(own_kernel=True)
    machine.there = set()
    with pytest.raises(HostError) as refusal:
        machine.prepare(own_kernel=True)
    said = str(refusal.value)
    assert f"/swarmlab --cache {machine.config.cache} disk` and `sudo /" in said
    assert f"/swarmlab --cache {machine.config.cache} kernel`" in said
    assert machine.built == []


def test_another_processor_is_told_first(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(command, "missing_packages", lambda _: ["iproute2"])
    with pytest.raises(HostError, match="embedded machines run on x86-64 processors only"):
        machine.prepare()


@pytest.mark.parametrize(
    ("options", "whole", "prepared"),
    [
        ({}, False, [False]),
        ({}, True, [True]),
        ({"swarmlab_kernel": "debian"}, True, [False]),
        ({"swarmlab_kernel": "own"}, False, [True]),
        ({"swarmlab_provider": "dind"}, True, []),
        ({"collectonly": "yes"}, True, []),
    ],
)
def test_only_embedded_machines_that_are_to_run_are_prepared_for(
    options: dict[str, str],
    whole: bool,
    prepared: list[bool],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """And the own kernel is worth its minutes for all exercises, or where it is asked for."""
    seen: list[bool] = []
    monkeypatch.setattr(command, "terminal", lambda _: None)
    monkeypatch.setattr(command, "prepare", lambda _, **asked: seen.append(asked["own_kernel"]))
    given = {"swarmlab_provider": "uml", **options}
    stash = {CONFIG: config.read(given.get, given.get, rootdir=tmp_path, environ={})}
    asked = SimpleNamespace(stash=stash, getoption=lambda name, default: given.get(name, default))
    session: Any = SimpleNamespace(config=asked)
    command.Preparation(whole=whole).pytest_sessionstart(session)
    assert seen == prepared
