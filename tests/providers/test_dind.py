"""What only containers as nodes can get wrong, on a real engine."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from pytest_swarmlab.config import default_cache
from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Topology
from pytest_swarmlab.providers.dind import DindProvider, container, engine
from pytest_swarmlab.providers.dind.machines import DindMachines
from pytest_swarmlab.providers.dind.sweep import state_root
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.lifecycle import provision

ONE = Topology.of(1, 0, memory_mib=768)

pytestmark = pytest.mark.usefixtures("docker_engine")


@pytest.fixture
def api(docker_engine: None) -> Iterator[docker.APIClient]:
    """The engine that holds the nodes."""
    del docker_engine
    api = engine.connect()
    yield api
    api.close()


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """A record of its own."""
    recorder = Recorder(tmp_path / "events.jsonl")
    yield recorder
    recorder.close()


def provider() -> DindProvider:
    return DindProvider(cache=default_cache(), origin="stand-in")


def all_of(api: docker.APIClient) -> dict[str, Any]:
    """Everything the engine has, by kind."""
    return {
        "containers": {c["Id"] for c in api.containers(all=True)},
        "networks": {n["Id"] for n in api.networks()},
        "volumes": {v["Name"] for v in api.volumes()["Volumes"] or ()},
        "sockets": {path.name for path in state_root().iterdir()},
    }


def test_nothing_but_the_image_stays_in_the_engine(
    api: docker.APIClient, recorder: Recorder, tmp_path: Path
) -> None:
    before = all_of(api)
    swarm = provision(provider(), ONE, recorder=recorder, consoles=tmp_path / "consoles")
    node = swarm.nodes[0]
    try:
        during = all_of(api)
        # The engine's own state is in a volume without a label: it goes with its container.
        assert len(during["volumes"] - before["volumes"]) == 1
        with node.dial(7946, 5) as connection:
            bound = connection.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
        (network,) = during["networks"] - before["networks"]
        assert bound.rstrip(b"\0").decode() == f"br-{network[:12]}"
        assert node.run("ip", "route", "show", "default").stdout == "", "there is a way out"
        assert swarm.machines.reach("manager1").endswith(
            f"exec -it {container.name(swarm.machines.id, 'manager1')} bash"
        )
    finally:
        node.forget_connections()
        swarm.machines.stop()
    assert all_of(api) == before
    console = (tmp_path / "consoles" / "manager1.log").read_text(encoding="utf-8")
    assert "running in system mode" in console


def test_a_node_that_dies_at_boot_is_named_and_nothing_is_left(
    api: docker.APIClient, recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await_access = DindMachines.await_access

    def after_it_died(machines: DindMachines, node: str, timeout: float) -> None:
        machines.power_off(node)
        machines.power_off(node)
        await_access(machines, node, timeout)

    monkeypatch.setattr(DindMachines, "await_access", after_it_died)
    before = all_of(api)
    with pytest.raises(ProviderError, match=r"manager1 can no longer be met.*container ended"):
        provision(provider(), ONE, recorder=recorder, consoles=tmp_path / "consoles")
    assert all_of(api) == before


def test_what_the_engine_refuses_is_said_and_nothing_is_left(
    api: docker.APIClient, recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise docker.errors.APIError("no", explanation="no space left on device")

    before = all_of(api)
    monkeypatch.setattr(container, "create", refuse)
    with pytest.raises(ProviderError, match="could not start the nodes: no space left on device"):
        provider().start(ONE, recorder=recorder, consoles=tmp_path / "consoles")
    assert all_of(api) == before


def test_containers_on_different_nodes_meet_in_an_overlay_network(
    recorder: Recorder, tmp_path: Path
) -> None:
    two = Topology.of(1, 1, memory_mib=768)
    swarm = provision(provider(), two, recorder=recorder, consoles=tmp_path / "consoles")
    manager, worker = swarm.nodes
    try:
        manager.run("docker", "network", "create", "--driver", "overlay", "--attachable", "between")
        run = ("docker", "run", "--network", "between")
        worker.run(*run, "--detach", "--name", "web", "nginx:alpine")
        asked = ("curl", "--silent", "--fail", "--retry", "9", "--retry-all-errors", "http://web/")
        answer = manager.run(*run, "--rm", "nginx:alpine", *asked)
        assert "nginx" in answer.stdout
        swarm.machines.link_down("worker1")
        swarm.machines.link_up("worker1")
        assert worker.run("ip", "route", "show", "default").stdout == "", "there is a way out"
        assert "nginx" in manager.run(*run, "--rm", "nginx:alpine", *asked).stdout
    finally:
        for node in swarm.nodes:
            node.forget_connections()
        swarm.machines.stop()


def test_a_command_on_a_node_without_power_is_no_commands_failure(
    recorder: Recorder, tmp_path: Path
) -> None:
    swarm: Swarm = provision(provider(), ONE, recorder=recorder, consoles=tmp_path / "consoles")
    node = swarm.nodes[0]
    try:
        refused = node.run("docker", "service", "inspect", "nonesuch", check=False)
        assert refused.code == 1
        node.forget_connections()
        swarm.machines.power_off(node.name)
        with pytest.raises(ProviderError, match=r"manager1 can't be reached: .*not running"):
            node.run("true")
    finally:
        swarm.machines.stop()
