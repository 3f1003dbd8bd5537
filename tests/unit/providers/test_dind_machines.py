"""What a node's commands and faults are made of, with an engine that only remembers."""

from __future__ import annotations

import ipaddress
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import pytest
import requests

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.model import Topology
from pytest_swarmlab.providers.dind import labels
from pytest_swarmlab.providers.dind.machines import USES_NFS, DindMachines
from pytest_swarmlab.providers.dind.network import Network, place
from pytest_swarmlab.providers.dind.testinfra import ExecBackend

SUBNET = "172.19.0.0/16"
NETWORK = Network("0123456789abcdef", ipaddress.IPv4Network(SUBNET))


class Engine:
    """Holds one container's state and remembers what it was asked to do."""

    def __init__(self) -> None:
        self.running, self.paused, self.linked = True, False, True
        self.done: list[str] = []
        self.ends = 1

    def inspect_container(self, name: str) -> dict[str, Any]:
        assert name == "swarmlab-ab12-worker1"
        networks = {"n": {"NetworkID": NETWORK.id}} if self.linked else {}
        return {
            "State": {"Running": self.running, "Paused": self.paused, "Error": "", "ExitCode": 137},
            "NetworkSettings": {"Networks": networks},
            "Config": {"Image": "swarmlab/node:k", "Labels": {labels.CLUSTER: "ab12", "x": "y"}},
        }

    def remove_container(self, name: str, *, force: bool, v: bool) -> None:
        assert force
        assert v
        self.done.append(f"remove {name}")

    def create_host_config(self, **how: Any) -> dict[str, Any]:
        return how

    def create_networking_config(self, endpoints: Any) -> Any:
        return endpoints

    def create_endpoint_config(self, ipv4_address: str) -> str:
        return ipv4_address

    def create_container(self, image: str, **how: Any) -> dict[str, str]:
        address = how["networking_config"][NETWORK.id]
        self.done.append(f"create {how['name']} of {image} at {address}, {how['labels']}")
        return {"Id": "new"}

    def start(self, name: str) -> None:
        self.done.append(f"start {name}")

    def kill(self, name: str) -> None:
        self.running = False
        self.done.append("kill")
        del name

    def wait(self, name: str, timeout: float) -> None:
        del name, timeout

    def pause(self, name: str) -> None:
        self.paused = True
        self.done.append("pause")
        del name

    def unpause(self, name: str) -> None:
        self.paused = False
        self.done.append("unpause")
        del name

    def disconnect_container_from_network(self, name: str, network: str) -> None:
        assert network == NETWORK.id
        self.linked = False
        self.done.append("disconnect")
        del name

    def connect_container_to_network(self, name: str, network: str, ipv4_address: str) -> None:
        assert (network, ipv4_address) == (NETWORK.id, "172.19.0.11")
        self.linked = True
        self.done.append("connect")
        del name

    def exec_create(self, name: str, argv: Sequence[str]) -> dict[str, str]:
        del name
        self.done.append(" ".join(argv))
        return {"Id": "x"}

    def exec_start(self, ident: str) -> None:
        del ident

    def exec_inspect(self, ident: str) -> dict[str, Any]:
        del ident
        return {"ExitCode": self.ends}

    def create_volume(self, name: str, labels: dict[str, str]) -> None:
        self.done.append(f"volume {name} {labels}")

    def logs(self, name: str, tail: int) -> bytes:
        del name, tail
        return b"\x1b[31mfailed\x1b[0m to start\r\nfailed to start\r\n\r\nhalted\r\n"


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def machines(engine: Engine) -> DindMachines:
    api: Any = engine
    topology = place(Topology.of(1, 1), SUBNET)
    return DindMachines(api, "ab12", topology, NETWORK, url="unix:///s", watcher=None)


def test_commands_ask_the_engine_that_holds_the_node(machines: DindMachines) -> None:
    name = "swarmlab-ab12-worker1"
    assert machines.command("worker1", ["ls", "a b"]) == [
        "docker", "--host", "unix:///s", "exec", "--interactive", name, "ls", "a b",
    ]  # fmt: skip
    assert machines.reach("worker1") == f"docker --host unix:///s exec -it {name} bash"


def test_every_control_is_idempotent(machines: DindMachines, engine: Engine) -> None:
    for _ in range(2):
        machines.pause("worker1")
    for _ in range(2):
        machines.resume("worker1")
    for _ in range(2):
        machines.link_down("worker1")
    for _ in range(2):
        machines.link_up("worker1")
    for _ in range(2):
        machines.power_off("worker1")
    assert engine.done == [
        "pause", "unpause", "disconnect", "connect", "ip route del default", "kill",
    ]  # fmt: skip


def test_a_replaced_node_is_another_container_like_it(
    machines: DindMachines, engine: Engine
) -> None:
    machines.replace("worker1")
    name = "swarmlab-ab12-worker1"
    written = {labels.CLUSTER: "ab12", labels.NODE: "worker1"}
    assert engine.done == [
        f"remove {name}",
        f"create {name} of swarmlab/node:k at 172.19.0.11, {written}",
        "start new",
    ]


def test_a_node_without_power_is_plugged_in_all_the_same(
    machines: DindMachines, engine: Engine
) -> None:
    engine.running = engine.linked = False
    machines.link_up("worker1")
    assert engine.done == ["connect"]


ONE = place(Topology.of(1, 0), SUBNET)
WORKER = replace(ONE, nodes=(replace(ONE.nodes[0], name="worker1"),))


@pytest.fixture
def worker(engine: Engine) -> DindMachines:
    """A cluster of one node."""
    api: Any = engine
    return DindMachines(api, "ab12", WORKER, NETWORK, url="unix:///s", watcher=None)


@pytest.mark.parametrize(("ends", "whole"), [(1, True), (0, False)])
def test_they_go_whole_unless_the_hosts_kernel_has_something_of_nfs_for_one(
    worker: DindMachines, engine: Engine, ends: int, whole: bool
) -> None:
    engine.paused, engine.ends = True, ends
    assert worker.go_whole() is whole
    assert worker.go_whole() is whole
    assert engine.done == ["unpause", " ".join(USES_NFS)], "asked once, of a node that answers"


def test_a_node_without_power_and_one_that_tells_nothing_hold_nothing(
    worker: DindMachines, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.running, engine.ends = False, 0
    assert worker.go_whole()
    assert engine.done == []

    def away(_: str) -> None:
        raise requests.ConnectionError("engine is gone")

    monkeypatch.setattr(engine, "inspect_container", away)
    again: Any = engine
    assert DindMachines(again, "ab12", WORKER, NETWORK, url="unix:///s", watcher=None).go_whole()


@pytest.mark.parametrize(
    ("mounts", "threads", "uses"),
    [
        ("", None, False),
        ("overlay / overlay rw 0 0\nnfsd /proc/fs/nfsd nfsd rw 0 0\n", "0\n", False),
        ("10.0.0.1:/srv /mnt nfs4 rw,vers=4.2,hard 0 0\n", None, True),
        ("10.0.0.1:/srv /mnt nfs rw,vers=3,hard 0 0\n", "0\n", True),
        ("", "8\n", True),
    ],
)
def test_a_node_uses_nfs_if_it_mounts_a_share_or_serves_one(
    tmp_path: Path, mounts: str, threads: str | None, uses: bool
) -> None:
    (tmp_path / "mounts").write_text(mounts, encoding="utf-8")
    if threads is not None:
        (tmp_path / "threads").write_text(threads, encoding="utf-8")
    script = USES_NFS[-1].replace("/proc/self/mounts", f"{tmp_path}/mounts")
    script = script.replace("/proc/fs/nfsd/threads", f"{tmp_path}/threads")
    done = subprocess.run([*USES_NFS[:-1], script], check=False, capture_output=True)
    assert (done.returncode == 0) is uses
    assert done.stderr == b""


def test_what_the_engine_refuses_names_the_node(
    machines: DindMachines, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> None:
        raise docker.errors.APIError("409", explanation="container is restarting")

    monkeypatch.setattr(engine, "pause", refuse)
    with pytest.raises(ProviderError, match="worker1 can't be paused: container is restarting"):
        machines.pause("worker1")

    def away(_: str) -> None:
        raise requests.ConnectionError("engine is gone")

    monkeypatch.setattr(engine, "inspect_container", away)
    with pytest.raises(ProviderError, match="worker1 can't be looked at: engine is gone"):
        machines.power_off("worker1")


def test_what_is_kept_says_so_by_a_label(machines: DindMachines, engine: Engine) -> None:
    machines.keep()
    (made,) = engine.done
    assert labels.CLUSTER in made
    assert labels.KEPT in made


def test_a_dead_node_is_named_with_its_last_words(
    machines: DindMachines, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DindMachines, "engine_socket", lambda *_: tmp_path / "none")
    engine.running = False
    with pytest.raises(
        ProviderError, match=r"container ended: 137.*console ends: .*failed.*halted"
    ):
        machines.await_access("worker1", 1)


@pytest.mark.parametrize(
    ("running", "paused", "reached"),
    [(True, False, True), (False, False, False), (True, True, False)],
)
def test_an_engines_complaint_is_a_commands_own_while_the_node_runs(
    running: bool, paused: bool, reached: bool
) -> None:
    said = "Error response from daemon: no such service"
    fake: Any = SimpleNamespace(
        command=lambda node, argv: ["sh", "-c", f"echo {node}; {argv[-1]}"],
        state=lambda _: {"Running": running, "Paused": paused},
    )
    backend = ExecBackend(fake, "worker1")
    script = f"echo '{said}' >&2; exit 1"
    if reached:
        result = backend.run(script)
        assert (result.rc, result.stdout, result.stderr) == (1, "worker1\n", f"{said}\n")
    else:
        with pytest.raises(RuntimeError, match=said):
            backend.run(script)
