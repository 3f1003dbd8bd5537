"""What is written on a cluster tells what it is and whether anybody still owns it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import pytest

from pytest_swarmlab.model import Topology
from pytest_swarmlab.providers.dind import labels, provider, sweep
from pytest_swarmlab.providers.dind.labels import Owner
from pytest_swarmlab.providers.dind.provider import DindProvider


def test_what_was_written_is_read_back() -> None:
    owner = Owner.this()
    written = labels.written("ab12", owner, Topology.lab1(), "2026-05-04T10:00:00+00:00")
    assert labels.topology(written) == Topology.lab1()
    assert labels.owner(written) == owner
    assert all(isinstance(value, str) for value in written.values())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"nodes": [{}]}', '{"name": 1, "nodes": 2}'])
def test_what_others_wrote_is_nothing_known(text: str) -> None:
    seen = {labels.TOPOLOGY: text, labels.OWNER: text}
    assert labels.topology(seen) == labels.UNKNOWN
    assert labels.owner(seen) is None


def test_an_owner_lives_as_long_as_its_process() -> None:
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    started = labels._started(child.pid)
    owner = replace(Owner.this(), pid=child.pid, started=started)
    assert owner.alive
    child.communicate()
    assert not owner.alive


def test_another_process_with_its_number_is_not_the_owner() -> None:
    assert Owner.this().alive
    assert not replace(Owner.this(), started="1").alive


def test_nobody_owns_anything_after_a_reboot() -> None:
    assert not replace(Owner.this(), boot="another").alive


def test_a_process_that_cannot_be_seen_from_here_is_taken_for_alive() -> None:
    assert replace(Owner.this(), namespace="pid:[1]", pid=2**22, started="1").alive


class Engine:
    """Holds what is given, and forgets what is removed."""

    def __init__(self, *clusters: dict[str, str]) -> None:
        self.all = {f"id{n}": each for n, each in enumerate(clusters)}

    def containers(self, *, all: bool, filters: dict[str, str]) -> list[dict[str, Any]]:  # noqa: A002
        assert all
        wanted = filters["label"].partition("=")[2]
        return [
            {"Id": name, "Labels": each}
            for name, each in self.all.items()
            if wanted in ("", each[labels.CLUSTER])
        ]

    def networks(self, *, filters: dict[str, str]) -> list[dict[str, Any]]:
        del filters
        return []

    def volumes(self, *, filters: dict[str, str]) -> dict[str, Any]:
        del filters
        return {"Volumes": None}

    def remove_container(self, name: str, *, force: bool, v: bool) -> None:
        assert force
        assert v, "the volume of a node has no label and must go with its container"
        if name not in self.all:
            raise docker.errors.NotFound("gone")
        del self.all[name]


def test_only_what_is_neither_owned_nor_kept_is_reaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (sweep, provider):
        monkeypatch.setattr(module, "state_root", lambda: tmp_path)
    dead = replace(Owner.this(), started="1")
    mine = labels.written("mine", Owner.this(), Topology.of(), "now")
    left = labels.written("left", dead, Topology.of(), "then")
    kept = labels.written("kept", dead, Topology.of(), "then") | {labels.KEPT: "true"}
    for name in ("mine", "left", "kept", "stray"):
        (tmp_path / name / "manager1").mkdir(parents=True)
    engine = Engine(mine, left, left, kept)
    dind = DindProvider(cache=tmp_path, origin="stand-in")
    dind._api = engine  # type: ignore[assignment]
    assert [(f.id, f.kept, f.owner_alive) for f in dind.find()] == [
        ("kept", True, True),
        ("left", False, False),
        ("mine", False, True),
    ]
    assert dind.reap() == ["left", "stray"]
    assert {each[labels.CLUSTER] for each in engine.all.values()} == {"mine", "kept"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "mine"]


def test_a_sweep_bears_that_somebody_else_sweeps_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "state_root", lambda: tmp_path)
    asked: list[str] = []

    def busy(name: str, **_: object) -> None:
        asked.append(name)
        if len(asked) == 1:
            raise docker.errors.APIError("409", explanation="removal is already in progress")
        raise docker.errors.NotFound("gone")

    api: Any = SimpleNamespace(
        containers=lambda **_: [{"Id": "c"}],
        networks=lambda **_: [],
        volumes=lambda **_: {"Volumes": []},
        remove_container=busy,
    )
    sweep.sweep(api, "ab12")
    assert asked == ["c", "c"]
