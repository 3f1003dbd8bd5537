"""The proxy's configuration is changed while visitors come, and versioned."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests

from pytest_swarmlab.clients.probe import TIMEOUT_S, Probe, session
from pytest_swarmlab.clients.serving import await_serving
from pytest_swarmlab.evidence.events import TaskSeen
from pytest_swarmlab.evidence.observer import Observe
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.stacks import Service, Stack, Stacks
from pytest_swarmlab.waiting.conditions import brief
from pytest_swarmlab.waiting.waiter import Waiter

from ..refused import answer
from . import events, perform
from .drill import READY_S, UPDATED_S, note_answer, try_to_remove
from .perform import NGINX, PORT, PROXY, V1, V2, V3

RATE, ENOUGH = 20.0, 10
"""Each of five nodes is asked every 250 ms, and twice before and after each change."""

STAYS_S = 2
"""Seconds without a move."""


# -- the proxy ---------------------------------------------------------------------------------


@dataclass
class Proxy:
    """The lab's reverse proxy, from its file as it stands to versions named by their content."""

    swarm: Swarm
    stack: Stacks
    configs: Configs
    wait: Waiter
    probe: Probe
    observe: Observe
    evidence: Evidence

    @property
    def nginx(self) -> Service:
        """The proxy's service."""
        return Stack(self.swarm, PROXY).service(NGINX)

    def start_without_a_backend(self) -> None:
        """The lab's file never works; the corrected one brings the backend, and it does."""
        perform.create_for_the_proxy(self.configs)
        nginx = perform.deploy_literally(self.stack)
        # It may take nginx some seconds to give up looking for the name.
        perform.create_later_ones(self.configs)
        perform.show(self.swarm, V1, V2, V3)
        tried = self.swarm.leader().run(
            "docker", "service", "update", "--detach", "--config-rm", V1,
            "--config-add", f"source={V2},target={perform.TARGET}", NGINX,
            check=False, title="The lab's name for the service",
        )  # fmt: skip
        note_answer(self.evidence, "lab-name", tried.code, tried.stderr)
        self._note_failed(self.wait(nginx.task_failed(), within=READY_S))
        perform.listing(nginx, "No service is called backend")
        # Not as an update of what never worked: nginx starts sooner than the backend, ends at once,
        # and the update would take itself back, to the lab's file.
        self.stack.remove(PROXY)
        perform.deploy(self.stack, title="The corrected file, with a backend")
        self._whole()
        self._note_echo(V1)
        (task, *_) = self.wait(self.nginx.converged(replicas=2), within=READY_S)
        perform.ask(self.swarm.node(task.node), task.container)

    def switch(self) -> None:
        """The lab's update, from version 1 to 2, two replicas one after the other.

        In Swarm's default order, as in the lab's own file.
        """
        self.under_load(
            "switch", lambda: perform.switch(self.nginx, V1, V2, "--update-order", "stop-first")
        )
        self._note_echo(V2)

    def roll_back(self) -> None:
        """`docker service rollback`: back to version 1."""
        self.under_load(
            "rollback", lambda: self.nginx.rollback(title="Back to the version before"), back=True
        )

    def try_a_bad_one(self) -> None:
        """A configuration that nginx refuses: the update rolls itself back."""
        known = self.task_ids()
        self.under_load("bad", lambda: perform.switch(self.nginx, V1, V3), back=True)
        self._note_failed(self.wait(self.nginx.task_failed(known=known), within=READY_S))

    def task_ids(self) -> list[str]:
        """Every task that the service has or had, those that failed long ago among them."""
        return [task.id for task in self.nginx.tasks()]

    def leave_one(self) -> None:
        """One replica; the other has left the balancing, if not yet its node."""
        self.nginx.scale(1)
        self.wait(self.nginx.converged(replicas=1), within=READY_S)

    def switch_one(self) -> None:
        """The same update; the only replica stops before the next one starts."""
        order = "stop-first"
        self.under_load(
            order,
            lambda: perform.switch(self.nginx, V1, V2, "--update-order", order),
            replicas=1,
        )

    def under_load(
        self, what: str, act: Callable[[], None], *, back: bool = False, replicas: int = 2
    ) -> None:
        """Do it while visitors come through every node; note when it began, was over, and settled.

        With start-first an update is complete as soon as the next replica runs; the old one is
        stopped only then, and answers until every node knows.
        """
        nginx, leader = self.nginx, self.swarm.leader()
        via = self.swarm.members()
        with (
            self.observe([leader], service=nginx.name),
            self.probe(via=via, port=PORT, rate=RATE, header=perform.VERSION_HEADER) as traffic,
        ):
            self.wait(traffic.asked_at_least(ENOUGH), within=READY_S)
            self.evidence.write(events.Begun(what))
            act()
            self.wait(nginx.rolled_back() if back else nginx.updated(), within=UPDATED_S)
            status = leader.engine.api.inspect_service(nginx.name)["UpdateStatus"]
            self.evidence.write(events.Over(what, status["State"], status["Message"]))
            self.wait(nginx.settled(), within=READY_S)
            # A node that has not heard of the next one yet turns visitors away.
            self.wait(self.swarm.mesh_lists(replicas), within=READY_S)
            self.evidence.write(events.Settled(what))
            self.wait(traffic.asked_at_least(traffic.asked + ENOUGH), within=READY_S)
        perform.listing(nginx, what)

    def _whole(self) -> None:
        """Both replicas and the backend run, and both serve through every node."""
        self.wait(Stack(self.swarm, PROXY).service("backend").converged(replicas=1), within=READY_S)
        await_serving(self.wait, self.nginx, replicas=2, port=PORT, within=READY_S)
        self.evidence.tasks(self.swarm, self.nginx.name)

    def _note_failed(self, task: TaskSeen) -> None:
        said = self.swarm.node(task.node).log_of(task.container)
        self.evidence.write(events.Failed(said, task.exit_code, task.error))

    def _note_echo(self, config: str) -> None:
        """What the backend says that the proxy told it, asked through every node."""
        members = self.swarm.members()
        with session(members) as client:
            for node in members:
                said, error = None, None
                try:
                    said = client.get(f"http://{node.name}:{PORT}/", timeout=TIMEOUT_S).text
                except (requests.RequestException, OSError) as problem:
                    error = brief(problem)
                self.evidence.write(events.Echo(config, node.name, said, error))


# -- versions ----------------------------------------------------------------------------------

VERSIONED = "nginx"


@dataclass
class Versions:
    """The proxy's stack, deployed with configs that are named by their content."""

    proxy: Proxy
    names: dict[str, str] = field(default_factory=dict)
    """Step → the name of the version that was deployed in it."""

    first = perform.content("nginx.conf")
    second = perform.content("nginx-v2.conf")
    third = second.replace(b"X-Config v2", b"X-Config v3")

    def begin(self) -> None:
        """The first, served by one replica: the next is started before the last is stopped."""
        self.proxy.under_load("start-first", lambda: self._deploy("first", self.first), replicas=1)

    def go_on(self) -> None:
        """The same again, another, a third; unused ones removed; back; and no way back."""
        self._see("first")
        self._deploy("first-again", self.first)
        self._see("first-again", changed=False)
        self._deploy("second", self.second)
        self._see("second")
        self._deploy("third", self.third)
        self._see("third")
        removed = self.proxy.configs.prune(VERSIONED, title="Versions that nothing needs go")
        self._note("pruned", removed=tuple(removed))
        try_to_remove(self.proxy.swarm, self.proxy.evidence, "current", self.names["third"])
        self._roll_back("rolled-back")
        self._lose_the_way_back(self.names["third"])

    def _deploy(self, step: str, raw: bytes) -> None:
        proxy = self.proxy
        name = proxy.configs.version(VERSIONED, raw, title=f"Version of {VERSIONED}: {step}")
        self.names[step] = name
        perform.deploy(proxy.stack, title=f"Deployed: {step}", NGINX_CONFIG=name, REPLICAS="1")

    def _see(self, step: str, *, changed: bool = True) -> None:
        nginx = self.proxy.nginx
        if changed:
            self.proxy.wait(nginx.updated(), within=UPDATED_S)
        else:
            self.proxy.wait(nginx.watched(for_s=STAYS_S), within=READY_S)
        self._note(step, deployed=self.names[step], serving=changed)

    def _roll_back(self, step: str) -> None:
        self.proxy.nginx.rollback(title="Back to the version before")
        self.proxy.wait(self.proxy.nginx.rolled_back(), within=UPDATED_S)
        self._note(step, serving=True)
        # A task that is still stopping keeps its node in possession of its config.
        self.proxy.wait(self.proxy.nginx.settled(), within=READY_S)

    def _lose_the_way_back(self, name: str) -> None:
        """The version that only a rollback needs can be removed, and the rollback is accepted all
        the same.
        """
        proxy = self.proxy
        title = "The version before is removed by hand"
        said = answer(lambda: proxy.configs.remove(name, title=title))
        note_answer(proxy.evidence, "previous", *said)
        known = proxy.task_ids()
        proxy.nginx.rollback(title="Back to a version that was removed")
        task = proxy.wait(proxy.nginx.task_failed(known=known), within=READY_S)
        proxy.evidence.write(events.Lost(task.error))
        perform.listing(proxy.nginx, "The way back is lost")

    def _note(
        self,
        step: str,
        *,
        serving: bool = False,
        deployed: str | None = None,
        removed: tuple[str, ...] | None = None,
    ) -> None:
        """`serving`: also ask the container which version it serves."""
        proxy = self.proxy
        leader = proxy.swarm.leader()
        service = leader.engine.api.inspect_service(proxy.nginx.name)
        (task,) = proxy.wait(proxy.nginx.converged(replicas=1), within=READY_S)
        version = events.Version(
            step,
            listed=tuple(proxy.configs.versions(VERSIONED)),
            current=_config_of(service["Spec"]),
            previous=_config_of(service.get("PreviousSpec")),
            task=task.id,
            served=_served(proxy.swarm.node(task.node), task.container) if serving else None,
            deployed=deployed,
            removed=removed,
        )
        proxy.evidence.write(version)


def _config_of(spec: dict[str, Any] | None) -> str | None:
    """The name of the one config in a service's definition."""
    if not spec:
        return None
    (config,) = spec["TaskTemplate"]["ContainerSpec"]["Configs"]
    name: str = config["ConfigName"]
    return name


def _served(node: Node, container: str) -> str:
    """Which version the container's nginx says that it has."""
    return node.look(
        "docker", "exec", container, "curl", "-sS", "-o", "/dev/null", "-w",
        f"%header{{{perform.VERSION_HEADER}}}", "http://127.0.0.1/healthy",
    ).stdout  # fmt: skip
