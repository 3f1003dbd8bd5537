"""New machines beside a run's cluster: in no swarm, gone afterwards, and never kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab import config
from pytest_swarmlab.errors import HostError, ProviderError
from pytest_swarmlab.evidence.events import ClusterReady, TopologySeen, last
from pytest_swarmlab.model import Topology
from pytest_swarmlab.run import slots, throw_away
from pytest_swarmlab.run.run import Run
from pytest_swarmlab.swarm import lifecycle
from pytest_swarmlab.swarm.cluster import Swarm
from tests.unit.fakes import Lab

THEIRS, OURS = Topology.of(3, 2), Topology.of(1, 1)


class Provider:
    """Has pretended machines, and notes what it was asked for."""

    name = "uml"

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.asked: list[Any] = []

    def reap(self) -> list[str]:
        self.asked.append("reap")
        return []

    def boot(self, topology: Topology, consoles: Path) -> Swarm:
        self.asked.append(topology)
        consoles.mkdir(parents=True)
        (consoles / "manager1.log").write_text("token: SWMTKN-1-open-sesame\n", encoding="utf-8")
        return self.lab.swarm


def ready(name: str) -> ClusterReady:
    """A cluster of that name is ready."""
    return ClusterReady(name, "some", TopologySeen(name, 3, 2), (), "26", "6.12", "", (), {}, 9.0)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A run over somebody's inventory that is to keep what it has."""
    asked = {
        "swarmlab_cache": str(tmp_path / "cache"),
        "swarmlab_inventory": str(tmp_path / "cluster.yml"),
        "swarmlab_memory": "512",
        "swarmlab_keep": "yes",
    }
    lab = config.read(asked.get, lambda _: None, rootdir=tmp_path, environ={})
    run = Run(lab, version="0")
    run.recorder.write(ready("theirs"))
    yield run
    run.finish(0)
    run.recorder.close()


@pytest.fixture
def provider(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    made = Provider(Lab(tmp_path, OURS))

    def boot(_: Any, topology: Topology, *, recorder: Any, consoles: Path) -> Swarm:
        recorder.write(ready("ours"))
        return made.boot(topology, consoles)

    monkeypatch.setattr(lifecycle, "boot", boot)
    monkeypatch.setattr(throw_away, "find_disk", lambda *_, **__: "a disk")
    run.recorder.redactor.hide("token", "SWMTKN-1-open-sesame")
    yield made
    made.lab.recorder.close()


def machines(run: Run, provider: Provider) -> Any:
    there: Any = provider
    return throw_away.machines(run, there, OURS)


def clusters(run: Run) -> list[str]:
    return [event.data["cluster"] for event in run.recorder.view().of("cluster.ready")]


def stopped(provider: Provider) -> bool:
    return ("machines", "stop", "") in provider.lab.did


def test_within_the_block_the_record_is_of_the_new_machines_and_then_of_the_cluster_again(
    run: Run, provider: Provider
) -> None:
    with machines(run, provider) as new:
        assert new is provider.lab.swarm
        assert new.goes_at_end
        assert clusters(run) == ["theirs", "ours"]
        assert not stopped(provider)
        assert slots.taken(run.config) == 1
    assert stopped(provider)
    assert clusters(run) == ["theirs", "ours", "theirs"]
    again = last(run.recorder.view(), ClusterReady)
    assert again is not None
    assert again.seconds == 0
    assert slots.taken(run.config) == 0


def test_leftovers_of_killed_runs_go_first_and_each_node_has_the_runs_memory(
    run: Run, provider: Provider
) -> None:
    with machines(run, provider):
        reaped, topology = provider.asked
    assert reaped == "reap"
    assert {node.memory_mib for node in topology.nodes} == {512}
    assert [node.name for node in topology.nodes] == ["manager1", "worker1"]


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_they_are_removed_whatever_ends_the_block(
    run: Run, provider: Provider, error: type[BaseException]
) -> None:
    with pytest.raises(error), machines(run, provider):
        raise error
    assert stopped(provider)
    assert clusters(run)[-1] == "theirs"


def test_they_are_not_kept_where_the_run_keeps_its_cluster(run: Run, provider: Provider) -> None:
    assert run.config.keep
    with machines(run, provider):
        pass
    assert ("machines", "keep", "") not in provider.lab.did


def test_no_secret_stays_in_their_consoles(run: Run, provider: Provider) -> None:
    with machines(run, provider):
        pass
    (log,) = (run.directory / "nodes" / "throw-away").iterdir()
    assert "open-sesame" not in log.read_text("utf-8")


def test_without_a_disk_none_is_built_for_them(
    run: Run, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throw_away, "find_disk", lambda *_, **__: None)
    with pytest.raises(HostError, match="no node disk is in"), machines(run, provider):
        pass
    assert provider.asked == []
    assert clusters(run) == ["theirs"]


def test_one_more_than_fits_is_not_started(
    run: Run, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "memory_mib", lambda: 1024)
    place = slots.take(run.config)
    with pytest.raises(HostError, match="as many clusters as fit here"), machines(run, provider):
        pass
    assert provider.asked == []
    os.close(place)


def test_where_they_do_not_start_the_place_is_free_again(
    run: Run, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def boot(*_: Any, **__: Any) -> Swarm:
        raise ProviderError("no machine boots")

    monkeypatch.setattr(lifecycle, "boot", boot)
    with pytest.raises(ProviderError, match="no machine boots"), machines(run, provider):
        pass
    assert slots.taken(run.config) == 0
    assert clusters(run) == ["theirs"]
