"""An inventory that is wrong about a real cluster is told so in one sentence."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.evidence import collectors
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.providers.inventory import InventoryProvider
from pytest_swarmlab.providers.inventory import provider as inventory_provider
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.waiting.waiter import Pending, Waiter

Edit = Callable[[str], str]


@pytest.fixture
def edited(somebodys_inventory: Path, tmp_path: Path) -> Callable[[Edit], InventoryProvider]:
    """The inventory of the running cluster, after an edit of its text."""

    def edit(change: Edit) -> InventoryProvider:
        text = somebodys_inventory.read_text(encoding="utf-8")
        text = text.replace("ssh_config: ssh", f"ssh_config: {somebodys_inventory.parent}/ssh")
        path = tmp_path / "cluster.yml"
        path.write_text(change(text), encoding="utf-8")
        return InventoryProvider(path, may_change=False)

    return edit


def new_key(directory: Path) -> Path:
    path = directory / "another"
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(argv, check=True)
    return path


def refused(provider: InventoryProvider, directory: Path) -> str:
    with pytest.raises(ProviderError) as refusal:
        provider.attach("", logs=directory)
    return str(refusal.value)


def test_a_wrong_key_is_told(edited: Callable[[Edit], InventoryProvider], tmp_path: Path) -> None:
    key = new_key(tmp_path)
    provider = edited(
        lambda text: "\n".join(
            line.rpartition("key: ")[0] + f"key: {key}}}" if "worker1" in line else line
            for line in text.splitlines()
        )
    )
    said = refused(provider, tmp_path)
    assert said.startswith(
        "worker1 can't be reached over SSH: it refused the key: name the right user and key (ssh: "
    )


def test_a_changed_host_key_is_told(
    edited: Callable[[Edit], InventoryProvider], tmp_path: Path
) -> None:
    public = new_key(tmp_path).with_suffix(".pub").read_text(encoding="utf-8")
    known = tmp_path / "known"
    known.write_text(f"manager1 {public}worker1 {public}", encoding="utf-8")
    provider = edited(
        lambda text: "\n".join(
            f"known_hosts: {known}" if line.startswith("known_hosts") else line
            for line in text.splitlines()
        )
    )
    said = refused(provider, tmp_path)
    assert "manager1 can't be reached over SSH: its host key is another than the one known" in said
    assert "worker1 can't" in said


def test_an_unknown_host_key_is_told(
    edited: Callable[[Edit], InventoryProvider], tmp_path: Path
) -> None:
    (tmp_path / "known").touch()
    provider = edited(
        lambda text: "\n".join(
            f"known_hosts: {tmp_path}/known" if line.startswith("known_hosts") else line
            for line in text.splitlines()
        )
    )
    said = refused(provider, tmp_path)
    assert "a host key isn't known, its own or a jump host's: add it to known_hosts" in said
    assert "host key is known for worker1" in said


@pytest.fixture
def restrained(somebodys_inventory: Path, tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Starts another sshd on worker1 with these settings; hands over the inventory that names it.

    It is the node's own program with the node's own keys, on the next port.
    """
    with closing(Recorder(tmp_path / "another.jsonl")) as recorder:
        provider = InventoryProvider(somebodys_inventory, may_change=True)
        swarm = Swarm(provider.attach("", logs=tmp_path / "another"), recorder)
        worker = swarm.node("worker1")

        def start(*settings: str) -> Path:
            words = [word for each in settings for word in ("-o", each)]
            unit = ("systemd-run", "--collect", f"--unit={RESTRAINED}", "--service-type=exec")
            worker.run(*unit, "/usr/sbin/sshd", "-D", "-e", "-p", "2222", *words)
            Waiter()(worker.succeeds("sh", "-c", "ss -ltn | grep -q :2222"), within=30)
            text = somebodys_inventory.read_text(encoding="utf-8")
            path = somebodys_inventory.parent / "restrained.yml"
            path.write_text(
                text.replace("address: 192.168.56.11,", "address: 192.168.56.11, port: 2222,"),
                encoding="utf-8",
            )
            return path

        try:
            yield start
        finally:
            worker.run("systemctl", "stop", f"{RESTRAINED}.service", check=False)
            for node in swarm.nodes:
                node.forget_connections()
            swarm.machines.stop()


RESTRAINED = "another-sshd"


@pytest.mark.parametrize(
    "setting",
    ["AllowStreamLocalForwarding=no", "DisableForwarding=yes", "AllowTcpForwarding=no"],
)
def test_an_sshd_that_forbids_forwarding_is_told_at_once(
    restrained: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
) -> None:
    provider = InventoryProvider(restrained(setting), may_change=False)
    # Whoever waits for time to pass would wait until the tests are killed.
    monkeypatch.setattr(inventory_provider, "ACCESS_S", 3600.0)
    said = refused(provider, tmp_path)
    assert said.startswith(
        "worker1 can't be used: its SSH server opens no way to /var/run/docker.sock: permit"
        " AllowTcpForwarding and AllowStreamLocalForwarding there"
    )
    assert "open failed" in said
    assert "manager1" not in said


def test_a_host_that_can_not_be_reached_is_told(
    edited: Callable[[Edit], InventoryProvider], tmp_path: Path
) -> None:
    provider = edited(
        lambda _: "nodes: [{name: manager1, role: manager, address: 127.0.0.1, port: 9}]"
    )
    assert "manager1 can't be reached over SSH: nothing listens at its SSH port" in refused(
        provider, tmp_path
    )


def test_what_is_only_looked_at_stays_as_it_is(
    edited: Callable[[Edit], InventoryProvider], tmp_path: Path
) -> None:
    provider = edited(lambda text: text)
    with closing(Recorder(tmp_path / "events.jsonl")) as recorder:
        swarm = Swarm(provider.attach("", logs=tmp_path), recorder)
        try:
            collectors.describe(swarm, provider, seconds=0)
            worker = swarm.node("worker1")
            for change in (
                lambda: worker.run("touch", "/root/changed"),
                lambda: worker.put(b"", "/root/changed"),
                lambda: worker.engine.swarm.leave(force=True),
                lambda: Faults(swarm).stop_engine(worker).inject(),
            ):
                with pytest.raises(ProviderError, match="only looked at"):
                    change()
            tried = swarm.accepts_changes(swarm.node("manager1"))()
            assert isinstance(tried, Pending)
            assert "only looked at" in tried.seen
            assert worker.look("test", "-e", "/root/changed", check=False).code == 1
            assert worker.engine.info()["Swarm"]["LocalNodeState"] == "active"
            assert [row.state for row in swarm.look()[1]] == ["ready", "ready"]
        finally:
            for node in swarm.nodes:
                node.forget_connections()
            swarm.machines.stop()
    assert recorder.view().of("change") == ()
