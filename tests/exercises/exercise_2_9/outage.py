"""Clients of the API while its database hangs, or Redis is away."""

import json
from dataclasses import dataclass

from pytest_swarmlab.clients.probe import Probe
from pytest_swarmlab.clients.serving import await_serving
from pytest_swarmlab.evidence.events import TaskSeen
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.services import Service
from pytest_swarmlab.swarm.stacks import Stack, Stacks
from pytest_swarmlab.waiting.waiter import Waiter

from . import application, events
from .application import API, DATABASE, REDIS
from .setting import API_PORT, API_REPLICAS, LABS_PORT

RATE = 5.0
READY_S = 120
HEALED_S = 90
DOWN_S = 90
WARM = 5
RESTARTS = API_REPLICAS + 1
"""One replica with the lab's check, at least, has been replaced twice before Redis comes back."""


@dataclass
class Outage:
    """One deployment of the stack."""

    swarm: Swarm
    stacks: Stacks
    stack: Stack
    wait: Waiter
    probe: Probe
    evidence: Evidence

    def freeze_the_database(self) -> None:
        """The database hangs, is found unhealthy and replaced; its row is still there."""
        api, database = self.stack.service(API), self.stack.service(DATABASE)
        (task,) = self.wait(database.converged(replicas=1), within=READY_S)
        self._await_serving(api, API_PORT, listed=API_REPLICAS)
        node = self.swarm.node(task.node)
        application.write_row(node, task.container)
        self.evidence.tasks(self.swarm, api.name)
        with (
            self.evidence.containers_of(self.swarm, database.name),
            self.probe(via=self.swarm.nodes, port=API_PORT, rate=RATE) as traffic,
        ):
            self.wait(traffic.asked_at_least(WARM), within=READY_S)
            application.freeze(node, task.container)
            self.evidence.write(events.Frozen(task.id, task.container))
            new = self.wait(database.replaced(task), within=HEALED_S)
            asked = traffic.asked
            self.wait(traffic.asked_at_least(asked + WARM), within=READY_S)
        self.evidence.tasks(self.swarm, database.name)
        self.evidence.tasks(self.swarm, api.name)
        rows = application.read_rows(self.swarm.node(new.node), new.container)
        self.evidence.write(events.Rows(new.id, tuple(rows)))

    def _await_serving(self, service: Service, port: int, *, listed: int) -> list[TaskSeen]:
        return await_serving(
            self.wait, service, replicas=API_REPLICAS, port=port, listed=listed, within=READY_S
        )

    def lose_redis(self) -> None:
        """Redis goes: the API whose check asks for it, and the one whose check does not."""
        api, redis = self.stack.service(API), self.stack.service(REDIS)
        labs = application.deploy_labs(self.stacks)
        tasks = self._await_serving(api, API_PORT, listed=2 * API_REPLICAS)
        self._await_serving(labs, LABS_PORT, listed=2 * API_REPLICAS)
        for service in (api, labs):
            self.evidence.tasks(self.swarm, service.name)
        with (
            self.evidence.containers_of(self.swarm, api.name),
            self.evidence.containers_of(self.swarm, labs.name),
            self.probe(via=self.swarm.nodes, port=API_PORT, rate=RATE) as own,
            # Where nobody answers a request costs its time limit. The others keep the usual one: a
            # connection whose first packet is lost comes about after a second (seen: one in 233).
            self.probe(via=self.swarm.nodes, port=LABS_PORT, rate=RATE, timeout=1.0),
        ):
            self.wait(own.asked_at_least(WARM), within=READY_S)
            # A replica that was slow to start may have been replaced before.
            before = [task.id for task in labs.tasks() if task.desired != "running"]
            redis.scale(0)
            self.evidence.write(events.OutageMoment("began"))
            self.wait(labs.tasks_are("running", 0), within=DOWN_S)
            self.evidence.write(events.OutageMoment("all down"))
            node = self.swarm.node(tasks[0].node)
            self._note_readiness(application.ask_readiness(node, tasks[0].container))
            self.wait(labs.ended(at_least=RESTARTS, known=before), within=DOWN_S)
            for service in (api, labs):
                self.evidence.tasks(self.swarm, service.name)
            redis.scale(1)
            self.evidence.write(events.OutageMoment("over"))
            self.wait(redis.converged(replicas=1), within=READY_S)
            self.wait(labs.converged(replicas=API_REPLICAS), within=READY_S)
            self.evidence.write(events.OutageMoment("all back"))
        for service in (api, labs):
            self.evidence.tasks(self.swarm, service.name)

    def _note_readiness(self, said: str) -> None:
        body, status = said[:-3], said[-3:]
        try:
            checks = json.loads(body).get("checks", {})
        except ValueError:
            checks = {}
        self.evidence.write(events.Readiness(status, checks))
