"""Fetches what a cluster tells of itself: identity and capabilities first, logs at the end."""

from __future__ import annotations

import re
import shlex
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_swarmlab.errors import SwarmlabError
from pytest_swarmlab.evidence.capabilities import capabilities
from pytest_swarmlab.model import Capability

if TYPE_CHECKING:
    from pytest_swarmlab.cluster import Node, Swarm
    from pytest_swarmlab.evidence.recorder import Recorder
    from pytest_swarmlab.providers.base import Provider


RAFT_ROLE = re.compile(r"became (?P<role>follower|candidate|leader) at term (?P<term>\d+)")
"""How the engine's Raft library tells a change of role; candidate: it campaigns for that term."""

JOURNAL = ("journalctl", "--no-pager", "-o", "short-iso-precise", "-u", "docker")


def describe(swarm: Swarm, provider: Provider, *, seconds: float) -> None:
    """Record what this cluster is made of and what its kernels can do, as `cluster.ready`."""
    first = swarm.nodes[0]
    info = first.engine.info()
    found = capabilities(swarm, first)
    swarm.capabilities = frozenset(c for c in Capability if found[c])
    swarm.recorder.record(
        "cluster.ready",
        cluster=swarm.machines.id,
        provider=provider.name,
        topology={
            "name": swarm.topology.name,
            "managers": len(swarm.topology.managers),
            "workers": len(swarm.topology.workers),
        },
        nodes=[
            {"name": n.name, "address": n.address, "membership": n.membership}
            for n in swarm.topology.nodes
        ],
        engine_version=info["ServerVersion"],
        kernel=info["KernelVersion"],
        kernel_source=swarm.machines.kernel,
        images=provider.images(),
        capabilities=found,
        seconds=seconds,
    )


def raft_log(nodes: Sequence[Node], recorder: Recorder, *, since: float) -> None:
    """Record what these nodes' engines logged of their roles in Raft, as `raft` events.

    `since`: Unix time in seconds. An event tells node, moment (Unix time), role and term.
    """
    for node in nodes:
        argv = ["journalctl", "--no-pager", "-o", "short-unix", "-u", "docker"]
        lines: str = node.host.run(shlex.join([*argv, f"--since=@{since:.0f}"])).stdout
        for line in lines.splitlines():
            if found := RAFT_ROLE.search(line):
                recorder.record(
                    "raft",
                    node=node.name,
                    at=float(line.split()[0]),
                    what=found["role"],
                    term=int(found["term"]),
                )


ANSWER_S = 30.0
"""Longest until an engine begins to tell; what it tells then has no time limit."""

CONTAINER_EVENTS = ("start", "health_status", "kill", "die")
"""What an engine tells of a container's life; its health checks themselves are left out."""


@contextmanager
def engine_events(nodes: Sequence[Node], recorder: Recorder, service: str) -> Iterator[None]:
    """Record what these engines tell of the service's containers, as `engine` events, as it comes.

    `service`: its full name.
    """
    wanted = {
        "type": "container",
        "event": list(CONTAINER_EVENTS),
        "label": f"com.docker.swarm.service.name={service}",
    }
    with ExitStack() as listening:
        for node in nodes:
            client = node.new_engine(ANSWER_S)
            listening.callback(client.close)
            stream = client.events(decode=True, filters=wanted)
            listener = threading.Thread(
                target=_listen, args=(node.name, stream, recorder), name=f"events-{node}"
            )
            listener.start()
            # In this order: it ends when its stream does.
            listening.callback(listener.join)
            listening.callback(stream.close)
        yield


def _listen(node: str, stream: Any, recorder: Recorder) -> None:
    for event in stream:
        about = event.get("Actor", {}).get("Attributes", {})
        # A task's name is service.slot.id.
        _, slot, task = about.get("com.docker.swarm.task.name", "..").rsplit(".", 2)
        recorder.record(
            "engine",
            node=node,
            what=event.get("Action", ""),
            at=event.get("timeNano", 0) / 1e9,
            service=about.get("com.docker.swarm.service.name", ""),
            slot=int(slot) if slot.isdigit() else None,
            task=task,
            container=event.get("Actor", {}).get("ID", "")[:12],
            exit_code=about.get("exitCode"),
            signal=about.get("signal"),
        )


def fetch_logs(swarm: Swarm, directory: Path) -> dict[str, str]:
    """Write every node's engine log to ``<directory>/<node>.engine.log``.

    Returns node → why its log could not be had; a missing log never hides anything else.
    """

    def fetch(node: Node) -> tuple[str, str | None]:
        try:
            output: Any = node.host.run(" ".join(JOURNAL))
        except (SwarmlabError, RuntimeError, OSError) as error:
            return node.name, str(error)
        (directory / f"{node.name}.engine.log").write_text(
            swarm.recorder.redactor.text(output.stdout), encoding="utf-8", errors="replace"
        )
        return node.name, None if output.rc == 0 else output.stderr.strip()

    directory.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(max_workers=len(swarm.nodes)) as pool:
        return {name: why for name, why in pool.map(fetch, swarm.nodes) if why}
