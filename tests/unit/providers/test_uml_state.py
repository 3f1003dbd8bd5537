"""What a cluster keeps on this host: its owner's alone, found again, and never left by mistake."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_swarmlab.errors import HostError
from pytest_swarmlab.model import Topology
from pytest_swarmlab.providers.uml import state as module
from pytest_swarmlab.providers.uml.state import State, state_root, write_seed

OURS = ("manager1", "manager2", "worker1")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where clusters live in these tests; nothing is there yet."""
    root = tmp_path / "clusters"
    monkeypatch.setattr(module, "Path", lambda _: root)
    return root


@pytest.fixture
def made(root: Path) -> Iterator[State]:
    """A cluster of two managers and a worker, held by its owner."""
    state, lock = State.create()
    assert state.path.parent == root
    state.write_access(Topology.of(2, 1))
    yield state
    os.close(lock)


def test_the_root_is_made_for_its_owner_alone(root: Path) -> None:
    assert state_root() == root
    assert root.stat().st_mode & 0o777 == 0o700
    assert state_root() == root


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_root_that_others_may_enter_is_refused(root: Path, mode: int) -> None:
    root.mkdir()
    root.chmod(mode)
    with pytest.raises(HostError, match=r"not a directory of yours alone: remove it, or chmod"):
        state_root()


@pytest.mark.parametrize("kind", ["a file", "a link"])
def test_a_root_that_is_no_directory_is_refused(root: Path, kind: str) -> None:
    elsewhere = root.parent / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    if kind == "a link":
        root.symlink_to(elsewhere)
    else:
        root.write_text("", encoding="utf-8")
    with pytest.raises(HostError, match=r"not a directory of yours alone|can't be created"):
        state_root()


def test_a_root_of_somebody_else_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root.mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    with pytest.raises(HostError, match="yours alone"):
        state_root()


def test_a_root_that_cannot_be_made_is_said_so(root: Path) -> None:
    root.parent.chmod(0o700)
    shutil.rmtree(root.parent)
    with pytest.raises(HostError, match=r"which clusters need, can't be created: No such file"):
        state_root()


def test_a_cluster_is_alive_as_long_as_somebody_holds_its_lock(root: Path) -> None:
    state, lock = State.create()
    assert root.exists()
    heir = os.dup(lock)
    assert state.alive()
    os.close(lock)
    assert state.alive(), "the keeper's copy of the lock counts too"
    os.close(heir)
    assert not state.alive()


def test_a_directory_without_a_lock_is_not_alive(root: Path) -> None:
    state_root()
    (root / "left").mkdir()
    (root / "a file").write_text("", encoding="utf-8")
    (state,) = State.all()
    assert not state.alive()
    state.remove()
    state.remove()
    assert list(State.all()) == []


def test_two_clusters_never_share_a_directory(root: Path) -> None:
    held = [State.create() for _ in range(5)]
    assert len({state.path for state, _ in held}) == len(list(root.iterdir())) == 5
    for _, lock in held:
        os.close(lock)


def test_whoever_finds_a_cluster_learns_what_it_is(made: State) -> None:
    topology = Topology.lab1(memory_mib=777)
    made.write_label(topology, "2026-05-04T10:00:00+00:00")
    (found,) = State.all()
    assert found.label()["topology"] == topology
    assert found.label()["started_at"] == "2026-05-04T10:00:00+00:00"


def test_a_cluster_that_has_no_label_yet_says_so(made: State) -> None:
    with pytest.raises(OSError, match=r"label\.json"):
        made.label()


def seed(state: State, node: str) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(state.seed(node)) as tar:
        return {entry.name: entry for entry in tar}


def text(state: State, node: str, name: str) -> str:
    with tarfile.open(state.seed(node)) as tar:
        file = tar.extractfile(name)
        assert file is not None
        return file.read().decode()


def test_a_node_s_seed_belongs_to_root_and_keeps_its_keys_secret(made: State) -> None:
    entries = seed(made, "manager1")
    assert {(e.uid, e.gid) for e in entries.values()} == {(0, 0)}
    assert {name: e.mode for name, e in entries.items() if e.mode & 0o044 == 0} == {
        "root": 0o700,
        "root/.ssh": 0o700,
        "root/.ssh/authorized_keys": 0o600,
        "etc/ssh/ssh_host_ed25519_key": 0o600,
    }


def test_a_node_s_seed_says_who_it_is_and_who_the_others_are(made: State) -> None:
    assert text(made, "worker1", "etc/hostname") == "worker1\n"
    assert text(made, "worker1", "etc/swarmlab/node") == (
        "NAME=worker1\nADDRESS=192.168.56.11/24\n"
    )
    hosts = text(made, "worker1", "etc/hosts").splitlines()
    assert hosts == [
        "127.0.0.1 localhost",
        "192.168.56.10 manager1",
        "192.168.56.20 manager2",
        "192.168.56.11 worker1",
    ]


def test_no_two_nodes_share_a_host_key_or_a_machine_id(made: State) -> None:
    for name in ("etc/ssh/ssh_host_ed25519_key", "etc/machine-id"):
        assert len({text(made, node, name) for node in OURS}) == len(OURS)


def test_every_node_s_own_host_key_is_the_one_that_is_pinned(made: State) -> None:
    pinned = dict(
        line.split(" ", 1)
        for line in (made.path / "known_hosts").read_text(encoding="utf-8").splitlines()
    )
    assert {node: f"{key}\n" for node, key in pinned.items()} == {
        node: text(made, node, "etc/ssh/ssh_host_ed25519_key.pub") for node in OURS
    }
    assert text(made, "manager1", "root/.ssh/authorized_keys") == (
        (made.path / "key.pub").read_text(encoding="utf-8")
    )


def test_keys_on_this_host_are_their_owner_s_alone(made: State) -> None:
    for name in ("key", *(f"{node}.hostkey" for node in OURS)):
        assert (made.path / name).stat().st_mode & 0o077 == 0
    assert made.path.stat().st_mode & 0o077 == 0


def ssh(state: State, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ssh", "-F", str(state.ssh_config), *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(shutil.which("ssh") is None, reason="install openssh-client")
def test_ssh_never_goes_out_by_itself(made: State) -> None:
    tried = ssh(made, "manager1", "true")
    assert tried.returncode == 255
    assert "manager1 has no SSH connection: it is off, cut off or starting" in tried.stderr


@pytest.mark.skipif(shutil.which("ssh") is None, reason="install openssh-client")
def test_ssh_asks_nobody_trusts_nothing_new_and_offers_one_key(made: State) -> None:
    asked = ssh(made, "-G", "worker1").stdout.splitlines()
    means = dict(line.split(" ", 1) for line in asked if " " in line)
    wanted = {
        "hostname": "192.168.56.11",
        "hostkeyalias": "worker1",
        "user": "root",
        "batchmode": "yes",
        "stricthostkeychecking": "true",
        "userknownhostsfile": str(made.path / "known_hosts"),
        "globalknownhostsfile": "/dev/null",
        "identityfile": str(made.path / "key"),
        "identitiesonly": "yes",
        "identityagent": "none",
        "controlmaster": "false",
        "controlpath": str(made.path / "worker1.ssh"),
    }
    assert {key: means.get(key) for key in wanted} == wanted


def test_a_seed_holds_text_of_any_language(tmp_path: Path) -> None:
    write_seed(tmp_path / "seed", {"etc/motd": ("Prêt ✓\n", 0o644)})
    with tarfile.open(tmp_path / "seed") as tar:
        entry = tar.getmember("etc/motd")
        file = tar.extractfile(entry)
        assert file is not None
        assert (entry.size, file.read().decode()) == (len("Prêt ✓\n".encode()), "Prêt ✓\n")
