"""Collects what a cluster says of itself: identity and capabilities first, logs at the end."""

from __future__ import annotations

import re
import shlex
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_swarmlab.background import Background
from pytest_swarmlab.errors import ClientError, SwarmlabError
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.capabilities import capabilities
from pytest_swarmlab.evidence.confinement import confinement
from pytest_swarmlab.evidence.events import (
    ClusterReady,
    EngineTold,
    ImageSeen,
    MachineSeen,
    Notice,
    Raft,
    TopologySeen,
    last,
)
from pytest_swarmlab.model import Capability
from pytest_swarmlab.parallel import at_once
from pytest_swarmlab.waiting.conditions import understood

if TYPE_CHECKING:
    from pytest_swarmlab.evidence.recorder import Recorder
    from pytest_swarmlab.providers.base import Provider
    from pytest_swarmlab.swarm.cluster import Node, Swarm


RAFT_ROLE = re.compile(
    r"^(?P<at>\d+(\.\d+)?) .*became (?P<role>follower|candidate|leader) at term (?P<term>\d+)"
)
"""How the engine's Raft library logs a change of role; a candidate campaigns for that term."""

CURSOR = re.compile(r"^-- cursor: (\S+)$", re.MULTILINE)
"""journalctl's line with a position in the journal."""

JOURNAL = ("journalctl", "--no-pager", "-o", "short-iso-precise", "-u", "docker")


def describe(swarm: Swarm, provider: Provider, *, seconds: float) -> None:
    """Record the cluster's nodes and their kernels' capabilities as `cluster.ready`."""
    first = swarm.nodes[0]
    info = first.engine.info()
    swarm.identify()
    found = capabilities(swarm, first)
    if swarm.machines.foreign and (told := confinement(swarm)):
        swarm.recorder.write(Notice(told))
    swarm.capabilities = frozenset(c for c in Capability if found[c])
    swarm.recorder.write(
        ClusterReady(
            cluster=swarm.machines.id,
            provider=provider.name,
            topology=_size(swarm),
            nodes=_machines(swarm),
            engine_version=info["ServerVersion"],
            kernel=info["KernelVersion"],
            kernel_source=swarm.machines.kernel,
            images=tuple(ImageSeen(**image) for image in provider.images()),
            capabilities=found,
            seconds=seconds,
        )
    )


def describe_again(swarm: Swarm) -> None:
    """Record the same cluster as in another topology's starting state, which it has become."""
    told = last(swarm.recorder.view(), ClusterReady)
    if told is not None:
        again = replace(told, topology=_size(swarm), nodes=_machines(swarm), seconds=0)
        swarm.recorder.write(again)


def _size(swarm: Swarm) -> TopologySeen:
    wanted = swarm.topology
    return TopologySeen(wanted.name, len(wanted.managers), len(wanted.workers))


def _machines(swarm: Swarm) -> tuple[MachineSeen, ...]:
    return tuple(MachineSeen(n.name, n.address, n.membership) for n in swarm.topology.nodes)


def journal_ends(nodes: Sequence[Node]) -> dict[str, str]:
    """Node → the present end of its journal: so no clock of another machine decides what came
    after.
    """
    ends = {}
    for node in nodes:
        shown = node.look("journalctl", "--no-pager", "--lines=0", "--show-cursor").stdout
        if found := CURSOR.search(shown):
            ends[node.name] = found[1]
    return ends


def raft_log(nodes: Sequence[Node], recorder: Recorder, *, since: Mapping[str, str]) -> None:
    """Record what these nodes' engines logged of their roles in Raft, as `raft` events.

    `since`: the result of `journal_ends`; of a journal that was empty then all counts.
    """
    for node in nodes:
        argv = ["journalctl", "--no-pager", "-o", "short-unix", "-u", "docker"]
        after = [f"--after-cursor={since[node.name]}"] if node.name in since else []
        output: Any = node.host.run(shlex.join([*argv, *after]))
        for line in output.stdout_bytes.decode(errors="replace").splitlines():
            if found := RAFT_ROLE.search(line):
                recorder.write(
                    Raft(node.name, float(found["at"]), found["role"], int(found["term"]))
                )


ANSWER_S = 30.0
"""Longest wait for the start of an engine's stream of events, which itself has no time limit."""

CONTAINER_EVENTS = ("start", "health_status", "kill", "die")
"""Events of containers, without the executions of health checks."""


@contextmanager
def engine_events(nodes: Sequence[Node], recorder: Recorder, service: str) -> Iterator[None]:
    """Record these engines' events of the service's containers, as `engine` events, as they come.

    `service`: its full name. Raises ClientError at the block's end when an engine stopped sending
    before, unless a fault held its node.
    """
    wanted = {
        "type": "container",
        "event": list(CONTAINER_EVENTS),
        "label": f"com.docker.swarm.service.name={service}",
    }
    over = threading.Event()
    listeners = Background("listening to engines", threads=max(1, len(nodes)))
    with ExitStack() as listening:
        listening.push(lambda _, error, __: listeners.end(error))
        for node in nodes:
            client = node.new_engine(ANSWER_S)
            listening.callback(client.close)
            stream = client.events(decode=True, filters=wanted)
            listener = listeners.start(_listen, node.name, stream, recorder, over)
            # In this order: it ends when its stream does.
            listening.callback(wait, [listener])
            listening.callback(stream.close)
            listening.callback(over.set)
        yield


def _listen(node: str, stream: Any, recorder: Recorder, over: threading.Event) -> None:
    try:
        _record_all(node, stream, recorder)
    except Exception:
        # A stream that is closed within an event may raise anything.
        if not over.is_set():
            raise
    # The client ends the stream alike when it is closed and when its engine has gone.
    held = (fault for fault in readings.faults(recorder.view()) if node in fault.nodes)
    if not over.is_set() and not any(fault.on(recorder.now()) for fault in held):
        raise ClientError(f"the engine of {node} has ended its stream of events")


def _record_all(node: str, stream: Any, recorder: Recorder) -> None:
    for event in stream:
        with understood(f"an event of the engine of {node}"):
            told = _told(node, event)
        recorder.write(told)


def _told(node: str, event: Mapping[str, Any]) -> EngineTold:
    about = event.get("Actor", {}).get("Attributes", {})
    # A task's name is service.slot.id.
    _, slot, task = about.get("com.docker.swarm.task.name", "..").rsplit(".", 2)
    return EngineTold(
        node=node,
        what=event.get("Action", ""),
        at=event.get("timeNano", 0) / 1e9,
        service=about.get("com.docker.swarm.service.name", ""),
        slot=int(slot) if slot.isdecimal() else None,
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
            swarm.recorder.redactor.text(output.stdout_bytes.decode(errors="replace")),
            encoding="utf-8",
            errors="replace",
        )
        said = output.stderr_bytes.decode(errors="replace").strip()
        return node.name, None if output.rc == 0 else said

    directory.mkdir(parents=True, exist_ok=True)
    return {name: why for name, why in at_once(fetch, swarm.nodes) if why}
