"""How long a swarm of 3 + 2 containers takes to be ready, against a shell script, side by side.

The script (start_dind.sh) starts five containers of the same image at once, waits for each
engine, then inits and joins one by one. Ours: what the fixtures do.

    .venv/bin/python benchmarks/start_dind.py [ROUNDS]
"""

from __future__ import annotations

import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pytest_swarmlab.config import default_cache
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.images.container import ensure_image
from pytest_swarmlab.images.progress import SilentReport
from pytest_swarmlab.model import Topology
from pytest_swarmlab.providers.dind import DindProvider, engine
from pytest_swarmlab.swarm import lifecycle

TOPOLOGY = Topology.of(3, 2)
SCRIPT = Path(__file__).with_suffix(".sh")


def ours(directory: Path) -> float:
    """Seconds until every node is ready."""
    provider = DindProvider(cache=default_cache(), origin="stand-in")
    recorder = Recorder(directory / "ours.jsonl")
    began = time.monotonic()
    swarm = lifecycle.provision(provider, TOPOLOGY, recorder=recorder, consoles=directory / "ours")
    ready = recorder.view().last("stage.done", name="every node ready")
    seconds = ready.t if ready else time.monotonic() - began
    for node in swarm.nodes:
        node.forget_connections()
    swarm.machines.stop()
    recorder.close()
    return seconds


def script(image: str) -> float:
    """Seconds until the shell script says that every node is ready."""
    began = time.monotonic()
    argv = ["sh", str(SCRIPT), image, f"naive-{secrets.token_hex(3)}"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as naive:
        said = naive.stdout.readline().strip() if naive.stdout else ""
        seconds = time.monotonic() - began
        naive.communicate()
    if said != "ready":
        raise SystemExit(f"the script failed with {naive.returncode}")
    return seconds


def main(rounds: int) -> None:
    """Run both in turn, that many times, and print the ratio of the medians."""
    api = engine.connect()
    image = ensure_image(api, default_cache(), origin="stand-in", report=SilentReport()).reference
    times: list[tuple[float, float]] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as directory:
            slow = script(image)
            fast = ours(Path(directory))
        times.append((fast, slow))
        print(f"ours {fast:.1f} s, script {slow:.1f} s, ratio {fast / slow:.2f}")
    fast, slow = (statistics.median(column) for column in zip(*times, strict=True))
    print(
        f"median of {rounds}: ours {fast:.1f} s, script {slow:.1f} s, ratio {fast / slow:.2f}"
        " (at most 1.3 is wanted)"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
