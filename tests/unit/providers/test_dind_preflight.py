"""What a host or its engine lacks is one sentence with the remedy, before anything is created."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import pytest
from docker.errors import DockerException

from pytest_swarmlab.errors import HostError, ProviderError
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Topology
from pytest_swarmlab.providers import host as this_host
from pytest_swarmlab.providers.dind import DindProvider, engine, labels, network
from pytest_swarmlab.providers.dind.network import Network

SUBNET = "172.19.0.0/16"


def answers(version: str) -> Any:
    """An engine that speaks that version of the API."""
    return lambda **_: SimpleNamespace(api_version=version, close=lambda: None)


def refuses(**_: object) -> None:
    raise DockerException("Error while fetching server API version")


def test_an_engine_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.9:2376")
    with pytest.raises(HostError, match=r"tcp://10\.0\.0\.9:2376, .* of this machine: unset"):
        engine.url()


def test_the_usual_socket_is_asked_when_nothing_else_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "")
    assert engine.url() == "unix:///var/run/docker.sock"
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/other.sock")
    assert engine.url() == "unix:///run/other.sock"


def test_a_host_without_an_engine_is_told_what_to_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(docker, "APIClient", refuses)
    with pytest.raises(HostError, match=r"no Docker engine answers at .*/none: start it"):
        engine.connect(f"unix://{tmp_path}/none")


def test_a_user_who_may_not_ask_the_engine_is_told_the_group(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        monkeypatch.setattr(docker, "APIClient", refuses)
        monkeypatch.setattr(os, "access", lambda *_: False)
        with pytest.raises(
            HostError, match=r"may not use the Docker engine at .*usermod -aG docker"
        ):
            engine.connect(f"unix://{tmp_path}/s")


@pytest.mark.parametrize(("version", "good"), [("1.40", False), ("1.41", True), ("1.100", True)])
def test_an_engine_that_is_too_old_is_refused_with_its_version(
    monkeypatch: pytest.MonkeyPatch, version: str, good: bool
) -> None:
    monkeypatch.setattr(docker, "APIClient", answers(version))
    if good:
        assert engine.connect("unix:///s").api_version == version
        return
    with pytest.raises(
        HostError, match=r"too old to hold nodes \(API 1\.40\): update it to Docker"
    ):
        engine.connect("unix:///s")


def api(**info: Any) -> Any:
    return SimpleNamespace(info=lambda: info)


def test_a_missing_docker_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(HostError, match="command docker is missing: install docker-cli"):
        engine.require(api())


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ({"OSType": "windows"}, "runs windows containers"),
        ({"SecurityOptions": ["name=seccomp", "name=rootless"]}, "is rootless"),
    ],
)
def test_an_engine_that_cannot_hold_nodes_is_refused(
    monkeypatch: pytest.MonkeyPatch, info: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/docker")
    assert engine.require(api(OSType="linux")) == {"OSType": "linux"}
    with pytest.raises(HostError, match=said):
        engine.require(api(**info))


def test_more_memory_than_there_is_and_a_registrys_images_are_refused_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/docker")
    # Nothing but `info` can be asked of this engine.
    monkeypatch.setattr(engine, "connect", lambda: api(OSType="linux"))
    recorder = Recorder(tmp_path / "events.jsonl")
    dind = DindProvider(cache=tmp_path / "cache", origin="registry")
    with pytest.raises(HostError, match="carries stand-ins only"):
        dind.start(Topology.of(), recorder=recorder, consoles=tmp_path / "consoles")
    monkeypatch.setattr(this_host, "memory_available_mib", lambda: 4000)
    with pytest.raises(HostError, match=r"5120 MiB together and this machine has 4000 MiB free"):
        dind.start(Topology.of(), recorder=recorder, consoles=tmp_path / "consoles")
    recorder.close()
    assert not (tmp_path / "cache").exists()
    assert not (tmp_path / "consoles").exists()


def test_an_engine_in_a_virtual_machine_is_told_by_its_missing_bridge() -> None:
    with pytest.raises(HostError, match=r"br-0123456789ab is not on this machine"):
        network.require_bridge(_network())


def _network() -> Network:
    import ipaddress

    return Network("0123456789abcdef", ipaddress.IPv4Network(SUBNET))


def test_a_node_is_dialled_through_the_clusters_bridge_or_not_at_all() -> None:
    with pytest.raises(OSError, match=r"worker1:80: No such device"):
        network.dial(_network(), "127.0.0.1", 80, 1, "worker1")


def test_nodes_keep_their_places_in_the_subnet_that_was_free() -> None:
    placed = network.place(Topology.of(3, 2), SUBNET)
    assert [node.address for node in placed.nodes] == [
        "172.19.0.10", "172.19.0.20", "172.19.0.30", "172.19.0.11", "172.19.0.12",
    ]  # fmt: skip
    assert [node.name for node in placed.nodes] == [node.name for node in Topology.of().nodes]


class Networks:
    """An engine that gives a subnet, and refuses those that somebody has taken meanwhile."""

    def __init__(self, taken: int) -> None:
        self.taken = taken
        self.made: dict[str, str] = {}
        self.number = 18

    def create_network(self, name: str, *, ipam: Any = None, **how: Any) -> dict[str, str]:
        assert how["internal"] is True
        assert how["labels"]
        if ipam is None:
            self.number += 1
            subnet = f"172.{self.number}.0.0/16"
        elif self.taken:
            self.taken -= 1
            raise docker.errors.APIError(
                "403", explanation="Pool overlaps with other one on this address space"
            )
        else:
            subnet = ipam["Config"][0]["Subnet"]
        self.made[f"{name}-{len(self.made)}"] = subnet
        return {"Id": list(self.made)[-1]}

    def inspect_network(self, network: str) -> dict[str, Any]:
        return {"IPAM": {"Config": [{"Subnet": "fd00::/64"}, {"Subnet": self.made[network]}]}}

    def remove_network(self, network: str) -> None:
        del self.made[network]


def test_a_subnet_that_was_taken_meanwhile_is_replaced(tmp_path: Path) -> None:
    dind = DindProvider(cache=tmp_path, origin="stand-in")
    networks = Networks(taken=2)
    dind._api = networks  # type: ignore[assignment]
    found, topology, written = dind._network("ab12", Topology.of(1, 0), "now")
    assert list(networks.made.values()) == [str(found.subnet)] == ["172.21.0.0/16"]
    assert topology.nodes[0].address == "172.21.0.10"
    assert "172.21.0.10" in written[labels.TOPOLOGY]


def test_an_engine_without_a_free_subnet_says_so(tmp_path: Path) -> None:
    dind = DindProvider(cache=tmp_path, origin="stand-in")
    networks = Networks(taken=99)
    dind._api = networks  # type: ignore[assignment]
    with pytest.raises(docker.errors.APIError, match="overlaps"):
        dind._network("ab12", Topology.of(1, 0), "now")
    assert networks.made == {}


def test_only_a_kept_cluster_is_taken_over(tmp_path: Path) -> None:
    dind = DindProvider(cache=tmp_path, origin="stand-in")
    dind._api = SimpleNamespace(  # type: ignore[assignment]
        containers=lambda **_: [],
        networks=lambda **_: [{"Labels": {"org.swarmlab.cluster": "ab12"}}],
        volumes=lambda **_: {"Volumes": None},
    )
    with pytest.raises(ProviderError, match="no kept cluster ab12: there are none"):
        dind.attach("ab12", logs=tmp_path)
    with pytest.raises(ProviderError, match="no cluster is kept on this host"):
        dind.attach("", logs=tmp_path)
