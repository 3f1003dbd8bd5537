"""What the first word with a node of an inventory means, and by which address it is the node."""

from __future__ import annotations

import contextlib
import http.server
import os
import re
import shutil
import socketserver
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import pytest

from pytest_swarmlab import sockets
from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.model import Capability
from pytest_swarmlab.providers import mux
from pytest_swarmlab.providers.inventory.file import load
from pytest_swarmlab.providers.inventory.provider import InventoryMachines
from pytest_swarmlab.swarm.cluster import Node
from tests.unit.fakes import Lab

SSH = """#!/bin/sh
case "$*" in
*" -G "*|"-G "*) echo "hostname 127.0.0.1"; exit 0 ;;
esac
cat "$FAKE/out"
cat "$FAKE/err" >&2
exit "$(cat "$FAKE/code")"
"""
"""An ssh that resolves everything to this machine and says what it was told to say."""

Made = Callable[..., InventoryMachines]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """Makes the machines of an inventory whose ssh says these words and ends with that code."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ssh").write_text(SSH, encoding="utf-8")
    (tmp_path / "bin" / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE", str(tmp_path))
    machines: list[InventoryMachines] = []

    def make(
        out: str = "1.44\n", err: str = "", code: int = 0, *, node: str = "name: m1"
    ) -> InventoryMachines:
        for name, text in (("out", out), ("err", err), ("code", str(code))):
            (tmp_path / name).write_text(text, encoding="utf-8")
        inventory = tmp_path / "theirs.yml"
        inventory.write_text(f"nodes: [{{{node}, role: manager}}]\n", encoding="utf-8")
        machines.append(InventoryMachines(load(inventory), may_change=True, logs=tmp_path))
        return machines[-1]

    yield make
    for each in machines:
        each.stop()


def complaint(machines: InventoryMachines) -> str | None:
    (host,) = machines._hosts
    return machines._complaint(host)


@pytest.mark.parametrize(
    "warning",
    [
        "sudo: unable to resolve host m1: Name or service not known\n",
        "WARNING: Error loading config file: open /root/.docker/config.json: permission denied\n",
        "bash: /root/.local/env: not found\n",
    ],
)
def test_a_node_that_only_complains_is_used(made: Made, warning: str) -> None:
    assert complaint(made(err=warning)) is None


@pytest.mark.parametrize("api", ["1.41", "1.44", "1.52"])
def test_an_engine_from_docker_20_10_on_is_used(made: Made, api: str) -> None:
    assert complaint(made(out=f"{api}\n")) is None


@pytest.mark.parametrize(
    ("out", "err", "code", "said"),
    [
        ("Welcome to swarm-mgr\n1.44\n", "", 0, r"m1 prints 'Welcome to swarm-mgr 1\.44'"),
        ("1.40\n", "", 0, r"is too old \(API 1\.40\): use Docker 20\.10 or newer"),
        ("", "sudo: a password is required\n", 1, "sudo wants a password on m1"),
        ("", "sudo: a terminal is required to read the password\n", 1, "sudo wants a password"),
        ("", "sudo: sorry, you must have a tty to run sudo\n", 1, "sudo wants a terminal on m1"),
        ("", "sudo: unable to resolve\nsudo: docker: command not found\n", 1, "no docker command"),
        ("", "sh: 1: docker: not found\n", 127, "there is no docker command on m1"),
        ("", "fish: Unknown command: docker\n", 127, "there is no docker command on m1"),
        ("", ".bashrc: x: not found\nCannot connect to the Docker\n", 1, "doesn't answer: Cannot"),
        ("", "permission denied while trying to connect to the Docker\n", 1, "`sudo: true`"),
        ("", "Load key \"k\": bad permissions\nu@h: Permission denied (publickey).\n", 255,
         "chmod 0600 it"),
        ("", "Load key \"k\": error in libcrypto\nu@h: Permission denied (publickey).\n", 255,
         "line ends those of Windows"),
        ("", "No ED25519 host key is known for [192.0.2.1]:2302 and you have requested strict"
         " checking.\nHost key verification failed.\nkex_exchange_identification: Closed",
         255, r"a host key isn't known, .*is known for \[192\.0\.2\.1\]:2302"),
        ("", "stdio forwarding failed\nkex_exchange_identification: Connection closed by remote",
         255, "the jump host opens no way to it: permit AllowTcpForwarding"),
    ],
)  # fmt: skip
def test_what_keeps_a_node_from_being_used_is_told_with_what_to_do(
    made: Made, out: str, err: str, code: int, said: str
) -> None:
    told = complaint(made(out, err, code))
    assert told is not None
    assert re.search(said, told), told
    assert "\n" not in told


def test_a_key_with_a_passphrase_that_no_agent_knows_is_told(made: Made, tmp_path: Path) -> None:
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "a phrase", "-f", str(tmp_path / "key")]
    subprocess.run(argv, check=True)
    denied = made("", "u@h: Permission denied (publickey).\n", 255, node="name: m1, key: key")
    told = complaint(denied)
    assert told is not None
    assert f"its key has a passphrase and no agent knows it: ssh-add {tmp_path}/key" in told


def test_sockets_of_nodes_with_long_names_have_paths_that_a_socket_may_have(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("d" * 60)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    name = "n" * 63
    machines = made(node=f"name: {name}, sudo: true")
    assert len(str(machines.engine_socket(name))) <= sockets.LONGEST
    # ssh makes a control socket under a longer name first.
    assert len(str(machines._links.control_socket(name))) + 17 <= sockets.LONGEST
    assert list(long.iterdir()) == []


@pytest.mark.parametrize(
    ("there", "address", "direct"),
    [
        ("192.0.2.7", "192.0.2.7", False),
        ("", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", False),
    ],
)
def test_a_node_that_is_reached_through_this_machine_s_own_port_is_asked_at_its_own_address(
    made: Made, monkeypatch: pytest.MonkeyPatch, there: str, address: str, direct: bool
) -> None:
    machines = told(made, monkeypatch, there, "name: m1")
    assert machines._links._nodes["m1"].direct is direct
    (node,) = machines.topology.nodes
    assert node.address == address
    asked: list[Any] = []
    monkeypatch.setattr(mux, "forward", lambda *words: asked.append(words))
    machines.dial("m1", 8080, 1.0)
    assert asked[0][1:3] == (address, 8080)


def test_a_node_whose_swarm_address_is_that_of_ssh_is_asked_from_here(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines = told(made, monkeypatch, "192.0.2.7", "name: m1, address: 192.0.2.7")
    assert machines._links._nodes["m1"].direct


def told(
    made: Made, monkeypatch: pytest.MonkeyPatch, there: str, node: str, out: str = "AAAA:BBBB\n"
) -> InventoryMachines:
    """Machines whose engine says that this is the node's address in the swarm."""

    class Engine:
        api_version = "1.41"

        def __init__(self, **_: object) -> None: ...

        def info(self) -> dict[str, Any]:
            return {"Swarm": {"NodeAddr": there}, "ID": "AAAA:BBBB"}

        def close(self) -> None: ...

    monkeypatch.setattr(docker, "APIClient", Engine)
    machines = made(out, node=node)
    machines._learn(machines._hosts)
    return machines


def test_commands_that_are_for_another_engine_are_refused(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ProviderError, match=r"`docker` on m1 uses another engine .*DOCKER_HOST"):
        told(made, monkeypatch, "", "name: m1", out="CCCC:DDDD\n")
    told(made, monkeypatch, "", "name: m1", out="AAAA:BBBB\n")


def test_what_the_tester_s_own_environment_says_of_engines_and_proxies_is_no_matter(
    tmp_path: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CONTEXT", "elsewhere")
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text('{"currentContext": "elsewhere"}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    directory = Path(tempfile.mkdtemp(dir="/tmp"))
    with socketserver.UnixStreamServer(str(directory / "engine"), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        machines: Any = SimpleNamespace(foreign=False, engine_socket=lambda _: directory / "engine")
        with contextlib.closing(Node(lab.topology.nodes[0], machines, lab.recorder).engine) as it:
            assert it.version() == {"ApiVersion": "1.44"}
        server.shutdown()
        thread.join()
    shutil.rmtree(directory)


class Answering(http.server.BaseHTTPRequestHandler):
    """An engine that tells its version."""

    def address_string(self) -> str:
        return ""

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        body = b'{"ApiVersion": "1.44"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_with_an_older_engine_its_own_api_is_spoken(
    made: Made, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines: Any = told(made, monkeypatch, "", "name: m1")
    spoken: list[str] = []

    def client(**how: Any) -> Any:
        spoken.append(how["version"])
        return SimpleNamespace(api=SimpleNamespace(request=None))

    monkeypatch.setattr(docker, "DockerClient", client)
    (spec,) = machines.topology.nodes
    Node(spec, machines, lab.recorder).new_engine(1.0)
    assert spoken == ["1.41"]
    assert Capability.CHANGE in machines.controls
