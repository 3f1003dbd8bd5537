"""Two machines of each provider that this host can have, for the contract."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pytest_swarmlab.config import default_cache
from pytest_swarmlab.errors import HostError
from pytest_swarmlab.evidence import collectors
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import NodeSpec, Topology
from pytest_swarmlab.providers.base import Provider
from pytest_swarmlab.providers.dind import DindProvider, engine
from pytest_swarmlab.providers.inventory import InventoryProvider
from pytest_swarmlab.providers.uml import UmlProvider
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.lifecycle import provision
from tests.providers.engine import throwaway_engine

PROVIDERS: dict[str, Callable[[], Provider]] = {
    "uml": lambda: UmlProvider(cache=default_cache(), origin="stand-in"),
    "uml-debian": lambda: UmlProvider(cache=default_cache(), origin="stand-in", kernel="debian"),
    "dind": lambda: DindProvider(cache=default_cache(), origin="stand-in"),
}
"""Those that start machines of their own."""

SMALL = Topology.of(1, 1, memory_mib=768)


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[None]:
    """A Docker engine of this host: the one that answers, else one for these tests alone."""
    try:
        engine.connect().close()
    except HostError as error:
        if os.geteuid() != 0:
            pytest.skip(f"{error} (as root the tests start one of their own)")
    else:
        yield
        return
    with (
        throwaway_engine(default_cache() / "test-engine") as url,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("DOCKER_HOST", url)
        yield


@pytest.fixture(scope="module", params=[*PROVIDERS, "inventory"])
def provider(request: pytest.FixtureRequest) -> Provider:
    """Every provider in turn."""
    if request.param == "dind":
        request.getfixturevalue("docker_engine")
    if request.param == "inventory":
        return InventoryProvider(request.getfixturevalue("somebodys_inventory"), may_change=True)
    return PROVIDERS[request.param]()


@pytest.fixture
def starter(provider: Provider) -> Provider:
    """Every provider that starts machines and removes them."""
    if not provider.owns:
        pytest.skip(f"{provider.name} starts no machines and removes none")
    return provider


@pytest.fixture(scope="module")
def cluster(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    """A swarm of one manager and one worker."""
    directory = tmp_path_factory.mktemp("cluster")
    with closing(Recorder(directory / "events.jsonl")) as recorder:
        if provider.owns:
            swarm = provision(provider, SMALL, recorder=recorder, consoles=directory / "consoles")
        else:
            swarm = Swarm(provider.attach("", logs=directory / "logs"), recorder)
            collectors.describe(swarm, provider, seconds=0)
        yield swarm
        for node in swarm.nodes:
            node.forget_connections()
        swarm.machines.stop()


SOMEBODY = """
import sys
from pathlib import Path
from tests.providers.conftest import PROVIDERS
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Topology
from pytest_swarmlab.submitted import work
from pytest_swarmlab.swarm.lifecycle import provision

directory = Path(sys.argv[1])
recorder = Recorder(directory / "events.jsonl")
provider = PROVIDERS["uml"]()
topology = Topology.of(int(sys.argv[2]), int(sys.argv[3]), memory_mib=int(sys.argv[4]))
swarm = provision(provider, topology, recorder=recorder, consoles=directory / "consoles")
for brought in sys.argv[5:]:
    work.bring(Path(brought), swarm)
print(swarm.machines.id, flush=True)
sys.stdin.read()
swarm.machines.stop()
"""
"""Another process that has a cluster until its standard input is closed.

Each submission that it is given is brought onto it first.
"""

SWITCH = Path(__file__).with_name("power.py")
"""What cuts a machine's power there, as a hypervisor's command does."""

SSH_CONFIG = """
Host *
  ProxyUseFdpass yes
  ProxyCommand {python} -m pytest_swarmlab.providers.uml.dial {state}/gate %n %p
"""
"""There is no other way from here to the lab's addresses than through the cluster's gate."""


@pytest.fixture(scope="module")
def somebodys_inventory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An inventory of a cluster that another process has started."""
    with inventory_of(SMALL, tmp_path_factory.mktemp("somebody")) as path:
        yield path


@contextmanager
def inventory_of(topology: Topology, directory: Path, *brought: Path) -> Iterator[Path]:
    """The inventory of a cluster of that size, which another process has until the block's end.

    `brought`: submissions that stand there.
    """
    size = [len(topology.managers), len(topology.workers), topology.nodes[0].memory_mib]
    words = ["-c", SOMEBODY, str(directory), *map(str, (*size, *brought))]
    with inventory_of_process(words, topology.nodes, directory) as path:
        yield path


@contextmanager
def inventory_of_process(
    words: Sequence[str], nodes: Sequence[NodeSpec], directory: Path
) -> Iterator[Path]:
    """The inventory of these nodes, which another Python has until its standard input is closed.

    `words`: what it runs, which prints the machines' id when they are ready to be looked at.
    """
    from pytest_swarmlab.providers.uml.state import state_root

    somebody = subprocess.Popen(
        [sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with somebody:
        assert somebody.stdout is not None
        cluster = somebody.stdout.readline().strip()
        assert cluster, "the other process has no cluster"
        state = state_root() / cluster
        path = directory / "cluster.yml"
        asks = [sys.executable, "-P", str(SWITCH), str(state / "gate")]
        power = {do: [*asks, f"power-{do}", "{name}"] for do in ("off", "on")}
        lines = [
            f"  - {{name: {n.name}, role: {n.membership}, address: {n.address}, user: root,"
            f" key: {state}/key}}\n"
            for n in nodes
        ]
        head = f"ssh_config: ssh_config\nknown_hosts: {state}/known_hosts\npower: {power}\nnodes:\n"
        path.write_text(head + "".join(lines), encoding="utf-8")
        aliases = "".join(f"Host {n.name}\n  HostKeyAlias {n.name}\n" for n in nodes)
        way = SSH_CONFIG.format(state=state, python=sys.executable)
        (directory / "ssh_config").write_text(aliases + way, encoding="utf-8")
        yield path
        # What was only looked at must still be there.
        assert state.exists()
