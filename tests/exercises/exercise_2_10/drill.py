"""The shop's drills: each injects a fault or makes a change under load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from pytest_swarmlab.clients.serving import Serves
from pytest_swarmlab.evidence.observer import Observe
from pytest_swarmlab.faults import Fault, Faults
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.stacks import Service, Stacks, of_stack
from pytest_swarmlab.waiting.waiter import Waiter

from .. import nfs
from ..stack_on_nfs import listing
from . import events, perform
from .events import Struck
from .full import FullDisk
from .load import CATALOGUE, PATIENCE_S, Crowd, Load
from .setting import (
    BROKER,
    CACHE,
    CUSTOMERS,
    DATABASE,
    FULL_S,
    GATEWAY,
    KILLED_TOGETHER,
    NAME,
    ORDERS,
    PENDING,
    PORT,
    PUBLISHED,
    REPLICAS,
    RETURN,
    ROLLED,
    ROLLED_AFTER,
    WORKER,
)

READY_S = 300
BACK_S = 240
DOWN_S = 90
ROLLED_S = 300


@dataclass
class Drill:
    """One deployment of the shop, and its customers."""

    swarm: Swarm
    stack: Stacks
    crowd: Crowd
    faults: Faults
    wait: Waiter
    observe: Observe
    evidence: Evidence

    def service(self, name: str) -> Service:
        """One of its services, by its name in the stack file."""
        return perform.service(self.swarm, name)

    # -- deployed ----------------------------------------------------------------------------

    def open(self) -> None:
        """Everything runs and serves; a first order is placed, and followed through every node."""
        self.whole()
        self.evidence.write(events.Ready(len(REPLICAS)))
        self._note_healths()
        self._note_memory()
        nodes = self.swarm.nodes
        self.crowd.arrive(nodes)
        customer, mark = self.crowd.customers[0], f"{self.crowd.run}-first-"
        order = self.crowd.order(customer, f"{mark}1", 1)
        self.evidence.write(events.Ordered(order))
        self.wait(self.crowd.books.consumed(mark), within=BACK_S)
        for node in nodes:
            status = self.crowd.shop.status_of(node, customer.token, order)
            self.evidence.write(events.Followed(node.name, order, status))
        self._listing("Deployed")

    def _listing(self, when: str) -> None:
        listing(self.swarm, when, NAME)

    def whole(self) -> None:
        """Wait until every service runs all its replicas and serves through every node."""
        for name, count in REPLICAS.items():
            self.wait(self.service(name).converged(replicas=count), within=READY_S)
        self.wait(self.swarm.mesh_lists(sum(REPLICAS[each] for each in PUBLISHED)), within=READY_S)
        self._serves(self.swarm.nodes)
        for name in REPLICAS:
            self.evidence.tasks(self.swarm, self.service(name).name)

    def _serves(self, via: Sequence[Node]) -> None:
        for path in ("/", CATALOGUE):
            serves = Serves(
                self.swarm,
                via=via,
                replicas=REPLICAS[GATEWAY],
                port=PORT,
                path=path,
                timeout=PATIENCE_S,
            )
            self.wait(serves, within=READY_S)

    def _note_healths(self) -> None:
        """Record the health of each of the shop's containers, by its engine."""
        for node in self.swarm.nodes:
            for row in node.engine.api.containers(filters=of_stack(NAME)):
                state = node.engine.api.inspect_container(row["Id"])["State"]
                health = events.Health(
                    node.name,
                    service=row["Labels"].get("com.docker.swarm.service.name", ""),
                    container=row["Id"][:12],
                    health=(state.get("Health") or {}).get("Status", "not checked"),
                )
                self.evidence.write(health)

    def _note_memory(self) -> None:
        """Record each node's memory in use, without caches."""
        for node in self.swarm.nodes:
            lines = node.look("cat", "/proc/meminfo").stdout.splitlines()
            kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if ":" in line}
            used = (kib["MemTotal"] - kib["MemAvailable"]) // 1024
            self.evidence.write(events.Memory(node.name, used))

    # -- struck ------------------------------------------------------------------------------

    @contextmanager
    def _struck(self, *struck: Struck, load: Load, via: Sequence[Node]) -> Iterator[None]:
        """From just before the faults until everything serves again, to each customer, too."""
        for each in struck:
            self.evidence.write(each)
        yield
        self._serves(via)
        load.goes_on(self.wait, within=BACK_S)
        for each in struck:
            self.evidence.write(events.Recovered(each.what))

    def kill_each(self) -> None:
        """A task of every service is killed, group after group."""
        with self.crowd.come("killed", self.swarm.nodes) as load:
            for names in KILLED_TOGETHER:
                self._kill(names, load)
        self._listing("A task of each service was killed")

    def _kill(self, names: Sequence[str], load: Load) -> None:
        killed = {}
        for name in names:
            tasks = self.wait(self.service(name).converged(replicas=REPLICAS[name]), within=READY_S)
            killed[name] = tasks[0]
        struck = [Struck(n, t.id, t.slot, t.node, t.container) for n, t in killed.items()]
        with self._struck(*struck, load=load, via=self.swarm.nodes):
            for name, task in killed.items():
                perform.kill(self.swarm, task.node, task.container, name)
            for name, task in killed.items():
                new = self.wait(self.service(name).replaced(task), within=BACK_S)
                self.evidence.write(events.Replaced(name, old=task.id, new=new.id))
            for name in names:
                self.wait(self.service(name).converged(replicas=REPLICAS[name]), within=BACK_S)

    def take_the_cache_away(self) -> None:
        """Scale Redis to 0, and back."""
        self._take_away(CACHE, "redis-away")

    def take_the_broker_away(self) -> None:
        """Scale RabbitMQ to 0, and back: orders wait meanwhile, and are processed afterwards."""
        self._take_away(BROKER, "rabbitmq-away")

    def _take_away(self, name: str, what: str) -> None:
        nodes, service = self.swarm.nodes, self.service(name)
        with self.crowd.come(what, nodes) as load:
            self.evidence.tasks(self.swarm, service.name)
            with self._struck(Struck(what), load=load, via=nodes):
                service.scale(0)
                self.wait(service.tasks_are("running", 0), within=BACK_S)
                self.wait(service.settled(), within=BACK_S)
                self.evidence.tasks(self.swarm, service.name)
                self.evidence.write(events.Away(what))
                load.goes_on(self.wait, within=BACK_S)
                self.evidence.write(events.Waiting(what, self.crowd.books.waiting()))
                self.evidence.write(events.Returning(what))
                service.scale(1)
                self.wait(service.converged(replicas=1), within=READY_S)
            self.evidence.tasks(self.swarm, service.name)

    def move_the_database(self) -> None:
        """Move PostgreSQL to another node, which mounts the same files."""
        nodes, service = self.swarm.nodes, self.service(DATABASE)
        (task,) = self.wait(service.converged(replicas=1), within=READY_S)
        old = self.swarm.node(task.node)
        new = next(node for node in self.swarm.workers() if node is not old)
        with self.crowd.come("database-moved", nodes) as load:
            self.evidence.tasks(self.swarm, service.name)
            struck = Struck("database-moved", old=old.name, new=new.name)
            with self._struck(struck, load=load, via=nodes):
                service.move(to=new)
                self.wait(service.converged(replicas=1, on=new), within=READY_S)
            self.evidence.tasks(self.swarm, service.name)
        # It stays there, and may go elsewhere when that node is lost.
        service.update("--constraint-rm", service.only(new))
        self.wait(service.converged(replicas=1), within=READY_S)

    def fill_the_disk(self) -> None:
        """The database's disk is full until orders are refused, and then no more."""
        disk = FullDisk(self.swarm, self.crowd, self.evidence)
        with self.crowd.come("disk-full", self.swarm.nodes) as load:
            disk.look("before")
            with self._struck(Struck("disk-full"), load=load, via=self.swarm.nodes):
                with self.faults.fill_disk(nfs.server_of(self.swarm), perform.DATABASE_FILES):
                    self.wait(disk.refuses(), within=FULL_S)
                    disk.look("full")
                disk.look("freed")
            disk.ask_again()
        self._listing("The database's disk was full")

    def lose_power(self) -> None:
        """Cut the power of a machine without the database; it boots again later."""
        (task,) = self.wait(self.service(DATABASE).converged(replicas=1), within=READY_S)
        lost = next(node for node in self.swarm.workers() if node.name != task.node)
        self._lose("power-off", lost, self.faults.power_off(lost))

    def cut_off(self) -> None:
        """A manager that does not lead is cut off from all others; its containers go on."""
        leader, server = self.swarm.leader(), nfs.server_of(self.swarm)
        cut = next(n for n in self.swarm.managers() if n not in (leader, server))
        self._lose("cut-off", cut, self.faults.partition([cut], self.swarm.nodes_except(cut)))

    def lose_the_leader(self) -> None:
        """Kill the leader's engine: its containers keep running, and so does the NFS server."""
        leader = self.swarm.leader()
        with self.evidence.identities_of(self.swarm):
            self._lose("leader-lost", leader, self.faults.kill_engine(leader))

    def _lose(self, what: str, node: Node, fault: Fault) -> None:
        """Customers come through the other nodes until every task runs elsewhere and the node is
        back.
        """
        others = self.swarm.nodes_except(node)
        asked = [each for each in self.swarm.managers() if each is not node]
        database = self.service(DATABASE).name
        with (
            self.observe(asked, service=database),
            self.crowd.come(what, others) as load,
            ExitStack() as broken,
        ):
            with self._struck(Struck(what, node=node.name), load=load, via=others):
                broken.enter_context(fault)
                self.wait(self.swarm.node_is(node, state="down"), within=DOWN_S)
                for name, count in REPLICAS.items():
                    self.wait(self.service(name).converged(replicas=count), within=READY_S)
            self._listing(f"{node} is away")
            with self._struck(Struck(RETURN, node=node.name), load=load, via=others):
                broken.close()
                self.wait(self.swarm.all_nodes_ready(), within=BACK_S)
                for name in REPLICAS:
                    # What was replaced while it was away stops when it hears of that.
                    self.wait(self.service(name).settled(), within=BACK_S)
        self.whole()

    # -- updated -----------------------------------------------------------------------------

    def roll(self) -> None:
        """Replace every task of each service with several replicas by a rolling update."""
        nodes = self.swarm.nodes
        with self.crowd.come("rolled", nodes) as load:
            before = {}
            for name in ROLLED:
                service, count = self.service(name), REPLICAS[name]
                before[name] = self.wait(service.converged(replicas=count), within=READY_S)
                self.evidence.tasks(self.swarm, service.name)
            with self._struck(Struck("rolled"), load=load, via=nodes):
                for name in ROLLED:
                    if name not in ROLLED_AFTER:
                        perform.roll(self.swarm, name)
                for name, first in ROLLED_AFTER.items():
                    self.wait(self.service(first).renewed(before[first]), within=ROLLED_S)
                    perform.roll(self.swarm, name)
                for name in ROLLED:
                    self.wait(self.service(name).updated(), within=ROLLED_S)
                    self.wait(self.service(name).settled(), within=ROLLED_S)
            for name in ROLLED:
                self.evidence.tasks(self.swarm, self.service(name).name)
        self._listing("Every service was rolled")

    def see_a_bad_update_rolled_back(self) -> None:
        """Update the orders' service to a version that ends at once; the update rolls back."""
        nodes, service = self.swarm.nodes, self.service(ORDERS)
        api = self.swarm.leader().engine.api
        before = api.inspect_service(service.name)["Spec"]["TaskTemplate"]["ContainerSpec"]
        with self.crowd.come("bad-update", nodes) as load:
            self.evidence.tasks(self.swarm, service.name)
            with self._struck(Struck("bad-update"), load=load, via=nodes):
                perform.break_update(self.swarm, ORDERS)
                self.wait(service.rolled_back(), within=ROLLED_S)
                self.wait(service.converged(replicas=REPLICAS[ORDERS]), within=READY_S)
            seen = self.swarm.leader().engine.api.inspect_service(service.name)
            after = seen["Spec"]["TaskTemplate"]["ContainerSpec"]
            differs = differing(before, after)
            self.evidence.write(
                events.RolledBack(
                    seen["UpdateStatus"]["State"], same="Command" not in differs, differs=differs
                )
            )
            self.evidence.tasks(self.swarm, service.name)
        self._listing("The bad update took itself back")

    # -- counted -----------------------------------------------------------------------------

    def count(self) -> None:
        """All orders and accounts of the run, as acknowledged and as stored."""
        self._note_acknowledged()
        self._note_stored("at last")

    def _note_acknowledged(self) -> None:
        told = (tuple(sorted(ids)) for ids in (self.crowd.orders, self.crowd.accounts))
        self.evidence.write(events.Acknowledged(*told))

    def _note_stored(self, when: str) -> None:
        crowd = self.crowd
        stored = self.wait(crowd.books.consumed(*crowd.marks), within=BACK_S)
        _, accounts = self.wait(crowd.books.read(f"{crowd.run}-"), within=BACK_S)
        self.evidence.write(
            events.Stored(
                when,
                orders=tuple((order.id, order.times) for order in stored),
                keys=len({order.key for order in stored}),
                unasked=sum(order.key not in crowd.sent for order in stored),
                accounts=tuple(sorted(id_ for id_, _ in accounts)),
                damaged=crowd.books.damaged(),
            )
        )

    def redeploy(self, deployment: perform.Deployment) -> None:
        """Remove the stack while orders wait for a worker, and deploy it again."""
        crowd, via = self.crowd, self.swarm.nodes
        worker = self.service(WORKER)
        worker.scale(0)
        self.wait(worker.tasks_are("running", 0), within=BACK_S)
        self.wait(worker.settled(), within=BACK_S)
        mark = f"{crowd.run}-persistence-"
        for number in range(1, 2 * PENDING + 1):
            customer = crowd.customers[number % CUSTOMERS]
            customer.via(via)
            crowd.order(customer, f"{mark}{number}", number)
        self.evidence.write(events.Waiting("persistence", crowd.books.waiting()))
        self._note_acknowledged()
        self.stack.remove(NAME)
        self.evidence.write(self._left())
        deployment.deploy()
        self.whole()
        self.evidence.write(events.Back())
        for number, customer in enumerate(crowd.customers, 1):
            token = crowd.shop.log_in(via[number % len(via)], customer.email)
            known = crowd.shop.who_am_i(via[-number % len(via)], token) == customer.id
            self.evidence.write(events.Known(number, known))
        self._note_stored("after the stack was removed")
        self._listing("Removed and deployed again")

    def _left(self) -> events.Removed:
        """How many services the stack has, and how many containers on all nodes."""
        label = of_stack(NAME)
        engines = [node.engine.api for node in self.swarm.nodes]
        return events.Removed(
            services=len(self.swarm.leader().engine.api.services(label)),
            containers=sum(len(api.containers(all=True, filters=label)) for api in engines),
        )


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of a definition's fields that are not the same after as before."""
    names = sorted(before.keys() | after.keys())
    return tuple(name for name in names if before.get(name) != after.get(name))
