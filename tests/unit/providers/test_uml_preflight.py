"""What a host lacks is said in one sentence, with the remedy, before anything is created."""

from __future__ import annotations

import json
import os
import platform
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from pytest_swarmlab.errors import HostError, ProviderError
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Topology
from pytest_swarmlab.providers import host as host_module
from pytest_swarmlab.providers.uml import UmlProvider, provider, state
from pytest_swarmlab.providers.uml.keeper import processors


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A host that can carry a cluster, to be made worse."""
    monkeypatch.setattr(shutil, "which", lambda name, **_: f"/usr/bin/{name}")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(os, "access", lambda *_: True)
    monkeypatch.setattr(host_module, "memory_available_mib", lambda: 16_000)
    return monkeypatch


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where clusters live in these tests."""
    root = tmp_path / "clusters"
    monkeypatch.setattr(state, "Path", lambda _: root)
    return root


def test_a_host_that_has_everything_is_accepted(host: pytest.MonkeyPatch) -> None:
    del host
    provider.preflight(Topology.of())


@pytest.mark.parametrize("missing", provider.COMMANDS)
def test_a_missing_command_is_named_with_its_package(
    host: pytest.MonkeyPatch, missing: str
) -> None:
    host.setattr(shutil, "which", lambda name, **_: None if name == missing else f"/bin/{name}")
    package = provider.COMMANDS[missing]
    with pytest.raises(HostError, match=f"command {missing} is missing: install {package}"):
        provider.preflight(Topology.of())


def test_a_command_may_lie_where_only_root_looks_for_it(host: pytest.MonkeyPatch) -> None:
    host.setattr(
        shutil, "which", lambda _, path="": "/usr/sbin/ip" if "/usr/sbin" in path else None
    )
    provider.preflight(Topology.of())


def test_a_host_without_taps_is_told_how_to_get_them(host: pytest.MonkeyPatch) -> None:
    host.setattr(provider, "TUN", Path("/dev/net/none"))
    with pytest.raises(HostError, match=r"/dev/net/none is missing: .*modprobe tun"):
        provider.preflight(Topology.of())


def test_a_user_who_may_not_have_taps_is_told_so(host: pytest.MonkeyPatch, tmp_path: Path) -> None:
    host.setattr(provider, "TUN", tmp_path)
    host.setattr(os, "access", lambda path, _: path != tmp_path)
    with pytest.raises(HostError, match="refuses this user: run as root, or have root permit it"):
        provider.preflight(Topology.of())


def test_another_processor_is_told_which_providers_there_are(host: pytest.MonkeyPatch) -> None:
    host.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(HostError) as refusal:
        provider.preflight(Topology.of())
    assert str(refusal.value) == (
        "embedded machines run on x86-64 processors only, and this one is aarch64: use"
        " --swarmlab-provider=dind, vagrant or inventory"
    )


def test_more_nodes_than_memory_allows_are_refused_with_both_figures(
    host: pytest.MonkeyPatch,
) -> None:
    host.setattr(host_module, "memory_available_mib", lambda: 4000)
    with pytest.raises(HostError) as refusal:
        provider.preflight(Topology.of(5, 2))
    assert str(refusal.value) == (
        "7 nodes may use 7168 MiB together and this machine has 4000 MiB free:"
        " ask for fewer nodes, or give each less with --swarmlab-memory"
    )
    provider.preflight(Topology.of(5, 2, memory_mib=512))


def test_what_is_free_is_read_from_the_kernel() -> None:
    assert host_module.memory_available_mib() > 0


def test_nothing_is_created_on_a_host_that_cannot_carry_it(
    host: pytest.MonkeyPatch, root: Path, tmp_path: Path
) -> None:
    host.setattr(host_module, "memory_available_mib", lambda: 1)
    recorder = Recorder(tmp_path / "events.jsonl")
    uml = UmlProvider(cache=tmp_path / "cache", origin="stand-in")
    with pytest.raises(HostError):
        uml.start(Topology.of(), recorder=recorder, consoles=tmp_path / "consoles")
    recorder.close()
    assert not root.exists()
    assert not (tmp_path / "cache").exists()
    assert not (tmp_path / "consoles").exists()


def test_only_what_nobody_holds_is_reaped(root: Path, tmp_path: Path) -> None:
    live, lock = state.State.create()
    dead, unlocked = state.State.create()
    os.close(unlocked)
    uml = UmlProvider(cache=tmp_path, origin="stand-in")
    assert [(f.id, f.owner_alive, f.kept) for f in uml.find()] == sorted(
        [(live.path.name, True, False), (dead.path.name, False, False)]
    )
    assert uml.reap() == [dead.path.name]
    assert [path.name for path in root.iterdir()] == [live.path.name]
    os.close(lock)


@pytest.mark.parametrize(
    ("cluster", "said"),
    [("", "no cluster is kept on this host: run once with --swarmlab-keep"),
     ("ab12", "no kept cluster ab12: there are none")],
)  # fmt: skip
def test_a_kept_cluster_that_is_not_there_is_said_so(
    root: Path, tmp_path: Path, cluster: str, said: str
) -> None:
    with pytest.raises(ProviderError, match=said):
        UmlProvider(cache=tmp_path, origin="stand-in").attach(cluster, logs=tmp_path)
    assert list(root.iterdir()) == []


class Kept:
    """The gate of a cluster that is kept."""

    def __init__(self, path: Path) -> None:
        del path

    def ask(self, _: str) -> dict[str, object]:
        return {"kept": True}


@pytest.mark.parametrize(
    ("label", "topology"),
    [
        ({"started_at": "2026-05-04", "topology": asdict(Topology.of(2, 1))}, Topology.of(2, 1)),
        ({"started_at": "2026-05-04"}, Topology("unknown", ())),
        (None, Topology("unknown", ())),
    ],
)
def test_a_cluster_that_an_earlier_version_kept_is_taken_over_as_far_as_it_is_known(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    label: dict[str, object] | None,
    topology: Topology,
) -> None:
    monkeypatch.setattr(provider, "Gate", Kept)
    kept, lock = state.State.create()
    assert kept.path.parent == root
    if label is not None:
        (kept.path / "label.json").write_text(json.dumps(label), encoding="utf-8")
    machines = UmlProvider(cache=tmp_path, origin="stand-in").attach("", logs=tmp_path)
    os.close(lock)
    assert machines.topology == topology
    assert machines.kernel == ("unknown: an earlier version started it and did not note the kernel")


def test_namespaces_need_root_or_a_user_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "--user" not in provider.namespaces()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert provider.namespaces()[-2:] == ["--user", "--map-root-user"]
    assert {"--net", "--mount", "--pid", "--kill-child"} <= set(provider.namespaces())


@pytest.mark.parametrize(("nodes", "cpus"), [(5, [0, 1]), (7, [0, 1]), (5, [3]), (1, [0, 1])])
def test_nodes_are_spread_over_the_processors_that_are_allowed(nodes: int, cpus: list[int]) -> None:
    chosen = processors(nodes, cpus)
    assert len(chosen) == nodes
    assert set(chosen) <= set(cpus)
    counts = [chosen.count(cpu) for cpu in cpus]
    assert max(counts) - min(counts) <= 1
