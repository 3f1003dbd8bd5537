"""A lab without machines for suites in a process of their own: clusters that only pretend.

A suite's conftest has `CONFTEST`; each cluster is a file ``cluster-…`` beside it while it stands.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.evidence import load
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Capability, Topology
from pytest_swarmlab.swarm import lifecycle
from pytest_swarmlab.swarm.cluster import Swarm
from tests.unit.fakes import Lab

CONFTEST = """
from tests.plugin import pretended

pretended.install()
pytest_swarmlab_make_provider = pretended.pytest_swarmlab_make_provider
"""


class Provider:
    """Takes the place of one with machines."""

    name = "pretended"
    owns = True

    def reap(self) -> list[str]:
        """Nothing was left."""
        return []


def pytest_swarmlab_make_provider(config: Any, out: Any) -> Provider:
    """Every suite that has this gets such clusters."""
    del config, out
    return Provider()


def install() -> None:
    """Have this process provide pretended clusters, on a machine that pretends to be idle."""
    lifecycle.provision = provision  # type: ignore[assignment]
    load.processors = lambda: (time.monotonic(),) * 2


def provision(
    provider: Provider, topology: Topology, *, recorder: Recorder, consoles: Path
) -> Swarm:
    """A cluster in its starting state, which records in the run's record."""
    del provider
    lab = Lab(Path(tempfile.mkdtemp(dir=Path.cwd())), topology).settle()
    lab.recorder.close()
    lab.recorder = lab.swarm.recorder = recorder
    for node in lab.swarm.nodes:
        node._recorder = recorder
    standing = Path(f"cluster-{os.getpid()}-{topology.name}-{lab.topology.memory_mib}")
    standing.touch()
    lab.machines.stop = standing.unlink  # type: ignore[method-assign]
    consoles.mkdir(parents=True)
    for node in lab.swarm.nodes:
        (consoles / f"{node.name}.log").write_text("booted\n", encoding="utf-8")
    recorder.record(
        "cluster.ready",
        cluster=str(os.getpid()),
        provider="pretended",
        topology={
            "name": topology.name,
            "managers": len(topology.managers),
            "workers": len(topology.workers),
        },
        nodes=[],
        engine_version="26.1.5",
        kernel="6.12",
        images=[],
        capabilities={str(c): True for c in Capability},
        seconds=0.1,
    )
    # As real ones have it, for a test that changes something.
    lab.swarm.lab = lab  # type: ignore[attr-defined]
    return lab.swarm


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A suite whose clusters are pretended, on a machine that carries four of them."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("SWARMLAB_CACHE", str(pytester.path / "cache"))
    pytester.makeconftest(CONFTEST + FOUR)
    return pytester


def latest(suite: pytest.Pytester) -> Path:
    """The directory of a suite's latest run."""
    return suite.path / "reports" / "latest"


def record(suite: pytest.Pytester) -> Record:
    """What that run recorded."""
    return Record.load(latest(suite) / "events.jsonl")


def standing(suite: pytest.Pytester) -> list[str]:
    """Clusters that nobody has removed."""
    return [path.name for path in suite.path.glob("cluster-*")]


FOUR = """
import os
from pytest_swarmlab.run import slots

os.cpu_count = lambda: 4
slots.memory_mib = lambda: 24_000
"""
