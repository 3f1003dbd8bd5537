"""The database's disk is made, filled and looked at, on machines that only pretend."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_swarmlab.errors import CommandError, ConfigError, NotConverged
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.waiting.waiter import Waiter
from tests.exercises import nfs, own_disk
from tests.exercises.exercise_2_10 import perform
from tests.exercises.exercise_2_10.client import Answer
from tests.exercises.exercise_2_10.full import SAYS, FullDisk
from tests.exercises.exercise_2_10.load import Crowd
from tests.unit.fakes import Lab

DISK = "/srv/nfs/swarm-data-postgres.disk"
Shell = Callable[[str, tuple[str, ...]], tuple[int, str, str]]


def without(*programs: str) -> Shell:
    """A machine without these programs."""
    return lambda _, argv: (int(any(f"command -v {each}" in argv for each in programs)), "", "")


@pytest.fixture
def server(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The NFS server, on which something is mounted wherever one looks."""
    there = lab["manager1"]
    mounted = SimpleNamespace(exists=True)
    monkeypatch.setattr(there.host, "mount_point", lambda _: mounted, raising=False)
    return there


@pytest.fixture(autouse=True)
def _only_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def exported(server: Any, path: str, options: str, *, subnet: str) -> Iterator[None]:
        server.run("exported", path, options, subnet)
        yield

    monkeypatch.setattr(nfs, "exported", exported)


def test_a_disk_is_made_where_it_is_mounted_and_nothing_is_left_of_it(
    lab: Lab, server: Any
) -> None:
    path = perform.DATABASE_FILES
    with own_disk.exported(server, path, subnet="192.168.56.0/24"):
        done = [act[1:] for act in lab.did]
        assert done[1:3] == [
            ("truncate", "--size=512M", DISK),
            ("mkfs.ext4", *own_disk.OPTIONS, DISK),
        ]
        assert ("mount", "-o", "loop", DISK, path) in done
        assert done[-1][:2] == ("exported", path)
        assert done[-1][2].endswith(f",fsid={own_disk.FSID}")
        lab.did.clear()
    assert [act[1:] for act in lab.did] == [
        ("umount", "--lazy", path),
        ("rm", "-f", "--", DISK),
    ]


def test_a_disk_that_can_t_be_mounted_is_removed(lab: Lab, server: Any) -> None:
    lab.shell = lambda _, argv: (int(argv[0] == "mount"), "", "no loop device")
    server.host.mount_point("").exists = False
    with (
        pytest.raises(CommandError, match="no loop device"),
        own_disk.exported(server, perform.DATABASE_FILES, subnet=""),
    ):
        pass
    assert [act[1:] for act in lab.did][-1] == ("rm", "-f", "--", DISK)
    assert lab.commands("umount", "exported") == []


@pytest.mark.skipif(own_disk.maker() is None, reason="no mkfs.ext4 here")
def test_where_the_server_can_t_make_one_it_is_carried_there_without_its_holes(
    lab: Lab, server: Any
) -> None:
    lab.shell = without(own_disk.MKFS)
    with own_disk.exported(server, perform.DATABASE_FILES, subnet=""):
        (unpacked,) = lab.commands("tar")
    assert unpacked[-1] == "--directory=/srv/nfs"
    (packed,) = lab.fed
    assert len(packed) < 200_000
    with tarfile.open(fileobj=BytesIO(gzip.decompress(packed))) as archive:
        (member,) = archive.getmembers()
        assert member.name == Path(DISK).name
        assert member.size == own_disk.SIZE_MIB << 20
        content = archive.extractfile(member)
        assert content is not None
        content.seek(1024 + 56)
        assert content.read(2) == b"\x53\xef", "the magic number of ext4"


def test_who_can_make_no_disk_is_told_what_is_missing(
    lab: Lab, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.shell = without(own_disk.MKFS)
    monkeypatch.setattr(own_disk, "maker", lambda: None)
    with (
        pytest.raises(ConfigError, match=r"mkfs.ext4 is neither on .* install e2fsprogs"),
        own_disk.exported(server, perform.DATABASE_FILES, subnet=""),
    ):
        pass


class Shop:
    """Answers the next orders with these statuses, one for each node of a turn, then with 201."""

    def __init__(self, *turns: int) -> None:
        self.turns = list(turns)
        self.asked = 0

    def order(self, node: Any, token: str, key: str, items: Any, *, within: float) -> Answer:
        del node, token, key, items, within
        turn, self.asked = self.asked // 5, self.asked + 1
        status = self.turns[turn] if turn < len(self.turns) else 201
        body = b'{"error": "unavailable", "message": "Later."}' if status > 300 else b'{"id": "o1"}'
        return Answer(status, {}, body)


def disk_of(lab: Lab, shop: Shop, monkeypatch: pytest.MonkeyPatch, *log: str) -> FullDisk:
    """The disk; when a checkpoint has been asked for, PostgreSQL's log on worker1 is that."""
    asked: list[str] = []
    books = SimpleNamespace(rows=asked.append, orders=lambda _: [])
    person = SimpleNamespace(token="", via=lambda _: None, place=lambda key, _: f"id of {key}")
    unused: Any = None
    fakes: Any = {"shop": shop, "books": books}
    fakes |= {"customers": [person], "products": [1, 2, 3], "run": "r"}
    crowd = Crowd(**fakes, wait=unused, probe=unused, ledger=unused, evidence=unused)
    lab.containers = {"worker1": [{"Id": "c" * 64}]}
    for node in lab.swarm.nodes:
        monkeypatch.setattr(node, "log_of", lambda _: "\n".join(log) if asked else "ready\n")
    return FullDisk(lab.swarm, crowd, Evidence(lab.recorder))


def told(lab: Lab, kind: str) -> list[dict[str, Any]]:
    return [dict(event.data) for event in lab.recorder.view().of(kind)]


def test_orders_are_asked_for_until_all_nodes_refuse_and_the_log_says_why(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = disk_of(lab, Shop(201, 503), monkeypatch, f"PANIC:  x: {SAYS}", "LOG:  y")
    assert Waiter(every=0.01)(disk.refuses(), within=5) == 1
    asked = told(lab, "asked-full")
    assert [(e["turn"], e["status"]) for e in asked] == [(1, 201)] * 5 + [(2, 503)] * 5
    assert {e["clear"] for e in asked if e["turn"] == 2} == {True}
    assert len({e["key"] for e in asked}) == 5
    (said,) = told(lab, "no-room")
    assert said == {"before": 0, "after": 1, "said": f"PANIC:  x: {SAYS}"}


def test_a_refusal_for_another_reason_is_not_enough(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = disk_of(lab, Shop(*[503] * 50), monkeypatch, "FATAL:  something else")
    with pytest.raises(NotConverged, match="0 lines of its log"):
        Waiter(every=0.01)(disk.refuses(), within=0.1)


def test_the_room_is_what_the_server_counts(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = disk_of(lab, Shop(), monkeypatch)
    lab.shell = lambda node, argv: (0, "300 4096\n" if node == "manager1" else "", argv[0])
    disk.look("before")
    assert told(lab, "room") == [{"when": "before", "free_kib": 1200}]


def test_what_was_refused_is_placed_with_its_key_and_counted(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = disk_of(lab, Shop(503), monkeypatch)
    disk.ask(1)
    keys = [e["key"] for e in told(lab, "asked-full")]
    stored = [SimpleNamespace(key=key) for key in (*keys, keys[0])]
    monkeypatch.setattr(disk._crowd.books, "orders", lambda _: stored)
    disk.ask_again()
    assert told(lab, "asked-again") == [{"rows": {**dict.fromkeys(keys, 1), keys[0]: 2}}]
    assert set(disk._crowd.orders.values()) == set(keys) == disk._crowd.sent
