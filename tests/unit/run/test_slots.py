"""How many clusters a machine carries, and who has which place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab import config
from pytest_swarmlab.errors import HostError
from pytest_swarmlab.run import slots


def lab(directory: Path, **options: Any) -> config.LabConfig:
    asked = {f"swarmlab_{name}": value for name, value in options.items()}
    asked.setdefault("swarmlab_cache", str(directory / "cache"))
    return config.read(asked.get, lambda _: None, rootdir=directory, environ={})


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes this machine one of that many cores and MiB."""

    def make(cores: int, memory: int) -> None:
        monkeypatch.setattr(os, "cpu_count", lambda: cores)
        monkeypatch.setattr(slots, "memory_mib", lambda: memory)

    return make


@pytest.mark.parametrize(
    ("cores", "memory", "node", "fit"),
    [
        (2, 24_000, 1024, 2),
        (2, 8_000, 1024, 1),
        (2, 8_000, 768, 2),
        (16, 24_000, 1024, 4),
        (1, 24_000, 1024, 1),
        (2, 2_000, 1024, 1),
    ],
)
def test_cores_and_memory_bound_the_clusters_and_one_always_may_try(
    machine: Any, tmp_path: Path, cores: int, memory: int, node: int, fit: int
) -> None:
    machine(cores, memory)
    found = slots.capacity(lab(tmp_path, memory=str(node)))
    assert found.clusters == fit
    assert ("1 core," if cores == 1 else f"{cores} cores,") in found.why
    assert f"{memory} MiB of memory, {5 * node} for each" in found.why


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"reuse": ""}, "kept cluster"),
        ({"inventory": "mine.yml"}, "inventory's cluster"),
        ({"inventory": "mine.yml", "provider": "inventory"}, "inventory's cluster"),
        ({"provider": "vagrant"}, "Vagrantfile"),
    ],
)
def test_what_is_there_once_serves_one(
    machine: Any, tmp_path: Path, options: dict[str, str], why: str
) -> None:
    machine(64, 512_000)
    found = slots.capacity(lab(tmp_path, **options))
    assert found.clusters == 1
    assert why in found.why


def test_the_memory_of_this_machine_is_known() -> None:
    assert slots.memory_mib() > 256


def test_one_more_than_fit_is_refused_and_a_place_is_free_again_afterwards(
    machine: Any, tmp_path: Path
) -> None:
    machine(2, 24_000)
    mine = lab(tmp_path)
    places = [slots.take(mine), slots.take(mine)]
    who = f"{os.getpid()}, {os.getpid()}"
    with pytest.raises(HostError, match=rf"fit here, 2, .*\(by process {who}\).*wait for one"):
        slots.take(mine)
    os.close(places.pop())
    places.append(slots.take(mine))
    for place in places:
        os.close(place)


def test_a_cache_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("", encoding="utf-8")
    with pytest.raises(HostError, match=r"cache .*a file can't be written .*--swarmlab-cache"):
        slots.take(lab(tmp_path, cache=str(tmp_path / "a file")))


def test_a_place_counts_as_taken_while_its_process_holds_it(tmp_path: Path, machine: Any) -> None:
    machine(2, 24_000)
    here = lab(tmp_path)
    assert slots.taken(here) == 0
    place = slots.take(here)
    assert slots.taken(here) == 1
    os.close(place)
    assert slots.taken(here) == 0


def test_a_place_whose_process_has_ended_is_free(tmp_path: Path) -> None:
    here = lab(tmp_path)
    (here.cache / "slots").mkdir(parents=True)
    (here.cache / "slots" / "0").write_text("4194304999")
    (here.cache / "slots" / "1").write_bytes(b"\xff")
    assert slots.taken(here) == 0
