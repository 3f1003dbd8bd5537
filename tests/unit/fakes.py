"""A lab made of data: real `Swarm` and `Node` objects over engines and shells that only pretend."""

from __future__ import annotations

import functools
import shlex
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import requests

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Capability, Topology
from pytest_swarmlab.providers.base import EVERYTHING, Timers
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.guard import UNREACHED


class Lab:
    """What the pretended cluster is like, and what was done to it.

    `rows` and `tasks` are what every manager's engine answers, in the engine's own form, `update`
    how far a service's update is. `silent`: node → why its engine gives no answer, `apis` the
    newest API that it speaks, `told` what it tells of containers. `shell` decides how a
    command on a node ends; `did` holds everything that was done, in order: ``("manager1",
    "systemctl", "stop", …)`` for commands, ``("machines", "power_off", "manager1")`` for controls;
    `fed` what commands read.
    """

    def __init__(self, directory: Path, topology: Topology | None = None) -> None:
        self.recorder = Recorder(directory / "events.jsonl")
        self.topology = topology or Topology.of()
        self.rows: list[dict[str, Any]] = []
        self.tasks: list[dict[str, Any]] = []
        self.containers: dict[str, list[dict[str, Any]]] = {}
        self.services: list[dict[str, Any]] = []
        self.update: dict[str, Any] | None = None
        self.networks: list[dict[str, Any]] = []
        self.secrets: list[dict[str, Any]] = []
        self.volumes: dict[str, list[dict[str, Any]]] = {}
        self.configs: list[str] = []
        self.locks = False
        self.info: dict[str, dict[str, Any]] = {}
        self.silent: dict[str, str] = {}
        self.apis: dict[str, str] = {}
        self.did: list[tuple[str, ...]] = []
        self.fed: list[bytes] = []
        self.told: dict[str, list[dict[str, Any]]] = {}
        self.make_engine: Callable[[Lab, str], Engine] = Engine
        self.shell: Callable[[str, tuple[str, ...]], tuple[int, str, str]] = lambda *_: (0, "", "")
        self.machines = PretendedMachines(self)
        self.swarm = Swarm(self.machines, self.recorder)
        self.swarm.capabilities = frozenset(Capability)
        self.swarm.nodes = [
            PretendedNode(self, Node(spec, self.machines, self.recorder))
            for spec in self.topology.nodes
        ]

    def settle(self, leader: str = "manager1") -> Lab:
        """Every node of the topology is a ready member, and that one leads."""
        self.rows = [
            listed(spec.name, role=str(spec.membership), leader=spec.name == leader)
            for spec in self.topology.nodes
        ]
        return self

    def row(self, name: str) -> dict[str, Any]:
        """That node's row, to be changed."""
        return next(row for row in self.rows if row["ID"] == f"id-{name}")

    def __getitem__(self, name: str) -> Node:
        return self.swarm.node(name)

    @contextmanager
    def published(self, server: ThreadingHTTPServer) -> Iterator[None]:
        """Within the block that server is what every node's published ports lead to."""
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        for node in self.swarm.nodes:
            self.machines.listens[node.name] = ("127.0.0.1", server.server_port)
        yield
        server.shutdown()
        thread.join()

    def commands(self, *programs: str) -> list[tuple[str, ...]]:
        """What was run on nodes, of these programs alone if any are named."""
        run = [act for act in self.did if act[0] != "machines"]
        return [act for act in run if not programs or act[1] in programs]


def listed(
    name: str, *, role: str = "manager", leader: bool = False, state: str = "ready", reach: str = ""
) -> dict[str, Any]:
    """One node as the engine's API lists it."""
    row: dict[str, Any] = {
        "ID": f"id-{name}",
        "Description": {"Hostname": name},
        "Spec": {"Role": role, "Availability": "active"},
        "Status": {"State": state, "Addr": "192.168.56.10"},
    }
    if role == "manager":
        row["ManagerStatus"] = {"Reachability": reach or "reachable"}
        if leader:
            row["ManagerStatus"]["Leader"] = True
    return row


def task(
    slot: int, node: str, state: str = "running", *, desired: str = "running", error: str = ""
) -> dict[str, Any]:
    """One task as the engine's API lists it."""
    return {
        "ID": f"task-{slot}-{node}",
        "Slot": slot,
        "NodeID": f"id-{node}",
        "DesiredState": desired,
        "Status": {"State": state, "Err": error, "ContainerStatus": {"ContainerID": "c" * 64}},
    }


class PretendedNode(Node):
    """A node whose shell and engine are the lab's."""

    def __init__(self, lab: Lab, like: Node) -> None:
        self.__dict__.update(like.__dict__)
        self._lab = lab
        self.forgotten = 0

    @functools.cached_property
    def host(self) -> Any:
        return SimpleNamespace(run=self._heard)

    def _heard(self, line: str) -> Any:
        done = self._shell(line)
        if done.rc == UNREACHED:  # As testinfra has it.
            raise RuntimeError(done)
        return done

    def _piped(self, argv: Sequence[str], content: bytes, within: float | None = None) -> Any:
        del within
        self._lab.fed.append(content)
        done = self._shell(shlex.join(argv))
        streams = (done.stdout.encode(), done.stderr.encode())
        return SimpleNamespace(returncode=done.rc, stdout=streams[0], stderr=streams[1])

    def _shell(self, line: str) -> Any:
        argv = tuple(shlex.split(line))
        self._lab.did.append((self.name, *argv))
        code, stdout, stderr = self._lab.shell(self.name, argv)
        raw = {"stdout_bytes": stdout.encode(), "stderr_bytes": stderr.encode()}
        return SimpleNamespace(rc=code, stdout=stdout, stderr=stderr, **raw)

    def new_engine(self, timeout: float) -> Any:
        del timeout
        return self._lab.make_engine(self._lab, self.name)

    def put(self, content: bytes, path: str) -> None:
        self.heed_interrupt()
        self.announce(shlex.join(["write", path]))
        self._lab.did.append((self.name, "put", path, content.decode()))

    def forget_connections(self) -> None:
        self.forgotten += 1
        super().forget_connections()


class Engine:
    """A Docker SDK client, as far as it is used."""

    def __init__(self, lab: Lab, node: str) -> None:
        self._lab = lab
        self.node = node
        self.api = self

    def _answer(self, value: Any) -> Any:
        if why := self._lab.silent.get(self.node):
            raise requests.ConnectionError(why)
        return value

    def nodes(self) -> Any:
        return self._answer(self._lab.rows)

    def tasks(self, filters: Any = None) -> Any:
        del filters
        return self._answer(self._lab.tasks)

    def services(self, filters: Any = None) -> Any:
        del filters
        return self._answer(self._lab.services)

    def inspect_service(self, name: str) -> Any:
        update = {} if self._lab.update is None else {"UpdateStatus": self._lab.update}
        return self._answer({"Spec": {"Name": name}, **update})

    def containers(self, **_: Any) -> Any:
        return self._answer(self._lab.containers.get(self.node, []))

    def networks(self, filters: Any = None) -> Any:
        del filters
        return self._answer(self._lab.networks)

    def inspect_network(self, name: str) -> Any:
        """As that node's engine knows it: `Containers` are its own alone."""
        known = [n for n in self._lab.networks if (n["Name"], n.get("of")) == (name, self.node)]
        return self._answer(known[0])

    def secrets(self, filters: Any = None) -> Any:
        del filters
        return self._answer(self._lab.secrets)

    def configs(self, filters: Any = None) -> Any:
        del filters
        return self._answer([{"ID": n, "Spec": {"Name": n}} for n in self._lab.configs])

    def inspect_swarm(self) -> Any:
        return self._answer({"Spec": {"EncryptionConfig": {"AutoLockManagers": self._lab.locks}}})

    def volumes(self, filters: dict[str, str] | None = None) -> Any:
        """Those with that label; null where there is none, as the engine says it."""
        there = self._lab.volumes.get(self.node, [])
        if filters is None:
            return self._answer({"Volumes": there or None})
        label, _, value = filters["label"].partition("=")
        return self._answer(
            {"Volumes": [v for v in there if v["Labels"].get(label) == value] or None}
        )

    def info(self) -> Any:
        return self._answer(self._lab.info.get(self.node, {}))

    def events(self, **_: Any) -> Any:
        return Told(self._answer(self._lab.told.get(self.node, [])))

    def version(self) -> Any:
        return self._answer({"ApiVersion": self._lab.apis.get(self.node, "1.45")})

    def ping(self) -> Any:
        return self._answer(True)

    def create_config(self, name: str, data: bytes, labels: Any = None) -> Any:
        del data, labels
        self._answer(None)
        self._lab.configs.append(name)
        return {"ID": name}

    def remove_config(self, name: str) -> None:
        self._lab.configs.remove(name)

    def close(self) -> None:
        """Nothing is open."""


class Told:
    """A stream of events: those there are, and then nothing until it is closed."""

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self._events = events
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from self._events
        self._closed.wait()

    def close(self) -> None:
        self._closed.set()


class PretendedMachines:
    """Machines whose controls are noted. `refuses`: control → why it can't be done."""

    id = "feedf00d"
    foreign = False
    kernel = ""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.topology = lab.topology
        self.controls = EVERYTHING
        self.whole = True
        self.refuses: dict[str, str] = {}
        self.timers: Timers = {node.name: {} for node in lab.topology.nodes}
        self.listens: dict[str, tuple[str, int]] = {}

    def _note(self, control: str, node: str) -> None:
        self._lab.did.append(("machines", control, node))
        if why := self.refuses.get(control):
            raise ProviderError(why)

    def host(self, node: str) -> Any:
        raise AssertionError(f"nobody asks {node} for a testinfra host here")

    def command(self, node: str, argv: Sequence[str]) -> list[str]:
        return ["on", node, *argv]

    def reach(self, node: str) -> str:
        return f"shell-on {node}"

    def engine_socket(self, node: str) -> Path:
        return Path(f"/nowhere/{node}.engine")

    def dial(self, node: str, port: int, timeout: float) -> socket.socket:
        del port
        return socket.create_connection(self.listens[node], timeout=timeout)

    def await_access(self, node: str, timeout: float) -> None:
        del timeout
        self._note("await_access", node)

    def power_off(self, node: str) -> None:
        self._note("power_off", node)

    def power_on(self, node: str) -> None:
        self._note("power_on", node)

    def replace(self, node: str) -> None:
        self._note("replace", node)

    def pause(self, node: str) -> None:
        self._note("pause", node)

    def resume(self, node: str) -> None:
        self._note("resume", node)

    def link_down(self, node: str) -> None:
        self._note("link_down", node)

    def link_up(self, node: str) -> None:
        self._note("link_up", node)

    def keep(self) -> None:
        self._note("keep", "")

    def go_whole(self) -> bool:
        return self.whole

    def stop(self) -> None:
        self._note("stop", "")
