"""One contract for all providers: what the rest of the plugin relies on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from pytest_swarmlab.errors import CommandError, HostError, ProviderError
from pytest_swarmlab.evidence import collectors
from pytest_swarmlab.evidence.capabilities import capabilities
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.faults import Fault, Faults
from pytest_swarmlab.model import Capability, Topology
from pytest_swarmlab.providers.base import Provider
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.lifecycle import join, provision
from pytest_swarmlab.waiting.conditions import EngineIs
from pytest_swarmlab.waiting.waiter import Done, Pending, Waiter, done, pending
from tests.providers.conftest import SMALL

GONE_S = 30
"""How soon nothing may be left of a run whose process was killed (issue: clean-up)."""

GOSSIP = 7946
"""Every member of a swarm listens there."""

HARD_TO_QUOTE = [
    "two words",
    "",
    "it's",
    'say "hi"',
    "$HOME `id` $(id)",
    "100 % %s %d",
    "a\\b",
    "semi; colon && or || pipe |",
    "*",
    "line\nbreak\ttab",
    "é ü 漢 🐳",
]


@pytest.fixture
def worker(cluster: Swarm) -> Node:
    """The cluster's worker."""
    return cluster.node("worker1")


@pytest.mark.parametrize("argument", HARD_TO_QUOTE)
def test_an_argument_arrives_as_it_was_given(worker: Node, argument: str) -> None:
    assert worker.run("printf", "%s", argument).stdout == argument


def test_streams_and_exit_code_are_kept_apart(worker: Node) -> None:
    output = worker.run("sh", "-c", "echo out; echo err >&2; exit 42", check=False)
    assert (output.code, output.stdout, output.stderr) == (42, "out\n", "err\n")


def test_a_failed_command_says_where_what_and_why(worker: Node) -> None:
    with pytest.raises(CommandError, match=r"on worker1, `ls /nowhere` ended with 2: .*/nowhere"):
        worker.run("ls", "/nowhere")


def test_a_file_of_any_bytes_is_written_and_read(worker: Node) -> None:
    worker.put(bytes(range(256)), "/tmp/every byte")
    assert worker.get("/tmp/every byte") == bytes(range(256))
    digest = worker.run("sha256sum", "/tmp/every byte").stdout.split()[0]
    assert digest == "40aff2e9d2d8922e47afd4648e6967497158785fbd1da870e7110266bf944880"


def test_testinfra_sees_the_machine(worker: Node) -> None:
    assert worker.host.service("docker").is_running
    assert worker.host.file("/etc/hostname").content_string.strip() == "worker1"


def test_each_node_has_an_engine_and_a_kernel_of_its_own(cluster: Swarm) -> None:
    infos = [node.engine.info() for node in cluster.nodes]
    assert [info["Name"] for info in infos] == [node.name for node in cluster.nodes]
    assert len({info["ID"] for info in infos}) == len(infos)


def test_the_images_are_there_and_say_what_they_are(cluster: Swarm, provider: Provider) -> None:
    (image,) = [i for i in provider.images() if i["reference"] == "nginx:alpine"]
    assert image["origin"] in {"stand-in", "registry"}
    for node in cluster.nodes:
        labels = node.engine.images.get("nginx:alpine").labels or {}
        assert labels.get("org.swarmlab.origin", "registry") == image["origin"]


def test_a_port_is_reached_from_the_clients_place_only(worker: Node) -> None:
    worker.dial(GOSSIP, 5).close()
    with pytest.raises(ConnectionRefusedError):
        worker.dial(9, 5)
    # The lab's addresses must lead nowhere from this process's own network.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        routes = Path("/proc/net/route").read_text(encoding="ascii")
        assert "38A8C0" not in routes, "a route to 192.168.56.0/24 exists outside the cluster"
        del probe


def test_a_capability_is_probed_not_assumed(cluster: Swarm) -> None:
    found = capabilities(cluster, cluster.nodes[0])
    assert set(found) == {str(capability) for capability in Capability}


def test_an_embedded_machine_s_kernel_has_all_that_the_lab_needs(
    provider: Provider, cluster: Swarm
) -> None:
    if provider.name != "uml":
        pytest.skip("it has the kernel of somebody else")
    found = capabilities(cluster, cluster.nodes[0])
    assert [capability for capability, able in found.items() if not able] == []


@pytest.mark.parametrize("make", [Faults.stop_engine, Faults.kill_engine])
def test_an_engine_is_lost_and_comes_back(
    cluster: Swarm, worker: Node, make: Callable[[Faults, Node], Fault]
) -> None:
    faults = Faults(cluster)
    with make(faults, worker) as fault:
        Waiter()(EngineIs(worker, up=False), within=30)
        assert worker.run("true").code == 0, "the machine itself must stay up"
    fault.heal()
    assert worker.engine.ping()


def lost(node: Node, make: Callable[[Faults, Node], Fault]) -> None:
    """Ask the node what can't be answered; raises OSError that names it."""
    if make is not Faults.pause:
        node.dial(GOSSIP, 3)
        return
    # A kernel that isn't frozen itself still accepts a connection; nobody answers on it.
    engine = node.new_engine(3)
    try:
        engine.ping()
    except requests.RequestException as error:
        raise OSError(f"{node} gave no answer") from error
    finally:
        engine.close()


@pytest.mark.parametrize("make", [Faults.power_off, Faults.pause, Faults.link_down])
def test_a_machine_is_lost_and_comes_back_with_its_disk(
    cluster: Swarm, worker: Node, make: Callable[[Faults, Node], Fault]
) -> None:
    machines = cluster.machines
    needs: dict[Any, Capability] = {
        Faults.power_off: Capability.POWER_OFF,
        Faults.pause: Capability.PAUSE,
        Faults.link_down: Capability.LINK,
    }
    needed = needs[make]
    if needed not in machines.controls:
        with pytest.raises(ProviderError, match=f"can't do this: {needed}"):
            make(Faults(cluster), worker)
        pytest.skip(needed.lack)
    worker.put(b"still here", "/root/mark")
    worker.run("sync")
    with make(Faults(cluster), worker) as fault, pytest.raises(OSError, match="worker1"):
        lost(worker, make)
    fault.heal()
    assert worker.run("cat", "/root/mark").stdout == "still here"
    Waiter()(cluster.all_nodes_ready(), within=90)


ENABLED = {
    "/etc/systemd/system/enabled.service": (
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\n"
        "[Install]\nWantedBy=multi-user.target\n"
    ),
    "/etc/systemd/system/later.timer": (
        "[Timer]\nOnBootSec=1h\nUnit=enabled.service\n[Install]\nWantedBy=timers.target\n"
    ),
    "/etc/fstab": "tmpfs /mnt/enabled tmpfs size=1m 0 0\n",
}
"""What an administrator sets up so that it is there after a power failure."""


def test_a_machine_that_comes_back_starts_what_was_enabled_on_it(
    cluster: Swarm, worker: Node
) -> None:
    if Capability.POWER_OFF not in cluster.machines.controls:
        pytest.skip(Capability.POWER_OFF.lack)
    units = ("enabled.service", "later.timer", "mnt-enabled.mount")
    fstab = worker.host.file("/etc/fstab").content
    worker.run("mkdir", "-p", "/mnt/enabled")
    for path, text in ENABLED.items():
        worker.put((fstab if path == "/etc/fstab" else b"") + text.encode(), path)
    worker.run("systemctl", "enable", "enabled.service", "later.timer")
    worker.run("sync")
    assert "active" not in worker.run("systemctl", "is-active", *units, check=False).stdout.split()
    with Faults(cluster).power_off(worker):
        pass
    for unit in units:
        Waiter()(worker.succeeds("systemctl", "is-active", unit), within=90)
    worker.run("systemctl", "disable", "--now", "enabled.service", "later.timer")
    worker.run("umount", "/mnt/enabled")
    worker.put(fstab, "/etc/fstab")
    worker.run("rm", *(path for path in ENABLED if path != "/etc/fstab"))
    worker.run("rmdir", "/mnt/enabled")
    Waiter()(cluster.all_nodes_ready(), within=90)


def test_a_destroyed_machine_is_replaced_by_a_new_one_at_its_address(
    cluster: Swarm, worker: Node
) -> None:
    if Capability.REPLACE not in cluster.machines.controls:
        with pytest.raises(ProviderError, match="can't do this: replace"):
            Faults(cluster).destroy(worker)
        pytest.skip(Capability.REPLACE.lack)
    worker.put(b"gone", "/root/mark")
    worker.run("sync")
    was = worker.engine.info()["ID"]
    with Faults(cluster).destroy(worker) as fault, pytest.raises(OSError, match="worker1"):
        worker.dial(GOSSIP, 3)
    fault.heal()
    assert worker.run("test", "-e", "/root/mark", check=False).code == 1
    assert f" {worker.address}/" in worker.run("ip", "address").stdout
    assert worker.host.file("/etc/hostname").content_string.strip() == "worker1"
    info = worker.engine.info()
    assert info["ID"] != was
    assert info["Swarm"]["LocalNodeState"] == "inactive"
    # It is as new as the cluster was: it joins like any other, and the lost one's row goes.
    manager = cluster.node("manager1")
    Waiter()(cluster.node_is(worker, state="down"), within=90)
    lost = next(row.id for row in cluster.rows(manager) if row.name == "worker1")
    manager.run("docker", "node", "rm", lost)
    join(worker, manager, manager.engine.swarm.attrs["JoinTokens"]["Worker"])
    Waiter()(cluster.all_nodes_ready(), within=90)


def test_a_partition_cuts_nodes_off_from_each_other_only(cluster: Swarm, worker: Node) -> None:
    manager = cluster.node("manager1")
    ping = ("ping", "-c", "1", "-W", "2", worker.address)
    with Faults(cluster).partition([manager], [worker]) as fault:
        assert manager.run(*ping, check=False).code == 1
        assert manager.run("true").code == worker.run("true").code == 0
    fault.heal()
    assert manager.run(*ping).code == 0


def test_a_disk_is_full_and_has_room_again_and_no_other_is_touched(
    cluster: Swarm, worker: Node
) -> None:
    faults, write = Faults(cluster), ("cp", "/etc/hostname", "/mnt/words")
    with pytest.raises(ProviderError, match="was not filled, because it is also that of"):
        faults.fill_disk(worker, "/mnt").inject()
    worker.run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", "/mnt")
    try:
        worker.run("dd", "if=/dev/zero", "of=/mnt/other", "bs=64k", "count=1")
        with faults.fill_disk(worker, "/mnt"):
            worker.run("rm", "/mnt/other")
            full = 'test "$(stat --file-system --format=%a /mnt)" = 0'
            Waiter()(worker.succeeds("sh", "-c", full), within=30)
            assert "No space left on device" in worker.run(*write, check=False).stderr
        assert worker.run(*write).code == 0
        assert worker.run("ls", "-A", "/mnt").stdout == "words\n"
    finally:
        faults.heal()
        worker.run("umount", "/mnt")


def test_a_fault_heals_when_the_test_fails(cluster: Swarm, worker: Node) -> None:
    with pytest.raises(ZeroDivisionError), Faults(cluster).stop_engine(worker):
        raise ZeroDivisionError
    assert worker.engine.ping()


def test_logs_of_every_node_are_fetched(cluster: Swarm, tmp_path: Path) -> None:
    assert collectors.fetch_logs(cluster, tmp_path) == {}
    for node in cluster.nodes:
        log = (tmp_path / f"{node.name}.engine.log").read_text(encoding="utf-8")
        assert "dockerd" in log


def test_two_clusters_live_side_by_side(cluster: Swarm, starter: Provider, tmp_path: Path) -> None:
    alone = Topology.of(1, 0, memory_mib=768)
    recorder = Recorder(tmp_path / "events.jsonl")
    other = provision(starter, alone, recorder=recorder, consoles=tmp_path / "consoles")
    try:
        ids = {swarm.nodes[0].engine.info()["Swarm"]["NodeID"] for swarm in (cluster, other)}
        assert len(ids) == 2
        assert {f.id for f in starter.find()} >= {cluster.machines.id, other.machines.id}
    finally:
        other.nodes[0].forget_connections()
        other.machines.stop()
        other.machines.stop()
        recorder.close()
    assert other.machines.id not in {f.id for f in starter.find()}
    assert cluster.nodes[0].engine.ping()


def test_more_than_this_host_can_carry_is_refused_before_anything_is_made(
    starter: Provider, tmp_path: Path
) -> None:
    before = {found.id for found in starter.find()}
    huge = Topology.of(1, 0, memory_mib=100_000_000)
    recorder = Recorder(tmp_path / "events.jsonl")
    with pytest.raises(HostError, match=r"100000000 MiB.*fewer nodes"):
        starter.start(huge, recorder=recorder, consoles=tmp_path / "consoles")
    recorder.close()
    assert not {found.id for found in starter.find()} - before


def test_machines_that_were_not_kept_can_not_be_taken_over(starter: Provider) -> None:
    with pytest.raises(ProviderError, match="no kept cluster nonesuch"):
        starter.attach("nonesuch", logs=Path())


OWNER = """
import sys, time
from pathlib import Path
from tests.providers.conftest import PROVIDERS, SMALL
from pytest_swarmlab.evidence.recorder import Recorder

directory = Path(sys.argv[2])
recorder = Recorder(directory / "events.jsonl")
machines = PROVIDERS[sys.argv[1]]().start(SMALL, recorder=recorder, consoles=directory / "consoles")
if sys.argv[3] == "keep":
    machines.keep()
print(machines.id, flush=True)
sys.stdin.read()
"""


KEEPERS = ("/plan.json", "dind.watcher")
"""What the command lines of the processes hold that live with a cluster."""


def start_owner(provider: Provider, directory: Path, how: str) -> tuple[subprocess.Popen[str], str]:
    """Another process that starts machines and then does nothing; it and the machines' id."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, provider.name, str(directory), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    return owner, owner.stdout.readline().strip()


def end(owner: subprocess.Popen[str]) -> None:
    """Kill it the way that leaves it no chance to clean up."""
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    for stream in (owner.stdin, owner.stdout):
        if stream:
            stream.close()


class NothingLeft:
    """No process names the cluster, and its provider does not find it; or only as an orphan."""

    node = None

    def __init__(self, provider: Provider, cluster: str, *, orphan: bool = False) -> None:
        self._provider = provider
        self._cluster = cluster
        self._orphan = orphan
        self.name = "owner and keeper are gone" if orphan else "nothing is left of the killed run"

    def __call__(self) -> Done[None] | Pending:
        """Look once."""
        left = processes_of(self._cluster)
        # A dying process loses its command line before it lets go of its locks.
        found = [
            found.id
            for found in self._provider.find()
            if found.id == self._cluster and (found.owner_alive or not self._orphan)
        ]
        return pending(f"processes {left}, found {found}") if left or found else done(None)


def processes_of(cluster: str) -> dict[int, str]:
    """Those that name the cluster: number → command line."""
    every = {int(pid.name): _command_line(pid) for pid in Path("/proc").iterdir()
             if pid.name.isdecimal()}  # fmt: skip
    return {pid: line for pid, line in every.items() if cluster in line}


def _command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def test_nothing_survives_a_killed_owner(starter: Provider, tmp_path: Path) -> None:
    owner, cluster = start_owner(starter, tmp_path, "own")
    assert any(found.id == cluster for found in starter.find())
    end(owner)
    Waiter()(NothingLeft(starter, cluster), within=GONE_S)


def test_nothing_survives_a_killed_keeper_once_it_is_reaped(
    starter: Provider, tmp_path: Path
) -> None:
    owner, cluster = start_owner(starter, tmp_path, "own")
    keepers = [
        pid
        for pid, line in processes_of(cluster).items()
        if any(keeper in line for keeper in KEEPERS)
    ]
    os.kill(min(keepers), signal.SIGKILL)
    end(owner)
    Waiter()(NothingLeft(starter, cluster, orphan=True), within=GONE_S)
    assert cluster in starter.reap()
    Waiter()(NothingLeft(starter, cluster), within=GONE_S)


def test_kept_machines_outlive_their_owner_and_are_found_again(
    starter: Provider, tmp_path: Path
) -> None:
    owner, cluster = start_owner(starter, tmp_path, "keep")
    end(owner)
    (found,) = [f for f in starter.find() if f.id == cluster]
    assert (found.kept, found.owner_alive) == (True, True)
    # The addresses may be others: those that this host had free.
    told = [(node.name, node.membership) for node in found.topology.nodes]
    assert told == [(node.name, node.membership) for node in SMALL.nodes]
    machines: Any = starter.attach(cluster, logs=tmp_path)
    recorder = Recorder(tmp_path / "again.jsonl")
    try:
        machines.await_access("worker1", 90)
        assert Swarm(machines, recorder).node("worker1").run("true").code == 0
    finally:
        machines.stop()
        recorder.close()
    Waiter()(NothingLeft(starter, cluster), within=GONE_S)
