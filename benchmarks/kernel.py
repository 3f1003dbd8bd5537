"""The own kernel against Debian's, on the same disk, in turn, in the same run.

    .venv/bin/python -m benchmarks.kernel [ROUNDS [EXERCISE…]]

Measured: a swarm of 3 + 2 from power-on to ready, five containers that start and end, what five
nodes at rest hold, and each named exercise (``2_3``) as a whole pytest session on a warm cache.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from benchmarks.start import REST_S, TOPOLOGY, resident_mib
from pytest_swarmlab.config import default_cache
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.providers.uml import UmlProvider
from pytest_swarmlab.swarm import lifecycle

KERNELS = ("debian", "own")
CONTAINERS = 5


def cluster(kernel: str, directory: Path) -> dict[str, float]:
    """What one cluster of that kernel takes: seconds, and MiB."""
    provider = UmlProvider(cache=default_cache(), origin="stand-in", kernel=kernel)
    recorder = Recorder(directory / f"{kernel}.jsonl")
    began = time.monotonic()
    swarm = lifecycle.provision(provider, TOPOLOGY, recorder=recorder, consoles=directory / kernel)
    seen = {"3+2 in a swarm, s": time.monotonic() - began}
    try:
        worker = swarm.node("worker1")
        began = time.monotonic()
        for _ in range(CONTAINERS):
            worker.run("docker", "run", "--rm", "nginx:alpine", "true")
        seen[f"{CONTAINERS} × docker run --rm, s"] = time.monotonic() - began
        time.sleep(REST_S)
        seen["five nodes at rest, MiB"] = resident_mib(swarm.machines.id)
        return seen
    finally:
        for node in swarm.nodes:
            node.forget_connections()
        swarm.machines.stop()
        recorder.close()


def exercise(kernel: str, name: str) -> float:
    """Seconds of a whole session of that exercise; it must pass."""
    argv = [sys.executable, "-m", "pytest", "-q", "-m", f"exercise_{name}"]
    began = time.monotonic()
    subprocess.run(
        [*argv, "--swarmlab-provider=uml", f"--swarmlab-kernel={kernel}"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.monotonic() - began


def main(rounds: int, exercises: list[str]) -> None:
    """Print every figure of both kernels, and the ratio of their medians."""
    seen: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for _ in range(rounds):
        for kernel in KERNELS:
            with tempfile.TemporaryDirectory() as directory:
                for what, value in cluster(kernel, Path(directory)).items():
                    seen[what][kernel].append(value)
            for name in exercises:
                seen[f"exercise {name.replace('_', '.')}, s"][kernel].append(exercise(kernel, name))
    for what, values in seen.items():
        debian, own = (statistics.median(values[kernel]) for kernel in KERNELS)
        every = "; ".join(
            f"{kernel} {', '.join(f'{value:.1f}' for value in values[kernel])}"
            for kernel in KERNELS
        )
        print(f"{what}: ratio {own / debian:.2f} ({every})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, sys.argv[2:])
