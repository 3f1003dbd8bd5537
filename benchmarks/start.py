"""How long a swarm of 3 + 2 takes to be ready, against the naive script, in the same run.

Naive: boot five nodes as Debian boots them, wait for all, then init and join one by one with the
command line. Ours: what the fixtures do, on the same disk. Also: what five nodes at rest hold.

    .venv/bin/python -m benchmarks.start [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from pytest_swarmlab.config import default_cache
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Membership, Topology
from pytest_swarmlab.providers.uml import UmlProvider
from pytest_swarmlab.providers.uml.state import state_root
from pytest_swarmlab.swarm import lifecycle
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.waiting.conditions import NodesReady
from pytest_swarmlab.waiting.waiter import Waiter

TOPOLOGY = Topology.of(3, 2)
REST_S = 20
"""How long the nodes are left alone before their memory is measured."""


def ours(directory: Path) -> tuple[float, float]:
    """Seconds until every node is ready, and MiB that the five hold at rest."""
    provider = UmlProvider(cache=default_cache(), origin="stand-in")
    recorder = Recorder(directory / "ours.jsonl")
    began = time.monotonic()
    swarm = lifecycle.provision(provider, TOPOLOGY, recorder=recorder, consoles=directory / "ours")
    ready = recorder.view().last("stage.done", name="every node ready")
    seconds = ready.t if ready else time.monotonic() - began
    try:
        time.sleep(REST_S)
        return seconds, resident_mib(swarm.machines.id)
    finally:
        swarm.machines.stop()
        recorder.close()


def naive(directory: Path) -> float:
    """Seconds until every node is ready, the way a script would go about it."""
    provider = UmlProvider(cache=default_cache(), origin="stand-in", words=("swarmlab.stock",))
    recorder = Recorder(directory / "naive.jsonl")
    began = time.monotonic()
    machines = provider.start(TOPOLOGY, recorder=recorder, consoles=directory / "naive")
    try:
        swarm = Swarm(machines, recorder)
        for node in swarm.nodes:
            node.await_access(lifecycle.BOOT_S)
        first, *others = swarm.nodes
        first.run("docker", "swarm", "init", "--advertise-addr", first.address)
        membership = {spec.name: spec.membership for spec in TOPOLOGY.nodes}
        for node in others:
            role = "manager" if membership[node.name] is Membership.MANAGER else "worker"
            token = first.run("docker", "swarm", "join-token", "-q", role).stdout.strip()
            node.run("docker", "swarm", "join", "--token", token, f"{first.address}:2377")
        Waiter()(NodesReady(swarm, members=len(swarm.nodes)), within=lifecycle.READY_S)
        return time.monotonic() - began
    finally:
        machines.stop()
        recorder.close()


def resident_mib(cluster: str) -> float:
    """What the cluster's nodes hold together, MiB: their guests' memory and their processes' own.

    The guests' memory is a file that many processes map, so it is counted where it is: in the
    cluster's own tmpfs.
    """
    processes = [pid for pid in _pids() if cluster.encode() in _read(pid, "cmdline")]
    guest = next(pid for pid in processes if b"ubd0=" in _read(pid, "cmdline"))
    namespace = Path(f"/proc/{guest}/ns/pid").readlink()
    kib = 0
    for pid in _pids():
        try:
            if Path(f"/proc/{pid}/ns/pid").readlink() != namespace:
                continue
        except OSError:
            continue
        for line in _read(pid, "smaps_rollup").splitlines():
            if line.startswith(b"Pss_Anon:"):
                kib += int(line.split()[1])
    memory = os.statvfs(f"/proc/{guest}/root{state_root() / cluster / 'mem'}")
    return kib / 1024 + (memory.f_blocks - memory.f_bfree) * memory.f_frsize / 2**20


def _pids() -> list[str]:
    return [path.name for path in Path("/proc").iterdir() if path.name.isdecimal()]


def _read(pid: str, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def main(rounds: int) -> None:
    """Run both in turn, that many times, and print the ratio of the medians."""
    times: list[tuple[float, float]] = []
    memory: list[float] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as directory:
            slow = naive(Path(directory))
            fast, held = ours(Path(directory))
        times.append((fast, slow))
        memory.append(held)
        print(f"ours {fast:.1f} s, naive {slow:.1f} s, ratio {fast / slow:.2f}; {held:.0f} MiB")
    fast, slow = (statistics.median(column) for column in zip(*times, strict=True))
    print(
        f"median of {rounds}: ours {fast:.1f} s, naive {slow:.1f} s, ratio {fast / slow:.2f};"
        f" five nodes at rest hold {statistics.median(memory):.0f} MiB"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
