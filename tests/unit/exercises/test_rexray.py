"""The volume driver of stacks/rexray: its protocol, its refusals, and what survives a kill -9.

A directory stands in for the server; to mount is to put a link to it in the mount point's place.
"""

from __future__ import annotations

import ast
import configparser
import errno
import http.client
import importlib.machinery
import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "stacks/rexray/rexray"
UNIT = ROOT / "stacks/rexray/rexray.service"

if TYPE_CHECKING:
    import rexray
else:
    loader = importlib.machinery.SourceFileLoader("rexray", str(SCRIPT))
    rexray = importlib.util.module_from_spec(importlib.util.spec_from_loader("rexray", loader))
    sys.modules["rexray"] = rexray
    dont, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader.exec_module(rexray)
    sys.dont_write_bytecode = dont

SERVER, PATH = "192.168.56.10", "/srv/nfs/volumes"
SOURCE = f"{SERVER}:{PATH}"
GOOD = (ROOT / "stacks/rexray/config.yml").read_text(encoding="utf-8")
Json = dict[str, Any]
real_run, real_is_mounted = rexray.run, rexray.is_mounted


class Node:
    """A node with a driver; what it mounts is a directory of this machine."""

    def __init__(self, tmp_path: Path, host: str) -> None:
        self.host, self.home, self.server = host, tmp_path / host, tmp_path / "server"
        self.root, self.references = self.home / "run/root", self.home / "run/references"
        self.start()

    def start(self) -> None:
        """A driver as after a kill -9: nothing of the one before was told that it ends."""
        volumes = self.home / "volumes"
        self.driver = rexray.Driver(SERVER, PATH, self.host, self.home / "run", volumes)

    def reboot(self) -> None:
        for where in (self.root, *(self.home / "volumes").iterdir()):
            if where.is_symlink():
                where.unlink()
        self.start()

    def ask(self, operation: str, name: str = "", **request: object) -> Json:
        return self.driver.answer(f"/VolumeDriver.{operation}", {"Name": name, **request})

    def create(self, name: str, **options: object) -> None:
        assert self.ask("Create", name, Opts=options) == {}

    def mount(self, name: str, user: str = "a") -> Path:
        return Path(self.ask("Mount", name, ID=user)["Mountpoint"])

    def unmount(self, name: str, user: str = "a") -> None:
        assert self.ask("Unmount", name, ID=user) == {}

    def remove(self, name: str) -> None:
        assert self.ask("Remove", name) == {}

    def where(self, name: str) -> str:
        return str(self.ask("Path", name)["Mountpoint"])

    def users(self, name: str) -> list[str]:
        return list(self.ask("Get", name)["Volume"]["Status"]["mountedOn"])

    def names(self) -> list[str]:
        return [volume["Name"] for volume in self.ask("List")["Volumes"]]


class Machine:
    """The commands, and the network."""

    def __init__(self, server: Path) -> None:
        self.server = server
        self.commands: list[tuple[str, ...]] = []
        self.broken: dict[str, str] = {}
        self.away = False

    def run(self, *argv: str) -> None:
        self.commands.append(argv)
        for word, error in self.broken.items():
            if word in " ".join(argv):
                raise rexray.Failure(error)
        if argv[0] == "umount":
            Path(argv[2]).unlink()
        else:
            target = self.server / argv[1].removeprefix(SOURCE).lstrip("/")
            assert target.is_dir()
            Path(argv[2]).rmdir()
            Path(argv[2]).symlink_to(target)

    def connect(self, address: tuple[str, int], timeout: float) -> socket.socket:
        assert address == (SERVER, 2049)
        assert timeout == 5
        if self.away:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        return socket.socket()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    (tmp_path / "server").mkdir()
    made = Machine(tmp_path / "server")
    monkeypatch.setattr(rexray, "run", made.run)
    monkeypatch.setattr(rexray, "is_mounted", lambda where: where.is_symlink())
    monkeypatch.setattr(socket, "create_connection", made.connect)
    return made


@pytest.fixture
def node(tmp_path: Path, machine: Machine) -> Node:  # noqa: ARG001 - it must be there
    return Node(tmp_path, "worker1")


@pytest.fixture
def other(tmp_path: Path, machine: Machine) -> Node:  # noqa: ARG001 - it must be there
    """Another node of the same server."""
    return Node(tmp_path, "worker2")


def refused(text: str) -> Any:
    return pytest.raises(rexray.Failure, match=re.escape(text))


# What a volume is.


def test_a_volume_is_a_directory_and_a_description(node: Node) -> None:
    node.create("shared-data", size="1")
    data = node.server / "shared-data"
    assert list(data.iterdir()) == []
    assert data.stat().st_mode & 0o7777 == 0o755
    record = json.loads((node.server / ".rexray/shared-data.json").read_text())
    assert record == {"size": 1, "created": record["created"]}
    # Written in one piece, and nothing of that is left.
    left = sorted(path.name for path in (node.server / ".rexray").iterdir())
    assert left == ["shared-data.json", "shared-data.mounts"]


def test_what_inspect_shows(node: Node) -> None:
    node.create("shared-data", size="1")
    volume = node.ask("Get", "shared-data")["Volume"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", volume.pop("CreatedAt"))
    assert volume == {
        "Name": "shared-data",
        "Mountpoint": "",
        "Status": {
            "source": f"{SOURCE}/shared-data",
            "mountedOn": (),
            "size": 1,
            "sizeUnit": "GiB",
            "sizeEnforced": False,
        },
    }
    node.mount("shared-data")
    assert node.users("shared-data") == ["worker1"]


def test_any_node_sees_what_another_has_made_and_written(node: Node, other: Node) -> None:
    node.create("shared-data", size="1")
    assert other.names() == ["shared-data"]
    (node.mount("shared-data") / "row").write_text("1")
    assert (other.mount("shared-data") / "row").read_text() == "1"


def test_the_root_is_soft_and_a_volume_is_hard(node: Node, machine: Machine) -> None:
    node.create("shared-data")
    node.mount("shared-data")
    root, volume = machine.commands
    assert root[:4] == ("mount.nfs", SOURCE, str(node.root), "-o")
    assert root[4].startswith("nfsvers=4.2,soft,timeo=")
    assert root[4].endswith("noac,lookupcache=none")
    where = str(node.home / "volumes/shared-data")
    options = "nfsvers=4.2,hard,retry=0"
    assert volume == ("mount.nfs", f"{SOURCE}/shared-data", where, "-o", options)


# Create.


def test_to_create_again_is_to_find(node: Node, other: Node) -> None:
    node.create("shared-data", size="1")
    (node.server / "shared-data/row").touch()
    other.create("shared-data", size="1")
    other.create("shared-data")
    assert (node.server / "shared-data/row").exists()


@pytest.mark.parametrize(("first", "has"), [({"size": "1"}, "1"), ({}, "none")])
def test_to_create_otherwise_is_refused(node: Node, other: Node, first: Json, has: str) -> None:
    node.create("shared-data", **first)
    with refused(
        f"the volume shared-data exists with size={has}, not with size=2: ask for it as it is, or "
        "remove it first"
    ):
        other.create("shared-data", size="2")


def test_two_nodes_that_create_at_once_make_one_volume(node: Node, other: Node) -> None:
    barrier = threading.Barrier(2)
    outcomes: list[str] = []

    def create(who: Node, size: str) -> None:
        who.names()
        barrier.wait()
        try:
            who.create("shared-data", size=size)
            outcomes.append("made")
        except rexray.Failure as failure:
            outcomes.append(str(failure)[:37])

    threads = [threading.Thread(target=create, args=args) for args in [(node, "1"), (other, "2")]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", "the volume shared-data exists with si"]


def test_what_a_killed_create_left_is_taken_up(node: Node) -> None:
    node.create("shared-data", size="1")
    (node.server / "shared-data").rmdir()
    (node.server / ".rexray/shared-data.mounts").rmdir()
    (node.server / ".rexray/.new-1").write_text("{")
    assert node.names() == ["shared-data"]
    node.create("shared-data", size="1")
    node.mount("shared-data")


def test_somebody_elses_directory_is_not_taken(node: Node) -> None:
    (node.server / "photos").mkdir()
    with refused(f"{SOURCE}/photos is no volume: move it, or take another name"):
        node.create("photos")
    with refused("there is no volume photos: docker volume ls shows which are"):
        node.remove("photos")
    assert (node.server / "photos").exists()
    assert node.names() == []


BAD_NAMES = ["", ".", "..", "../x", "/etc", "a/b", "a b", "a\n", "a\0b", ".rexray", "-o", "é",
             "a" * 64, "\ud800", None, ["a"]]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
@pytest.mark.parametrize("operation", ["Create", "Remove", "Mount", "Unmount", "Path", "Get"])
def test_a_name_that_could_lead_elsewhere_is_refused(
    node: Node, machine: Machine, operation: str, name: Any
) -> None:
    with refused("a volume can't be named ") as caught:
        node.ask(operation, name, ID="a")
    assert "\n" not in str(caught.value)
    assert machine.commands == []


def test_names_do_not_get_in_each_others_way(node: Node) -> None:
    names = ["0", "a..b", "a" * 63, "x", "x.json", "x.mounts"]
    for name in names:
        node.create(name)
        node.mount(name)
        node.unmount(name)
    assert node.names() == names
    for name in names:
        node.remove(name)
    assert [path.name for path in node.server.iterdir()] == [".rexray"]
    assert list((node.server / ".rexray").iterdir()) == []


@pytest.mark.parametrize("size", ["0", "-1", "1.5", "1G", "", "1\n", "٣", "1000000"])
def test_a_size_is_a_whole_number_of_gib(node: Node, size: str) -> None:
    with refused(f"the size {size!a} is not a whole number of GiB from 1 to 999999: "):
        node.create("shared-data", size=size)
    assert node.names() == []


def test_an_unknown_option_is_named_and_its_value_is_not(node: Node) -> None:
    with refused(
        "the option 'password' is not known: there is only size, in GiB, as in -o size=1"
    ) as caught:
        node.create("shared-data", size="1", password="hunter2")  # noqa: S106 - not to be shown
    assert "hunter2" not in str(caught.value)


# Mount and unmount.


def test_a_volume_is_mounted_once_and_unmounted_with_the_last_user(
    node: Node, machine: Machine
) -> None:
    node.create("shared-data")
    where = node.mount("shared-data", "a")
    assert node.mount("shared-data", "b") == node.mount("shared-data", "b") == where
    assert len(machine.commands) == 2
    node.unmount("shared-data", "a")
    node.unmount("shared-data", "a")
    assert node.where("shared-data") == str(where)
    node.unmount("shared-data", "b")
    assert node.where("shared-data") == ""
    assert node.users("shared-data") == []
    node.unmount("shared-data", "b")


def test_what_is_not_there_can_t_be_mounted(node: Node) -> None:
    with refused("there is no volume nothing: docker volume ls shows which are"):
        node.mount("nothing")
    assert list(node.references.iterdir()) == []


def test_a_mount_that_fails_leaves_nothing(node: Node, machine: Machine) -> None:
    node.create("shared-data")
    machine.broken = {"mount.nfs": "mount.nfs: access denied by server"}
    with refused(
        f"{SOURCE}/shared-data can't be mounted (mount.nfs: access denied by server): see on the "
        "server whether it is there and exported to this node (exportfs -v)"
    ):
        node.mount("shared-data")
    assert list(node.references.iterdir()) == []
    node.remove("shared-data")


def test_a_busy_volume_is_unmounted_later(node: Node, other: Node, machine: Machine) -> None:
    node.create("shared-data")
    node.mount("shared-data")
    machine.broken = {"umount": "umount: target is busy"}
    with refused("umount: target is busy"):
        node.unmount("shared-data")
    assert node.names() == ["shared-data"]
    with refused("the volume shared-data is mounted on worker1: "):
        node.remove("shared-data")
    machine.broken = {}
    assert node.names() == ["shared-data"]
    assert node.where("shared-data") == ""
    other.remove("shared-data")


def test_a_mount_that_takes_long_does_not_hold_up_the_protocol(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.create("shared-data")
    begun, end = threading.Event(), threading.Event()

    def hang(*_: str) -> None:
        begun.set()
        assert end.wait(30)
        raise rexray.Failure("'mount.nfs' had not ended after 20 s")

    monkeypatch.setattr(rexray, "run", hang)
    failed: list[str] = []

    def mount() -> None:
        try:
            node.mount("shared-data")
        except rexray.Failure as failure:
            failed.append(str(failure))

    thread = threading.Thread(target=mount)
    thread.start()
    assert begun.wait(30)
    assert node.driver.answer("/Plugin.Activate", {}) == {"Implements": ["VolumeDriver"]}
    end.set()
    # When that request has ended, and it does, the next one is answered.
    assert node.names() == ["shared-data"]
    thread.join()
    assert "had not ended after 20 s" in failed[0]


# Remove.


def test_a_removed_volume_is_gone_with_its_data(node: Node) -> None:
    node.create("shared-data")
    (node.server / "shared-data/row").touch()
    node.remove("shared-data")
    assert [path.name for path in node.server.iterdir()] == [".rexray"]
    assert list((node.server / ".rexray").iterdir()) == []
    for operation in ("Get", "Remove"):
        with refused("there is no volume shared-data"):
            node.ask(operation, "shared-data")
    node.create("shared-data")
    assert list((node.server / "shared-data").iterdir()) == []


def test_what_is_mounted_is_not_removed(node: Node, other: Node) -> None:
    node.create("shared-data")
    node.mount("shared-data")
    other.mount("shared-data")
    sentence = (
        "the volume shared-data is mounted on worker1, worker2: remove its containers, or, of a "
        f"node gone for good, its file in {SOURCE}/.rexray/shared-data.mounts"
    )
    for who in (node, other):
        with refused(sentence):
            who.remove("shared-data")
    node.unmount("shared-data")
    with refused(sentence.replace("worker1, ", "")):
        node.remove("shared-data")
    assert (node.server / "shared-data").is_dir()
    other.unmount("shared-data")
    node.remove("shared-data")


def test_a_removal_that_was_cut_short_is_completed(node: Node) -> None:
    node.create("shared-data", size="1")
    (node.server / ".rexray/shared-data.mounts").rmdir()
    (node.server / ".rexray/.trash-1").mkdir()
    with refused(
        f"{SOURCE} can't be used (No such file or directory): a part of the volume is missing, "
        "remove it with docker volume rm"
    ):
        node.mount("shared-data")
    node.remove("shared-data")
    assert list((node.server / ".rexray").iterdir()) == []
    node.create("shared-data", size="2")


# Links.


def test_a_link_in_a_volumes_place_is_not_followed(node: Node, tmp_path: Path) -> None:
    outside = tmp_path / "precious"
    outside.mkdir()
    (outside / "file").touch()
    node.create("good")
    (node.server / "good").rmdir()
    (node.server / "good").symlink_to(outside)
    for operation in ("Create", "Mount"):
        with refused(f"{SOURCE}/good is a link or a file, not followed: move it"):
            node.ask(operation, "good", ID="a")
    node.remove("good")
    (node.server / "evil").symlink_to(outside)
    with refused(f"{SOURCE}/evil is no volume"):
        node.create("evil")
    assert (outside / "file").exists()


def test_a_link_inside_a_volume_is_deleted_and_not_followed(node: Node, tmp_path: Path) -> None:
    node.create("shared-data")
    (tmp_path / "precious").touch()
    (node.server / "shared-data/evil").symlink_to(tmp_path)
    node.remove("shared-data")
    assert (tmp_path / "precious").exists()


def test_a_link_in_place_of_the_drivers_own_directory_is_refused(
    node: Node, tmp_path: Path
) -> None:
    (node.server / ".rexray").symlink_to(tmp_path)
    with refused(f"{SOURCE}/.rexray is a link or a file, not followed: move it"):
        node.create("shared-data")


# Kills, reboots, and a server that is away.


def test_references_survive_a_kill(node: Node) -> None:
    node.create("shared-data")
    node.mount("shared-data", "a")
    node.mount("shared-data", "b")
    node.start()
    node.unmount("shared-data", "a")
    assert node.where("shared-data")
    node.start()
    with refused("is mounted on worker1"):
        node.remove("shared-data")
    node.unmount("shared-data", "b")
    assert not node.where("shared-data")
    node.remove("shared-data")


def test_a_mount_that_nobody_knew_of_is_told_to_the_server(node: Node) -> None:
    node.create("shared-data")
    node.mount("shared-data")
    (node.references / "shared-data.json").unlink()
    (node.server / ".rexray/shared-data.mounts/worker1").unlink()
    node.mount("shared-data")
    assert node.users("shared-data") == ["worker1"]


def test_a_driver_killed_while_it_mounts_leaves_no_user(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: str) -> None:
        raise KeyboardInterrupt

    node.create("shared-data")
    monkeypatch.setattr(rexray, "run", kill)
    with pytest.raises(KeyboardInterrupt):
        node.mount("shared-data")
    assert list(node.references.iterdir()) != []
    node.start()
    assert list(node.references.iterdir()) == []
    assert node.users("shared-data") == []


def test_references_end_with_a_reboot_and_volumes_do_not(node: Node, other: Node) -> None:
    node.create("shared-data", size="1")
    node.mount("shared-data")
    other.mount("shared-data")
    node.reboot()
    assert other.users("shared-data") == ["worker1", "worker2"]
    assert node.names() == ["shared-data"]
    assert other.users("shared-data") == ["worker2"]
    node.mount("shared-data")


def test_without_the_server_everything_new_is_refused(node: Node, machine: Machine) -> None:
    machine.away = True
    for operation in ("Create", "Mount", "Remove", "Get", "List"):
        with refused(
            "the NFS server 192.168.56.10 does not answer at port 2049 (Connection refused): start "
            "it, or correct nfs.host in the configuration"
        ):
            node.ask(operation, "shared-data", ID="a")
    assert machine.commands == []
    assert list(node.references.iterdir()) == []


def test_without_the_server_what_is_mounted_can_be_shared_and_given_back(
    node: Node, other: Node, machine: Machine
) -> None:
    node.create("shared-data")
    node.mount("shared-data", "a")
    machine.away = True
    node.mount("shared-data", "b")
    node.unmount("shared-data", "a")
    node.unmount("shared-data", "b")
    assert not node.where("shared-data")
    machine.away = False
    with refused("is mounted on worker1"):
        other.remove("shared-data")
    node.names()
    other.remove("shared-data")


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ENOSPC])
def test_the_servers_errors_are_put_into_words(
    node: Node, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(rexray, "write_new", fail)
    with refused(
        f"{SOURCE} can't be used ({os.strerror(code)}): see whether the server is well and exports "
        "it with rw and no_root_squash"
    ):
        node.create("shared-data")


# Commands.


def test_a_command_tells_its_last_words() -> None:
    real_run("true")
    with refused("target is busy"):
        real_run("sh", "-c", "echo a hint >&2; echo target is busy >&2; exit 32")
    with refused("false ended with 1"):
        real_run("false")
    with refused("there is no mount.nowhere, install nfs-common on this node"):
        real_run("mount.nowhere")


def test_a_command_has_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[str]] = []

    def start(*args: Any, **options: Any) -> subprocess.Popen[str]:
        started.append(popen(*args, **options))
        return started[0]

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(rexray, "COMMAND_LIMIT", 0.2)
    with refused("'sleep 60' had not ended after 0.2 s"):
        real_run("sleep", "60")
    with started[0] as killed:
        assert killed.wait(30) == -9


def test_the_kernels_table_tells_what_is_mounted(tmp_path: Path) -> None:
    assert real_is_mounted(Path("/proc"))
    assert not real_is_mounted(tmp_path)


# The protocol.


class Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("plugin", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30)
        self.sock.connect(str(self._path))


def ask(path: Path, operation: str, body: bytes | Json | None = None) -> Json:
    """An answer's object, with its status."""
    connection = Connection(path)
    text = json.dumps(body).encode() if isinstance(body, dict) else body
    connection.request("POST", f"/{operation}", text)
    response = connection.getresponse()
    assert response.headers["Content-Type"] == "application/vnd.docker.plugins.v1.1+json"
    answer: Json = json.loads(response.read())
    connection.close()
    return {"status": response.status, **answer}


@pytest.fixture
def served(node: Node, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "rexray.sock"
    with rexray.Server(str(path), rexray.Handler) as server:
        server.driver = node.driver
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield path
        server.shutdown()
        thread.join()


def test_a_volumes_life_over_the_socket(served: Path, node: Node) -> None:
    name, well = {"Name": "shared-data"}, {"status": 200, "Err": ""}
    where = {"Mountpoint": str(node.home / "volumes/shared-data")}
    assert ask(served, "Plugin.Activate") == {**well, "Implements": ["VolumeDriver"]}
    capabilities = ask(served, "VolumeDriver.Capabilities", {})
    assert capabilities == {**well, "Capabilities": {"Scope": "global"}}
    missing = ask(served, "VolumeDriver.Get", name)
    assert missing["status"] == 500
    assert missing["Err"].startswith("there is no volume shared-data")
    assert ask(served, "VolumeDriver.Create", {**name, "Opts": {"size": "1"}}) == well
    assert ask(served, "VolumeDriver.Create", {**name, "Opts": None}) == well
    assert ask(served, "VolumeDriver.Path", name) == {**well, "Mountpoint": ""}
    assert ask(served, "VolumeDriver.Mount", {**name, "ID": "a"}) == {**well, **where}
    assert ask(served, "VolumeDriver.Path", name) == {**well, **where}
    assert ask(served, "VolumeDriver.Get", name)["Volume"]["Status"]["size"] == 1
    assert ask(served, "VolumeDriver.List", {})["Volumes"] == [{**name, **where}]
    assert ask(served, "VolumeDriver.Remove", name)["status"] == 500
    assert ask(served, "VolumeDriver.Unmount", {**name, "ID": "a"}) == well
    assert ask(served, "VolumeDriver.Remove", name) == well
    assert ask(served, "VolumeDriver.List", {}) == {**well, "Volumes": []}


@pytest.mark.parametrize("body", [b"{", b"[]", b"1", b"\xff", b"[" * 60000, b'{"Name": {}}'],
                         ids=range(6))  # fmt: skip
def test_a_hostile_body_is_answered_and_the_service_lives(served: Path, body: bytes) -> None:
    answer = ask(served, "VolumeDriver.Create", body)
    assert answer["status"] == 500
    assert answer["Err"]
    assert ask(served, "Plugin.Activate")["status"] == 200


def test_a_body_has_a_bound(served: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(served))
        client.sendall(b"POST /VolumeDriver.Create HTTP/1.1\r\nContent-Length: 70000\r\n\r\n")
        with client.makefile("rb") as answer:
            assert b'{"Err": "the request has 70000 bytes: 65536 are the most"}' in answer.read()


def test_an_operation_that_is_not_there_is_refused(served: Path) -> None:
    answer = ask(served, "VolumeDriver.Format", {})
    assert answer["Err"] == "there is no '/VolumeDriver.Format': this is a volume driver"


# The process.


def test_the_configuration_is_the_labs() -> None:
    assert rexray.load_config(ROOT / "stacks/rexray/config.yml") == ["nfs", SERVER, PATH]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "libstorage.service is None, and must be 'nfs', all that there is here"),
        ("- a", "libstorage.service is None, and must be"),
        ("libstorage: {service: nfs}", "nfs.host is None, and must be the NFS server's address"),
        ("a: [", "can't be read (it is not YAML): put the configuration there"),
        (GOOD.replace("service: nfs", "service: ebs"), "libstorage.service is 'ebs', and must be"),
        (GOOD.replace("192.168.56.10", "-oexec"), "nfs.host is '-oexec', and must be"),
        (GOOD.replace("/srv/nfs", "srv"), "nfs.volumePath is 'srv/volumes', and must be the abs"),
        (GOOD.replace("/srv/nfs", "/srv/.."), "nfs.volumePath is '/srv/../volumes', and must be"),
    ],
    ids=range(8),
)
def test_a_bad_configuration_ends_the_service_with_one_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = tmp_path / "config.yml"
    path.write_text(text, encoding="utf-8")
    argv = [sys.executable, str(SCRIPT), str(path)]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ended.returncode == 78
    assert ended.stderr.startswith(str(path))
    assert sentence in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_missing_configuration_is_told(tmp_path: Path) -> None:
    with refused("can't be read (No such file or directory): put the configuration there"):
        rexray.load_config(tmp_path / "config.yml")


SERVE = """
import sys
from pathlib import Path
from tests.unit.exercises.test_rexray import rexray
home = Path(sys.argv[1])
rexray.SOCKET, rexray.RUN, rexray.VOLUMES = home / "p/r.sock", home / "run", home / "volumes"
sys.argv = ["rexray", "stacks/rexray/config.yml"]
sys.exit(rexray.main())
"""


def test_systemd_is_told_when_the_socket_is_there_and_a_stop_is_clean(tmp_path: Path) -> None:
    address, path = tmp_path / "notify", tmp_path / "p/r.sock"
    path.parent.mkdir()
    path.touch()  # As left by one that was killed.
    argv = [sys.executable, "-c", SERVE, str(tmp_path)]
    environment = {**os.environ, "NOTIFY_SOCKET": str(address)}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(address))
        systemd.settimeout(60)
        with subprocess.Popen(argv, cwd=ROOT, env=environment) as running:
            try:
                assert systemd.recv(100) == b"READY=1"
                assert ask(path, "Plugin.Activate")["status"] == 200
                running.terminate()
                assert running.wait(30) == 0
                assert not path.exists()
            finally:
                running.kill()


# The files.


def test_the_unit_starts_before_the_engine_and_keeps_the_mounts() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(UNIT, encoding="utf-8")
    assert unit["Unit"]["Before"] == "docker.service"
    service = dict(unit["Service"])
    assert service.pop("RestartPreventExitStatus") == str(rexray.BAD_CONFIG)
    # No other: many would give the service mounts of its own, or take them away with it.
    assert service == {
        "Type": "notify",
        "ExecStart": "/usr/local/bin/rexray",
        "Restart": "always",
        "RestartSec": "1",
        "KillMode": "process",
    }
    assert "multi-user.target" in unit["Install"]["WantedBy"]


def test_the_driver_is_one_short_file_for_any_supported_python() -> None:
    assert SCRIPT.stat().st_mode & 0o111 == 0o111
    text = SCRIPT.read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/python3\n")
    assert len(text.splitlines()) <= 400
    # 3.10 is that of Ubuntu 22.04.
    imported = set()
    for node in ast.walk(ast.parse(text, feature_version=(3, 10))):
        if isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
    assert imported - sys.stdlib_module_names == {"yaml"}
