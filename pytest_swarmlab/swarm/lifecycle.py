"""Forms a swarm of a topology, and dissolves it."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Signal
from typing import TypeVar

from pytest_swarmlab import interrupt
from pytest_swarmlab.errors import NotConverged, ProviderError
from pytest_swarmlab.evidence import collectors, waits
from pytest_swarmlab.evidence.events import (
    NodeJoined,
    NodeUp,
    Notice,
    StageDone,
    StageFailed,
    StageStarted,
)
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.model import Membership, Topology
from pytest_swarmlab.parallel import at_once
from pytest_swarmlab.providers.base import Machines, Provider
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.waiting.conditions import NodesReady, brief, no_answer

BOOT_S = 180.0
"""Longest a node may take to answer. Five at once took 64 s untrimmed on two cores."""

READY_S = 60.0
"""Longest the swarm may take to be whole after the last join; it takes a few seconds."""

SWARM_PORT = 2377

JOINS_ON = "attempt to join the swarm will continue in the background"
"""Part of the engine's message when a join takes more than 20 s (moby, daemon/cluster). It is no
refusal: whoever needs the node waits until it is ready.
"""

T = TypeVar("T")


@contextmanager
def stage(recorder: Recorder, name: str) -> Iterator[None]:
    """Record a step of the set-up with its duration, whether it succeeds or not."""
    began = time.monotonic()
    recorder.write(StageStarted(name))
    try:
        yield
    except BaseException as error:
        seconds = round(time.monotonic() - began, 2)
        recorder.write(StageFailed(name, seconds, str(error)))
        raise
    recorder.write(StageDone(name, round(time.monotonic() - began, 2)))


def provision(
    provider: Provider, topology: Topology, *, recorder: Recorder, consoles: Path
) -> Swarm:
    """Start the machines, form the swarm, return when every member is ready.

    Raises HostError or ProviderError; then nothing is left of it. `consoles`:
    directory for the machines' console logs.
    """
    if warning := topology.warning():
        recorder.write(Notice(warning))

    def boot_and_form(swarm: Swarm) -> None:
        _form(swarm, "booting and joining", _await_boot)

    return _started(provider, topology, boot_and_form, recorder=recorder, consoles=consoles)


def form(swarm: Swarm) -> None:
    """Form the swarm of its topology on machines that answer, and return when each member is ready.

    Raises ProviderError where it does not form.
    """
    _form(swarm, "joining", lambda *_: None)


def _form(swarm: Swarm, name: str, await_up: Callable[[Swarm, Node], None]) -> None:
    """`name`: of the stage. `await_up`: returns when a machine of the swarm answers."""
    topology, recorder = swarm.topology, swarm.recorder
    members = len(topology.managers) + len(topology.workers)
    try:
        with stage(recorder, name):
            _join_each(swarm, await_up)
        with stage(recorder, "every node ready"):
            waits.of_the_suite(recorder)(NodesReady(swarm, members=members), within=READY_S)
    except NotConverged as error:
        raise ProviderError(f"the swarm did not form: {error}") from error


def boot(provider: Provider, topology: Topology, *, recorder: Recorder, consoles: Path) -> Swarm:
    """Start the machines and return when each answers. None is in a swarm, whatever it is to be.

    Raises HostError or ProviderError; then nothing is left of it.
    """

    def await_each(swarm: Swarm) -> None:
        with stage(recorder, "booting"):
            _with_each(swarm, functools.partial(_await_boot, swarm), Signal())

    return _started(provider, topology, await_each, recorder=recorder, consoles=consoles)


def _started(
    provider: Provider,
    topology: Topology,
    bring: Callable[[Swarm], None],
    *,
    recorder: Recorder,
    consoles: Path,
) -> Swarm:
    """Machines that `bring` has made what they are to be, and described; or nothing is left."""
    began = time.monotonic()
    with stage(recorder, f"starting {len(topology.nodes)} machines"):
        machines = provider.start(topology, recorder=recorder, consoles=consoles)
    try:
        swarm = Swarm(machines, recorder)
        bring(swarm)
        collectors.describe(swarm, provider, seconds=round(time.monotonic() - began, 2))
    except BaseException:
        stop(machines)
        raise
    return swarm


def stop(machines: Machines) -> None:
    """Remove the machines whole, whatever is pressed meanwhile."""
    with interrupt.deferred():
        machines.stop()


def _await_boot(swarm: Swarm, node: Node) -> None:
    node.await_access(BOOT_S)
    swarm.recorder.write(NodeUp(node.name))


def _join_each(swarm: Swarm, await_up: Callable[[Swarm, Node], None]) -> None:
    """In parallel: each node joins as soon as it and the first manager are up."""
    first = swarm.topology.managers[0].name
    membership = {spec.name: spec.membership for spec in swarm.topology.nodes}
    tokens: dict[str, str] = {}
    created, failed = Signal(), Signal()

    def bring(node: Node) -> None:
        try:
            await_up(swarm, node)
            if node.name == first:
                tokens.update(create(node))
                created.set()
            elif membership[node.name] is not Membership.OUTSIDE:
                while not created.wait(0.2):
                    if failed.is_set():
                        return
                join(node, swarm.node(first), tokens[membership[node.name]])
                swarm.recorder.write(NodeJoined(node.name))
        except BaseException:
            failed.set()
            raise

    _with_each(swarm, bring, failed)


def _with_each(swarm: Swarm, bring: Callable[[Node], None], failed: Signal) -> None:
    """Bring every node up, in a thread each; `failed` is set for those that wait for others."""
    pool, awaited = ThreadPoolExecutor(max_workers=len(swarm.nodes)), True
    try:
        for each in [pool.submit(bring, node) for node in swarm.nodes]:
            each.result()
    except KeyboardInterrupt:
        # Nobody waits for machines to boot that are given up. Threads end with them, and whoever
        # started them stops them.
        failed.set()
        awaited = False
        raise
    finally:
        pool.shutdown(wait=awaited)


def create(node: Node) -> dict[str, str]:
    """`docker swarm init` on that node; returns the join tokens, membership → token."""
    api = node.engine.api
    try:
        api.init_swarm(advertise_addr=node.address, listen_addr=f"0.0.0.0:{SWARM_PORT}")
        tokens = api.inspect_swarm()["JoinTokens"]
    except no_answer() as error:
        raise ProviderError(f"{node.name} could not create a swarm: {brief(error)}") from error
    return {Membership.MANAGER: tokens["Manager"], Membership.WORKER: tokens["Worker"]}


def join(node: Node, manager: Node, token: str) -> None:
    """`docker swarm join` on that node, through that manager.

    It may still go on afterwards (`JOINS_ON`).
    """
    try:
        node.engine.api.join_swarm(
            remote_addrs=[manager.at(SWARM_PORT)],
            join_token=token,
            advertise_addr=node.address,
            listen_addr=f"0.0.0.0:{SWARM_PORT}",
        )
    except no_answer() as error:
        if JOINS_ON not in str(error):
            raise ProviderError(f"{node.name} could not join the swarm: {brief(error)}") from error


def in_parallel(do: Callable[[Node], T], nodes: Iterable[Node]) -> list[T]:
    """Call `do` with every node at once; the first error is raised when all have ended."""
    nodes = list(nodes)
    for node in nodes:
        node.heed_interrupt()  # Threads don't know what ends the block that asks.
    return at_once(do, nodes)
