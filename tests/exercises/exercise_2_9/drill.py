"""Faults that make tasks unhealthy, and the reaction of Swarm and clients."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from pytest_swarmlab.clients.probe import Probe
from pytest_swarmlab.clients.serving import Serves
from pytest_swarmlab.errors import CommandError
from pytest_swarmlab.evidence.events import TaskSeen
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Output, Swarm
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.services import Service, Services
from pytest_swarmlab.waiting.conditions import Ended
from pytest_swarmlab.waiting.waiter import Waiter

from . import events, perform
from .setting import PORT, REPETITIONS, REPLICAS

INTERVAL_NS, RETRIES, RESTART_DELAY_NS = 30e9, 3, 5e9
"""Defaults of a definition: moby's container/health.go, swarmkit's defaults."""

RATE = 10.0
READY_S = 90
HEALED_S = 60
STAYS_S = 6
"""Seconds for which a slot must stay empty: six times its restart delay."""
WARM = 10
DEATHS = 2
"""Kills after which a slow server counts as one that never starts."""
PASSWORD = "ending_password"  # noqa: S105 - its name


@dataclass(frozen=True)
class Healed:
    """What is healed: the number of replicas, their port (0: no client can ask), the repetitions.

    `within`: seconds that a task may take from its illness to its end, and to its successor.
    `at_once`: how many are ill at once, besides those whose successors start.
    `alone`: whether nothing else is published, so that a mesh shows the number of its replicas
    alone.
    """

    replicas: int = REPLICAS
    port: int = PORT
    repetitions: int = REPETITIONS
    within: float = HEALED_S
    at_once: int = 1
    alone: bool = True

    @property
    def away(self) -> int:
        """How many may be ill or replaced at once: one healthy one is left, if there are three."""
        return max(2, self.replicas - 1)


@dataclass
class Drill:
    """The fixtures of every drill."""

    swarm: Swarm
    wait: Waiter
    probe: Probe
    evidence: Evidence
    healed: Healed = Healed()
    struck: int = 0
    """How many tasks were made ill, with those of which no answer says whether they were."""

    # -- before and after a task is healthy ---------------------------------------------------

    def open_one_after_the_other(self, services: Services) -> Service:
        """Two tasks wait behind their gates; one is opened, asked for, and then the other."""
        service = perform.gated(services)
        tasks = self.wait(service.tasks_are("starting", 2), within=READY_S)
        self.evidence.tasks(self.swarm, service.name)
        self.wait(self.swarm.mesh_lists(0), within=READY_S)
        perform.listing("Before a task is healthy", service)
        self._ask("none", service)
        for opened, task in enumerate(tasks, 1):
            perform.open_gate(self.swarm.node(task.node), task.container)
            self.wait(service.tasks_are("running", opened), within=READY_S)
            self.evidence.tasks(self.swarm, service.name)
            self.wait(self.swarm.mesh_lists(opened), within=READY_S)
            serves = Serves(self.swarm, replicas=opened, port=perform.GATED_PORT)
            self.wait(serves, within=READY_S)
            self._ask("one" if opened == 1 else "both", service)
        perform.listing("When both are healthy", service)
        return service

    def _ask(self, when: str, service: Service) -> None:
        """A handful of requests through every node; note which task has answered how many."""
        path = f"/?asked={when}"
        # Where nobody answers a request costs its time limit.
        via = self.swarm.nodes
        with self.probe(via=via, port=perform.GATED_PORT, path=path, timeout=1.0) as traffic:
            self.wait(traffic.asked_at_least(10), within=READY_S)
        tasks = service.tasks()
        served = {
            task.id: self.swarm.node(task.node).log_of(task.container).count(path) for task in tasks
        }
        states = {task.id: task.state for task in tasks}
        self.evidence.write(events.Served(when, served, states))

    # -- healing ------------------------------------------------------------------------------

    def heal(self, service: Service) -> None:
        """The lab's test, five times: the page goes, the task becomes unhealthy, another comes.

        The next one is made ill as soon as those that are have ended, and while their successors
        start, as far as one healthy replica is left.
        """
        tasks = {task.slot or 0: task for task in self._whole(service)}
        before = self._ended(service)
        slots = itertools.cycle(sorted(tasks))
        self.define(service)
        with self.evidence.containers_of(self.swarm, service.name), self._clients() as asked:
            asked(WARM)
            ill: list[TaskSeen] = []
            ended: list[TaskSeen] = []
            for number in range(1, self.healed.repetitions + 1):
                if len(ill) == self.healed.at_once:
                    self._see_them_end(service, ill, number - 1, before)
                    ended, ill = [*ended, *ill], []
                while len(ill) + len(ended) >= self.healed.away:
                    old = ended.pop(0)
                    healed = self.wait(service.replaced(old), within=self.healed.within)
                    tasks[old.slot or 0] = healed
                task = tasks[next(slots)]
                self.break_one(number, task)
                ill.append(task)
            self._see_them_end(service, ill, self.healed.repetitions, before)
            perform.listing("The last ill task has ended", service)
            self._whole(service)
            asked(WARM)
        self.evidence.tasks(self.swarm, service.name)
        perform.listing("At the end", service)

    def _see_them_end(
        self, service: Service, ill: list[TaskSeen], ended: int, before: list[str]
    ) -> None:
        """`ended`: how many have then, besides those that had `before`."""
        self.wait(service.ended(at_least=ended, known=before), within=self.healed.within)
        for task in ill:
            self._note_checks(task)

    def _ended(self, service: Service) -> list[str]:
        """Ids of its tasks that had ended before: an old service has some."""
        return [task.id for task in service.tasks() if task.state in Ended.states]

    @contextmanager
    def _clients(self) -> Iterator[Callable[[int], object]]:
        """Clients ask within the block; yields what waits until they have asked so often more."""
        if not self.healed.port:
            yield lambda more: more
            return
        with self.probe(via=self.swarm.nodes, port=self.healed.port, rate=RATE) as traffic:
            yield lambda more: self.wait(
                traffic.asked_at_least(traffic.asked + more), within=READY_S
            )

    def break_one(self, number: int, task: TaskSeen) -> None:
        """The lab's `rm`, and note which task it struck and when it was over."""
        began = self.swarm.recorder.now()
        self.struck += 1
        try:
            perform.remove_index(self.swarm.node(task.node), task.container)
        except CommandError:
            self.struck -= 1  # Refused: the page is there.
            raise
        self.evidence.write(
            events.Broken(number, round(began, 4), task.id, task.slot, task.node, task.container)
        )

    def _note_checks(self, task: TaskSeen) -> None:
        """Note how the last checks of an ended container went: its engine remembers five."""
        self.evidence.write(self._checks(task))

    def _checks(self, task: TaskSeen) -> events.Checks:
        api = self.swarm.node(task.node).engine.api
        health = api.inspect_container(task.container)["State"].get("Health", {})
        log = health.get("Log") or []
        return events.Checks(
            task.container,
            seconds=tuple(round(_when(e["End"]) - _when(e["Start"]), 3) for e in log),
            exit_codes=tuple(entry["ExitCode"] for entry in log),
        )

    def define(self, service: Service, when: str = "before") -> None:
        """Note the health check and the restart policy of the service's definition: predictions use
        them.
        """
        api = self.swarm.leader().engine.api
        spec = api.inspect_service(service.name)["Spec"]["TaskTemplate"]
        container, restart = spec["ContainerSpec"], spec.get("RestartPolicy", {})
        health = container.get("Healthcheck", {})
        # Where it does not say so, it is as the engine and swarmkit have it by default.
        definition = events.Definition(
            when=when,
            service=service.name,
            image=container["Image"],
            test=None if health.get("Test") is None else tuple(health["Test"]),
            interval_s=(health.get("Interval") or INTERVAL_NS) / 1e9,
            timeout_s=(health.get("Timeout") or INTERVAL_NS) / 1e9,
            retries=health.get("Retries") or RETRIES,
            start_interval_s=health.get("StartInterval", 0) / 1e9,
            restart_condition=restart.get("Condition"),
            restart_delay_s=restart.get("Delay", RESTART_DELAY_NS) / 1e9,
            grace_s=container.get("StopGracePeriod", 0) / 1e9,
        )
        self.evidence.write(definition)

    def _whole(self, service: Service) -> list[TaskSeen]:
        """All replicas run and serve through every node; finds the tasks."""
        healed = self.healed
        tasks = self.wait(service.converged(replicas=healed.replicas), within=READY_S)
        if healed.alone:
            self.wait(self.swarm.mesh_lists(healed.replicas), within=READY_S)
        if healed.port:
            serves = Serves(self.swarm, replicas=healed.replicas, port=healed.port)
            self.wait(serves, within=READY_S)
        return tasks

    # -- an update that is no good ------------------------------------------------------------

    def see_bad_update_rolled_back(
        self, service: Service, update: Callable[[Service], Output] = perform.break_update
    ) -> None:
        """An update whose check can't succeed, while clients ask.

        `update` does it, and returns when the client has seen its end.
        """
        self._whole(service)
        self.define(service)
        self.evidence.tasks(self.swarm, service.name)
        with self._clients() as asked:
            asked(WARM)
            said = update(service)
            lines = dict.fromkeys((said.stdout + said.stderr).splitlines())
            self.evidence.write(events.Updated(said.code, "\n".join(lines)))
            try:
                self.wait(service.rolled_back(), within=READY_S)
            finally:
                # Also where it was not taken back: that is what the state then says.
                self._note_end(service)
            asked(WARM)
        self.define(service, "after")
        self._whole(service)
        self.evidence.tasks(self.swarm, service.name)
        perform.listing("After the update was taken back", service)

    def _note_end(self, service: Service) -> None:
        found = self.swarm.leader().engine.api.inspect_service(service.name)
        status = found.get("UpdateStatus") or {}
        self.evidence.write(events.RolledBack(status.get("State", ""), status.get("Message", "")))

    # -- how unhealthy tasks end --------------------------------------------------------------

    @contextmanager
    def slow_start(self, services: Services) -> Iterator[None]:
        """A slow server without a start period, with one too short, and with one long enough.

        They start while the block does something else; at its end their states are noted.
        """
        periods = {"none": (), "short": period("2s"), "long": period("30s")}
        made = {
            name: perform.slow(services, f"slow-{name}", *words) for name, words in periods.items()
        }
        yield
        self.wait(made["long"].converged(replicas=1), within=READY_S)
        for name in ("none", "short"):
            self.wait(made[name].ended(at_least=DEATHS), within=READY_S)
        for name, service in made.items():
            self.evidence.write(events.StartPeriod(name, service.name))
            self.evidence.tasks(self.swarm, service.name)
        perform.listing("Start period: none, too short, long enough", *made.values())

    @contextmanager
    def endings(self, services: Services, secret: Secrets) -> Iterator[None]:
        """Four programs become unhealthy, and each ends in its own way; one is restarted until its
        limit.

        They do so while the block does something else; at its end it is noted how they ended.
        """
        secret.create(PASSWORD)
        endings = {**perform.ENDINGS, "postgres": perform.postgres_ending(PASSWORD)}
        made = {name: perform.ending(services, name, w) for name, w in endings.items()}
        limited = perform.gives_up(services)
        yield
        for name, service in made.items():
            self._note_ending(name, service)
        self.wait(limited.ended(at_least=1 + perform.MOST_ATTEMPTS), within=READY_S)
        self._watch(limited)
        perform.listing("They have ended, and one has given up", *made.values(), limited)

    def _note_ending(self, name: str, service: Service) -> None:
        (task, *_) = self.wait(service.ended(), within=READY_S)
        checks = self._checks(task).exit_codes
        self.evidence.write(events.Ending(name, task.state, task.exit_code, task.error, checks))

    def see_the_trap(self, services: Services) -> None:
        """One of three becomes unhealthy under `on-failure`, which then becomes `any`."""
        service = perform.trap(services)
        tasks = self.wait(service.converged(replicas=REPLICAS), within=READY_S)
        self.define(service)
        self.break_one(1, tasks[0])
        self.wait(service.ended(), within=HEALED_S)
        self._note_checks(tasks[0])
        self._watch(service)
        perform.listing("The slot stays empty", service)
        perform.restart_always(service)
        self.wait(service.updated(), within=READY_S)
        self.wait(service.converged(replicas=REPLICAS), within=READY_S)
        self.define(service, "after")
        self.evidence.tasks(self.swarm, service.name)
        perform.listing("The slot is filled again", service)

    def _watch(self, service: Service) -> None:
        """Watch that nothing moves; note for how long, and the tasks at the end."""
        began = self.swarm.recorder.now()
        self.wait(service.watched(for_s=STAYS_S), within=HEALED_S)
        seconds = self.swarm.recorder.now() - began
        self.evidence.write(events.Watched(round(seconds, 1)))
        self.evidence.tasks(self.swarm, service.name)


def _when(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def period(length: str) -> tuple[str, ...]:
    """A start period of that length, in which is looked every three seconds."""
    return ("--health-start-period", length, "--health-start-interval", "3s")
