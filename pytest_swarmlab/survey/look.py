"""One look at a whole cluster: every machine at once, and a manager for the swarm's own state.

Nothing is changed: engines get GET requests, machines get commands that only read. If something
can't be seen, the reason is recorded and the rest is looked at.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

from pytest_swarmlab.model import NodeSpec
from pytest_swarmlab.survey import definitions, events, seen
from pytest_swarmlab.survey.machine import Container, Engine, Machine, Volume
from pytest_swarmlab.survey.plain import Hider
from pytest_swarmlab.survey.system import Looker
from pytest_swarmlab.waiting.conditions import OF_FORM, brief, no_answer

if TYPE_CHECKING:
    from pytest_swarmlab.swarm.cluster import Node, Swarm

ENGINE_S = 25.0
"""Longest an engine may take over one question, seconds: more than the 20 s after which a manager
without a quorum gives up.
"""

ILL = {
    "inactive": "it belongs to no swarm",
    "pending": "its part of the swarm is only starting",
    "locked": "its part of the swarm is locked, and `docker swarm unlock` wants the unlock key",
    "error": "its part of the swarm has failed",
}
"""State of an engine outside a working swarm → its meaning."""


def look(swarm: Swarm, away: Mapping[NodeSpec, str] | None = None) -> seen.Survey:
    """Look at the cluster once and record it; returns the survey as a reader of the record gets it.

    `away`: further machines of the cluster that could not be connected to, and why.
    """
    began = time.monotonic()
    writer, hider = events.Writer(swarm.recorder), Hider()
    away = away or {}
    specs = [*swarm.topology.nodes, *away]
    writer.began(swarm.machines.id, [Machine(s.name, s.address, str(s.membership)) for s in specs])
    for spec, why in away.items():
        for part in events.OF_MACHINE:
            writer.unseen(part, why, node=spec.name)
    with ThreadPoolExecutor(len(swarm.nodes) + 1) as pool:
        asked = [_Machine(node, writer, hider) for node in swarm.nodes]
        list(pool.map(_Machine.engine, asked))
        rest = pool.map(_Machine.rest, asked)
        _Managers(asked, writer, hider).look()
        list(rest)
    writer.ended(time.monotonic() - began)
    return events.read(swarm.recorder.view())


def services(swarm: Swarm) -> seen.Survey:
    """The services' definitions as its leader says them, and nothing else; none is recorded."""
    api, hider = swarm.leader().engine.api, Hider()
    networks = {network["Id"]: network["Name"] for network in api.networks()}
    found = (definitions.service(told, networks, hider) for told in api.services())
    return seen.Survey(services=tuple(found))


class _Machine:
    """One machine, and what its engine said of itself."""

    def __init__(self, node: Node, writer: events.Writer, hider: Hider) -> None:
        self.node = node
        self.told: Engine | None = None
        self.ahead_s = 0.0
        """Seconds by which the node's clock is ahead of this machine's."""
        self._writer = writer
        self._hider = hider

    def engine(self) -> None:
        """Ask the engine who it is."""

        def ask() -> Engine:
            with closing(self.node.new_engine(ENGINE_S)) as engine:
                info = engine.info()
            if (now := definitions.unix(info.get("SystemTime", ""))) is not None:
                self.ahead_s = now - time.time()
            self.told = definitions.engine(info)
            return self.told

        self._part("engine", ask)

    def rest(self) -> None:
        """Everything else on the machine; an engine that gave no answer is not asked again."""
        if self.told:
            self._part("containers", self._containers)
            self._part("volumes", self._volumes)
        else:
            for part in ("containers", "volumes"):
                self._writer.unseen(part, "its engine gave no answer", node=self.node.name)
        root = self.told.root if self.told else ""
        self._part("system", Looker(self.node, root or "/var/lib/docker").look)

    def _containers(self) -> list[Container]:
        with closing(self.node.new_engine(ENGINE_S)) as engine:
            return [definitions.container(each) for each in engine.api.containers(all=True)]

    def _volumes(self) -> list[Volume]:
        with closing(self.node.new_engine(ENGINE_S)) as engine:
            there = engine.api.volumes()["Volumes"] or ()
        return [definitions.volume(each, self._hider) for each in there]

    def _part(self, part: str, ask: Callable[[], Any]) -> None:
        name = self.node.name
        _record(
            ask,
            lambda value, seconds: self._writer.part(part, value, seconds, node=name),
            lambda why: self._writer.unseen(part, why, node=name),
        )


class _Managers:
    """The swarm, as the first manager that can answer describes it."""

    def __init__(self, machines: list[_Machine], writer: events.Writer, hider: Hider) -> None:
        self._machines = machines
        self._writer = writer
        self._hider = hider
        self._names: dict[str, str] = {}
        self._networks: dict[str, str] = {}

    def look(self) -> None:
        """Ask for every part of it."""
        said = {}
        for machine in self._machines:
            if machine.told and machine.told.control:
                with closing(machine.node.new_engine(ENGINE_S)) as engine:
                    try:
                        rows = engine.api.nodes()
                    except no_answer() as error:
                        said[machine.node.name] = brief(error)
                        continue
                    self._ask(engine, machine, rows)
                    return
        why = "; ".join(f"{name}: {words}" for name, words in said.items()) or self._why_nobody()
        for part in events.OF_SWARM:
            self._writer.unseen(part, why, seen_from="")

    def _why_nobody(self) -> str:
        """Why no manager was asked, in one sentence."""
        states = {m.node.name: m.told.state for m in self._machines if m.told}
        if not states:
            return "no engine gave an answer"
        if set(states.values()) == {"inactive"}:
            return "none of the machines belongs to a swarm: `docker swarm init` makes one"
        ill = [f"{name}: {ILL.get(s, s)}" for name, s in states.items() if s != "active"]
        if ill:
            return "; ".join(ill)
        return "none of the machines that could be asked is a manager"

    def _ask(self, engine: Any, machine: _Machine, rows: list[dict[str, Any]]) -> None:
        api, hider, name = engine.api, self._hider, machine.node.name
        # By the manager's clock, as the time stamps are.
        now = time.time() + machine.ahead_s
        self._part("nodes", name, lambda: self._nodes(rows))
        self._part("networks", name, lambda: self._networks_of(api))
        for part, ask in (
            ("services", lambda: [self._service(each) for each in api.services()]),
            ("tasks", lambda: [definitions.task(t, self._names, now) for t in api.tasks()]),
            ("secrets", lambda: [definitions.secret(each) for each in api.secrets()]),
            ("configs", lambda: [definitions.config(each, hider) for each in api.configs()]),
            ("settings", lambda: definitions.settings(api.inspect_swarm())),
        ):
            self._part(part, name, ask)

    def _networks_of(self, api: Any) -> list[seen.Network]:
        found = [definitions.network(n) for n in api.networks() if n.get("Scope") == "swarm"]
        self._networks = {network.id: network.name for network in found}
        return found

    def _service(self, told: dict[str, Any]) -> seen.Service:
        return definitions.service(told, self._networks, self._hider)

    def _nodes(self, rows: list[dict[str, Any]]) -> list[seen.NodeRow]:
        """Each with the machine that says that it is this node, or alone has its name."""
        by_id = {m.told.node_id: m.node.name for m in self._machines if m.told and m.told.node_id}
        called = Counter(_host_name(row) for row in rows)
        silent = {m.node.name for m in self._machines if m.told is None}
        ready = {_host_name(row) for row in rows if row["Status"].get("State") == "ready"}
        listed = []
        for row in rows:
            name = _host_name(row)
            machine = by_id.get(row["ID"], "")
            if not machine and name in silent and called[name] == 1:
                machine = name
            gone = not machine and row["Status"].get("State") == "down"
            self._names[row["ID"]] = machine or name
            listed.append(definitions.node(row, machine, leftover=gone and name in ready))
        return sorted(listed, key=lambda row: (row.role, row.name, row.id))

    def _part(self, part: str, seen_from: str, ask: Callable[[], Any]) -> None:
        _record(
            ask,
            lambda value, seconds: self._writer.part(part, value, seconds, seen_from=seen_from),
            lambda why: self._writer.unseen(part, why, seen_from=seen_from),
        )


def _record(
    ask: Callable[[], Any],
    told: Callable[[Any, float], None],
    unseen: Callable[[str], None],
) -> None:
    """Ask, and record the answer, with the seconds that it took, or why there is none."""
    began = time.monotonic()
    try:
        value = ask()
    except no_answer() as error:
        unseen(brief(error))
    except OF_FORM as error:
        said = f"{error!r:.100}"
        unseen(f"what the engine said of it is of another kind than expected ({said})")
    else:
        told(value, time.monotonic() - began)


def _host_name(row: Mapping[str, Any]) -> str:
    return str((row.get("Description") or {}).get("Hostname", ""))
