"""Their proxy is given another configuration while visitors come, and its own again."""

import base64
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from pytest_swarmlab.clients.probe import Probe
from pytest_swarmlab.clients.serving import Serves
from pytest_swarmlab.evidence.observer import Observe
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.submitted.work import Work
from pytest_swarmlab.survey.seen import Given
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.guard import Guard, Undoes
from pytest_swarmlab.swarm.stacks import Service
from pytest_swarmlab.waiting.waiter import Waiter

from ..exercise_2_7.events import Begun, Over, Settled
from ..exercise_2_7.proxy import MARK, THEIR_VERSION
from ..exercise_2_7.under_load import ENOUGH, RATE, STAYS_S
from .theirs import PATIENCE_S, READY_S, player_of, port, replicas

BLOCK = re.compile(r"\b(?:server|location\b[^{};#\n]*)\s*\{")
"""Where a server or a location of nginx begins."""

SWITCHED_S = 240
"""Replicas are exchanged one after the other, with their pauses: the lab's own two took 20 s."""


@dataclass(frozen=True)
class Switched:
    """Their proxy, where it is published, and which of its configs says what it serves."""

    service: Service
    replicas: int
    port: int
    config: Given


def proxy(work: Work) -> Switched:
    """Their proxy. Skips the test where there is none, or its configuration is not known here."""
    player = player_of(work, "proxy")
    if player.repository != "nginx":
        pytest.skip(f"{player.name} is no nginx: the drill can't change its configuration")
    texts = {config.name: config.text or "" for config in work.survey.configs or ()}
    given = [c for c in player.configs if BLOCK.search(texts.get(c.name, ""))]
    if not given:
        pytest.skip(f"{player.name} has no config with a server in it")
    service = Service(work.swarm, player.name)
    return Switched(service, replicas(work, "proxy"), port(work, "proxy"), given[0])


def marked(content: bytes) -> bytes:
    """Their configuration, in which every server and location adds a header that tells it apart."""
    header = f" add_header {MARK} {THEIR_VERSION} always;"
    return BLOCK.sub(lambda found: found[0] + header, content.decode()).encode()


def switch(
    mine: Switched,
    *,
    configs: Configs,
    wait: Waiter,
    probe: Probe,
    observe: Observe,
    evidence: Evidence,
) -> None:
    """Give it the marked configuration, by the update that its own definition says."""
    service, swarm = mine.service, mine.service.swarm
    leader = swarm.leader()
    found = leader.engine.api.inspect_config(mine.config.name)
    name = f"swarmlab-{secrets.token_hex(4)}"
    serves = Serves(swarm, replicas=mine.replicas, port=mine.port, timeout=PATIENCE_S)
    wait(service.converged(replicas=mine.replicas), within=READY_S)
    wait(serves, within=READY_S)
    configs.create(name, marked(base64.b64decode(found["Spec"]["Data"])))
    with (
        _own_again(mine, name, wait),
        observe([leader], service=service.name),
        probe(via=swarm.members(), port=mine.port, rate=RATE, header=MARK) as traffic,
    ):
        wait(traffic.asked_at_least(ENOUGH), within=READY_S)
        evidence.write(Begun("switch"))
        service.update(*_instead(mine.config.name, name, mine.config),
                       title=f"{service.name} is given its configuration with a mark")  # fmt: skip
        wait(service.updated(), within=SWITCHED_S)
        status = leader.engine.api.inspect_service(service.name)["UpdateStatus"]
        evidence.write(Over("switch", state=status["State"], said=status["Message"]))
        wait(service.settled(), within=READY_S)
        wait(service.watched(for_s=STAYS_S), within=READY_S)
        evidence.write(Settled("switch"))
        wait(traffic.asked_at_least(traffic.asked + ENOUGH), within=READY_S)
    configs.remove(name)


def _instead(old: str, new: str, given: Given) -> tuple[str, ...]:
    """Words of an update that gives one config in the other's place, under the same owner."""
    place = f"source={new},target={given.target},uid={given.owner},gid={given.group}"
    return ("--config-rm", old, "--config-add", f"{place},mode=0{given.mode:o}")


@contextmanager
def _own_again(mine: Switched, name: str, wait: Waiter) -> Iterator[None]:
    """At the end it has its own configuration, whatever became of the other."""
    service, swarm = mine.service, mine.service.swarm
    back = _instead(name, mine.config.name, mine.config)
    words = ("docker", "service", "update", "--detach", *back, service.name)

    def undo() -> None:
        if name in _given(service):
            service.update(*back, title=f"{service.name} has its own configuration again")
            wait(service.updated(), within=SWITCHED_S)
            wait(service.converged(replicas=mine.replicas), within=READY_S)

    with Guard.undone_after([(swarm.leader(), [words])], "config", Undoes.DEPLOYMENT, undo=undo):
        yield


def _given(service: Service) -> set[str]:
    """Names of the configs that its definition has now."""
    found = service.swarm.leader().engine.api.inspect_service(service.name)
    configs = found["Spec"]["TaskTemplate"]["ContainerSpec"].get("Configs") or []
    return {config["ConfigName"] for config in configs}
