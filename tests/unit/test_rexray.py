"""The volume driver of stacks/rexray: its protocol, its refusals, and what survives a kill -9.

A directory stands in for the server. To mount is to put a link to it in the mount point's place,
and to write a line into the table in which the driver looks for what is mounted.
"""

from __future__ import annotations

import ast
import configparser
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
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "stacks/rexray/rexray"

if TYPE_CHECKING:
    import rexray
else:
    loader = importlib.machinery.SourceFileLoader("rexray", str(SCRIPT))
    rexray = importlib.util.module_from_spec(importlib.util.spec_from_loader("rexray", loader))
    sys.modules["rexray"] = rexray
    dont, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader.exec_module(rexray)
    sys.dont_write_bytecode = dont

CONFIG = rexray.Config("192.168.56.10", "/srv/nfs/volumes")
SOURCE = "192.168.56.10:/srv/nfs/volumes"
Json = dict[str, Any]


class Node:
    """A node with a driver; what it mounts is a directory of this machine."""

    def __init__(self, tmp_path: Path, host: str) -> None:
        self.host = host
        self.server = tmp_path / "server"
        self.server.mkdir(exist_ok=True)
        self.home = tmp_path / host
        self.home.mkdir(exist_ok=True)
        self.table = self.home / "mountinfo"
        self.table.touch()
        self.places = rexray.Places(
            self.home / "docker/plugins/rexray.sock", self.home / "run", self.home / "lib"
        )
        self.commands: list[list[str]] = []
        self.kernel = threading.Lock()
        self.away = False
        self.broken: Callable[[Sequence[str]], None] = lambda _: None
        self.start()

    def start(self) -> None:
        """A driver as after a kill -9: nothing of the one before was told that it ends."""
        self.driver = rexray.Driver(CONFIG, self.host, **self.parts)

    @property
    def parts(self) -> Json:
        return {
            "places": self.places,
            "mounts": rexray.Mounts(self.run, self.table),
            "reach": self.reach,
        }

    def reboot(self) -> None:
        """Nothing is mounted any more, /run is empty, /var/lib is as it was."""
        for line in self.mounted():
            self.run(["umount", line], 1)
        for path in sorted(self.places.run.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        self.start()

    def reach(self, host: str) -> None:
        if self.away:
            raise rexray.NoAnswer(f"the NFS server {host} does not answer")

    def run(self, argv: Sequence[str], limit: float) -> None:
        assert limit > 0
        self.commands.append(list(argv))
        self.broken(argv)
        with self.kernel:
            self.change(argv)

    def change(self, argv: Sequence[str]) -> None:
        lines = self.table.read_text().splitlines()
        where = Path(argv[-1])
        if argv[0] == "mount":
            assert argv[1:4] == ["-t", "nfs", "-o"]
            assert argv[5].startswith(SOURCE)
            target = self.server / argv[5].removeprefix(SOURCE).lstrip("/")
            if not target.is_dir():
                raise rexray.Failure("mount.nfs: mounting failed: No such file or directory")
            where.rmdir()
            where.symlink_to(target)
            lines.append(f"30 1 0:40 / {where} rw - nfs4 {argv[5]} rw,{argv[4]}")
        else:
            where.unlink()
            where.mkdir()
            lines = [line for line in lines if line.split()[4] != str(where)]
        new = self.home / "mountinfo.new"
        new.write_text("".join(f"{line}\n" for line in lines))
        new.replace(self.table)

    def mounted(self) -> list[str]:
        return [line.split()[4] for line in self.table.read_text().splitlines()]

    def volume(self, name: str) -> Path:
        return self.places.volumes / name

    # What the engine asks.

    def create(self, name: str, **options: object) -> Json:
        return self.driver.create({"Name": name, "Opts": options})

    def mount(self, name: str, user: str = "a") -> Json:
        return self.driver.mount({"Name": name, "ID": user})

    def unmount(self, name: str, user: str = "a") -> Json:
        return self.driver.unmount({"Name": name, "ID": user})

    def remove(self, name: str) -> Json:
        return self.driver.remove({"Name": name})

    def get(self, name: str) -> Json:
        volume: Json = self.driver.get({"Name": name})["Volume"]
        return volume

    def names(self) -> list[str]:
        return [volume["Name"] for volume in self.driver.list({})["Volumes"]]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path, "worker1")


@pytest.fixture
def other(tmp_path: Path) -> Node:
    """Another node of the same server."""
    return Node(tmp_path, "worker2")


def refused(text: str) -> Any:
    return pytest.raises(rexray.Failure, match=re.escape(text))


# What a volume is.


def test_a_volume_is_a_directory_and_a_description(node: Node) -> None:
    assert node.create("shared-data", size="1") == {}
    data = node.server / "shared-data"
    assert list(data.iterdir()) == []
    assert data.stat().st_mode & 0o7777 == 0o755
    record = json.loads((node.server / ".rexray/shared-data.json").read_text())
    assert record == {"name": "shared-data", "size": 1, "created": record["created"]}
    assert sorted(path.name for path in (node.server / ".rexray").iterdir()) == [
        "shared-data.json",
        "shared-data.mounts",
    ]


def test_what_inspect_shows(node: Node) -> None:
    node.create("shared-data", size="1")
    volume = node.get("shared-data")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", volume.pop("CreatedAt"))
    assert volume == {
        "Name": "shared-data",
        "Mountpoint": "",
        "Status": {
            "source": f"{SOURCE}/shared-data",
            "server": "answers",
            "mountedOn": [],
            "size": 1,
            "sizeUnit": "GiB",
            "sizeEnforced": False,
        },
    }
    node.mount("shared-data")
    assert node.get("shared-data")["Mountpoint"] == str(node.volume("shared-data"))
    assert node.get("shared-data")["Status"]["mountedOn"] == ["worker1"]


def test_a_volume_may_have_no_size(node: Node) -> None:
    node.driver.create({"Name": "free", "Opts": None})
    node.driver.create({"Name": "free"})
    assert "size" not in node.get("free")["Status"]


def test_any_node_sees_what_another_has_made_and_written(node: Node, other: Node) -> None:
    node.create("shared-data", size="1")
    assert other.names() == ["shared-data"]
    node.mount("shared-data")
    (node.volume("shared-data") / "row").write_text("1")
    node.unmount("shared-data")
    assert other.mount("shared-data") == {"Mountpoint": str(other.volume("shared-data"))}
    assert (other.volume("shared-data") / "row").read_text() == "1"


def test_the_root_is_soft_and_a_volume_is_hard(node: Node) -> None:
    node.create("shared-data")
    node.mount("shared-data")
    root, volume = node.commands
    assert root[5:] == [SOURCE, str(node.places.root)]
    assert {"nfsvers=4", "soft", "noac"} <= set(root[4].split(","))
    assert volume == [
        "mount", "-t", "nfs", "-o", "nfsvers=4,hard,retry=0",
        f"{SOURCE}/shared-data", str(node.volume("shared-data")),
    ]  # fmt: skip


# Create.


def test_to_create_again_is_to_find(node: Node, other: Node) -> None:
    node.create("shared-data", size="1")
    (node.server / "shared-data/row").touch()
    node.create("shared-data", size="1")
    other.create("shared-data", size="1")
    other.create("shared-data")
    assert (node.server / "shared-data/row").exists()


@pytest.mark.parametrize(("first", "has"), [({"size": "1"}, "size=1"), ({}, "no size")])
def test_to_create_otherwise_is_refused(node: Node, other: Node, first: Json, has: str) -> None:
    node.create("shared-data", **first)
    with refused(
        f"the volume shared-data exists with {has}, not with size=2: ask for it as it is, or "
        "remove it first"
    ):
        other.create("shared-data", size="2")


def test_two_nodes_that_create_at_once_make_one_volume(node: Node, other: Node) -> None:
    barrier = threading.Barrier(2)
    outcomes: list[str] = []

    def create(who: Node, size: str) -> None:
        barrier.wait()
        try:
            who.create("shared-data", size=size)
            outcomes.append("made")
        except rexray.Failure as failure:
            outcomes.append(str(failure)[:37])

    in_threads(lambda: create(node, "1"), lambda: create(other, "2"))
    assert sorted(outcomes) == ["made", "the volume shared-data exists with si"]
    assert sorted(path.name for path in (node.server / ".rexray").iterdir()) == [
        "shared-data.json",
        "shared-data.mounts",
    ]


def in_threads(*work: Callable[[], object]) -> None:
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_what_a_killed_create_left_is_taken_up(node: Node) -> None:
    node.names()
    (node.server / "shared-data").mkdir()
    (node.server / ".rexray/.shared-data.worker1.new").write_text("{")
    node.create("shared-data")
    assert node.names() == ["shared-data"]


def test_a_description_is_never_touched_by_what_a_killed_create_left(node: Node) -> None:
    node.create("shared-data", size="1")
    record = node.server / ".rexray/shared-data.json"
    os.link(record, node.server / ".rexray/.shared-data.worker1.new")
    node.remove("shared-data")
    node.create("shared-data", size="2")
    assert json.loads(record.read_text())["size"] == 2


def test_somebody_elses_directory_is_not_taken(node: Node) -> None:
    (node.server / "photos").mkdir()
    (node.server / "photos/1.jpg").touch()
    with refused(
        "/srv/nfs/volumes/photos on 192.168.56.10 holds files that are no volume's: move it away, "
        "or take another name than photos"
    ):
        node.create("photos")
    with refused("there is no volume photos"):
        node.remove("photos")
    assert (node.server / "photos/1.jpg").exists()


BAD_NAMES = [
    "", ".", "..", "../x", "/etc", "a/b", "a\\b", "a b", "a\n", "a\0b", ".rexray", "-o", "_a", "é",
    "a" * 64, "\ud800", None, 1, ["a"], {"a": 1},
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
@pytest.mark.parametrize("operation", ["create", "remove", "mount", "unmount", "path", "get"])
def test_a_name_that_could_lead_elsewhere_is_refused(
    node: Node, operation: str, name: object
) -> None:
    with refused("a volume can't be named ") as caught:
        getattr(node.driver, operation)({"Name": name, "ID": "a"})
    assert "\n" not in str(caught.value)
    assert str(caught.value).isascii()
    assert node.commands == []


def test_the_longest_and_the_oddest_names(node: Node) -> None:
    names = ["a" * 63, "0", "a..b", "x.json", "x.mounts", "x", "trash-" + "0" * 32]
    for name in names:
        node.create(name)
        node.mount(name)
        node.unmount(name)
    node.driver.tidy()
    assert node.names() == sorted(names)
    for name in names:
        node.remove(name)
    node.driver.tidy()
    assert list((node.server / ".rexray").iterdir()) == []
    assert [path.name for path in node.server.iterdir()] == [".rexray"]


@pytest.mark.parametrize("size", ["0", "-1", "1.5", "1G", "", " 1", "1\n", "٣", "1000000", 1, None])
def test_a_size_is_a_whole_number_of_gib(node: Node, size: object) -> None:
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


def test_a_volume_is_mounted_once_and_unmounted_with_the_last_user(node: Node) -> None:
    node.create("shared-data")
    node.mount("shared-data", "a")
    node.mount("shared-data", "b")
    node.mount("shared-data", "b")
    assert len(node.commands) == 2
    marker = node.server / ".rexray/shared-data.mounts/worker1"
    node.unmount("shared-data", "a")
    node.unmount("shared-data", "a")
    assert node.driver.path({"Name": "shared-data"})["Mountpoint"]
    assert marker.exists()
    node.unmount("shared-data", "b")
    assert node.driver.path({"Name": "shared-data"}) == {"Mountpoint": ""}
    assert not marker.exists()
    assert not node.volume("shared-data").exists()
    node.unmount("shared-data", "b")


def test_many_users_at_once(node: Node) -> None:
    node.create("shared-data")
    node.create("logs")
    users = [(name, str(number)) for name in ("shared-data", "logs") for number in range(8)]
    in_threads(*(lambda user=user: node.mount(*user) for user in users))
    assert len(node.mounted()) == 3
    in_threads(*(lambda user=user: node.unmount(*user) for user in users))
    assert node.mounted() == [str(node.places.root)]
    assert sum(argv[0] == "mount" for argv in node.commands) == 3


def test_what_is_not_there_can_t_be_mounted(node: Node) -> None:
    with refused("there is no volume nothing: docker volume ls -f driver=rexray shows those"):
        node.mount("nothing")
    assert node.mounted() == [str(node.places.root)]


@pytest.mark.parametrize("user", [None, "", 1, "a" * 257, "a\n"], ids=ascii)
def test_a_user_needs_an_id(node: Node, user: object) -> None:
    node.create("shared-data")
    for operation in (node.driver.mount, node.driver.unmount):
        with refused("the request's ID is "):
            operation({"Name": "shared-data", "ID": user})


def test_a_mount_that_fails_leaves_nothing(node: Node) -> None:
    def fail(argv: Sequence[str]) -> None:
        if argv[5].endswith("shared-data"):
            raise rexray.Failure("mount.nfs: access denied by server")

    node.create("shared-data")
    node.broken = fail
    with refused(
        f"{SOURCE}/shared-data can't be mounted (mount.nfs: access denied by server): see on the "
        "server whether it is there and exported to this node (exportfs -v)"
    ):
        node.mount("shared-data")
    node.driver.tidy()
    assert list(node.places.references.iterdir()) == []
    assert list((node.server / ".rexray/shared-data.mounts").iterdir()) == []
    node.remove("shared-data")


def test_what_to_install_is_told(node: Node) -> None:
    def fail(_: Sequence[str]) -> None:
        raise rexray.Failure(
            "mount: bad option; you might need a /sbin/mount.<type> helper program"
        )

    node.broken = fail
    with refused("install nfs-common on this node"):
        node.create("shared-data")


def test_a_busy_volume_is_unmounted_later(node: Node) -> None:
    def fail(argv: Sequence[str]) -> None:
        if argv[0] == "umount":
            raise rexray.Failure("umount: target is busy")

    node.create("shared-data")
    node.mount("shared-data")
    node.broken = fail
    node.driver.untidy.clear()
    with refused("the volume shared-data can't be unmounted (umount: target is busy): the driver"):
        node.unmount("shared-data")
    assert node.driver.untidy.is_set()
    with refused("can't be unmounted"):
        node.driver.tidy()
    with refused("can't be unmounted"):
        node.remove("shared-data")
    node.start()
    node.broken = lambda _: None
    node.driver.tidy()
    assert node.mounted() == [str(node.places.root)]
    assert node.get("shared-data")["Status"]["mountedOn"] == []


def test_a_volume_that_could_not_be_unmounted_is_when_it_is_removed(node: Node) -> None:
    def fail(_: Sequence[str]) -> None:
        raise rexray.Failure("umount: target is busy")

    node.create("shared-data")
    node.mount("shared-data")
    node.broken = fail
    with refused("can't be unmounted"):
        node.unmount("shared-data")
    node.broken = lambda _: None
    node.remove("shared-data")
    assert node.mounted() == [str(node.places.root)]
    assert list(node.places.references.iterdir()) == []


# Remove.


def test_a_removed_volume_is_gone_at_once_and_its_data_soon(node: Node, other: Node) -> None:
    node.create("shared-data")
    (node.server / "shared-data/row").touch()
    node.remove("shared-data")
    assert [path.name for path in node.server.iterdir()] == [".rexray"]
    assert node.names() == []
    with refused("there is no volume shared-data"):
        node.get("shared-data")
    with refused("there is no volume shared-data"):
        node.remove("shared-data")
    node.create("shared-data")
    assert list((node.server / "shared-data").iterdir()) == []
    assert len(list((node.server / ".rexray").glob("trash-*/row"))) == 1
    other.driver.tidy()
    assert list((node.server / ".rexray").glob("trash-*")) == []


def test_what_is_mounted_is_not_removed(node: Node, other: Node) -> None:
    node.create("shared-data")
    node.mount("shared-data")
    other.mount("shared-data")
    sentence = (
        "the volume shared-data is mounted on worker1, worker2: remove the containers that use it; "
        "of a node that is gone for good, delete the file in "
        "/srv/nfs/volumes/.rexray/shared-data.mounts on 192.168.56.10"
    )
    node.unmount("shared-data")
    with refused(sentence.replace("worker1, ", "")):
        node.remove("shared-data")
    node.mount("shared-data")
    with refused(sentence.replace(", worker2", "")):
        node.remove("shared-data")
    with refused(sentence.replace("worker1, ", "")):
        other.remove("shared-data")
    other.unmount("shared-data")
    third = Node(node.home.parent, "worker3")
    other.mount("shared-data")
    with refused(sentence):
        third.remove("shared-data")
    assert (node.server / "shared-data").is_dir()
    assert len(list((node.server / ".rexray/shared-data.mounts").iterdir())) == 2


def test_a_removal_that_was_cut_short_is_completed(node: Node) -> None:
    node.create("shared-data", size="1")
    (node.server / ".rexray/shared-data.mounts").rmdir()
    half = (
        "of the volume shared-data a part is missing, as after a removal that was cut short: "
        "remove it with docker volume rm shared-data"
    )
    with refused(half):
        node.mount("shared-data")
    with refused(half):
        node.create("shared-data", size="1")
    node.remove("shared-data")
    node.create("shared-data", size="2")


def test_a_volume_whose_directory_is_gone_can_be_removed(node: Node) -> None:
    node.create("shared-data")
    (node.server / "shared-data").rmdir()
    with refused("a part is missing"):
        node.mount("shared-data")
    node.remove("shared-data")
    assert node.names() == []


# Links, and other things that should not be there.


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What no request may touch."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("kept")
    return precious


def test_a_link_in_a_volumes_place_is_refused(node: Node, outside: Path) -> None:
    (node.server / "evil").symlink_to(outside)
    with refused(
        "/srv/nfs/volumes/evil on 192.168.56.10 is not a directory: a link or a file in its place "
        "is not followed, move it away"
    ):
        node.create("evil")
    node.create("good")
    (node.server / "good").rmdir()
    (node.server / "good").symlink_to(outside)
    for operation in (node.mount, node.remove):
        with refused("/srv/nfs/volumes/good on 192.168.56.10 is not a directory"):
            operation("good")
    assert (outside / "file").read_text() == "kept"
    assert node.mounted() == [str(node.places.root)]


def test_a_link_inside_a_volume_is_deleted_and_not_followed(node: Node, outside: Path) -> None:
    node.create("shared-data")
    (node.server / "shared-data/evil").symlink_to(outside)
    node.remove("shared-data")
    (node.server / ".rexray" / ("trash-" + "a" * 32)).symlink_to(outside)
    node.driver.tidy()
    assert (outside / "file").read_text() == "kept"
    assert list((node.server / ".rexray").glob("trash-*/evil")) == []


@pytest.mark.parametrize("what", [".rexray", ".rexray/shared-data.mounts"])
def test_links_in_place_of_the_drivers_own_directories_are_refused(
    node: Node, outside: Path, what: str
) -> None:
    node.create("shared-data")
    (node.server / what).rename(outside / "moved")
    (node.server / what).symlink_to(outside / "moved")
    with refused(f"/srv/nfs/volumes/{what} on 192.168.56.10 is not a directory"):
        node.mount("shared-data")


def test_a_marker_is_not_written_through_a_link(node: Node, outside: Path) -> None:
    node.create("shared-data")
    (node.server / ".rexray/shared-data.mounts/worker1").symlink_to(outside / "new")
    with pytest.raises(rexray.Failure):
        node.mount("shared-data")
    assert not (outside / "new").exists()


DAMAGED = [
    "", "{", "[]", "1", "{}", "\0", "[" * 5000,
    '{"name": "other", "size": 1, "created": "2025-01-01T00:00:00Z"}',
    '{"name": "bad", "size": "1", "created": "2025-01-01T00:00:00Z"}',
    '{"name": "bad", "size": 1, "created": "yesterday"}',
]  # fmt: skip


@pytest.mark.parametrize("text", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_description_hides_no_other(node: Node, text: str) -> None:
    node.create("bad")
    node.create("good")
    record = node.server / ".rexray/bad.json"
    record.write_text(text)
    assert node.names() == ["good"]
    for operation in (node.get, node.mount, node.remove, node.create):
        with refused(
            "/srv/nfs/volumes/.rexray/bad.json on 192.168.56.10 does not describe the volume bad: "
            "mend that file, or move it away with the volume's directory"
        ):
            operation("bad")
    assert (node.server / "bad").is_dir()


def test_a_description_that_is_a_link_or_a_pipe_is_not_read(node: Node, outside: Path) -> None:
    node.names()
    (outside / "record").write_text('{"name": "a", "size": 1, "created": "2025-01-01T00:00:00Z"}')
    (node.server / ".rexray/a.json").symlink_to(outside / "record")
    os.mkfifo(node.server / ".rexray/b.json")
    (node.server / ".rexray/c.json").mkdir()
    assert node.names() == []
    for name in "ab":
        with refused("does not describe the volume"):
            node.get(name)


# Kills, reboots, and a server that is away.


def test_references_survive_a_kill(node: Node) -> None:
    node.create("shared-data")
    node.mount("shared-data", "a")
    node.mount("shared-data", "b")
    node.start()
    node.driver.tidy()
    node.unmount("shared-data", "a")
    assert node.mounted() == [str(node.places.root), str(node.volume("shared-data"))]
    node.start()
    node.unmount("shared-data", "b")
    assert node.mounted() == [str(node.places.root)]
    node.remove("shared-data")


def test_the_engine_asks_again_when_an_answer_was_lost(node: Node) -> None:
    node.create("shared-data")
    node.mount("shared-data", "a")
    node.start()
    node.mount("shared-data", "a")
    node.unmount("shared-data", "a")
    assert node.mounted() == [str(node.places.root)]


def test_a_driver_killed_while_it_mounts_leaves_no_user(node: Node) -> None:
    class Killed(BaseException):
        pass

    def kill(_: Sequence[str]) -> None:
        raise Killed

    node.create("shared-data")
    node.broken = kill
    with pytest.raises(Killed):
        node.mount("shared-data")
    node.broken = lambda _: None
    node.start()
    node.driver.tidy()
    assert list(node.places.references.iterdir()) == []
    assert node.get("shared-data")["Status"]["mountedOn"] == []


def test_references_end_with_a_reboot_and_volumes_do_not(node: Node, other: Node) -> None:
    node.create("shared-data", size="1")
    node.mount("shared-data")
    node.reboot()
    assert other.get("shared-data")["Status"]["mountedOn"] == ["worker1"]
    node.driver.tidy()
    assert other.get("shared-data")["Status"]["mountedOn"] == []
    node.mount("shared-data")
    other.mount("shared-data")
    node.reboot()
    node.driver.tidy()
    assert node.get("shared-data")["Status"]["mountedOn"] == ["worker2"]


def test_a_volume_that_somebody_unmounted_is_not_in_use(node: Node) -> None:
    node.create("shared-data")
    node.mount("shared-data")
    node.run(["umount", str(node.volume("shared-data"))], 1)
    node.start()
    node.driver.tidy()
    assert node.get("shared-data")["Status"]["mountedOn"] == []
    node.mount("shared-data", "b")


def test_a_mount_of_which_nothing_is_known_is_left_alone(node: Node) -> None:
    node.create("shared-data")
    node.mount("shared-data", "a")
    (node.places.references / "shared-data.json").unlink()
    with refused("is mounted on worker1"):
        node.remove("shared-data")
    node.start()
    node.driver.tidy()
    node.mount("shared-data", "b")
    node.unmount("shared-data", "b")
    node.unmount("shared-data", "a")
    assert str(node.volume("shared-data")) in node.mounted()
    with refused("is mounted on worker1"):
        node.remove("shared-data")


def test_damaged_references_count_as_in_use(node: Node) -> None:
    node.create("shared-data")
    node.mount("shared-data")
    (node.places.references / "shared-data.json").write_text("{")
    node.start()
    node.unmount("shared-data")
    assert str(node.volume("shared-data")) in node.mounted()


def test_without_the_server_new_things_are_refused(node: Node) -> None:
    node.away = True
    for operation in (node.create, node.mount, node.remove, node.get):
        with refused("the NFS server 192.168.56.10 does not answer"):
            operation("shared-data")
    with refused("does not answer"):
        node.names()
    assert node.commands == []


def test_without_the_server_a_volume_is_not_denied(node: Node, other: Node) -> None:
    node.create("shared-data", size="1")
    assert other.names() == ["shared-data"]
    node.away = other.away = True
    for who in (node, other):
        who.reboot()
        status = who.get("shared-data")["Status"]
        assert (status["server"], status["size"]) == ("does not answer", 1)
        assert "mountedOn" not in status
    other.away = False
    other.remove("shared-data")
    node.away = False
    with refused("there is no volume shared-data"):
        node.get("shared-data")
    node.away = True
    with refused("does not answer"):
        node.get("shared-data")


def test_a_memory_that_is_damaged_is_begun_again(node: Node) -> None:
    node.create("shared-data")
    (node.places.lib / "known.json").write_text("{")
    node.start()
    assert node.names() == ["shared-data"]


def test_without_the_server_what_is_mounted_can_be_shared_and_given_back(node: Node) -> None:
    node.create("shared-data")
    node.mount("shared-data", "a")
    node.away = True
    node.mount("shared-data", "b")
    node.unmount("shared-data", "a")
    node.unmount("shared-data", "b")
    assert node.mounted() == [str(node.places.root)]
    with refused("does not answer"):
        node.driver.tidy()
    node.away = False
    assert node.get("shared-data")["Status"]["mountedOn"] == ["worker1"]
    node.driver.tidy()
    assert node.get("shared-data")["Status"]["mountedOn"] == []


def test_a_server_that_hangs_is_waited_for_no_longer_than_said(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()
    monkeypatch.setattr(rexray, "SERVER_LIMIT", 0.1)
    node.broken = lambda _: assert_true(answer.wait(30))
    with refused("the NFS server 192.168.56.10 had no answer for 0.1 s: "):
        node.create("shared-data")
    with pytest.raises(rexray.NoAnswer):
        node.names()
    answer.set()
    monkeypatch.setattr(rexray, "SERVER_LIMIT", 30)
    assert node.names() in (["shared-data"], [])


def assert_true(value: bool) -> None:
    assert value


def test_a_busy_volume_is_waited_for_no_longer_than_said(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.create("shared-data")
    begun, end = threading.Event(), threading.Event()

    def hang(_: Sequence[str]) -> None:
        begun.set()
        assert end.wait(30)

    node.broken = hang
    thread = threading.Thread(target=node.mount, args=["shared-data"])
    thread.start()
    assert begun.wait(30)
    monkeypatch.setattr(rexray, "LOCK_LIMIT", 0.1)
    with refused("the volume shared-data is busy with an earlier request: try again later"):
        node.mount("shared-data", "b")
    # To look at it does not wait.
    assert node.get("shared-data")["Name"] == "shared-data"
    end.set()
    thread.join()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PermissionError(13, "Permission denied"), "it must be exported to this node with rw and"),
        (OSError(5, "Input/output error"), "see whether the server is well"),
        (OSError(28, "No space left on device"), "(No space left on device)"),
    ],
)
def test_the_servers_errors_are_put_into_words(
    node: Node, monkeypatch: pytest.MonkeyPatch, error: OSError, sentence: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(rexray.Store, "all", fail)
    with refused(f"{SOURCE} can't be used (") as caught:
        node.names()
    assert sentence in str(caught.value)


def test_a_root_that_was_replaced_on_the_server_is_mounted_again(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.create("shared-data")
    real = Path.stat

    def stale(path: Path, **options: Any) -> os.stat_result:
        if path == node.places.root and len(node.commands) == 1:
            raise OSError(116, "Stale file handle")
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", stale)
    assert node.names() == ["shared-data"]
    assert [argv[0] for argv in node.commands] == ["mount", "umount", "mount"]


def test_what_is_left_undone_is_tried_again(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    class Enough(Exception):
        pass

    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        node.away = len(pauses) < 3

    def wait(_: object) -> bool:
        if not node.driver.untidy.is_set():
            raise Enough
        return True

    node.away = True
    monkeypatch.setattr(time, "sleep", pause)
    monkeypatch.setattr(node.driver.untidy, "wait", lambda: wait(None))
    with pytest.raises(Enough):
        rexray.keep_tidy(node.driver)
    assert len(pauses) == 3


# Commands.


def test_a_command_tells_its_last_words() -> None:
    rexray.run_command(["true"], 30)
    script = "echo first >&2; echo 'mount.nfs:  access denied. ' >&2; exit 32"
    with pytest.raises(rexray.Failure) as caught:
        rexray.run_command(["sh", "-c", script], 30)
    assert str(caught.value) == "mount.nfs: access denied"
    with refused("exit code 3"):
        rexray.run_command(["sh", "-c", "exit 3"], 30)
    with refused("no-such-command can't be run (No such file or directory)"):
        rexray.run_command(["no-such-command"], 30)


def test_a_command_that_hangs_is_killed_with_its_helpers(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"sleep 600 & echo $! > {pid}.new; mv {pid}.new {pid}; wait"
    with refused("sh had not ended after 1 s"):
        rexray.run_command(["sh", "-c", script], 1)
    state = Path(f"/proc/{pid.read_text().strip()}/stat")
    while state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)


def test_mount_points_are_read_as_the_kernel_writes_them(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(f"30 1 0:40 / {tmp_path}/a\\040b rw shared:1 - nfs4 h:/x rw\n")
    mounts = rexray.Mounts(table=table)
    assert mounts.has(tmp_path / "a b")
    assert mounts.below(tmp_path) == ["a b"]
    assert rexray.Mounts().has(Path("/proc"))


def test_a_server_is_reached_or_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(rexray, "NFS_PORT", server.getsockname()[1])
        rexray.reach("127.0.0.1")
    with refused("the NFS server 127.0.0.1 does not answer at port ") as caught:
        rexray.reach("127.0.0.1")
    assert "(Connection refused): start it, or correct nfs.host" in str(caught.value)


# The protocol, over a real socket.


@contextmanager
def serving(node: Node) -> Iterator[Path]:
    path = node.places.socket
    with rexray.Server(path, node.driver) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield path
        finally:
            server.shutdown()
            thread.join()
    assert not path.exists()


class Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("plugin", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30)
        self.sock.connect(str(self._path))


def ask(path: Path, operation: str, body: bytes | Json | None = None, **headers: str) -> Json:
    """An answer's object, with its status."""
    connection = Connection(path)
    text = json.dumps(body).encode() if isinstance(body, dict) else body
    connection.request("POST", f"/{operation}", text, headers)
    response = connection.getresponse()
    assert response.headers["Content-Type"] == "application/vnd.docker.plugins.v1.1+json"
    answer: Json = json.loads(response.read())
    connection.close()
    return {"status": response.status, **answer}


def raw(path: Path, request: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(30)
        client.connect(str(path))
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    return answer


def test_a_volumes_life_over_the_socket(node: Node) -> None:
    name = {"Name": "shared-data"}
    where = str(node.volume("shared-data"))
    well = {"status": 200, "Err": ""}
    with serving(node) as path:
        assert path.stat().st_mode & 0o777 == 0o600
        assert ask(path, "Plugin.Activate") == {**well, "Implements": ["VolumeDriver"]}
        capabilities = ask(path, "VolumeDriver.Capabilities", {})
        assert capabilities == {**well, "Capabilities": {"Scope": "global"}}
        missing = ask(path, "VolumeDriver.Get", name)
        assert missing["status"] == 500
        assert missing["Err"].startswith("there is no volume shared-data")
        assert ask(path, "VolumeDriver.Create", {**name, "Opts": {"size": "1"}}) == well
        assert ask(path, "VolumeDriver.Path", name) == {**well, "Mountpoint": ""}
        mounted = ask(path, "VolumeDriver.Mount", {**name, "ID": "a"})
        assert mounted == {**well, "Mountpoint": where}
        assert ask(path, "VolumeDriver.Path", name) == {**well, "Mountpoint": where}
        assert ask(path, "VolumeDriver.Get", name)["Volume"]["Status"]["size"] == 1
        [listed] = ask(path, "VolumeDriver.List", {})["Volumes"]
        assert (listed["Name"], listed["Mountpoint"]) == ("shared-data", where)
        assert ask(path, "VolumeDriver.Remove", name)["status"] == 500
        assert ask(path, "VolumeDriver.Unmount", {**name, "ID": "a"}) == well
        assert ask(path, "VolumeDriver.Remove", name) == well
        assert ask(path, "VolumeDriver.List", {}) == {**well, "Volumes": []}


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"[]", b"1", b"null", b'"a"', b"\xff", b"\0", b"[" * 60000, b'{"a":' * 10000,
        b"1" * 5000, b'{"Name": NaN}',
    ],
    ids=range(11),
)  # fmt: skip
def test_a_hostile_body_is_answered_and_the_service_lives(node: Node, body: bytes) -> None:
    with serving(node) as path:
        answer = ask(path, "VolumeDriver.Create", body)
        assert answer["status"] in (400, 500)
        assert answer["Err"]
        assert ask(path, "Plugin.Activate")["status"] == 200


@pytest.mark.parametrize("opts", [[], "size=1", 1, True])
def test_options_are_names_and_values(node: Node, opts: object) -> None:
    with refused("the request's Opts are not an object of names and values"):
        node.driver.create({"Name": "shared-data", "Opts": opts})


def test_a_body_has_a_size_and_a_bound(node: Node) -> None:
    with serving(node) as path:
        answer = ask(path, "VolumeDriver.Create", b" " * 100_000)
        assert answer["status"] == 400
        assert answer["Err"] == "the request has 100000 bytes: 65536 are the most"
        post = b"POST /VolumeDriver.Create HTTP/1.1\r\n"
        for length in (b"", b"-1", b"x", b"1" * 30, b"0x10", "٣".encode()):
            answered = raw(path, post + b"Content-Length: " + length + b"\r\n\r\n{}")
            assert b" 400 " in answered.splitlines()[0]
            assert b"Content-Length is" in answered
        assert b"comes in pieces" in raw(
            path, post + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        )
        assert b" 200 " in raw(path, b"POST /Plugin.Activate HTTP/1.1\r\n\r\n")
        assert b" 400 " in raw(path, post + b"Content-Length: 100\r\n\r\n{}")
        assert ask(path, "Plugin.Activate")["status"] == 200


def test_what_is_no_request_is_refused(node: Node) -> None:
    with serving(node) as path:
        unknown = ask(path, "VolumeDriver.Format", {})
        assert unknown["status"] == 404
        assert unknown["Err"] == "there is no '/VolumeDriver.Format': this is a volume driver"
        assert b"sent with POST" in raw(path, b"GET /Plugin.Activate HTTP/1.1\r\n\r\n")
        assert b"sent with POST" in raw(path, b"\xff\xfe\r\n\r\n")
        raw(path, b"POST / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n")
        raw(path, b"")
        assert ask(path, "Plugin.Activate")["status"] == 200


def test_a_defect_is_an_answer_too(
    node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with serving(node) as path:
        monkeypatch.setattr(rexray.Store, "create", fail)
        answer = ask(path, "VolumeDriver.Create", {"Name": "a"})
        assert answer["Err"] == "the driver has a defect: see journalctl -u rexray"
        assert "ZeroDivisionError" in caplog.text
        monkeypatch.undo()
        ask(path, "VolumeDriver.Create", {"Name": "a"})
        monkeypatch.setattr(rexray, "write_file", full)
        answer = ask(path, "VolumeDriver.Mount", {"Name": "a", "ID": "1"})
        assert answer["status"] == 500
        assert "this node can't do it" in answer["Err"]


def test_what_is_logged_has_no_secret(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    with serving(node) as path:
        options = {"password": "hunter2"}
        ask(path, "VolumeDriver.Create", {"Name": "shared-data", "Opts": options})
    assert "'password' is not known" in caplog.text
    assert "hunter2" not in caplog.text


# The process.

SERVE = """
import logging, sys
from pathlib import Path
from tests.unit.test_rexray import CONFIG, Node, rexray
logging.basicConfig(level=logging.INFO, format="%(message)s")
node = Node(Path(sys.argv[1]), "worker1")
try:
    rexray.serve(CONFIG, "worker1", **node.parts)
except rexray.Failure as failure:
    sys.exit(str(failure))
"""


@contextmanager
def process(tmp_path: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", SERVE, str(tmp_path)]
    with subprocess.Popen(
        argv, cwd=ROOT, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as running:
        try:
            assert running.stderr is not None
            while "serving" not in (line := running.stderr.readline()):
                assert line, "it ended"
            yield running
        finally:
            running.kill()


def test_what_was_mounted_before_a_kill_9_is_known_after_it(node: Node, tmp_path: Path) -> None:
    path, name = node.places.socket, {"Name": "shared-data"}
    with process(tmp_path):
        ask(path, "VolumeDriver.Create", name)
        for user in "ab":
            assert ask(path, "VolumeDriver.Mount", {**name, "ID": user})["status"] == 200
    assert path.exists()
    assert str(node.volume("shared-data")) in node.mounted()
    with process(tmp_path):
        assert ask(path, "VolumeDriver.Unmount", {**name, "ID": "a"})["status"] == 200
        assert str(node.volume("shared-data")) in node.mounted()
        assert ask(path, "VolumeDriver.Unmount", {**name, "ID": "b"})["status"] == 200
        assert str(node.volume("shared-data")) not in node.mounted()


def test_there_is_one_driver_at_a_time(node: Node, tmp_path: Path) -> None:
    with process(tmp_path):
        argv = [sys.executable, "-c", SERVE, str(tmp_path)]
        second = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        assert second.stderr.splitlines()[-1] == (
            "a rexray is running already: systemctl stop rexray"
        )
        assert ask(node.places.socket, "Plugin.Activate")["status"] == 200


def test_systemd_is_told_when_the_socket_is_there(node: Node, tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(address))
        systemd.settimeout(30)
        with process(tmp_path, NOTIFY_SOCKET=str(address)):
            assert systemd.recv(100) == b"READY=1"
            assert node.places.socket.exists()


# The configuration.

GOOD = (ROOT / "stacks/rexray/config.yml").read_text(encoding="utf-8")


def test_the_configuration_is_the_labs() -> None:
    assert yaml.safe_load(GOOD) == {
        "libstorage": {"service": "nfs"},
        "nfs": {"host": "192.168.56.10", "volumePath": "/srv/nfs/volumes"},
    }
    assert rexray.load_config(ROOT / "stacks/rexray/config.yml") == CONFIG


def test_an_address_of_ipv6_is_bracketed(tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text(GOOD.replace("192.168.56.10", "'fd00::10'"))
    config = rexray.load_config(tmp_path / "config.yml")
    assert config.source("a") == "[fd00::10]:/srv/nfs/volumes/a"


BAD_CONFIGS = [
    ("", "the section 'libstorage' is missing, with service in it"),
    ("- a", "the section 'libstorage' is missing"),
    ("libstorage: nfs", "the section 'libstorage' is missing"),
    ("libstorage: {service: nfs}", "the section 'nfs' is missing, with host and volumePath in it"),
    ("a: [", "is not YAML: look at line 1"),
    ("\0", "is not YAML: look at its text"),
    ("[" * 5000, "is not YAML"),
    (GOOD + "rexray: {}\n", "'rexray' is not known, there are libstorage and nfs"),
    (GOOD.replace("service", "driver"), "libstorage.driver is not known, there is service"),
    (GOOD.replace("service: nfs", "service: ebs"), "libstorage.service is 'ebs', and can only be"),
    (GOOD.replace("host: 192.168.56.10", ""), "nfs.host is None, and must be the NFS server's"),
    (GOOD.replace("192.168.56.10", "12"), "nfs.host is 12, "),
    (GOOD.replace("192.168.56.10", "-oexec"), "nfs.host is '-oexec', "),
    (GOOD.replace("192.168.56.10", "a/b"), "nfs.host is 'a/b', "),
    (GOOD.replace("/srv/nfs/volumes", "srv/nfs"), "nfs.volumePath is 'srv/nfs', and must be the"),
    (GOOD.replace("/srv/nfs/volumes", "/srv/../etc"), "nfs.volumePath is '/srv/../etc', "),
    (GOOD.replace("/srv/nfs/volumes", "/srv/nfs/"), "nfs.volumePath is '/srv/nfs/', "),
    (GOOD.replace("/srv/nfs/volumes", "/"), "nfs.volumePath is '/', "),
    (GOOD.replace("/srv/nfs/volumes", "//srv"), "nfs.volumePath is '//srv', "),
    (GOOD.replace("/srv/nfs/volumes", '"/a\\nb"'), "nfs.volumePath is '/a\\\\nb', "),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), BAD_CONFIGS, ids=range(len(BAD_CONFIGS)))
def test_a_bad_configuration_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "config.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(rexray.Failure) as caught:
        rexray.load_config(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert sentence.replace("\\\\", "\\") in message
    assert "\n" not in message


def test_a_service_with_a_bad_configuration_says_so_and_ends(tmp_path: Path) -> None:
    missing = tmp_path / "config.yml"
    argv = [sys.executable, str(SCRIPT), "--config", str(missing)]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ended.returncode == 78
    assert ended.stderr == (
        f"{missing} can't be read (No such file or directory): put the configuration there\n"
    )


def test_a_machine_without_a_usable_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "..")
    with refused("this machine is named '..': give it a name with hostnamectl"):
        rexray.host_name()


# The files.


def test_the_unit_is_well_formed() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(ROOT / "stacks/rexray/rexray.service", encoding="utf-8")
    assert set(unit) == {"DEFAULT", "Unit", "Service", "Install"}
    assert unit["Unit"]["After"] == "network.target"
    assert unit["Unit"]["Before"] == "docker.service"
    service = unit["Service"]
    assert service["ExecStart"] == "/usr/local/bin/rexray"
    assert (service["Type"], service["Restart"], service["KillMode"]) == (
        "notify", "always", "process",
    )  # fmt: skip
    assert service["RestartPreventExitStatus"] == str(rexray.BAD_CONFIG)
    assert "multi-user.target" in unit["Install"]["WantedBy"]


def test_mounts_are_made_where_the_engine_sees_them() -> None:
    text = (ROOT / "stacks/rexray/rexray.service").read_text(encoding="utf-8")
    settings = {
        line.partition("=")[0] for line in text.splitlines() if re.match(r"[A-Z]\w+=", line)
    }
    # Each of these would give the service mounts of its own, or take them away with it.
    own = re.compile(r"(Private|Protect|ReadOnly|ReadWrite|Inaccessible|Mount|Root|Bind|Temporary)")
    assert [name for name in settings if own.match(name)] == []
    assert settings.isdisjoint({"DynamicUser", "RuntimeDirectory", "StateDirectory", "User"})


def test_the_driver_is_one_file_for_any_supported_python() -> None:
    assert SCRIPT.stat().st_mode & 0o111 == 0o111
    text = SCRIPT.read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/python3\n")
    # 3.10 is that of Ubuntu 22.04.
    tree = ast.parse(text, feature_version=(3, 10))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else
                     [alias.name for alias in node.names])
    }  # fmt: skip
    assert imported - sys.stdlib_module_names == {"yaml"}


def test_a_stopped_service_leaves_its_mounts(node: Node, tmp_path: Path) -> None:
    with process(tmp_path) as running:
        ask(node.places.socket, "VolumeDriver.Create", {"Name": "shared-data"})
        ask(node.places.socket, "VolumeDriver.Mount", {"Name": "shared-data", "ID": "a"})
        running.terminate()
        assert running.wait(30) == 0
    assert not node.places.socket.exists()
    assert str(node.volume("shared-data")) in node.mounted()
